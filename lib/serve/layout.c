/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Look-ups in serve, on the way of every query and inside the writer's transactions.
 */
#include "lib/serve/layout.h"

#include <lmdb.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/base/cursor.h"
#include "lib/serve/guard.h"
#include "lib/serve/mdb.h"
#include "lib/base/status.h"

#define META_MAGIC 0x33535a4cu /* "LZS3" */
#define META_MAGIC_FAMILY 0x00535a4cu

int
serve_find(struct serve_txn *txn, const struct name_key *key, struct node *out)
{
	uint8_t bytes[SERVE_KEY_MAX];
	MDB_val wanted = { .mv_data = bytes, .mv_size = serve_node_key(key, bytes) };
	MDB_val found = wanted, value;
	int code = mdb_cursor_get(txn->cursor, &found, &value, MDB_SET_RANGE);

	if (code == MDB_NOTFOUND)
		return SERVE_NONE;
	if (code != 0)
		return status_from_mdb(code);
	if (found.mv_size < wanted.mv_size
		|| memcmp(found.mv_data, bytes, wanted.mv_size) != 0)
		return SERVE_NONE;
	if (found.mv_size > wanted.mv_size)
		return SERVE_BELOW;
	code = node_open(value.mv_data, value.mv_size, key, out);
	return code == STATUS_OK ? SERVE_EXACT : code;
}

void
serve_on_assert(MDB_env *env, const char *text)
{
	(void)env;
	(void)text;
	guard_on_assert();
}

int
serve_find_below(struct serve_txn *txn, const struct name_key *key)
{
	uint8_t bytes[SERVE_KEY_MAX + 1];
	size_t len = serve_node_key(key, bytes);
	MDB_val found = { .mv_data = bytes, .mv_size = len + 1 }, value;
	int code;

	bytes[len] = 1; /* no label is shorter */
	code = mdb_cursor_get(txn->cursor, &found, &value, MDB_SET_RANGE);
	if (code == MDB_NOTFOUND)
		return SERVE_NONE;
	if (code != 0)
		return status_from_mdb(code);
	return found.mv_size > len && memcmp(found.mv_data, bytes, len) == 0 ? SERVE_BELOW
									     : SERVE_NONE;
}

uint64_t
serve_txn_id(struct serve_txn *txn)
{
	return mdb_txn_id(txn->txn);
}

int
serve_read_meta(struct serve_txn *txn, struct serve_meta *out, struct reason *reason)
{
	MDB_val key = { .mv_data = SERVE_META_KEY, .mv_size = 1 };
	MDB_val value;
	int code = mdb_get(txn->txn, txn->dbi, &key, &value);

	if (code != 0)
		return status_from_mdb_reason(code, "meta record", reason);
	return serve_decode_meta(value.mv_data, value.mv_size, out, reason);
}

int
serve_decode_meta(const uint8_t *value, size_t len, struct serve_meta *out,
	struct reason *reason)
{
	struct cursor cursor = cursor_init(value, len);
	uint32_t checksum = cursor_u32(&cursor);
	struct serve_meta meta = { 0 };
	uint32_t magic;

	magic = cursor_u32(&cursor);
	meta.revision = cursor_u64(&cursor);
	cursor_copy(&cursor, meta.instance, sizeof(meta.instance));
	cursor_copy(&cursor, meta.boot_id, sizeof(meta.boot_id));
	if (!cursor.failed && magic != META_MAGIC
		&& (magic & 0x00ffffffu) == META_MAGIC_FAMILY)
		return reason_set(reason, STATUS_FOREIGN,
			"schema \"LZS%c\" in serve, this program knows \"LZS3\": use the same "
			"version of livezoned and livezone.so",
			(int)(magic >> 24));
	if (cursor.failed || cursor.left != 0 || magic != META_MAGIC
		|| checksum_crc32c(value + 4, SERVE_META_SIZE - 4) != checksum)
		return reason_set(reason, STATUS_CORRUPT, "meta record: bad checksum");
	*out = meta;
	return STATUS_OK;
}

void
serve_encode_meta(const struct serve_meta *meta, uint8_t *out)
{
	struct cursor_out cursor = cursor_out_init(out, SERVE_META_SIZE);

	cursor_put_u32(&cursor, 0);
	cursor_put_u32(&cursor, META_MAGIC);
	cursor_put_u64(&cursor, meta->revision);
	cursor_put(&cursor, meta->instance, sizeof(meta->instance));
	cursor_put(&cursor, meta->boot_id, sizeof(meta->boot_id));
	cursor = cursor_out_init(out, SERVE_META_SIZE);
	cursor_put_u32(&cursor, checksum_crc32c(out + 4, SERVE_META_SIZE - 4));
}

size_t
serve_node_key(const struct name_key *key, uint8_t *out)
{
	out[0] = 'N';
	memcpy(out + 1, key->bytes, key->len);
	return 1u + key->len;
}
