/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The proof that a name is absent; for lib/store*.c only. A checksum over a value cannot
 * tell that a value is not found although it is there: a damaged branch page leads beside
 * it, a damaged leaf leaves it out. So each entry says which one comes next, as NSEC does
 * for zones (RFC 4034 section 4), by its link: the checksum of its own key and the next
 * one's. A name is absent only between two entries of which the first links to the second;
 * anything else is damage. Two entries without a node are the ends of the chain:
 *
 *	 M~ ──► N 03 com 04 live ──► N 03 com 04 live 03 www ──► O
 *
 * The link is no part of the node and its checksum: a change beside a name rewrites four
 * bytes of it, and the name itself is found whatever became of its link.
 *
 * What it cannot tell is a page that LMDB has freed, with the links that were right then.
 * LMDB 0.9 does not write into a page which commit it belongs to. store-schema.md says how
 * likely a damaged pointer is to lead to one.
 */
#pragma once

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/serve/txn.h"

#define SERVE_LINK_SIZE 4 /* little-endian, in front of every node; M~ has nothing else */
#define SERVE_FIRST_KEY ((void *)(uintptr_t)"M~")
#define SERVE_FIRST_KEY_SIZE 2
#define SERVE_LAST_KEY ((void *)(uintptr_t)"O")
#define SERVE_LAST_KEY_SIZE 1

/* Of LMDB: as memcmp, the shorter first. */
static inline int
serve_chain_order(const MDB_val *a, const MDB_val *b)
{
	size_t len = a->mv_size < b->mv_size ? a->mv_size : b->mv_size;
	int order = memcmp(a->mv_data, b->mv_data, len);

	return order != 0 ? order : (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
}

/* Does the entry `key`, with that value, link to `next`? */
bool serve_chain_links(const MDB_val *key, const MDB_val *value, const MDB_val *next);

/* `behind` is what the transaction's cursor is at, the first entry behind `wanted`. Returns
 * 0 when nothing is stored in between, or STATUS_CORRUPT. The cursor is then at the entry
 * before, which is in *out_before and *out_value. */
int serve_chain_check(struct serve_txn *txn, const MDB_val *wanted, const MDB_val *behind,
	MDB_val *out_before, MDB_val *out_value);

/* --- the writer's; after a failure the transaction is to be aborted --- */

/* What was put last: the next one of a bulk change is mostly behind it. */
struct serve_chain_tail {
	bool is_empty; /* nothing was ever committed, not even the ends of the chain */
	bool is_open;  /* the last entry is out of the way of a bulk change; see reserve */
	uint8_t *link; /* in the value, until the next change; NULL: nothing is known */
	MDB_val key, next;
	uint8_t key_bytes[SERVE_KEY_MAX], next_bytes[SERVE_KEY_MAX];
};

/* Makes the ends of the chain in an empty environment. Codes are LMDB's here and below;
 * MDB_CORRUPTED: the chain is broken. */
int serve_chain_create(struct serve_txn *txn);

/* Reserves `size` bytes behind the link of the entry `key`, new or not. While names are put
 * in order at the end, the last entry is taken away: LMDB fills its pages when keys come
 * behind all others, and splits them in the middle when one is behind them. */
int serve_chain_reserve(struct serve_txn *txn, const MDB_val *key, size_t size,
	uint8_t **out);

/* Puts the last entry back where it was taken away: before the commit, and before anybody
 * looks for a name that may be behind all others. */
int serve_chain_close(struct serve_txn *txn);

/* Removes an entry; proven to be absent is fine. */
int serve_chain_delete(struct serve_txn *txn, const MDB_val *key);
