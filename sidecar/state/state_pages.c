/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The part of a check (state_check.c) that looks at pages: is each where its number says, found
 * from the root, and used once; and does the list of free pages name none that is in use, which
 * LMDB would write to?
 */
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/status.h"
#include "lib/serve/mdb.h"
#include "sidecar/state/state_txn.h"

#define FREE_DBI 0   /* mdb.c: the list of free pages */
#define PAGE_HEAD 16 /* mdb.c PAGEHDRSZ; the page's own number comes first */
#define FIRST_PAGE 2 /* behind the two meta pages */

static int
corrupt(struct reason *reason, const char *what)
{
	return reason_set(reason, STATUS_CORRUPT, "state: %s", what);
}

static int
mark(struct state_pages *pages, uint64_t number, uint64_t count, struct reason *reason)
{
	for (; count > 0; count--, number++) {
		if (number < FIRST_PAGE || number > pages->last)
			return corrupt(reason, "a page beyond the last one");
		if (pages->used[number / 8] & 1u << number % 8)
			return corrupt(reason, "a page is used twice, or used and free");
		pages->used[number / 8] |= (uint8_t)(1u << number % 8);
		pages->marked++;
	}
	return STATUS_OK;
}

/* A page's number, by what it says of itself, and by where it is. */
static int
mark_leaf(struct state_pages *pages, const uint8_t *page, struct reason *reason)
{
	uint64_t number;

	memcpy(&number, page, sizeof(number));
	if (number > pages->last)
		return corrupt(reason, "a page with a wrong number");
	if (!pages->map)
		pages->map = page - number * pages->size;
	if (page != pages->map + number * pages->size)
		return corrupt(reason, "a page with the number of another one");
	return mark(pages, number, 1, reason);
}

static const uint8_t *
page_of(const struct state_pages *pages, const MDB_val *key)
{
	return (const uint8_t *)((uintptr_t)key->mv_data & ~(uintptr_t)(pages->size - 1));
}

/* Does the way down from the root lead to this very entry? */
static int
find_again(struct state_page_walk *walk, const MDB_val *wanted, const void *value, struct reason *reason)
{
	MDB_val key = *wanted, found = { 0, NULL };
	int code;

	/* a free list has integers for keys, and no mdb_get */
	if (walk->dbi == FREE_DBI || !value)
		return STATUS_OK;
	code = mdb_get(walk->txn, walk->dbi, &key, &found);
	if (code == MDB_NOTFOUND || (code == 0 && found.mv_data != value))
		return corrupt(reason, "an entry that is not found by its key");
	return status_from_mdb_reason(code, "state", reason);
}

int
state_pages_visit(struct state_page_walk *walk, const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	struct state_pages *pages = walk->pages;
	const uint8_t *leaf, *data = value->mv_data;
	int status = STATUS_OK;

	walk->entries++;
	if (pages->is_off)
		return STATUS_OK;
	leaf = page_of(pages, key);
	if (!walk->last.mv_data || page_of(pages, &walk->last) != leaf) {
		walk->leaves++;
		status = mark_leaf(pages, leaf, reason);
		if (status == STATUS_OK && walk->last.mv_data)
			status = find_again(walk, &walk->last, walk->last_value, reason);
		if (status == STATUS_OK)
			status = find_again(walk, key, data, reason);
	}
	if (status == STATUS_OK && (data < leaf || data > leaf + pages->size)) {
		uint64_t count = (PAGE_HEAD + value->mv_size + pages->size - 1) / pages->size;

		walk->overflows += count;
		if ((data - pages->map - PAGE_HEAD) % (ptrdiff_t)pages->size != 0)
			return corrupt(reason, "a value in the middle of a page");
		status = mark(pages, (uint64_t)(data - pages->map) / pages->size, count, reason);
	}
	walk->last = *key;
	walk->last_value = data;
	return status;
}

