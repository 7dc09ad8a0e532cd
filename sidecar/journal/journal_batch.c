/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Changes as the bytes that journal.h draws.
 */
#include "sidecar/journal/journal_batch.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/base/clock.h"
#include "lib/base/cursor.h"

#define PART_CUT (256 * 1024) /* a part that has reached this gets no further item */
#define ROOM_FIRST 512

static void put_value(struct cursor_out *out, const struct state_record *record);
static bool begin_part(struct journal_batch *batch, const struct journal_head *head);
static void end_part(struct journal_batch *batch);
static bool want_room(struct journal_batch *batch, size_t len);

void
journal_batch_begin(struct journal_batch *batch, const struct journal_head *head)
{
	batch->len = batch->part = 0;
	batch->previous = head->previous;
	batch->revision = head->revision;
	batch->has_failed = !begin_part(batch, head);
}

void
journal_batch_add(struct journal_batch *batch, const struct journal_head *head,
	const struct name_key *owner, uint16_t type, const struct state_record *before,
	const struct state_record *after)
{
	struct cursor_out out;
	size_t len = 4 + owner->len;

	if (before)
		len += JOURNAL_VALUE_HEAD + before->source_len + before->rrset.rdata_len;
	if (after)
		len += JOURNAL_VALUE_HEAD + after->source_len + after->rrset.rdata_len;
	if (!batch->has_failed && batch->len - batch->part >= PART_CUT)
		batch->has_failed = !begin_part(batch, head);
	if (!batch->has_failed)
		batch->has_failed = !want_room(batch, len);
	if (batch->has_failed)
		return;
	out = cursor_out_init(batch->bytes + batch->len, len);
	cursor_put_u8(&out, (before ? JOURNAL_HAS_BEFORE : 0) | (after ? JOURNAL_HAS_AFTER : 0));
	cursor_put_u8(&out, owner->len);
	cursor_put_u16(&out, type);
	cursor_put(&out, owner->bytes, owner->len);
	put_value(&out, before);
	put_value(&out, after);
	batch->len += len;
}

static void
put_value(struct cursor_out *out, const struct state_record *record)
{
	if (!record)
		return;
	cursor_put_u32(out, record->rrset.ttl);
	cursor_put_u32(out, record->lease_ms);
	cursor_put_u64(out, record->expires_ms);
	cursor_put_u32(out, record->rrset.rdata_len);
	cursor_put_u16(out, record->rrset.count);
	cursor_put_u8(out, record->source_len);
	cursor_put_u8(out, 0);
	cursor_put(out, record->source, record->source_len);
	cursor_put(out, record->rrset.rdata, record->rrset.rdata_len);
}

/* The head of a part; its length is set when it ends, rest and checksum later. */
static bool
begin_part(struct journal_batch *batch, const struct journal_head *head)
{
	size_t caller_len = strlen(head->caller);
	struct cursor_out out;

	if (caller_len > JOURNAL_CALLER_MAX)
		caller_len = JOURNAL_CALLER_MAX;
	if (!want_room(batch, JOURNAL_PART_HEAD + caller_len))
		return false;
	end_part(batch);
	batch->part = batch->len;
	out = cursor_out_init(batch->bytes + batch->len, JOURNAL_PART_HEAD + caller_len);
	cursor_put_u32(&out, 0);
	cursor_put_u32(&out, 0);
	cursor_put_u64(&out, head->revision);
	cursor_put_u64(&out, 0);
	cursor_put_u64(&out, clock_wall_ms());
	cursor_put_u8(&out, (uint8_t)head->verb);
	cursor_put_u8(&out, (uint8_t)caller_len);
	cursor_put_u16(&out, 0);
	cursor_put(&out, head->caller, caller_len);
	batch->len += JOURNAL_PART_HEAD + caller_len;
	return true;
}

static void
end_part(struct journal_batch *batch)
{
	const uint32_t len = htole32((uint32_t)(batch->len - batch->part));

	if (len > 0)
		memcpy(batch->bytes + batch->part + 4, &len, sizeof(len));
}

static bool
want_room(struct journal_batch *batch, size_t len)
{
	size_t room = batch->room ? batch->room : ROOM_FIRST;
	uint8_t *bytes;

	while (room - batch->len < len)
		room *= 2;
	if (room == batch->room)
		return true;
	bytes = batch->len + len <= JOURNAL_CHANGE_MAX ? realloc(batch->bytes, room) : NULL;
	if (!bytes)
		return false;
	batch->bytes = bytes;
	batch->room = room;
	return true;
}

void
journal_batch_end(struct journal_batch *batch)
{
	uint8_t *part = batch->bytes;
	size_t left = batch->len;

	if (batch->has_failed)
		return;
	end_part(batch);
	while (batch->part > 0 && left > 0) {
		uint32_t len;
		uint64_t rest;

		memcpy(&len, part + 4, sizeof(len));
		left -= le32toh(len);
		rest = htole64(left);
		memcpy(part + 16, &rest, sizeof(rest));
		part += le32toh(len);
	}
}

bool
journal_batch_append(struct journal_batch *batch, const struct journal_batch *change)
{
	if (!want_room(batch, change->len))
		return false;
	memcpy(batch->bytes + batch->len, change->bytes, change->len);
	batch->len += change->len;
	batch->revision = change->revision;
	return true;
}

void
journal_batch_seal(struct journal_batch *batch)
{
	uint8_t *part = batch->bytes;
	size_t left = batch->len;

	while (left > 0) {
		uint32_t len, sum;

		memcpy(&len, part + 4, sizeof(len));
		len = le32toh(len);
		sum = htole32(checksum_crc32c(part + 4, len - 4));
		memcpy(part, &sum, sizeof(sum));
		part += len;
		left -= len;
	}
}

void
journal_batch_free(struct journal_batch *batch)
{
	while (batch) {
		struct journal_batch *next = batch->next;

		free(batch->bytes);
		free(batch);
		batch = next;
	}
}
