/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Source and zone records: how many RRsets, last revision, last sign of life. A writer
 * changes them in memory and writes each once, at commit.
 */
#include "sidecar/state/state.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/serve/mdb.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"

#define SOURCE_SIZE 32
#define ZONE_SIZE 32

/* --- records --- */

static MDB_val
source_key(const char *source, size_t len, uint8_t *out)
{
	out[0] = STATE_TABLE_SOURCE;
	memcpy(out + 1, source, len);
	return (MDB_val){ 1 + len, out };
}

static MDB_val
zone_key(const struct name_key *apex, uint8_t *out)
{
	out[0] = STATE_TABLE_ZONE;
	memcpy(out + 1, apex->bytes, apex->len);
	return (MDB_val){ 1u + apex->len, out };
}

int
state_decode_source(const MDB_val *key, const MDB_val *value, struct state_source *out,
	struct reason *reason)
{
	struct cursor cursor = cursor_init(value->mv_data, value->mv_size);

	if (!state_is_sealed(key, value) || value->mv_size != SOURCE_SIZE
		|| key->mv_size > 1 + STATE_SOURCE_MAX)
		return reason_set(reason, STATUS_CORRUPT, "state: damaged value in table S");
	cursor_u32(&cursor);
	out->rrsets = cursor_u32(&cursor);
	out->revision = cursor_u64(&cursor);
	out->written_ms = cursor_u64(&cursor);
	out->heartbeat_ms = cursor_u64(&cursor);
	return STATUS_OK;
}

int
state_decode_zone(const MDB_val *key, const MDB_val *value, struct state_zone *out,
	struct reason *reason)
{
	struct cursor cursor = cursor_init(value->mv_data, value->mv_size);

	if (!state_is_sealed(key, value) || value->mv_size != ZONE_SIZE)
		return reason_set(reason, STATUS_CORRUPT, "state: damaged value in table Z");
	cursor_u32(&cursor);
	out->rrsets = cursor_u32(&cursor);
	out->revision = cursor_u64(&cursor);
	out->wildcards = cursor_u32(&cursor);
	out->cuts = cursor_u32(&cursor);
	out->pointers = cursor_u32(&cursor);
	out->pointless = cursor_u32(&cursor);
	return STATUS_OK;
}

static int
read_source(struct state_txn *txn, const char *source, size_t len, struct state_source *out,
	struct reason *reason)
{
	uint8_t bytes[STATE_KEY_MAX];
	MDB_val key = source_key(source, len, bytes), value;
	int code = mdb_get(txn->txn, txn->dbi, &key, &value);

	if (code == MDB_NOTFOUND)
		return STATUS_NOT_FOUND;
	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	return state_decode_source(&key, &value, out, reason);
}

int
state_read_zone(struct state_txn *txn, const struct name_key *apex, struct state_zone *out,
	struct reason *reason)
{
	uint8_t bytes[STATE_KEY_MAX];
	MDB_val key = zone_key(apex, bytes), value;
	int code = mdb_get(txn->txn, txn->dbi, &key, &value);

	if (code == MDB_NOTFOUND)
		return STATUS_NOT_FOUND;
	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	return state_decode_zone(&key, &value, out, reason);
}

static int
write_source(struct state_txn *txn, const struct state_source_counter *counter,
	struct reason *reason)
{
	uint8_t bytes[STATE_KEY_MAX], data[SOURCE_SIZE];
	MDB_val key = source_key(counter->name, counter->len, bytes);
	MDB_val value = { sizeof(data), data };
	struct cursor_out cursor = cursor_out_init(data, sizeof(data));
	int code;

	if (counter->record.rrsets == 0) {
		code = mdb_del(txn->txn, txn->dbi, &key, NULL);
		return code == MDB_NOTFOUND
			? STATUS_OK
			: status_from_mdb_reason(code, "state", reason);
	}
	cursor_put_u32(&cursor, 0);
	cursor_put_u32(&cursor, counter->record.rrsets);
	cursor_put_u64(&cursor, counter->record.revision);
	cursor_put_u64(&cursor, counter->record.written_ms);
	cursor_put_u64(&cursor, counter->record.heartbeat_ms);
	state_seal(&key, data, sizeof(data));
	return status_from_mdb_reason(mdb_put(txn->txn, txn->dbi, &key, &value, 0), "state",
		reason);
}

int
state_write_zone(struct state_txn *txn, const struct state_zone_counter *counter,
	struct reason *reason)
{
	uint8_t bytes[STATE_KEY_MAX], data[ZONE_SIZE];
	MDB_val key = zone_key(&counter->apex, bytes), value = { sizeof(data), data };
	struct cursor_out cursor = cursor_out_init(data, sizeof(data));

