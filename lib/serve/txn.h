/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The transaction that serve_reader.c and serve_writer.c give out; for lib/store*.c only.
 */
#pragma once

#include <lmdb.h>
#include <stdbool.h>
#include <string.h>

#include "lib/serve/layout.h"

struct serve_chain_tail;

struct serve_txn {
	MDB_txn *txn;
	MDB_cursor *cursor; /* a reader keeps it over renewals, so that none allocates */
	MDB_dbi dbi;
	struct serve_chain_tail *tail; /* serve_chain.h; NULL in a reader */
};

#define SERVE_META_KEY ((void *)(uintptr_t)"M")
#define SERVE_META_SIZE 48
#define SERVE_KEY_MAX (1 + NAME_KEY_MAX)

static inline bool
serve_key_is(const MDB_val *key, const void *bytes, size_t len)
{
	return key->mv_size == len && memcmp(key->mv_data, bytes, len) == 0;
}

/* The key of a node's value into `out` (SERVE_KEY_MAX bytes); returns its length. */
size_t serve_node_key(const struct name_key *key, uint8_t *out);

/* The node of an entry, behind its link. */
int serve_open_node(const MDB_val *value, const struct name_key *key, struct node *out);

/* The meta record from its value: STATUS_FOREIGN (another schema) or STATUS_CORRUPT. */
int serve_decode_meta(const uint8_t *value, size_t len, struct serve_meta *out,
	struct reason *reason);

/* The meta record's SERVE_META_SIZE bytes. */
void serve_encode_meta(const struct serve_meta *meta, uint8_t *out);

/* For mdb_env_set_assert, on both sides: LMDB finds its own pages broken. Ends the guarded call
 * that it is in; without one it returns, and LMDB aborts. */
void serve_on_assert(MDB_env *env, const char *text);
