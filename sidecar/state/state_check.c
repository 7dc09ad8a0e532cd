/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One pass in key order. Index entries have no value that could carry a checksum: each index
 * is compared with the RRsets as a set, by the sum of hashes over its entries, which a
 * changed, missing or extra entry changes.
 */
#include "sidecar/state/state_check.h"

#include <endian.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/base/cursor.h"
#include "sidecar/state/reverse.h"
#include "sidecar/state/state.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"

/* A set of index entries, so that two can be compared. */
struct tally {
	uint64_t count, sum;
};

struct source_tally {
	uint8_t len;
	char name[STATE_SOURCE_MAX];
	uint64_t rrsets;
	bool has_record;
};

struct zone_tally {
	struct name_key apex;
	struct state_zone record, counted;
};

struct pointer {
	uint64_t hash; /* 0: free */
	uint32_t count; /* of entries with this hash that no RRset was found for */
};

struct check {
	struct state_check *out;
	struct state_log_entry log; /* items only */
	struct state_meta_record meta;
	bool has_meta;
	uint64_t log_first, log_last, log_bytes; /* as found */
	uint64_t revision;                       /* the highest of all records */
	struct tally owners, leases;             /* the index minus the RRsets */
	uint64_t pointers_found;
	struct source_tally *source; /* in the order of table O: by length, then by name */
	size_t source_count, source_room;
	struct zone_tally *zone;
	size_t zone_count, zone_room;
	struct pointer *pointer;
	size_t pointer_count, pointer_room; /* a power of two */
};

typedef int (*table_fn)(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason);

static int
corrupt(struct reason *reason, const char *what)
{
	return reason_set(reason, STATUS_CORRUPT, "state: %s", what);
}

static int
no_memory(struct reason *reason)
{
	return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
}

/* Room for one more element; doubles. */
static void *
grow(void *array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *grown = count < *room ? array : reallocarray(array, wanted, size);

	if (count == *room && grown)
		*room = wanted;
	return grown;
}