	cursor_put_u32(&cursor, 0);
	cursor_put_u32(&cursor, counter->record.rrsets);
	cursor_put_u64(&cursor, counter->record.revision);
	cursor_put_u32(&cursor, counter->record.wildcards);
	cursor_put_u32(&cursor, counter->record.cuts);
	cursor_put_u32(&cursor, counter->record.pointers);
	cursor_put_u32(&cursor, counter->record.pointless);
	state_seal(&key, data, sizeof(data));
	return status_from_mdb_reason(mdb_put(txn->txn, txn->dbi, &key, &value, 0), "state",
		reason);
}

int
state_flush_counters(struct state_txn *txn, struct reason *reason)
{
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < txn->source_count; i++)
		status = write_source(txn, &txn->source[i], reason);
	for (i = 0; status == STATUS_OK && i < txn->zone_count; i++)
		status = state_write_zone(txn, &txn->zone[i], reason);
	txn->source_count = txn->zone_count = 0;
	txn->source_last = txn->zone_last = 0;
	return status;
}

/* --- counters of a writer --- */

static bool
is_source(const struct state_source_counter *counter, const char *source, size_t len)
{
	return counter->len == len && memcmp(counter->name, source, len) == 0;
}

static struct state_source_counter *
find_source(struct state_txn *txn, const char *source, size_t len)
{
	size_t i;

	if (txn->source_last < txn->source_count
		&& is_source(&txn->source[txn->source_last], source, len))
		return &txn->source[txn->source_last];
	for (i = 0; i < txn->source_count; i++) {
		if (is_source(&txn->source[i], source, len)) {
			txn->source_last = i;
			return &txn->source[i];
		}
	}
	return NULL;
}

static bool
is_zone(const struct state_zone_counter *counter, const struct name_key *apex)
{
	return counter->apex.len == apex->len
		&& memcmp(counter->apex.bytes, apex->bytes, apex->len) == 0;
}

static struct state_zone_counter *
find_zone(struct state_txn *txn, const struct name_key *apex)
{
	size_t i;

	if (txn->zone_last < txn->zone_count && is_zone(&txn->zone[txn->zone_last], apex))
		return &txn->zone[txn->zone_last];
	for (i = 0; i < txn->zone_count; i++) {
		if (is_zone(&txn->zone[i], apex)) {
			txn->zone_last = i;
			return &txn->zone[i];
		}
	}
	return NULL;
}

/* Room for one more of each kind. */
static int
make_room(struct state_txn *txn, struct reason *reason)
{
	if (!txn->source)
		txn->source = malloc(STATE_COUNTERS_MAX * sizeof(*txn->source));
	if (!txn->zone)
		txn->zone = malloc(STATE_COUNTERS_MAX * sizeof(*txn->zone));
	if (!txn->source || !txn->zone)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (txn->source_count < STATE_COUNTERS_MAX && txn->zone_count < STATE_COUNTERS_MAX)
		return STATUS_OK;
	return state_flush_counters(txn, reason);
}

/* The counter of a source, read from its record when it is new here. */
static int
load_source(struct state_txn *txn, const char *source, size_t len,
	struct state_source_counter **out, struct reason *reason)
{
	struct state_source_counter *counter = find_source(txn, source, len);
	int status;

	if (!counter) {
		status = len <= STATE_SOURCE_MAX
			? make_room(txn, reason)
			: reason_set(reason, STATUS_TOO_LARGE, "source name too long");
		if (status != STATUS_OK)
			return status;
		counter = &txn->source[txn->source_count];
		*counter = (struct state_source_counter){ .len = (uint8_t)len };
		memcpy(counter->name, source, len);
		status = read_source(txn, source, len, &counter->record, reason);
		if (status != STATUS_OK && status != STATUS_NOT_FOUND)
			return status;
		txn->source_last = txn->source_count++;
	}
	*out = counter;
	return STATUS_OK;
}

static uint32_t
add(uint32_t count, int delta)
{
	if (delta < 0)
		return count == 0 ? 0 : count - 1;
	return count + (uint32_t)delta;
}

int
state_count_source(struct state_txn *txn, const char *source, size_t source_len, int delta,
	uint64_t revision, struct reason *reason)
{
	struct state_source_counter *counter;
	int status = load_source(txn, source, source_len, &counter, reason);

	if (status != STATUS_OK)
		return status;
	counter->record.rrsets = add(counter->record.rrsets, delta);
	if (revision > counter->record.revision)
		counter->record.revision = revision;
	counter->record.written_ms = txn->now_ms;
	return STATUS_OK;
}

static bool
has_wildcard(const struct name_key *owner)
{
	size_t at;

	for (at = 0; at < owner->len; at += 1u + owner->bytes[at])
		if (owner->bytes[at] == 1 && owner->bytes[at + 1] == '*')
			return true;
	return false;
}

