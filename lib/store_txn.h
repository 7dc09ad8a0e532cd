/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The transaction that store_reader.c and store_writer.c give out; for lib/store*.c only.
 */
#pragma once

#include <lmdb.h>
#include <stdbool.h>
#include <string.h>

#include "lib/store.h"

struct store_chain_tail;

struct store_txn {
	MDB_txn *txn;
	MDB_cursor *cursor; /* a reader keeps it over renewals, so that none allocates */
	MDB_dbi dbi;
	struct store_chain_tail *tail; /* store_chain.h; NULL in a reader */
};

#define STORE_META_KEY ((void *)(uintptr_t)"M")
#define STORE_META_SIZE 48
#define STORE_KEY_MAX (1 + NAME_KEY_MAX)

static inline bool
store_key_is(const MDB_val *key, const void *bytes, size_t len)
{
	return key->mv_size == len && memcmp(key->mv_data, bytes, len) == 0;
}

/* The key of a node's value into `out` (STORE_KEY_MAX bytes); returns its length. */
size_t store_node_key(const struct name_key *key, uint8_t *out);

/* The node of an entry, behind its link. */
int store_open_node(const MDB_val *value, const struct name_key *key, struct node *out);

/* The meta record from its value: STATUS_FOREIGN (another schema) or STATUS_CORRUPT. */
int store_decode_meta(const uint8_t *value, size_t len, struct store_meta *out,
	struct reason *reason);

/* The meta record's STORE_META_SIZE bytes. */
void store_encode_meta(const struct store_meta *meta, uint8_t *out);

/* For mdb_env_set_assert, on both sides: LMDB finds its own pages broken. Ends the guarded call
 * that it is in; without one it returns, and LMDB aborts. */
void store_on_assert(MDB_env *env, const char *text);
