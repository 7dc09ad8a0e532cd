/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * RRsets of the state and the two indexes that follow each write: who owns it, when its
 * lease ends. Each table has a cursor that stays where it was, because bulk changes come
 * in key order and LMDB then finds the next key without a descent.
 */
#include "sidecar/state/state.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/base/cursor.h"
#include "lib/serve/mdb.h"
#include "sidecar/json/rrset_json.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"
#include "lib/dns/zones.h"

#define EXPIRES_AT 16 /* offset of expires in an RRset's value, see state.h */

/* --- keys --- */

size_t
state_append_rrset_key(const struct name_key *owner, uint16_t type, uint8_t *out)
{
	memcpy(out, owner->bytes, owner->len);
	out[owner->len] = 0;
	out[owner->len + 1] = (uint8_t)(type >> 8);
	out[owner->len + 2] = (uint8_t)type;
	return owner->len + 3u;
}

int
state_parse_rrset_key(const uint8_t *key, size_t len, struct name_key *out_owner,
	uint16_t *out_type)
{
	struct name name;

	if (len < 3 || key[len - 3] != 0 || name_from_key(key, len - 3, &name) != STATUS_OK)
		return STATUS_CORRUPT;
	out_owner->len = (uint8_t)(len - 3);
	memcpy(out_owner->bytes, key, len - 3);
	*out_type = (uint16_t)(key[len - 2] << 8 | key[len - 1]);
	return STATUS_OK;
}

static MDB_val
rrset_key(const struct name_key *owner, uint16_t type, uint8_t *out)
{
	out[0] = STATE_TABLE_RRSET;
	return (MDB_val){ 1 + state_append_rrset_key(owner, type, out + 1), out };
}

static MDB_val
owner_key(const char *source, size_t source_len, const struct name_key *owner, uint16_t type,
	uint8_t *out)
{
	out[0] = STATE_TABLE_OWNER;
	out[1] = (uint8_t)source_len;
	memcpy(out + 2, source, source_len);
	return (MDB_val){
		2 + source_len + state_append_rrset_key(owner, type, out + 2 + source_len), out
	};
}

static MDB_val
lease_key(uint64_t expires_ms, const struct name_key *owner, uint16_t type, uint8_t *out)
{
	uint64_t big = htobe64(expires_ms);

	out[0] = STATE_TABLE_LEASE;
	memcpy(out + 1, &big, sizeof(big));
	return (MDB_val){ 9 + state_append_rrset_key(owner, type, out + 9), out };
}

/* --- values --- */

static int
corrupt(struct reason *reason, const char *table)
{
	return reason_set(reason, STATUS_CORRUPT, "state: damaged value in table %s", table);
}

/* Fills all of *out but owner and type. */
static int
decode_value(const MDB_val *key, const MDB_val *value, struct state_record *out,
	struct reason *reason)
{
	struct cursor cursor = cursor_init(value->mv_data, value->mv_size);

	if (!state_is_sealed(key, value))
		return corrupt(reason, "R");
	cursor_u32(&cursor);
	out->rrset.ttl = cursor_u32(&cursor);
	out->revision = cursor_u64(&cursor);
	out->expires_ms = cursor_u64(&cursor);
	out->lease_ms = cursor_u32(&cursor);
	out->rrset.count = cursor_u16(&cursor);
	out->source_len = cursor_u8(&cursor);
	cursor_u8(&cursor);
	out->source = (const char *)cursor_take(&cursor, out->source_len);
	out->rrset.rdata = cursor.at;
	out->rrset.rdata_len = (uint32_t)cursor.left;
	if (cursor.failed || out->source_len > STATE_SOURCE_MAX || out->rrset.count == 0
		|| out->rrset.count > RRSET_RECORDS_MAX || cursor.left > RRSET_RDATA_MAX
		|| !rrset_is_well_formed(cursor.at, cursor.left, out->rrset.count))
		return corrupt(reason, "R");
	return STATUS_OK;
}