void
state_count_rrset(struct state_zone *zone, const struct name_key *apex,
	const struct state_delta *delta)
{
	zone->rrsets = add(zone->rrsets, delta->delta);
	if (has_wildcard(delta->owner))
		zone->wildcards = add(zone->wildcards, delta->delta);
	if (delta->type == RRSET_DNAME
		|| (delta->type == RRSET_NS && delta->owner->len != apex->len))
		zone->cuts = add(zone->cuts, delta->delta);
}

/* The counter of a zone, read from its record when it is new here. */
static int
load_zone(struct state_txn *txn, const struct name_key *apex,
	struct state_zone_counter **out, struct reason *reason)
{
	struct state_zone_counter *counter = find_zone(txn, apex);

	if (!counter) {
		int status = make_room(txn, reason);

		if (status != STATUS_OK)
			return status;
		counter = &txn->zone[txn->zone_count];
		*counter = (struct state_zone_counter){ .apex = *apex };
		status = state_read_zone(txn, apex, &counter->record, reason);
		if (status != STATUS_OK && status != STATUS_NOT_FOUND)
			return status;
		txn->zone_last = txn->zone_count++;
	}
	*out = counter;
	return STATUS_OK;
}

int
state_touch_zone(struct state_txn *txn, const struct name_key *apex, uint64_t revision,
	struct reason *reason)
{
	struct state_zone_counter *counter;
	int status = load_zone(txn, apex, &counter, reason);

	if (status == STATUS_OK && revision > counter->record.revision)
		counter->record.revision = revision;
	return status;
}

int
state_count_zone(struct state_txn *txn, const struct name_key *apex,
	const struct state_delta *delta, uint64_t revision, struct reason *reason)
{
	struct state_zone_counter *counter;
	int status;

	if (!apex)
		return STATUS_OK;
	status = load_zone(txn, apex, &counter, reason);
	if (status != STATUS_OK)
		return status;
	state_count_rrset(&counter->record, apex, delta);
	if (revision > counter->record.revision)
		counter->record.revision = revision;
	return STATUS_OK;
}

int
state_count_pointer(struct state_txn *txn, const struct name_key *apex, bool is_live,
	int delta, struct reason *reason)
{
	struct state_zone_counter *counter;
	uint32_t *count;
	int status = load_zone(txn, apex, &counter, reason);

	if (status != STATUS_OK)
		return status;
	count = is_live ? &counter->record.pointers : &counter->record.pointless;
	*count = add(*count, delta);
	return STATUS_OK;
}

/* --- for readers and the API --- */

int
state_get_source(struct state_txn *txn, const char *source, size_t source_len,
	struct state_source *out, struct reason *reason)
{
	struct state_source_counter *counter = find_source(txn, source, source_len);

	if (source_len > STATE_SOURCE_MAX)
		return STATUS_NOT_FOUND;
	if (!counter)
		return read_source(txn, source, source_len, out, reason);
	if (counter->record.rrsets == 0)
		return STATUS_NOT_FOUND;
	*out = counter->record;
	return STATUS_OK;
}

int
state_touch_source(struct state_txn *txn, const char *source, size_t source_len,
	uint64_t heartbeat_ms, struct reason *reason)
{
	struct state_source_counter *counter;
	int status = load_source(txn, source, source_len, &counter, reason);

	if (status != STATUS_OK)
		return status;
	if (counter->record.rrsets == 0)
		return STATUS_NOT_FOUND;
	counter->record.heartbeat_ms = heartbeat_ms;
	return STATUS_OK;
}

struct source_walk {
	state_source_fn fn;
	void *context;
};

static int
visit_source(void *context, const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	const struct source_walk *walk = context;
	struct state_source record;
	int status = state_decode_source(key, value, &record, reason);

	if (status != STATUS_OK)
		return status;
	return walk->fn(walk->context, (const char *)key->mv_data + 1, key->mv_size - 1, &record,
		reason);
}

int
state_walk_sources(struct state_txn *txn, state_source_fn fn, void *context,
	struct reason *reason)
{
	const uint8_t table = STATE_TABLE_SOURCE;
	struct source_walk walk = { fn, context };
	int status = state_flush_counters(txn, reason);

	if (status != STATUS_OK)
		return status;
	return state_walk_prefix(txn, &table, 1, visit_source, &walk, reason);
}

int
state_get_zone(struct state_txn *txn, const struct name_key *apex, struct state_zone *out,
	struct reason *reason)
{
	struct state_zone_counter *counter = find_zone(txn, apex);

	if (!counter)
		return state_read_zone(txn, apex, out, reason);
	*out = counter->record;
	return STATUS_OK;
}
