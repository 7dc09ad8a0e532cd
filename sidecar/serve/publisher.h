/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Keeps serve equal to state: brings it up to date at a start, follows each commit, and rebuilds
 * it beside the old one when it is lost, damaged or full. Writer thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/serve/guard.h"
#include "lib/base/reason.h"
#include "sidecar/state/state.h"
#include "lib/serve/writer.h"
#include "sidecar/serve/compile.h"
#include "sidecar/serve/touched.h"
#include "sidecar/serve/reporters.h"

struct publisher {
	struct state *state;
	char *dir; /* owned: outlives the configuration that it came from */
	uint64_t size_limit;
	struct serve_writer *store; /* NULL: none that is ours */
	struct compile compile;     /* with the zones and the lease clock */
	struct serve_meta meta;     /* of what is served */
	bool is_current;
	struct reporters reporters;
	struct reason reason;       /* why not */
	uint64_t looked_ms, swept_ms; /* boot clock: at the files, for dead readers */
	uint64_t believe_ms; /* no report of damage is believed before */
	uint64_t retry_ms, retry_after_ms; /* next attempt, and how long the pause is */
	uint64_t rebuilds, catch_ups;
};

/* Opens what is in `dir` and catches it up from the change log, or rebuilds it: when it is
 * absent, damaged, foreign, of another boot, or `must_rebuild`. A failure leaves
 * is_current false and is tried again by publisher_tick. */
void publisher_start(struct publisher *publisher, bool must_rebuild);

/* Compiles the names touched by what state holds at `revision`; rebuilds at once when
 * that fails. The result is publisher->is_current. */
void publisher_update(struct publisher *publisher, struct touched *touched,
	uint64_t revision);

/* Is serve current, and does every Unbound that reports read it? Else the reason. A serve that
 * is lost is rebuilt first. */
bool publisher_is_seen(struct publisher *publisher, struct reason *reason);

/* Opens the served copy for a look-up, in a write transaction that the caller aborts.
 * STATUS_UNAVAILABLE when it is not current: the reason says why. */
int publisher_begin_look(struct publisher *publisher, struct serve_txn **out,
	struct reason *reason);

/* Calls fn(context), which looks into that transaction. STATUS_UNAVAILABLE: a fault ended
 * it; the transaction is not to be touched again, not even aborted. */
int publisher_look(struct publisher *publisher, guard_fn fn, void *context,
	struct reason *reason);

/* Looks after the files, once a second at most: replaced ones are rebuilt, dead readers
 * cleared, a failed rebuild tried again. */
void publisher_tick(struct publisher *publisher);

/* Leaves serve to its readers; frees what *publisher owns. */
void publisher_stop(struct publisher *publisher);
