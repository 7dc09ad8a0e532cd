/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Transactions of the state environment, walks over its tables, sealed values, the meta
 * record, and how full it is. Readers on API threads, one writer thread.
 */
#include "sidecar/state/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "lib/base/checksum.h"
#include "lib/base/clock.h"
#include "lib/base/cursor.h"
#include "lib/serve/mdb.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"

#define META_MAGIC 0x32545a4cu /* "LZT2" */
#define META_MAGIC_FAMILY 0x00545a4cu
#define META_SIZE 56
#define DISK_FULL_BYTES (64 * 4096) /* LMDB writes up to 64 pages at once */
#define NEEDED "this program knows \"LZT2\": use the livezoned that wrote it, or export with " \
	       "that one and import here"

/* --- transactions --- */

static void
free_txn(struct state_txn *txn, bool must_reopen)
{
	state_leave(txn->state, must_reopen);
	free(txn->source);
	free(txn->zone);
	free(txn->scratch);
	free(txn);
}

static int
begin_once(struct state *state, unsigned flags, struct state_txn **out, bool *out_panic,
	struct reason *reason)
{
	struct state_txn *txn;
	int code, status = state_enter(state, reason);

	*out_panic = false;
	if (status != STATUS_OK)
		return status;
	if (!(flags & MDB_RDONLY) && state->is_read_only) {
		state_leave(state, true); /* it may be writable by now */
		return reason_set(reason, STATUS_UNAVAILABLE,
			"the file system of %s is read-only", state->dir);
	}
	txn = calloc(1, sizeof(*txn));
	if (!txn) {
		state_leave(state, false);
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	}
	txn->state = state;
	txn->dbi = state->dbi;
	txn->is_writer = !(flags & MDB_RDONLY);
	txn->now_ms = clock_wall_ms();
	code = mdb_txn_begin(state->env, NULL, flags, &txn->txn);
	if (code != 0) {
		*out_panic = code == MDB_PANIC || code == MDB_BAD_TXN || code == MDB_CORRUPTED
			|| code == MDB_PAGE_NOTFOUND;
		free_txn(txn, *out_panic);
		return status_from_mdb_reason(code, "state", reason);
	}
	*out = txn;
	return STATUS_OK;
}

static int
begin(struct state *state, unsigned flags, struct state_txn **out, struct reason *reason)
{
	bool panic;
	int status = begin_once(state, flags, out, &panic, reason);

	return panic ? begin_once(state, flags, out, &panic, reason) : status;
}

int
state_begin_read(struct state *state, struct state_txn **out, struct reason *reason)
{
	return begin(state, MDB_RDONLY, out, reason);
}

int
state_begin_write(struct state *state, struct state_txn **out, struct reason *reason)
{
	struct state_txn *txn;
	int status = begin(state, 0, &txn, reason);

	if (status != STATUS_OK)
		return status;
	status = state_begin_quota(txn, reason);
	if (status == STATUS_OK)
		status = state_load_meta(txn, reason);
	/* an environment that is being made has none yet */
	if (status == STATUS_NOT_FOUND)
		status = STATUS_OK;
	if (status == STATUS_OK)
		*out = txn;
	else
		state_abort(txn);
	return status;
}

static int
write_meta(struct state_txn *txn, struct reason *reason)
{
	uint8_t name = STATE_TABLE_META, value[META_SIZE];
	MDB_val key = { 1, &name }, data = { sizeof(value), value };
	struct cursor_out cursor = cursor_out_init(value, sizeof(value));

	cursor_put_u32(&cursor, 0);
	cursor_put_u32(&cursor, META_MAGIC);
	cursor_put_u64(&cursor, txn->meta.meta.revision);
	cursor_put(&cursor, txn->meta.meta.instance, STATE_INSTANCE_SIZE);
	cursor_put_u32(&cursor, txn->meta.zones_checksum);
	cursor_put_u32(&cursor, txn->meta.sum);
	cursor_put_u64(&cursor, txn->meta.log_first);
	cursor_put_u64(&cursor, txn->meta.log_bytes);
	state_seal(&key, value, sizeof(value));
	return status_from_mdb_reason(mdb_put(txn->txn, txn->dbi, &key, &data, 0),
		"meta record", reason);
}