static int
decode_rrset(const MDB_val *key, const MDB_val *value, struct state_record *out,
	struct reason *reason)
{
	if (key->mv_size < 1
		|| state_parse_rrset_key((const uint8_t *)key->mv_data + 1, key->mv_size - 1,
			   &out->rrset.owner, &out->rrset.type)
			!= STATUS_OK)
		return corrupt(reason, "R");
	return decode_value(key, value, out, reason);
}

static size_t
value_size(const struct state_record *record)
{
	return STATE_RRSET_HEAD + record->source_len + record->rrset.rdata_len;
}

static void
encode_rrset(const MDB_val *key, const struct state_record *record, uint8_t *out)
{
	struct cursor_out cursor = cursor_out_init(out, value_size(record));

	cursor_put_u32(&cursor, 0);
	cursor_put_u32(&cursor, record->rrset.ttl);
	cursor_put_u64(&cursor, record->revision);
	cursor_put_u64(&cursor, record->expires_ms);
	cursor_put_u32(&cursor, record->lease_ms);
	cursor_put_u16(&cursor, record->rrset.count);
	cursor_put_u8(&cursor, record->source_len);
	cursor_put_u8(&cursor, 0);
	cursor_put(&cursor, record->source, record->source_len);
	cursor_put(&cursor, record->rrset.rdata, record->rrset.rdata_len);
	state_seal(key, out, value_size(record));
}

/* --- one RRset --- */

/* Moves the table's cursor to the RRset. */
static int
find(struct state_txn *txn, const struct name_key *owner, uint16_t type,
	struct state_record *out, MDB_val *out_value, struct reason *reason)
{
	uint8_t bytes[STATE_KEY_MAX];
	MDB_val key = rrset_key(owner, type, bytes);
	int code, status = state_cursor(txn, &txn->rrsets, reason);

	if (status != STATUS_OK)
		return status;
	code = mdb_cursor_get(txn->rrsets, &key, out_value, MDB_SET);
	if (code == MDB_NOTFOUND)
		return STATUS_NOT_FOUND;
	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	out->rrset.type = type;
	return decode_value(&key, out_value, out, reason);
}

int
state_get(struct state_txn *txn, const struct name_key *owner, uint16_t type,
	struct state_record *out, struct reason *reason)
{
	MDB_val value;
	int status = find(txn, owner, type, out, &value, reason);

	out->rrset.owner = *owner;
	return status;
}

_Static_assert(STATE_SOURCE_MAX == RRSET_JSON_SOURCE_MAX, "names of sources");

void
state_record_to_json(
	const struct state_record *record, uint64_t now_ms, struct rrset_json *out)
{
	const bool has_ended = record->expires_ms == STATE_LEASE_OVER;

	*out = (struct rrset_json){
		.rrset = record->rrset,
		.source = record->source,
		.source_len = record->source_len,
		.has_lease = record->lease_ms != 0,
		.lease_ms = record->lease_ms,
		.has_lease_left = has_ended || (record->expires_ms && now_ms),
		.lease_left_ms = !has_ended && record->expires_ms > now_ms
			? record->expires_ms - now_ms
			: 0,
		.revision = record->revision,
	};
}

/* An entry that is there already belongs to an RRset that was not found: a damaged key in a
 * page leads LMDB beside those around it. */
static int
put_key(struct state_txn *txn, MDB_cursor **cursor, MDB_val key, struct reason *reason)
{
	MDB_val empty = { 0, NULL };
	int code, status = state_cursor(txn, cursor, reason);

	if (status != STATUS_OK)
		return status;
	code = state_store(txn, *cursor, key, empty, MDB_NOOVERWRITE);
	return code == MDB_KEYEXIST ? corrupt(reason, "R")
				    : status_from_mdb_reason(code, "state", reason);
}

/* The same for an entry that is not there. */
static int
delete_key(struct state_txn *txn, MDB_val key, struct reason *reason)
{
	int code = state_remove(txn, key);

	return code == MDB_NOTFOUND ? corrupt(reason, "O, L or R")
				    : status_from_mdb_reason(code, "state", reason);
}

