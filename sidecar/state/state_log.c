/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The change log: which RRsets each revision touched, for the long poll and for catching
 * serve up. Bounded by revisions and by bytes; trimmed as new entries come. And alarms: they
 * stand until they are acknowledged, over restarts and over the loss of everything that is kept
 * in memory.
 */
#include "sidecar/state/state.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/serve/mdb.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"

#define HEAD 8          /* checksum, flags */
#define ALARM_HEAD 16   /* checksum, 0, time */
#define ITEM_HEAD 4     /* verb, key_len, type */
#define FLAG_RESET 1u
#define VERB_PUT 0
#define VERB_DELETE 1

static MDB_val
log_key(uint64_t revision, uint8_t out[9])
{
	uint64_t big = htobe64(revision);

	out[0] = STATE_TABLE_LOG;
	memcpy(out + 1, &big, sizeof(big));
	return (MDB_val){ 9, out };
}

/* --- append --- */

static int
write_entry(struct state_txn *txn, uint64_t revision, const struct state_log_item *items,
	size_t count, struct reason *reason)
{
	bool is_reset = count > STATE_LOG_ITEMS_MAX;
	struct cursor_out cursor;
	uint8_t name[9], *bytes;
	MDB_val key = log_key(revision, name), value = { HEAD, NULL };
	size_t i;
	int code;

	if (is_reset)
		count = 0;
	for (i = 0; i < count; i++)
		value.mv_size += ITEM_HEAD + items[i].owner.len;
	value.mv_data = bytes = malloc(value.mv_size);
	if (!bytes)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	cursor = cursor_out_init(bytes, value.mv_size);
	cursor_put_u32(&cursor, 0);
	cursor_put_u32(&cursor, is_reset ? FLAG_RESET : 0);
	for (i = 0; i < count; i++) {
		cursor_put_u8(&cursor, items[i].deleted ? VERB_DELETE : VERB_PUT);
		cursor_put_u8(&cursor, items[i].owner.len);
		cursor_put_u16(&cursor, items[i].type);
		cursor_put(&cursor, items[i].owner.bytes, items[i].owner.len);
	}
	state_seal(&key, bytes, value.mv_size);
	code = state_store(txn, NULL, key, value, 0);
	free(bytes);
	if (code == 0)
		txn->meta.log_bytes += value.mv_size;
	return status_from_mdb_reason(code, "change log", reason);
}

static uint64_t
revision_of_key(const MDB_val *key)
{
	uint64_t big = 0;

	if (key->mv_size == 9)
		memcpy(&big, (const uint8_t *)key->mv_data + 1, sizeof(big));
	return be64toh(big);
}

/* Drops the oldest entries until both limits hold. Revisions have gaps where a backup
 * from ahead was restored. */
static int
trim(struct state_txn *txn, uint64_t revision, struct reason *reason)
{
	MDB_cursor *cursor = NULL;
	int code = 0, status = STATUS_OK;

	while (code == 0 && txn->meta.log_first < revision
		&& (revision - txn->meta.log_first >= STATE_LOG_REVISIONS
			|| txn->meta.log_bytes > STATE_LOG_BYTES)) {
		uint8_t name[9];
		MDB_val key = log_key(txn->meta.log_first, name), value;

		status = state_cursor(txn, &cursor, reason);
		if (status != STATUS_OK)
			return status;
		code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
		if (code != 0)
			break;
		txn->meta.log_first = revision_of_key(&key);
		if (txn->meta.log_first < revision
			&& (revision - txn->meta.log_first >= STATE_LOG_REVISIONS
				|| txn->meta.log_bytes > STATE_LOG_BYTES)) {
			txn->meta.log_bytes -= value.mv_size < txn->meta.log_bytes
				? value.mv_size
				: txn->meta.log_bytes;
			txn->meta.log_first++;
			code = state_remove_at(txn, cursor, &key, &value);
		}
	}
	if (cursor)
		mdb_cursor_close(cursor);
	return status_from_mdb_reason(code, "change log", reason);
}

int
state_log_append(struct state_txn *txn, uint64_t revision, const struct state_log_item *items,
	size_t count, struct reason *reason)
{
	int status = state_load_meta(txn, reason);

	if (status == STATUS_OK)
		status = write_entry(txn, revision, items, count, reason);
	if (status != STATUS_OK)
		return status;
	if (txn->meta.log_first == 0)
		txn->meta.log_first = revision;
	txn->is_meta_dirty = true;
	return trim(txn, revision, reason);
}

/* --- read --- */

struct log_entry {
	uint64_t revision;
	struct state_log_item *items; /* STATE_LOG_ITEMS_MAX of them */
	size_t count;
	bool is_reset;
};

static int
decode_items(const MDB_val *value, struct log_entry *entry)
{
	struct cursor cursor = cursor_init(value->mv_data, value->mv_size);

	cursor_u32(&cursor);
	entry->is_reset = cursor_u32(&cursor) & FLAG_RESET;
	entry->count = 0;
	while (!cursor.failed && cursor.left > 0) {
		struct state_log_item *item = &entry->items[entry->count];
		struct name name;

		if (entry->count == STATE_LOG_ITEMS_MAX)
			return STATUS_CORRUPT;
		item->deleted = cursor_u8(&cursor) == VERB_DELETE;
		item->owner.len = cursor_u8(&cursor);
		item->type = cursor_u16(&cursor);
		if (item->owner.len > NAME_KEY_MAX)
			return STATUS_CORRUPT;
		cursor_copy(&cursor, item->owner.bytes, item->owner.len);
		if (name_from_key(item->owner.bytes, item->owner.len, &name) != STATUS_OK)
			return STATUS_CORRUPT;
		entry->count++;
	}
	return cursor.failed || (entry->is_reset && entry->count > 0) ? STATUS_CORRUPT : STATUS_OK;
}

