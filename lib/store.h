/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The serve environment as both sides see it: one LMDB database, one value per owner
 * name (node.h) under its key, and one meta record. Readers get their transactions
 * from store_reader.h, the one writer from store_writer.h; what is here works on
 * both, so that lookup.h runs in either.
 *
 * Keys: 'M' = the meta record, 'N' | name key = link and node; 'M' '~' and 'O' are the ends of
 * the chain of links (store_chain.h), by which a name is proven to be absent.
 *
 *	  0          4
 *	  +----------+----------------+
 *	  | link u32 | node (node.h)  |    'M' '~': the link alone; 'O': nothing
 *	  +----------+----------------+
 *
 * Meta record, schema 2, little-endian:
 *
 *	  0        4         8              16                32
 *	  +--------+---------+--------------+-----------------+----------------+
 *	  | crc32c | "LZS2"  | revision u64 | instance[16]    | boot id[16]    |
 *	  +--------+---------+--------------+-----------------+----------------+
 *	 48
 *
 * crc32c covers the bytes behind it. The instance is state's; the revision is the one
 * of state that the nodes were compiled from.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/name.h"
#include "lib/node.h"
#include "lib/reason.h"

#define STORE_INSTANCE_SIZE 16
#define STORE_READERS_MAX 512 /* reader slots of the lock file, both sides */
/* Readers map so much, and a writer must not use more: address space is free for a shared
 * read-only map. */
#if SIZE_MAX > 0xffffffffu
#define STORE_SIZE_MAX ((size_t)64 << 30)
#else
#define STORE_SIZE_MAX ((size_t)1 << 30)
#endif

struct store_meta {
	uint64_t revision;
	uint8_t instance[STORE_INSTANCE_SIZE];
	uint8_t boot_id[STORE_INSTANCE_SIZE];
};

/* An open transaction on serve; belongs to one thread at a time. */
struct store_txn;

enum store_found {
	STORE_EXACT, /* a node is stored at the name */
	STORE_BELOW, /* nothing at the name, but names below it: empty non-terminal */
	STORE_NONE,
};

/* Looks a name up with one descent of the tree. STORE_EXACT fills *out, which points
 * into the map and is valid until the transaction ends; the two others are proven. A node
 * that fails its checks and an absence without proof are STATUS_CORRUPT. Never allocates.
 * Returns enum store_found or a negative status. */
int store_find(struct store_txn *txn, const struct name_key *key, struct node *out);

/* Are there names below this one? STORE_BELOW, STORE_NONE or a negative status. */
int store_find_below(struct store_txn *txn, const struct name_key *key);

/* The number of the commit that the transaction sees; it never repeats in one environment
 * and is at least 1. */
uint64_t store_txn_id(struct store_txn *txn);

/* Reads the meta record. STATUS_NOT_FOUND, STATUS_FOREIGN (another schema; the reason
 * says which) or STATUS_CORRUPT. */
int store_read_meta(struct store_txn *txn, struct store_meta *out, struct reason *reason);