/* A disk that has room for a part of a write takes that, which LMDB calls EIO (mdb.c
 * mdb_page_flush). What the disk has left says which of the two it was. */
static int
name_short_write(const struct state *state, int code)
{
	struct statvfs disk;

	if (code != EIO || statvfs(state->dir, &disk) != 0)
		return code;
	return (uint64_t)disk.f_bavail * disk.f_frsize < DISK_FULL_BYTES ? ENOSPC : code;
}

/* After a write error the kernel may have dropped pages that LMDB believes in: what is on the
 * disk counts. A full map and a read-only disk have taken nothing. */
static bool
must_reopen_after(int code)
{
	switch (code) {
	case MDB_SUCCESS:
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
	case EROFS:
		return false;
	default:
		return true;
	}
}

int
state_flush_counters(struct state_txn *txn, struct reason *reason)
{
	int status = state_flush_sources(txn, reason);

	return status == STATUS_OK ? state_flush_zones(txn, reason) : status;
}

int
state_commit(struct state_txn *txn, struct reason *reason)
{
	int code, status = state_flush_counters(txn, reason);

	/* what is counted beside wrong counts is wrong after the next start, too */
	if (txn->state->has_wrong_counts && !txn->has_counted)
		txn->meta.zones_checksum = STATE_ZONES_UNCOUNTED;
	if (status == STATUS_OK && txn->is_meta_dirty)
		status = write_meta(txn, reason);
	if (status != STATUS_OK) {
		state_abort(txn);
		return status;
	}
	code = name_short_write(txn->state, mdb_txn_commit(txn->txn));
	if (code == 0 && txn->has_counted)
		txn->state->has_wrong_counts = false;
	free_txn(txn, must_reopen_after(code));
	return status_from_mdb_reason(code, "state", reason);
}

void
state_abort(struct state_txn *txn)
{
	if (!txn)
		return;
	if (!txn->is_writer) {
		/* LMDB closes those of a writer itself */
		if (txn->rrsets)
			mdb_cursor_close(txn->rrsets);
		if (txn->owners)
			mdb_cursor_close(txn->owners);
		if (txn->leases)
			mdb_cursor_close(txn->leases);
	}
	mdb_txn_abort(txn->txn);
	free_txn(txn, false);
}

int
state_cursor(struct state_txn *txn, MDB_cursor **cursor, struct reason *reason)
{
	if (*cursor)
		return STATUS_OK;
	return status_from_mdb_reason(mdb_cursor_open(txn->txn, txn->dbi, cursor), "state",
		reason);
}

