/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The transaction that reader.c and writer.c give out; for lib/serve only.
 */
#pragma once

#include <lmdb.h>

#include "lib/serve/layout.h"

struct serve_txn {
	MDB_txn *txn;
	MDB_cursor *cursor; /* a reader keeps it over renewals, so that none allocates */
	MDB_dbi dbi;
};

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
void serve_on_assert(MDB_env *env, const char *text);