/* Moves the lease's entry from one end to another; 0 = none. */
static int
move_lease(struct state_txn *txn, const struct name_key *owner, uint16_t type, uint64_t from,
	uint64_t to, struct reason *reason)
{
	uint8_t bytes[STATE_KEY_MAX];
	int status = STATUS_OK;

	if (from == to)
		return STATUS_OK;
	if (from != 0)
		status = delete_key(txn, lease_key(from, owner, type, bytes), reason);
	if (status == STATUS_OK && to != 0)
		status = put_key(txn, &txn->leases, lease_key(to, owner, type, bytes),
			reason);
	return status;
}

/* Moves the RRset from the source that owned it, if any, to its new one. */
static int
move_owner(struct state_txn *txn, const struct state_record *old,
	const struct state_record *record, struct reason *reason)
{
	const struct rrset *rrset = &record->rrset;
	uint8_t bytes[STATE_KEY_MAX];
	bool is_same = old && old->source_len == record->source_len
		&& memcmp(old->source, record->source, record->source_len) == 0;
	int status = STATUS_OK;

	if (old && !is_same) {
		MDB_val key = owner_key(old->source, old->source_len, &rrset->owner,
			rrset->type, bytes);

		status = state_count_source(txn, old->source, old->source_len, -1,
			record->revision, reason);
		if (status == STATUS_OK)
			status = delete_key(txn, key, reason);
	}
	if (status == STATUS_OK && !is_same)
		status = put_key(txn, &txn->owners,
			owner_key(record->source, record->source_len, &rrset->owner,
				rrset->type, bytes),
			reason);
	if (status == STATUS_OK)
		status = state_count_source(txn, record->source, record->source_len,
			is_same ? 0 : 1, record->revision, reason);
	return status;
}

static int
want_scratch(struct state_txn *txn, size_t size, struct reason *reason)
{
	if (!txn->scratch)
		txn->scratch = malloc(STATE_RRSET_VALUE_MAX);
	return txn->scratch && size <= STATE_RRSET_VALUE_MAX
		? STATUS_OK
		: reason_set(reason, STATUS_NO_MEMORY, "out of memory");
}

static int
put_value(struct state_txn *txn, const struct state_record *record, bool is_new,
	struct reason *reason)
{
	uint8_t bytes[STATE_KEY_MAX];
	MDB_val key = rrset_key(&record->rrset.owner, record->rrset.type, bytes);
	MDB_val value = { value_size(record), NULL };
	int status = want_scratch(txn, value.mv_size, reason);

	if (status != STATUS_OK)
		return status;
	value.mv_data = txn->scratch;
	encode_rrset(&key, record, txn->scratch);
	return status_from_mdb_reason(state_store(txn, txn->rrsets, key, value,
		is_new ? MDB_NOOVERWRITE : 0), "state", reason);
}

int
state_put(struct state_txn *txn, const struct name_key *apex,
	const struct state_record *record, struct reason *reason)
{
	const struct rrset *rrset = &record->rrset;
	struct state_record old;
	MDB_val value;
	bool is_new;
	uint64_t old_expires;
	int status = state_check_quota(txn, false, reason);

	if (status != STATUS_OK)
		return status;
	status = find(txn, &rrset->owner, rrset->type, &old, &value, reason);
	is_new = status == STATUS_NOT_FOUND;
	if (status != STATUS_OK && !is_new)
		return status;
	old_expires = is_new ? 0 : old.expires_ms;
	/* the owner first: `old` points into a page that the next writes may move */
	status = move_owner(txn, is_new ? NULL : &old, record, reason);
	if (status == STATUS_OK)
		status = move_lease(txn, &rrset->owner, rrset->type, old_expires,
			record->expires_ms, reason);
	if (status == STATUS_OK)
		status = put_value(txn, record, is_new, reason);
	if (status == STATUS_OK)
		status = state_count_zone(txn, apex,
			&(struct state_delta){ &rrset->owner, rrset->type, is_new },
			record->revision, reason);
	return status;
}

