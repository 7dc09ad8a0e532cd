/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The serve environment as both sides see it: one LMDB database, one value per owner
 * name (node.h) under its key, and one meta record. Readers get their transactions
 * from reader.h, the one writer from writer.h; what is here works on both, so that
 * lookup.h runs in either.
 *
 * Keys: 'M' = the meta record, 'N' | name key = the node of that name (node.h).
 *
 * Meta record, schema 3, little-endian:
 *
 *	  0        4         8              16                32
 *	  +--------+---------+--------------+-----------------+----------------+
 *	  | crc32c | "LZS3"  | revision u64 | instance[16]    | boot id[16]    |
 *	  +--------+---------+--------------+-----------------+----------------+
 *	 48
 *
 * crc32c covers the bytes behind it. The instance is state's; the revision is the one
 * of state that the nodes were compiled from.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/dns/name.h"
#include "lib/serve/node.h"
#include "lib/base/reason.h"

#define SERVE_INSTANCE_SIZE 16
#define SERVE_READERS_MAX 512 /* reader slots of the lock file, both sides */
/* Readers map so much, and a writer must not use more: address space is free for a shared
 * read-only map. */
#if SIZE_MAX > 0xffffffffu
#define SERVE_SIZE_MAX ((size_t)64 << 30)
#else
#define SERVE_SIZE_MAX ((size_t)1 << 30)
#endif

struct serve_meta {
	uint64_t revision;
	uint8_t instance[SERVE_INSTANCE_SIZE];
	uint8_t boot_id[SERVE_INSTANCE_SIZE];
};

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

/* An open transaction on serve; belongs to one thread at a time. What is in it is for reader.c,
 * writer.c and layout.c only. */
struct serve_txn {
	struct MDB_txn *txn;
	struct MDB_cursor *cursor; /* a reader keeps it over renewals, so that none allocates */
	unsigned dbi;
};

enum serve_found {
	SERVE_EXACT, /* a node is stored at the name */
	SERVE_BELOW, /* nothing at the name, but names below it: empty non-terminal */
	SERVE_NONE,
};

/* Looks a name up with one descent of the tree. SERVE_EXACT fills *out, which points
 * into the map and is valid until the transaction ends. A node that fails its checks is
 * STATUS_CORRUPT. Never allocates.
 * Returns enum serve_found or a negative status. */
int serve_find(struct serve_txn *txn, const struct name_key *key, struct node *out);

/* Are there names below this one? SERVE_BELOW, SERVE_NONE or a negative status. */
int serve_find_below(struct serve_txn *txn, const struct name_key *key);

/* The number of the commit that the transaction sees; it never repeats in one environment
 * and is at least 1. */
uint64_t serve_txn_id(struct serve_txn *txn);

/* Reads the meta record. STATUS_NOT_FOUND, STATUS_FOREIGN (another schema; the reason
 * says which) or STATUS_CORRUPT. */
int serve_read_meta(struct serve_txn *txn, struct serve_meta *out, struct reason *reason);

/* --- for reader.c and writer.c --- */

#define SERVE_META_KEY ((void *)(uintptr_t)"M")
#define SERVE_META_SIZE 48
#define SERVE_KEY_MAX (1 + NAME_KEY_MAX)

/* The key of a node's value into `out` (SERVE_KEY_MAX bytes); returns its length. */
size_t serve_node_key(const struct name_key *key, uint8_t *out);

/* The meta record from its value: STATUS_FOREIGN (another schema) or STATUS_CORRUPT. */
int serve_decode_meta(const uint8_t *value, size_t len, struct serve_meta *out,
	struct reason *reason);

/* The meta record's SERVE_META_SIZE bytes. */
void serve_encode_meta(const struct serve_meta *meta, uint8_t *out);

/* For mdb_env_set_assert, on both sides: LMDB finds its own pages broken. Ends the guarded call
 * that it is in; without one it returns, and LMDB aborts. */
void serve_on_assert(struct MDB_env *env, const char *text);
