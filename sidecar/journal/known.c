/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A hash table with open addressing. An entry is one piece of memory: its head, then name,
 * source and data; a million of them take 150 MB.
 */
#include "sidecar/journal/known.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/base/status.h"

#define ROOM_FIRST 1024

struct known_entry {
	uint64_t revision, expires_ms;
	uint32_t ttl, lease_ms, rdata_len, hash;
	uint16_t type, count;
	uint8_t owner_len, source_len;
	uint8_t bytes[]; /* owner, source, rdata */
};

static uint32_t
hash_of(const struct name_key *owner, uint16_t type)
{
	return checksum_crc32c_two(owner->bytes, owner->len, (const uint8_t *)&type,
		sizeof(type));
}

static struct known_entry **
find(const struct known *known, const struct name_key *owner, uint16_t type, uint32_t hash)
{
	size_t at = hash & (known->room - 1);

	for (; known->entry[at]; at = (at + 1) & (known->room - 1)) {
		const struct known_entry *entry = known->entry[at];

		if (entry->hash == hash && entry->type == type
			&& entry->owner_len == owner->len
			&& memcmp(entry->bytes, owner->bytes, owner->len) == 0)
			break;
	}
	return &known->entry[at];
}

static int
grow(struct known *known, struct reason *reason)
{
	struct known bigger = { .room = known->room ? known->room * 2 : ROOM_FIRST };
	size_t i;

	bigger.entry = calloc(bigger.room, sizeof(struct known_entry *));
	if (!bigger.entry)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	for (i = 0; i < known->room; i++) {
		size_t at;

		if (!known->entry[i])
			continue;
		for (at = known->entry[i]->hash & (bigger.room - 1); bigger.entry[at];)
			at = (at + 1) & (bigger.room - 1);
		bigger.entry[at] = known->entry[i];
	}
	free(known->entry);
	known->entry = bigger.entry;
	known->room = bigger.room;
	return STATUS_OK;
}

static struct known_entry *
copy(struct known *known, const struct state_record *record, uint32_t hash)
{
	const struct rrset *rrset = &record->rrset;
	struct known_entry *entry = arena_alloc(&known->arena,
		sizeof(*entry) + rrset->owner.len + record->source_len + rrset->rdata_len);

	if (!entry)
		return NULL;
	*entry = (struct known_entry){
		.revision = record->revision,
		.expires_ms = record->expires_ms,
		.ttl = rrset->ttl,
		.lease_ms = record->lease_ms,
		.rdata_len = rrset->rdata_len,
		.hash = hash,
		.type = rrset->type,
		.count = rrset->count,
		.owner_len = rrset->owner.len,
		.source_len = record->source_len,
	};
	memcpy(entry->bytes, rrset->owner.bytes, rrset->owner.len);
	memcpy(entry->bytes + rrset->owner.len, record->source, record->source_len);
	memcpy(entry->bytes + rrset->owner.len + record->source_len, rrset->rdata,
		rrset->rdata_len);
	return entry;
}

int
known_add(struct known *known, const struct state_record *record, struct reason *reason)
{
	const struct rrset *rrset = &record->rrset;
	uint32_t hash = hash_of(&rrset->owner, rrset->type);
	struct known_entry **place, *entry;

	if (2 * known->count >= known->room && grow(known, reason) != STATUS_OK)
		return STATUS_NO_MEMORY;
	place = find(known, &rrset->owner, rrset->type, hash);
	if (*place && (*place)->revision >= record->revision)
		return STATUS_OK;
	entry = copy(known, record, hash);
	if (!entry)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	known->count += *place == NULL;
	*place = entry;
	return STATUS_OK;
}

static void
read_entry(const struct known_entry *entry, struct state_record *out)
{
	*out = (struct state_record){
		.rrset = { .owner.len = entry->owner_len,
			.type = entry->type,
			.count = entry->count,
			.ttl = entry->ttl,
			.rdata_len = entry->rdata_len,
			.rdata = entry->bytes + entry->owner_len + entry->source_len },
		.revision = entry->revision,
		.expires_ms = entry->expires_ms,
		.lease_ms = entry->lease_ms,
		.source_len = entry->source_len,
		.source = (const char *)entry->bytes + entry->owner_len,
	};
	memcpy(out->rrset.owner.bytes, entry->bytes, entry->owner_len);
}

bool
known_find(const struct known *known, const struct name_key *owner, uint16_t type,
	struct state_record *out)
{
	const struct known_entry *entry = known->room == 0
		? NULL
		: *find(known, owner, type, hash_of(owner, type));

	if (entry)
		read_entry(entry, out);
	return entry != NULL;
}

int
known_walk(const struct known *known, state_record_fn fn, void *context,
	struct reason *reason)
{
	struct state_record record;
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < known->room; i++) {
		if (!known->entry[i])
			continue;
		read_entry(known->entry[i], &record);
		status = fn(context, &record, reason);
	}
	return status;
}

void
known_done(struct known *known)
{
	free(known->entry);
	arena_done(&known->arena);
	*known = (struct known){ 0 };
}