int
state_renew(struct state_txn *txn, const struct name_key *owner, uint16_t type,
	uint64_t expires_ms, struct reason *reason)
{
	uint8_t bytes[STATE_KEY_MAX];
	struct state_record record;
	MDB_val key, value;
	uint64_t little = htole64(expires_ms);
	int status = state_check_quota(txn, true, reason);

	if (status == STATUS_OK)
		status = find(txn, owner, type, &record, &value, reason);
	if (status != STATUS_OK || record.expires_ms == expires_ms)
		return status;
	status = want_scratch(txn, value.mv_size, reason);
	if (status != STATUS_OK)
		return status;
	memcpy(txn->scratch, value.mv_data, value.mv_size);
	memcpy(txn->scratch + EXPIRES_AT, &little, sizeof(little));
	key = rrset_key(owner, type, bytes);
	state_seal(&key, txn->scratch, value.mv_size);
	status = move_lease(txn, owner, type, record.expires_ms, expires_ms, reason);
	if (status != STATUS_OK)
		return status;
	value.mv_data = txn->scratch;
	return status_from_mdb_reason(
		state_store(txn, txn->rrsets, key, value, 0), "state", reason);
}

int
state_delete(struct state_txn *txn, const struct name_key *apex,
	const struct name_key *owner, uint16_t type, uint64_t revision,
	struct reason *reason)
{
	uint8_t bytes[STATE_KEY_MAX], owned[STATE_KEY_MAX];
	struct state_record old;
	MDB_val value, owned_key;
	int status = state_check_quota(txn, true, reason);

	if (status == STATUS_OK)
		status = find(txn, owner, type, &old, &value, reason);
	if (status != STATUS_OK)
		return status;
	owned_key = owner_key(old.source, old.source_len, owner, type, owned);
	status = state_count_source(txn, old.source, old.source_len, -1, revision, reason);
	if (status == STATUS_OK)
		status = delete_key(txn, owned_key, reason);
	if (status == STATUS_OK)
		status = move_lease(txn, owner, type, old.expires_ms, 0, reason);
	if (status == STATUS_OK)
		status = delete_key(txn, rrset_key(owner, type, bytes), reason);
	if (status == STATUS_OK)
		status = state_count_zone(txn, apex,
			&(struct state_delta){ owner, type, -1 }, revision, reason);
	return status;
}

/* --- walks --- */

struct record_walk {
	state_record_fn fn;
	void *context;
};

/* An entry of table R. */
static int
visit_rrset(void *context, const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	struct record_walk *walk = context;
	struct state_record record;
	int status = decode_rrset(key, value, &record, reason);

	return status == STATUS_OK ? walk->fn(walk->context, &record, reason) : status;
}

int
state_walk_name(struct state_txn *txn, const struct name_key *owner, state_record_fn fn,
	void *context, struct reason *reason)
{
	uint8_t bytes[STATE_KEY_MAX];
	MDB_val key = rrset_key(owner, 0, bytes), value;
	struct record_walk walk = { fn, context };
	int code, status = state_cursor(txn, &txn->rrsets, reason);

	if (status != STATUS_OK)
		return status;
	code = mdb_cursor_get(txn->rrsets, &key, &value, MDB_SET_RANGE);
	while (code == 0 && key.mv_size == owner->len + 4u
		&& memcmp(key.mv_data, bytes, owner->len + 2u) == 0) {
		status = visit_rrset(&walk, &key, &value, reason);
		if (status != STATUS_OK)
			return status;
		code = mdb_cursor_get(txn->rrsets, &key, &value, MDB_NEXT);
	}
	return code == 0 || code == MDB_NOTFOUND
		? STATUS_OK
		: status_from_mdb_reason(code, "state", reason);
}

int
state_walk_below(struct state_txn *txn, const struct name_key *apex, state_record_fn fn,
	void *context, struct reason *reason)
{
	uint8_t prefix[1 + NAME_KEY_MAX] = { STATE_TABLE_RRSET };
	struct record_walk walk = { fn, context };

	memcpy(prefix + 1, apex->bytes, apex->len);
	return state_walk_prefix(txn, prefix, 1u + apex->len, visit_rrset, &walk, reason);
}
