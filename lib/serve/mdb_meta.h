/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A meta page as 64-bit LMDB 0.9 writes it: pages 0 and 1 of data.mdb, of which commits use
 * one in turn. In the byte order of the machine:
 *
 *	 0  page number (8)         of MDB_page
 *	 8  pad (2), flags (2), unused (4)
 *	16  magic (4), version (4)  of MDB_meta
 *	24  address (8), size of the map (8)
 *	40  list of free pages      48 bytes: MDB_db
 *	88  what is stored          48 bytes
 *	136 last page (8), transaction id (8)
 *
 * MDB_db is page size (4; of the first), flags (2), depth (2), and 8 bytes each: branch, leaf
 * and overflow pages, entries, root. mdb.c "struct MDB_meta", "struct MDB_db". Private to
 * mdb.c and mdb_image*.c.
 */
#pragma once

#include <stdint.h>

#define MDB_META_MAGIC 0xbeefc0deu  /* mdb.c MDB_MAGIC */
#define MDB_META_VERSION 1u         /* mdb.c MDB_DATA_VERSION of 0.9 */
#define MDB_META_NO_ROOT UINT64_MAX /* mdb.c P_INVALID: an empty tree */

struct mdb_meta {
	uint64_t number;
	uint16_t pad, flags;
	uint32_t unused;
	uint32_t magic, version;
	uint64_t address, map_size;
	struct {
		uint32_t page_size;
		uint16_t flags, depth;
		uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
	} tree[2]; /* the list of free pages, what is stored */
	uint64_t last_page, txn_id;
};
