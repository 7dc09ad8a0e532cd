/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Source records (how many RRsets, last revision, last sign of life) and the walks that go by
 * source and by lease. A writer changes source records in memory and writes each once, at
 * commit.
 */
#include "sidecar/state/state.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/status.h"
#include "lib/serve/mdb.h"
#include "sidecar/state/state_txn.h"

#define SOURCE_SIZE 32

/* --- records --- */

static MDB_val
source_key(const char *source, size_t len, uint8_t *out)
{
	out[0] = STATE_TABLE_SOURCE;
	memcpy(out + 1, source, len);
	return (MDB_val){ 1 + len, out };
}

static int
decode_source(const MDB_val *key, const MDB_val *value, struct state_source *out,
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
	return decode_source(&key, &value, out, reason);
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
		code = state_remove(txn, key);
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
	return status_from_mdb_reason(state_store(txn, NULL, key, value, 0), "state", reason);
}

int
state_flush_sources(struct state_txn *txn, struct reason *reason)
{
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < txn->source_count; i++)
		status = write_source(txn, &txn->source[i], reason);
	txn->source_count = txn->source_last = 0;
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

/* Room for one more. */
static int
make_room(struct state_txn *txn, struct reason *reason)
{
	if (!txn->source)
		txn->source = malloc(STATE_COUNTERS_MAX * sizeof(*txn->source));
	if (!txn->source)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	return txn->source_count < STATE_COUNTERS_MAX ? STATUS_OK
						      : state_flush_sources(txn, reason);
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
	int status = decode_source(key, value, &record, reason);

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
	int status = state_flush_sources(txn, reason);

	if (status != STATUS_OK)
		return status;
	return state_walk_prefix(txn, &table, 1, visit_source, &walk, reason);
}

/* --- walks by source and by lease --- */

struct index_walk {
	struct state_txn *txn;
	state_record_fn fn;
	void *context;
	size_t skip; /* bytes of the key before N */
};

/* An entry of an index, whose key ends with that of the RRset. */
static int
visit_index(void *context, const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	const struct index_walk *walk = context;
	struct state_record record;
	struct name_key owner;
	uint16_t type;
	int status;

	(void)value;
	if (key->mv_size < walk->skip
		|| state_parse_rrset_key((const uint8_t *)key->mv_data + walk->skip,
			   key->mv_size - walk->skip, &owner, &type)
			!= STATUS_OK)
		return reason_set(reason, STATUS_CORRUPT, "state: damaged value in table O or L");
	status = state_get(walk->txn, &owner, type, &record, reason);
	if (status == STATUS_NOT_FOUND)
		return reason_set(reason, STATUS_CORRUPT, "state: damaged value in table O or L");
	return status == STATUS_OK ? walk->fn(walk->context, &record, reason) : status;
}

int
state_walk_source(struct state_txn *txn, const char *source, size_t source_len,
	state_record_fn fn, void *context, struct reason *reason)
{
	uint8_t prefix[2 + STATE_SOURCE_MAX] = { STATE_TABLE_OWNER, (uint8_t)source_len };
	struct index_walk walk = { txn, fn, context, 2 + source_len };

	if (source_len > STATE_SOURCE_MAX)
		return STATUS_OK;
	memcpy(prefix + 2, source, source_len);
	return state_walk_prefix(txn, prefix, 2 + source_len, visit_index, &walk, reason);
}

static uint64_t
lease_of_key(const MDB_val *key)
{
	uint64_t big = 0;

	if (key->mv_size >= 9)
		memcpy(&big, (const uint8_t *)key->mv_data + 1, sizeof(big));
	return be64toh(big);
}

/* The first entry behind those of leases that had ended before and whose RRsets stay: there
 * may be any number of these. */
static int
first_lease(MDB_cursor *cursor, MDB_val *out_key, struct reason *reason)
{
	const uint64_t big = htobe64(STATE_LEASE_OVER + 1);
	uint8_t prefix[1 + sizeof(big)] = { STATE_TABLE_LEASE };
	MDB_val value;
	int code;

	memcpy(prefix + 1, &big, sizeof(big));
	*out_key = (MDB_val){ sizeof(prefix), prefix };
	code = mdb_cursor_get(cursor, out_key, &value, MDB_SET_RANGE);
	if (code == 0 && *(const uint8_t *)out_key->mv_data == STATE_TABLE_LEASE)
		return STATUS_OK;
	return code == 0 || code == MDB_NOTFOUND ? STATUS_NOT_FOUND
						 : status_from_mdb_reason(code, "state", reason);
}

int
state_walk_expired(struct state_txn *txn, uint64_t wall_ms, state_record_fn fn, void *context,
	struct reason *reason)
{
	struct index_walk walk = { txn, fn, context, 9 };
	MDB_cursor *cursor = NULL;
	MDB_val key, value = { 0, NULL };
	int code = 0, status = state_cursor(txn, &cursor, reason);

	if (status == STATUS_OK)
		status = first_lease(cursor, &key, reason);
	while (status == STATUS_OK && code == 0
		&& *(const uint8_t *)key.mv_data == STATE_TABLE_LEASE
		&& lease_of_key(&key) <= wall_ms) {
		status = visit_index(&walk, &key, &value, reason);
		if (status == STATUS_OK)
			code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	if (cursor)
		mdb_cursor_close(cursor);
	if (status == STATUS_OK && code != 0 && code != MDB_NOTFOUND)
		status = status_from_mdb_reason(code, "state", reason);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

int
state_next_expiry(struct state_txn *txn, uint64_t *out_ms, struct reason *reason)
{
	MDB_val key;
	int status = state_cursor(txn, &txn->leases, reason);

	if (status == STATUS_OK)
		status = first_lease(txn->leases, &key, reason);
	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		return status;
	*out_ms = status == STATUS_OK ? lease_of_key(&key) : 0;
	return STATUS_OK;
}
