/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Look-ups in serve, on the way of every query and inside the writer's transactions.
 */
#include "lib/store.h"

#include <string.h>

#include "lib/checksum.h"
#include "lib/cursor.h"
#include "lib/guard.h"
#include "lib/mdb.h"
#include "lib/status.h"
#include "lib/store_chain.h"
#include "lib/store_txn.h"

#define META_MAGIC 0x32535a4cu /* "LZS2" */
#define META_MAGIC_FAMILY 0x00535a4cu

int
store_find(struct store_txn *txn, const struct name_key *key, struct node *out)
{
	uint8_t bytes[STORE_KEY_MAX];
	MDB_val wanted = { .mv_data = bytes, .mv_size = store_node_key(key, bytes) };
	MDB_val found = wanted, value, before;
	int code = mdb_cursor_get(txn->cursor, &found, &value, MDB_SET_RANGE);

	if (code == MDB_NOTFOUND && txn->tail && txn->tail->is_open
		&& store_chain_close(txn) == 0)
		code = mdb_cursor_get(txn->cursor, &found, &value, MDB_SET_RANGE);
	if (code == MDB_NOTFOUND) /* the end of the chain is behind every name */
		return STATUS_CORRUPT;
	if (code != 0)
		return status_from_mdb(code);
	if (found.mv_size == wanted.mv_size
		&& memcmp(found.mv_data, bytes, found.mv_size) == 0) {
		code = store_open_node(&value, key, out);
		return code == STATUS_OK ? STORE_EXACT : code;
	}
	code = store_chain_check(txn, &wanted, &found, &before, &value);
	if (code != STATUS_OK)
		return code;
	return found.mv_size > wanted.mv_size
			&& memcmp(found.mv_data, bytes, wanted.mv_size) == 0
		? STORE_BELOW
		: STORE_NONE;
}

void
store_on_assert(MDB_env *env, const char *text)
{
	(void)env, (void)text;
	guard_on_assert();
}

int
store_open_node(const MDB_val *value, const struct name_key *key, struct node *out)
{
	if (value->mv_size < STORE_LINK_SIZE)
		return STATUS_CORRUPT;
	return node_open((const uint8_t *)value->mv_data + STORE_LINK_SIZE,
		value->mv_size - STORE_LINK_SIZE, key, out);
}

int
store_find_below(struct store_txn *txn, const struct name_key *key)
{
	uint8_t bytes[STORE_KEY_MAX + 1];
	size_t len = store_node_key(key, bytes);
	MDB_val wanted = { .mv_data = bytes, .mv_size = len + 1 };
	MDB_val found = wanted, value, before;
	int code;

	bytes[len] = 1; /* no label is shorter */
	code = mdb_cursor_get(txn->cursor, &found, &value, MDB_SET_RANGE);
	if (code == MDB_NOTFOUND)
		return STATUS_CORRUPT;
	if (code != 0)
		return status_from_mdb(code);
	code = store_chain_check(txn, &wanted, &found, &before, &value);
	if (code != STATUS_OK)
		return code;
	return found.mv_size > len && memcmp(found.mv_data, bytes, len) == 0 ? STORE_BELOW
									     : STORE_NONE;
}

uint64_t
store_txn_id(struct store_txn *txn)
{
	return mdb_txn_id(txn->txn);
}

int
store_read_meta(struct store_txn *txn, struct store_meta *out, struct reason *reason)
{
	MDB_val key = { .mv_data = STORE_META_KEY, .mv_size = 1 };
	MDB_val value;
	int code = mdb_get(txn->txn, txn->dbi, &key, &value);

	if (code != 0)
		return status_from_mdb_reason(code, "meta record", reason);
	return store_decode_meta(value.mv_data, value.mv_size, out, reason);
}

int
store_decode_meta(const uint8_t *value, size_t len, struct store_meta *out,
	struct reason *reason)
{
	struct cursor cursor = cursor_init(value, len);
	uint32_t checksum = cursor_u32(&cursor);
	struct store_meta meta = { 0 };
	uint32_t magic;

	magic = cursor_u32(&cursor);
	meta.revision = cursor_u64(&cursor);
	cursor_copy(&cursor, meta.instance, sizeof(meta.instance));
	cursor_copy(&cursor, meta.boot_id, sizeof(meta.boot_id));
	if (!cursor.failed && magic != META_MAGIC
		&& (magic & 0x00ffffffu) == META_MAGIC_FAMILY)
		return reason_set(reason, STATUS_FOREIGN,
			"schema \"LZS%c\" in serve, this program knows \"LZS2\": use the same "
			"version of livezoned and livezone.so",
			(int)(magic >> 24));
	if (cursor.failed || cursor.left != 0 || magic != META_MAGIC
		|| checksum_crc32c(value + 4, STORE_META_SIZE - 4) != checksum)
		return reason_set(reason, STATUS_CORRUPT, "meta record: bad checksum");
	*out = meta;
	return STATUS_OK;
}

void
store_encode_meta(const struct store_meta *meta, uint8_t *out)
{
	struct cursor_out cursor = cursor_out_init(out, STORE_META_SIZE);

	cursor_put_u32(&cursor, 0);
	cursor_put_u32(&cursor, META_MAGIC);
	cursor_put_u64(&cursor, meta->revision);
	cursor_put(&cursor, meta->instance, sizeof(meta->instance));
	cursor_put(&cursor, meta->boot_id, sizeof(meta->boot_id));
	cursor = cursor_out_init(out, STORE_META_SIZE);
	cursor_put_u32(&cursor, checksum_crc32c(out + 4, STORE_META_SIZE - 4));
}

size_t
store_node_key(const struct name_key *key, uint8_t *out)
{
	out[0] = 'N';
	memcpy(out + 1, key->bytes, key->len);
	return 1u + key->len;
}