int
state_walk_prefix(struct state_txn *txn, const uint8_t *prefix, size_t len,
	state_entry_fn fn, void *context, struct reason *reason)
{
	MDB_cursor *cursor = NULL;
	MDB_val key = { len, (void *)(uintptr_t)prefix }, value;
	int status = state_cursor(txn, &cursor, reason);
	int code;

	if (status != STATUS_OK)
		return status;
	code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (code == 0 && key.mv_size >= len && memcmp(key.mv_data, prefix, len) == 0) {
		status = fn(context, &key, &value, reason);
		if (status != STATUS_OK)
			break;
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	if (status == STATUS_OK && code != 0 && code != MDB_NOTFOUND)
		status = status_from_mdb_reason(code, "state", reason);
	return status;
}

/* --- sealed values --- */

void
state_seal(const MDB_val *key, uint8_t *value, size_t len)
{
	struct cursor_out cursor = cursor_out_init(value, 4);

	cursor_put_u32(&cursor,
		checksum_crc32c_two(key->mv_data, key->mv_size, value + 4, len - 4));
}

bool
state_is_sealed(const MDB_val *key, const MDB_val *value)
{
	struct cursor cursor = cursor_init(value->mv_data, value->mv_size);
	uint32_t checksum = cursor_u32(&cursor);

	return !cursor.failed
		&& checksum_crc32c_two(key->mv_data, key->mv_size, cursor.at, cursor.left)
			== checksum;
}

void
state_write_instance(const struct state_meta *meta, char out[STATE_INSTANCE_TEXT])
{
	size_t i;

	for (i = 0; i < STATE_INSTANCE_SIZE; i++)
		snprintf(out + 2 * i, 3, "%02x", meta->instance[i]);
}

bool
state_read_instance(const char *text, uint8_t out[STATE_INSTANCE_SIZE])
{
	size_t i;

	for (i = 0; i < STATE_INSTANCE_SIZE; i++)
		if (sscanf(text + 2 * i, "%2" SCNx8, &out[i]) != 1)
			return false;
	return true;
}

/* --- entries --- */

bool
state_is_index(const MDB_val *key)
{
	const uint8_t table = key->mv_size > 0 ? *(const uint8_t *)key->mv_data : 0;

	return table == STATE_TABLE_OWNER || table == STATE_TABLE_LEASE
		|| table == STATE_TABLE_POINTER;
}

/* The checksum in front of a value covers its key. The last step of splitmix64 spreads a
 * difference in any bit over all, so that differences do not cancel out. */
uint32_t
state_hash_entry(const MDB_val *key, const MDB_val *value)
{
	struct cursor cursor = cursor_init(value->mv_data, value->mv_size);
	uint64_t hash = state_is_index(key) ? checksum_crc32c(key->mv_data, key->mv_size)
					    : cursor_u32(&cursor);

	hash += 0x9e3779b97f4a7c15u;
	hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
	hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(hash ^ hash >> 31);
}

static void
add_to_sum(struct state_txn *txn, uint32_t hash)
{
	if (txn->meta.sum != STATE_SUM_UNKNOWN)
		txn->meta.sum += hash;
	txn->is_meta_dirty = true;
}

static int
find_entry(struct state_txn *txn, MDB_cursor *cursor, MDB_val key, MDB_val *out)
{
	return cursor ? mdb_cursor_get(cursor, &key, out, MDB_SET)
		      : mdb_get(txn->txn, txn->dbi, &key, out);
}

int
state_store(struct state_txn *txn, MDB_cursor *cursor, MDB_val key, MDB_val value,
	unsigned flags)
{
	const uint32_t hash = state_hash_entry(&key, &value);
	uint32_t old_hash = 0;
	MDB_val old;
	int code = flags & MDB_NOOVERWRITE ? MDB_NOTFOUND : find_entry(txn, cursor, key, &old);

	if (code == 0)
		old_hash = state_hash_entry(&key, &old);
	else if (code != MDB_NOTFOUND)
		return code;
	code = cursor ? mdb_cursor_put(cursor, &key, &value, flags)
		      : mdb_put(txn->txn, txn->dbi, &key, &value, flags);
	if (code == 0)
		add_to_sum(txn, hash - old_hash);
	return code;
}

int
state_remove(struct state_txn *txn, MDB_val key)
{
	MDB_val old = { 0, NULL };
	int code = state_is_index(&key) ? 0 : find_entry(txn, NULL, key, &old);
	const uint32_t hash = state_hash_entry(&key, &old);

	if (code == 0)
		code = mdb_del(txn->txn, txn->dbi, &key, NULL);
	if (code == 0)
		add_to_sum(txn, -hash);
	return code;
}

int
state_remove_at(struct state_txn *txn, MDB_cursor *cursor, const MDB_val *key,
	const MDB_val *value)
{
	const uint32_t hash = state_hash_entry(key, value);
	int code = mdb_cursor_del(cursor, 0);

	if (code == 0)
		add_to_sum(txn, -hash);
	return code;
}

/* --- the meta record --- */

static int
decode_meta(const MDB_val *key, const MDB_val *value, struct state_meta_record *out,
	struct reason *reason)
{
	struct cursor cursor = cursor_init(value->mv_data, value->mv_size);
	uint32_t magic;

	cursor_u32(&cursor);
	magic = cursor_u32(&cursor);
	if (state_is_sealed(key, value) && magic != META_MAGIC
		&& (magic & 0x00ffffffu) == META_MAGIC_FAMILY)
		return reason_set(reason, STATUS_FOREIGN, "schema \"LZT%c\" found, " NEEDED,
			(int)(magic >> 24));
	if (!state_is_sealed(key, value) || magic != META_MAGIC || value->mv_size != META_SIZE)
		return reason_set(reason, STATUS_CORRUPT, "meta record: damaged");
	out->meta.revision = cursor_u64(&cursor);
	cursor_copy(&cursor, out->meta.instance, sizeof(out->meta.instance));
	out->zones_checksum = cursor_u32(&cursor);
	out->sum = cursor_u32(&cursor);
	out->log_first = cursor_u64(&cursor);
	out->log_bytes = cursor_u64(&cursor);
	return STATUS_OK;
}

int
state_load_meta(struct state_txn *txn, struct reason *reason)
{
	uint8_t name = STATE_TABLE_META;
	MDB_val key = { 1, &name }, value;
	int code, status;

	if (txn->has_meta)
		return STATUS_OK;
	code = mdb_get(txn->txn, txn->dbi, &key, &value);
	if (code != 0)
		return status_from_mdb_reason(code, "meta record", reason);
	status = decode_meta(&key, &value, &txn->meta, reason);
	txn->has_meta = status == STATUS_OK;
	return status;
}

int
state_read_meta(struct state_txn *txn, struct state_meta *out, struct reason *reason)
{
	int status = state_load_meta(txn, reason);

	if (status == STATUS_OK)
		*out = txn->meta.meta;
	return status;
}

int
state_set_revision(struct state_txn *txn, uint64_t revision, struct reason *reason)
{
	int status = state_load_meta(txn, reason);

	if (status != STATUS_OK)
		return status;
	txn->meta.meta.revision = revision;
	txn->is_meta_dirty = true;
	return STATUS_OK;
}

/* --- room --- */

/* How much of the map is taken. A delete and its commit need new pages, too: an environment that
 * is full to the end cannot be emptied, so writes are refused before. Free pages that LMDB keeps
 * for a reader of an old commit are not counted: that a commit finds no room because of them ends
 * with the reader. */

static uint64_t
pages_of(const MDB_stat *stat)
{
	return stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages;
}

int
state_begin_quota(struct state_txn *txn, struct reason *reason)
{
	MDB_stat stat;
	int code = mdb_stat(txn->txn, txn->dbi, &stat);

	if (code == 0) {
		uint64_t pages = txn->state->map_size / stat.ms_psize;

		txn->quota[false] = pages * STATE_QUOTA_PUT / 100;
		txn->quota[true] = pages * STATE_QUOTA_DELETE / 100;
	}
	return status_from_mdb_reason(code, "state", reason);
}

int
state_check_quota(struct state_txn *txn, bool is_delete, struct reason *reason)
{
	MDB_stat stat;
	int code = mdb_stat(txn->txn, txn->dbi, &stat);

	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	if (pages_of(&stat) <= txn->quota[is_delete])
		return STATUS_OK;
	return reason_set(reason, STATUS_FULL,
		"%llu of the %llu MiB of store.size-limit are in use, above %d %% %s: delete "
		"records or raise store.size-limit",
		(unsigned long long)(pages_of(&stat) * stat.ms_psize >> 20),
		(unsigned long long)(txn->state->map_size >> 20),
		is_delete ? STATE_QUOTA_DELETE : STATE_QUOTA_PUT,
		is_delete ? "nothing can be deleted" : "nothing can be added");
}

void
state_usage(const struct state_txn *txn, uint64_t *out_used, uint64_t *out_size)
{
	MDB_stat stat;

	*out_used = *out_size = 0;
	if (mdb_stat(txn->txn, txn->dbi, &stat) == 0) {
		*out_used = pages_of(&stat) * stat.ms_psize;
		*out_size = txn->state->map_size;
	}
}
