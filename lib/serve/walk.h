/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Reading all of serve, and finding out whether every look-up would find what is there.
 * In the module on the keeper's thread, in its fault guard.
 */
#pragma once

#include "lib/base/reason.h"
#include "lib/serve/reader.h"

/* Not 0: ends the walk, and is its result. The node is valid until the transaction ends. */
typedef int (*serve_walk_fn)(void *context, const struct name_key *key,
	const struct node *node);

/* Calls fn for each node, in the order of the keys. STATUS_CORRUPT: some value fails its
 * checks, or is not where a look-up seeks it, or some are missing; fn has been called for
 * those before. 0.2 s for a million names. */
int serve_walk(struct serve_txn *txn, serve_walk_fn fn, void *context,
	struct reason *reason);

/* Walks through all in a transaction of slot 0: nodes, their RRsets, and the meta record. */
int serve_walk_verify(struct serve_reader *reader, struct serve_meta *out_meta,
	struct reason *reason);
