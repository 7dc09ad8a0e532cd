/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * State's records as nodes of serve: one of them, or all in a new store. Writer thread only.
 */
#pragma once

#include "sidecar/serve/serving.h"

/* Puts the node that `compile` has made; deletes it when nothing is left at the name. */
int
serving_fill_node(struct compile *compile, struct serve_txn *txn, struct reason *reason);

/* Fills a new store from state in one consistent read; *out_meta gets revision and instance.
 * A failure's reason is in serving->reason; STATUS_CORRUPT is state's. */
int serving_fill_store(
	struct serving *serving, struct serve_writer *store, struct serve_meta *out_meta);
