/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Reading all of serve, and finding out whether every look-up would find what is there.
 * In the module on the keeper's thread, in its fault guard.
 */
#pragma once

#include "lib/reason.h"
#include "lib/store_reader.h"

/* Not 0: ends the walk, and is its result. The node is valid until the transaction ends. */
typedef int (*store_walk_fn)(void *context, const struct name_key *key,
	const struct node *node);

/* Calls fn for each node, in the order of the keys. STATUS_CORRUPT: some value fails its
 * checks, or is not where a look-up seeks it, or some are missing; fn has been called for
 * those before. 0.2 s for a million names. */
int store_walk(struct store_txn *txn, store_walk_fn fn, void *context,
	struct reason *reason);

/* Walks through all in a transaction of slot 0: nodes, their RRsets, and the meta record. */
int store_walk_verify(struct store_reader *reader, struct store_meta *out_meta,
	struct reason *reason);