int
state_pages_finish(struct state_page_walk *walk, struct reason *reason)
{
	MDB_stat stat;
	int code = mdb_stat(walk->txn, walk->dbi, &stat);

	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	if (walk->entries != stat.ms_entries)
		return corrupt(reason, "other entries than the tree counts");
	if (walk->pages->is_off)
		return STATUS_OK;
	walk->pages->branches += stat.ms_branch_pages;
	return walk->leaves == stat.ms_leaf_pages && walk->overflows == stat.ms_overflow_pages
		? find_again(walk, &walk->last, walk->last_value, reason)
		: corrupt(reason, "other pages than the tree counts");
}

/* Records: the commit that freed them -> their count, then their numbers (mdb.c
 * "mt_free_pgs"). */
static int
mark_free(struct state_pages *pages, const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	uint64_t count, number;
	const uint8_t *at = value->mv_data;

	if (key->mv_size != sizeof(uint64_t) || value->mv_size < sizeof(count))
		return corrupt(reason, "damaged list of free pages");
	memcpy(&count, at, sizeof(count));
	if (count > value->mv_size / sizeof(count) - 1)
		return corrupt(reason, "damaged list of free pages");
	for (; count > 0; count--) {
		int status;

		at += sizeof(number);
		memcpy(&number, at, sizeof(number));
		status = mark(pages, number, 1, reason);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* What is neither a leaf nor data nor free is a branch, unless pages were lost, which LMDB may
 * do. A branch with a wrong number reads well, and would have another page freed. */
static int
check_branches(const struct state_pages *pages, struct reason *reason)
{
	uint64_t all = pages->last + 1 - FIRST_PAGE, number, own;

	if (pages->marked + pages->branches > all)
		return corrupt(reason, "a page is used and free");
	if (pages->marked + pages->branches < all || !pages->map)
		return STATUS_OK;
	for (number = FIRST_PAGE; number <= pages->last; number++) {
		if (pages->used[number / 8] & 1u << number % 8)
			continue;
		memcpy(&own, pages->map + number * pages->size, sizeof(own));
		if (own != number)
			return corrupt(reason, "a page with a wrong number");
	}
	return STATUS_OK;
}

int
state_pages_check_free(struct state_pages *pages, MDB_txn *txn, struct reason *reason)
{
	struct state_page_walk walk = { .txn = txn, .dbi = FREE_DBI, .pages = pages };
	MDB_cursor *cursor;
	MDB_val key, value;
	int code, status;

	if (pages->is_off)
		return STATUS_OK;
	code = mdb_cursor_open(txn, FREE_DBI, &cursor);
	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	status = STATUS_OK;
	while (status == STATUS_OK
		&& (code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		status = state_pages_visit(&walk, &key, &value, reason);
		if (status == STATUS_OK)
			status = mark_free(pages, &key, &value, reason);
	}
	mdb_cursor_close(cursor);
	if (status == STATUS_OK && code != MDB_NOTFOUND)
		status = status_from_mdb_reason(code, "state", reason);
	if (status == STATUS_OK)
		status = state_pages_finish(&walk, reason);
	return status == STATUS_OK ? check_branches(pages, reason) : status;
}

int
state_pages_begin(struct state_pages *pages, MDB_txn *txn, MDB_dbi dbi, struct reason *reason)
{
	MDB_stat stat;
	MDB_envinfo info;
	int code = mdb_stat(txn, dbi, &stat);

	if (code == 0)
		code = mdb_env_info(mdb_txn_env(txn), &info);
	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	*pages = (struct state_pages){
		.size = stat.ms_psize,
		.is_off = stat.ms_psize > (size_t)sysconf(_SC_PAGESIZE),
		.last = info.me_last_pgno,
		.used = calloc(info.me_last_pgno / 8 + 1, 1),
	};
	return pages->used ? STATUS_OK : reason_set(reason, STATUS_NO_MEMORY, "out of memory");
}