/* splitmix64's last step: a difference in any bit changes all. */
static uint64_t
spread(uint32_t checksum)
{
	uint64_t value = checksum + 0x9e3779b97f4a7c15u;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

static void
add(struct tally *tally, uint64_t hash)
{
	tally->count++;
	tally->sum += hash;
}

static void
take(struct tally *tally, uint64_t hash)
{
	tally->count--;
	tally->sum -= hash;
}

/* --- the index of addresses --- */

static struct pointer *
find_pointer(struct check *check, uint64_t hash)
{
	size_t at = hash & (check->pointer_room - 1);

	while (check->pointer[at].hash != 0 && check->pointer[at].hash != hash)
		at = (at + 1) & (check->pointer_room - 1);
	return &check->pointer[at];
}

static int
grow_pointers(struct check *check, struct reason *reason)
{
	struct check bigger = { .pointer_room = check->pointer_room ? check->pointer_room * 2
								     : 1024 };
	size_t i;

	bigger.pointer = calloc(bigger.pointer_room, sizeof(*bigger.pointer));
	if (!bigger.pointer)
		return no_memory(reason);
	for (i = 0; i < check->pointer_room; i++)
		if (check->pointer[i].hash != 0)
			*find_pointer(&bigger, check->pointer[i].hash) = check->pointer[i];
	free(check->pointer);
	check->pointer = bigger.pointer;
	check->pointer_room = bigger.pointer_room;
	return STATUS_OK;
}

static int
check_pointer(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	uint64_t hash = spread(checksum_crc32c((const uint8_t *)key->mv_data + 1,
				key->mv_size - 1))
		| 1;
	struct pointer *pointer;

	if (value->mv_size != 0)
		return corrupt(reason, "damaged value in table P");
	if (2 * check->pointer_count >= check->pointer_room
		&& grow_pointers(check, reason) != STATUS_OK)
		return STATUS_NO_MEMORY;
	pointer = find_pointer(check, hash);
	pointer->hash = hash;
	pointer->count++;
	check->pointer_count++;
	return STATUS_OK;
}

/* Ticks off the entries of an RRset's addresses; not every address has one. */
static void
find_addresses(struct check *check, const struct state_record *record, const MDB_val *key)
{
	const struct rrset *rrset = &record->rrset;
	size_t at, len;

	if (check->pointer_count == 0
		|| (rrset->type != RRSET_A && rrset->type != RRSET_AAAA))
		return;
	for (at = 0; at + 2 <= rrset->rdata_len; at += 2 + len) {
		struct name_key reverse;
		struct pointer *pointer;

		len = (size_t)rrset->rdata[at] << 8 | rrset->rdata[at + 1];
		if (reverse_key(rrset->type, rrset->rdata + at + 2, len, &reverse)
			!= STATUS_OK)
			continue;
		reverse.bytes[reverse.len] = 0;
		pointer = find_pointer(check,
			spread(checksum_crc32c_two(reverse.bytes, reverse.len + 1u,
				(const uint8_t *)key->mv_data + 1, key->mv_size - 1))
				| 1);
		if (pointer->count > 0) {
			pointer->count--;
			check->pointers_found++;
		}
	}
}

/* --- zones --- */

static int
compare_keys(const struct name_key *a, const uint8_t *bytes, size_t len)
{
	int order = memcmp(a->bytes, bytes, a->len < len ? a->len : len);

	return order != 0 ? order : (a->len > len) - (a->len < len);
}

static struct zone_tally *
find_apex(struct check *check, const uint8_t *bytes, size_t len)
{
	size_t low = 0, high = check->zone_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_keys(&check->zone[middle].apex, bytes, len);

		if (order == 0)
			return &check->zone[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The zone that counts an owner: the longest, as a zone that is not live counts none. */
static struct zone_tally *
find_zone(struct check *check, const struct name_key *owner)
{
	uint8_t ends[NAME_KEY_MAX + 1];
	struct zone_tally *zone = NULL;
	size_t labels = 0, at;

	for (at = 0; at < owner->len; at += 1u + owner->bytes[at])
		ends[labels++] = (uint8_t)at;
	zone = check->zone_count > 0 ? find_apex(check, owner->bytes, owner->len) : NULL;
	while (!zone && check->zone_count > 0 && labels > 0)
		zone = find_apex(check, owner->bytes, ends[--labels]);
	return zone;
}

/* Before all else, as their table comes last. */
static int
read_zone(void *context, const struct mdb_image_text *key_text,
	const struct mdb_image_text *value_text, struct reason *reason)
{
	struct check *check = context;
	MDB_val key = { key_text->len, (void *)(uintptr_t)key_text->at };
	MDB_val value = { value_text->len, (void *)(uintptr_t)value_text->at };
	struct zone_tally zone = { .apex.len = 0 }, *grown;
	int status = state_decode_zone(&key, &value, &zone.record, reason);

	if (status != STATUS_OK)
		return status;
	if (key.mv_size > 1 + NAME_KEY_MAX)
		return corrupt(reason, "damaged key in table Z");
	if (zone.record.revision > check->revision)
		check->revision = zone.record.revision;
	if (zone.record.rrsets == 0)
		return STATUS_OK;
	zone.apex.len = (uint8_t)(key.mv_size - 1);
	memcpy(zone.apex.bytes, key_text->at + 1, zone.apex.len);
	grown = grow(check->zone, check->zone_count, &check->zone_room, sizeof(zone));
	if (!grown)
		return no_memory(reason);
	check->zone = grown;
	check->zone[check->zone_count++] = zone;
	return STATUS_OK;
}

static bool
has_same_counts(const struct zone_tally *zone)
{
	return zone->record.rrsets == zone->counted.rrsets
		&& zone->record.wildcards == zone->counted.wildcards
		&& zone->record.cuts == zone->counted.cuts;
}

/* --- tables --- */

static int
check_alarm(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	(void)check;
	return state_is_sealed(key, value) ? STATUS_OK
					   : corrupt(reason, "damaged value in table A");
}

static int
check_log(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	int status = state_decode_log(key, value, &check->log, reason);

	if (status != STATUS_OK)
		return status;
	if (check->log_first == 0)
		check->log_first = check->log.revision;
	check->log_last = check->log.revision;
	check->log_bytes += value->mv_size;
	return STATUS_OK;
}

static int
check_lease(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	if (value->mv_size != 0)
		return corrupt(reason, "damaged value in table L");
	add(&check->leases,
		spread(checksum_crc32c((const uint8_t *)key->mv_data + 1, key->mv_size - 1)));
	return STATUS_OK;
}

static int
check_meta(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	check->has_meta = true;
	return key->mv_size == 1 ? state_decode_meta(key, value, &check->meta, reason)
				 : corrupt(reason, "damaged key in table M");
}

static int
check_owner(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	const uint8_t *bytes = key->mv_data;
	struct source_tally *last = check->source_count > 0
		? &check->source[check->source_count - 1]
		: NULL;
	size_t len = key->mv_size > 1 ? bytes[1] : 0;

	if (value->mv_size != 0 || len > STATE_SOURCE_MAX || key->mv_size < 2 + len + 3)
		return corrupt(reason, "damaged entry in table O");
	if (!last || last->len != len || memcmp(last->name, bytes + 2, len) != 0) {
		struct source_tally *grown = grow(check->source, check->source_count,
			&check->source_room, sizeof(*grown));

		if (!grown)
			return no_memory(reason);
		check->source = grown;
		last = &check->source[check->source_count++];
		*last = (struct source_tally){ .len = (uint8_t)len };
		memcpy(last->name, bytes + 2, len);
	}
	last->rrsets++;
	add(&check->owners, spread(checksum_crc32c(bytes + 1, key->mv_size - 1)));
	return STATUS_OK;
}

static int
check_rrset(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	const uint8_t *name = (const uint8_t *)key->mv_data + 1;
	uint8_t source[1 + STATE_SOURCE_MAX];
	struct state_record record;
	struct zone_tally *zone;
	int status = state_decode_rrset(key, value, &record, reason);

	if (status != STATUS_OK)
		return status;
	if (record.source_len > STATE_SOURCE_MAX)
		return corrupt(reason, "damaged value in table R");
	source[0] = record.source_len;
	memcpy(source + 1, record.source, record.source_len);
	take(&check->owners,
		spread(checksum_crc32c_two(
			source, 1u + record.source_len, name, key->mv_size - 1)));
	if (record.expires_ms != 0) {
		uint64_t big = htobe64(record.expires_ms);

		take(&check->leases,
			spread(checksum_crc32c_two(
				(uint8_t *)&big, sizeof(big), name, key->mv_size - 1)));
	}
	find_addresses(check, &record, key);
	zone = find_zone(check, &record.rrset.owner);
	if (zone)
		state_count_rrset(&zone->counted, &zone->apex,
			&(struct state_delta){ &record.rrset.owner, record.rrset.type, 1 });
	if (record.revision > check->revision)
		check->revision = record.revision;
	check->out->rrsets++;
	return STATUS_OK;
}

static int
check_source(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	size_t low = 0, high = check->source_count, len = key->mv_size - 1;
	struct state_source record;
	int status = state_decode_source(key, value, &record, reason);

	if (status != STATUS_OK)
		return status;
	if (record.revision > check->revision)
		check->revision = record.revision;
	while (low < high) {
		size_t middle = (low + high) / 2;
		struct source_tally *source = &check->source[middle];
		int order = source->len != len
			? (source->len > len) - (source->len < len)
			: memcmp(source->name, (const char *)key->mv_data + 1, len);

		if (order == 0) {
			source->has_record = true;
			return source->rrsets == record.rrsets
				? STATUS_OK
				: corrupt(reason, "a source has other RRsets than it counts");
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return corrupt(reason, "a source without RRsets");
}

static int
check_zone(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	(void)check;
	(void)key;
	(void)value;
	(void)reason;
	return STATUS_OK; /* read_zone did */
}

static int
check_entry(void *context, const struct mdb_image_text *key_text,
	const struct mdb_image_text *value_text, struct reason *reason)
{
	static const table_fn tables[UINT8_MAX + 1] = {
		[STATE_TABLE_ALARM] = check_alarm,
		[STATE_TABLE_LOG] = check_log,
		[STATE_TABLE_LEASE] = check_lease,
		[STATE_TABLE_META] = check_meta,
		[STATE_TABLE_OWNER] = check_owner,
		[STATE_TABLE_POINTER] = check_pointer,
		[STATE_TABLE_RRSET] = check_rrset,
		[STATE_TABLE_SOURCE] = check_source,
		[STATE_TABLE_ZONE] = check_zone,
	};
	MDB_val key = { key_text->len, (void *)(uintptr_t)key_text->at };
	MDB_val value = { value_text->len, (void *)(uintptr_t)value_text->at };
	table_fn fn = tables[key_text->at[0]];

	return fn ? fn(context, &key, &value, reason)
		  : corrupt(reason, "an entry of no table");
}

/* --- the whole --- */

static int
check_sums(struct check *check, struct reason *reason)
{
	const struct state_meta_record *meta = &check->meta;
	size_t i;

	if (!check->has_meta)
		return reason_set(reason, STATUS_FOREIGN,
			"data.mdb has no record of livezone: it belongs to another program");
	if (check->owners.count != 0 || check->owners.sum != 0)
		return corrupt(reason, "the RRsets are not those that sources own");
	if (check->leases.count != 0 || check->leases.sum != 0)
		return corrupt(reason, "the leases are not those of the RRsets");
	if (check->pointers_found != check->pointer_count)
		return corrupt(reason, "a reverse name of an address that is not there");
	if (check->revision > meta->meta.revision)
		return corrupt(reason, "a revision above that of the whole");
	if (check->log_bytes != meta->log_bytes || check->log_last > meta->meta.revision
		|| (check->log_first != 0 && check->log_first < meta->log_first))
		return corrupt(reason, "the change log is not the one that was written");
	for (i = 0; i < check->source_count; i++)
		if (!check->source[i].has_record)
			return corrupt(reason, "a source without its record");
	for (i = 0; i < check->zone_count; i++)
		if (!has_same_counts(&check->zone[i]))
			check->out->must_recount = true;
	check->out->revision = meta->meta.revision;
	return STATUS_OK;
}

int
state_check_image(const struct mdb_image *image, struct state_check *out,
	struct reason *reason)
{
	struct check check = {
		.out = out,
		.log.items = malloc(STATE_LOG_ITEMS_MAX * sizeof(struct state_log_item)),
	};
	int status;

	*out = (struct state_check){ 0 };
	status = check.log.items ? mdb_image_walk(image, STATE_TABLE_ZONE, STATE_TABLE_ZONE,
					   read_zone, &check, NULL, reason)
				 : no_memory(reason);
	if (status == STATUS_OK)
		status = mdb_image_verify(image, check_entry, &check, reason);
	if (status == STATUS_OK)
		status = check_sums(&check, reason);
	free(check.log.items);
	free(check.source);
	free(check.zone);
	free(check.pointer);
	return status;
}
