/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * How much of the map is taken. A delete and its commit need new pages, too: an environment
 * that is full to the end cannot be emptied, so writes are refused before.
 *
 * Taken are the live pages, and the free ones that LMDB keeps for a reader of an old commit:
 * it writes again only to what was freed before the oldest reader's commit (mdb.c
 * mdb_page_alloc). Records of FREE_DBI: the id of the commit that freed them -> their count,
 * then their numbers (mdb.c "mt_free_pgs").
 */
#include <lmdb.h>
#include <stdio.h>
#include <string.h>

#include "lib/serve/mdb.h"
#include "sidecar/state/state.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"

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
