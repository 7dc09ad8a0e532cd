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
	cursor_put_u32(&cursor, 0);
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

/* --- the meta record --- */

int
state_decode_meta(const MDB_val *key, const MDB_val *value, struct state_meta_record *out,
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
	cursor_u32(&cursor);
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
	status = state_decode_meta(&key, &value, &txn->meta, reason);
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

/*
 * How much of the map is taken. A delete and its commit need new pages, too: an environment
 * that is full to the end cannot be emptied, so writes are refused before.
 *
 * Taken are the live pages, and the free ones that LMDB keeps for a reader of an old commit:
 * it writes again only to what was freed before the oldest reader's commit (mdb.c
 * mdb_page_alloc). Records of FREE_DBI: the id of the commit that freed them -> their count,
 * then their numbers (mdb.c "mt_free_pgs").
 */

#define FREE_DBI 0   /* mdb.c: the database of free pages */
#define META_PAGES 2 /* mdb.c NUM_METAS */

static uint64_t
pages_of(const MDB_stat *stat)
{
	return stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages;
}

struct oldest_reader {
	uint64_t txn_id;
	int pid;
};

/* A line of mdb_reader_list: pid, thread, commit; "-" for a slot that reads nothing now. */
static int
take_older(const char *line, void *context)
{
	struct oldest_reader *oldest = context;
	unsigned long long txn_id;
	int pid;

	if (sscanf(line, "%d %*x %llu", &pid, &txn_id) == 2 && txn_id < oldest->txn_id)
		*oldest = (struct oldest_reader){ .txn_id = txn_id, .pid = pid };
	return 0;
}

/* Free pages of the commits before `txn_id`. */
static int
count_reusable(MDB_txn *txn, uint64_t txn_id, uint64_t *out_pages)
{
	MDB_val key, value;
	MDB_cursor *cursor;
	int code = mdb_cursor_open(txn, FREE_DBI, &cursor);

	*out_pages = 0;
	if (code != 0)
		return code;
	while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		size_t freed_by, count;

		if (key.mv_size != sizeof(freed_by) || value.mv_size < sizeof(count))
			break;
		memcpy(&freed_by, key.mv_data, sizeof(freed_by));
		memcpy(&count, value.mv_data, sizeof(count));
		if (freed_by >= txn_id)
			break;
		*out_pages += count;
	}
	mdb_cursor_close(cursor);
	return code == MDB_NOTFOUND ? 0 : code;
}

/* `last_page` is the last that was ever used. */
static int
count_kept(MDB_txn *txn, MDB_dbi dbi, uint64_t last_page, uint64_t txn_id, uint64_t *out_pages)
{
	uint64_t all = last_page + 1, others, reusable;
	MDB_stat live, free_list;
	int code = mdb_stat(txn, dbi, &live);

	if (code == 0)
		code = mdb_stat(txn, FREE_DBI, &free_list);
	if (code == 0)
		code = count_reusable(txn, txn_id, &reusable);
	if (code != 0)
		return code;
	others = pages_of(&live) + pages_of(&free_list) + META_PAGES + reusable;
	*out_pages = all > others ? all - others : 0;
	return 0;
}

/* A free list is open to reading transactions only (mdb.c mdb_cursor_open). */
static int
find_kept(struct state_txn *txn, struct state_quota *quota)
{
	struct oldest_reader oldest = { .txn_id = UINT64_MAX };
	MDB_env *env = txn->state->env;
	MDB_txn *reader;
	MDB_envinfo info;
	int code = mdb_env_info(env, &info), dead;

	if (code != 0 || info.me_last_pgno < quota->pages[false])
		return code;
	mdb_reader_check(env, &dead); /* a reader that was killed keeps nothing */
	if (mdb_reader_list(env, &take_older, &oldest) < 0 || oldest.txn_id >= info.me_last_txnid)
		return 0;
	code = mdb_txn_begin(env, NULL, MDB_RDONLY, &reader);
	if (code != 0)
		return code == MDB_READERS_FULL ? 0 : code;
	code = count_kept(reader, txn->dbi, info.me_last_pgno, oldest.txn_id, &quota->kept);
	quota->keeper = oldest.pid;
	mdb_txn_abort(reader);
	return code;
}

int
state_begin_quota(struct state_txn *txn, struct reason *reason)
{
	struct state_quota *quota = &txn->quota;
	MDB_stat stat;
	int code = mdb_stat(txn->txn, txn->dbi, &stat);

	if (code == 0) {
		uint64_t pages = txn->state->map_size / stat.ms_psize;

		quota->pages[false] = pages * STATE_QUOTA_PUT / 100;
		quota->pages[true] = pages * STATE_QUOTA_DELETE / 100;
		code = find_kept(txn, quota);
	}
	return status_from_mdb_reason(code, "state", reason);
}

int
state_check_quota(struct state_txn *txn, bool is_delete, struct reason *reason)
{
	const struct state_quota *quota = &txn->quota;
	char kept[96] = "";
	MDB_stat stat;
	int code = mdb_stat(txn->txn, txn->dbi, &stat);

	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	if (pages_of(&stat) + quota->kept <= quota->pages[is_delete])
		return STATUS_OK;
	if (quota->kept > 0)
		snprintf(kept, sizeof(kept), "wait until process %d has read state (it keeps %llu MiB), ",
			quota->keeper, (unsigned long long)(quota->kept * stat.ms_psize >> 20));
	return reason_set(reason, STATUS_FULL,
		"%llu of the %llu MiB of store.size-limit are in use, above %d %% %s: %sdelete "
		"records or raise store.size-limit",
		(unsigned long long)((pages_of(&stat) + quota->kept) * stat.ms_psize >> 20),
		(unsigned long long)(txn->state->map_size >> 20),
		is_delete ? STATE_QUOTA_DELETE : STATE_QUOTA_PUT,
		is_delete ? "nothing can be deleted" : "nothing can be added", kept);
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
