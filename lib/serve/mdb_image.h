/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The bytes of an LMDB file, read without LMDB: it trusts its pages, and a damaged one makes
 * it abort or leave its map. Every number of a page is checked here before it is used, so
 * that a file of any content can be walked, and what LMDB never looks at is looked at: page
 * numbers, the order of all keys, pages used twice, the list of free pages. For the check of
 * state, and for what can be saved of a damaged environment.
 *
 * Layout of 64-bit LMDB 0.9 (mdb.c: struct MDB_page, MDB_node, MDB_meta), native byte order:
 *
 *	page    pgno u64 | pad u16 | flags u16 | lower u16, upper u16; overflow: pages u32
 *	        | u16 offset of each node | ... | nodes
 *	node    size u32 | flags u16 | key size u16 | key | value, or u64 pgno of its pages
 *	        branch: pgno u48 in place of size and flags, no value
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"

enum { MDB_IMAGE_FREE, MDB_IMAGE_MAIN }; /* the trees: list of free pages, what is stored */

#define MDB_IMAGE_PAGE_KINDS 0x6f /* flags of a page that say what it is */

struct mdb_image_tree {
	uint16_t flags, depth;
	uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};

/* A commit; the bytes are borrowed. */
struct mdb_image {
	const uint8_t *bytes;
	uint64_t size;
	uint32_t page_size;
	uint64_t last_page, txn_id;
	uint64_t pages; /* that the file has: the last ones of a commit may be missing when free */
	struct mdb_image_tree tree[2];
	bool may_be_older; /* the other meta page, of the commit before or behind, is unreadable */
};

struct mdb_image_text {
	const uint8_t *at;
	size_t len;
};

/* Called per entry in key order; a value other than 0 ends the walk and is returned. */
typedef int (*mdb_image_fn)(void *context, const struct mdb_image_text *key,
	const struct mdb_image_text *value, struct reason *reason);

/* Reads a file into memory of its own, for mdb_image_unload: what happens to the file later
 * is no fault of the reader. Where the disk gives nothing, the bytes are zero.
 * STATUS_NOT_FOUND, STATUS_CORRUPT (empty), STATUS_IO, STATUS_NO_MEMORY. */
int mdb_image_load(const char *path, void **out_bytes, uint64_t *out_size,
	struct reason *reason);
void mdb_image_unload(void *bytes, uint64_t size); /* NULL is allowed */

/* Finds the commit with this transaction id, or the newest (0). STATUS_CORRUPT;
 * STATUS_FOREIGN: another format of LMDB or another kind of machine; STATUS_UNAVAILABLE: that
 * commit is no longer in a meta page. */
int mdb_image_open(const void *bytes, uint64_t size, uint64_t txn_id, struct mdb_image *out,
	struct reason *reason);

/* The same of a file of which not all is there or good, for mdb_image_walk: the newest commit
 * whose meta page can be read. It may be one before the last then: out->may_be_older. */
int mdb_image_open_damaged(
	const void *bytes, uint64_t size, struct mdb_image *out, struct reason *reason);

/* Checks every page of both trees, and calls `fn` (may be NULL) for all that is stored.
 * STATUS_CORRUPT with page and fault in the reason; STATUS_NO_MEMORY. */
int mdb_image_verify(const struct mdb_image *image, mdb_image_fn fn, void *context,
	struct reason *reason);

/* Only the entries whose first byte is from `first` to `last`. With out_damaged, pages that
 * cannot be read are left out and counted, and a key out of order is no reason to; without,
 * the first one is STATUS_CORRUPT. */
int mdb_image_walk(const struct mdb_image *image, uint8_t first, uint8_t last,
	mdb_image_fn fn, void *context, uint64_t *out_damaged, struct reason *reason);