static int
decode_entry(const MDB_val *key, const MDB_val *value, struct log_entry *entry,
	struct reason *reason)
{
	entry->revision = revision_of_key(key);
	if (key->mv_size != 9 || !state_is_sealed(key, value)
		|| decode_items(value, entry) != STATUS_OK)
		return reason_set(reason, STATUS_CORRUPT, "state: damaged value in table C");
	return STATUS_OK;
}

static int
walk_entries(struct state_txn *txn, uint64_t since, size_t limit, state_log_fn fn,
	void *context, struct reason *reason)
{
	struct log_entry entry = {
		.items = malloc(STATE_LOG_ITEMS_MAX * sizeof(struct state_log_item)),
	};
	uint8_t name[9];
	MDB_val key = log_key(since + 1, name), value;
	MDB_cursor *cursor = NULL;
	int code = 0, status;

	status = entry.items ? state_cursor(txn, &cursor, reason)
			     : reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (status == STATUS_OK)
		code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	for (; status == STATUS_OK && code == 0 && limit > 0; limit--) {
		if (*(const uint8_t *)key.mv_data != STATE_TABLE_LOG)
			break;
		status = decode_entry(&key, &value, &entry, reason);
		if (status == STATUS_OK)
			status = fn(context, entry.revision, entry.is_reset, entry.items,
				entry.count, reason);
		if (status == STATUS_OK)
			code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	if (cursor)
		mdb_cursor_close(cursor);
	free(entry.items);
	if (status == STATUS_OK && code != 0 && code != MDB_NOTFOUND)
		status = status_from_mdb_reason(code, "state", reason);
	return status;
}

int
state_walk_log(struct state_txn *txn, uint64_t since, size_t limit, state_log_fn fn,
	void *context, struct reason *reason)
{
	int status = state_load_meta(txn, reason);

	if (status != STATUS_OK || since == txn->meta.meta.revision)
		return status;
	if (since > txn->meta.meta.revision || txn->meta.log_first == 0
		|| since + 1 < txn->meta.log_first)
		return reason_set(reason, STATUS_NOT_FOUND,
			"the change log does not reach back to revision %llu",
			(unsigned long long)since);
	return walk_entries(txn, since, limit, fn, context, reason);
}

/* --- alarms --- */

static MDB_val
alarm_key(const char *name, uint8_t out[1 + STATE_ALARM_NAME_MAX])
{
	size_t len = strnlen(name, STATE_ALARM_NAME_MAX);

	out[0] = STATE_TABLE_ALARM;
	memcpy(out + 1, name, len);
	return (MDB_val){ 1 + len, out };
}

static int
count_alarm(void *context, const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	size_t *count = context;

	(void)key;
	(void)value;
	(void)reason;
	++*count;
	return STATUS_OK;
}

int
state_raise_alarm(struct state_txn *txn, const char *name, const char *text,
	struct reason *reason)
{
	static const uint8_t table = STATE_TABLE_ALARM;
	uint8_t bytes[1 + STATE_ALARM_NAME_MAX], data[ALARM_HEAD + STATE_ALARM_TEXT_MAX];
	size_t len = strnlen(text, STATE_ALARM_TEXT_MAX), count = 0;
	struct cursor_out cursor = cursor_out_init(data, sizeof(data));
	MDB_val key = alarm_key(name, bytes), value = { ALARM_HEAD + len, data }, old;
	int status = state_walk_prefix(txn, &table, 1, count_alarm, &count, reason);

	if (status != STATUS_OK)
		return status;
	if (count >= STATE_ALARMS_MAX && mdb_get(txn->txn, txn->dbi, &key, &old) != 0)
		return reason_set(reason, STATUS_FULL, "%zu alarms stand already", count);
	cursor_put_u32(&cursor, 0);
	cursor_put_u32(&cursor, 0);
	cursor_put_u64(&cursor, txn->now_ms);
	cursor_put(&cursor, text, len);
	state_seal(&key, data, value.mv_size);
	return status_from_mdb_reason(state_store(txn, NULL, key, value, 0), "state", reason);
}

int
state_clear_alarm(struct state_txn *txn, const char *name, struct reason *reason)
{
	uint8_t bytes[1 + STATE_ALARM_NAME_MAX];
	int code = state_remove(txn, alarm_key(name, bytes));

	return code == MDB_NOTFOUND ? STATUS_NOT_FOUND
				    : status_from_mdb_reason(code, "state", reason);
}

struct alarm_walk {
	state_alarm_fn fn;
	void *context;
};

static int
visit_alarm(void *context, const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	const struct alarm_walk *walk = context;
	struct cursor cursor = cursor_init(value->mv_data, value->mv_size);
	uint64_t raised_ms;

	if (!state_is_sealed(key, value) || value->mv_size < ALARM_HEAD)
		return reason_set(reason, STATUS_CORRUPT, "state: damaged value in table A");
	cursor_u32(&cursor);
	cursor_u32(&cursor);
	raised_ms = cursor_u64(&cursor);
	return walk->fn(walk->context, (const char *)key->mv_data + 1, key->mv_size - 1,
		(const char *)cursor.at, cursor.left, raised_ms, reason);
}

int
state_walk_alarms(struct state_txn *txn, state_alarm_fn fn, void *context,
	struct reason *reason)
{
	static const uint8_t table = STATE_TABLE_ALARM;
	struct alarm_walk walk = { fn, context };

	return state_walk_prefix(txn, &table, 1, visit_alarm, &walk, reason);
}
