/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Alarms in the state: they stand until they are acknowledged, over restarts and over the
 * loss of everything that is kept in memory.
 */
#include <lmdb.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/serve/mdb.h"
#include "sidecar/state/state.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"

#define HEAD 16 /* checksum, 0, time */

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
	return state_keep_alarm(txn, name, text, txn->now_ms, reason);
}

int
state_keep_alarm(struct state_txn *txn, const char *name, const char *text,
	uint64_t raised_ms, struct reason *reason)
{
	static const uint8_t table = STATE_TABLE_ALARM;
	uint8_t bytes[1 + STATE_ALARM_NAME_MAX], data[HEAD + STATE_ALARM_TEXT_MAX];
	size_t len = strnlen(text, STATE_ALARM_TEXT_MAX), count = 0;
	struct cursor_out cursor = cursor_out_init(data, sizeof(data));
	MDB_val key = alarm_key(name, bytes), value = { HEAD + len, data }, old;
	int status = state_walk_prefix(txn, &table, 1, count_alarm, &count, reason);

	if (status != STATUS_OK)
		return status;
	if (count >= STATE_ALARMS_MAX && mdb_get(txn->txn, txn->dbi, &key, &old) != 0)
		return reason_set(reason, STATUS_FULL, "%zu alarms stand already", count);
	cursor_put_u32(&cursor, 0);
	cursor_put_u32(&cursor, 0);
	cursor_put_u64(&cursor, raised_ms);
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

	if (!state_is_sealed(key, value) || value->mv_size < HEAD)
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
