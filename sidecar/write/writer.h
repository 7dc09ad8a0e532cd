/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The writer thread: the only one that writes state and serve. It takes all changes that
 * queued while its last commit ran as one group: one durable state transaction, one serve
 * transaction, then every waiting request is answered. It also ends
 * leases, catches serve up after a start, and rebuilds it when it is lost.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/config/config.h"
#include "lib/base/reason.h"
#include "sidecar/state/state.h"
#include "lib/serve/layout.h"
#include "sidecar/write/change.h"

#define WRITER_QUEUE_MAX 50000 /* items waiting; more is CHANGE_BUSY (503) */
#define WRITER_LOOKS_MAX 64    /* look-ups waiting; more is STATUS_UNAVAILABLE */
#define WRITER_GROUP_MAX 10000 /* items of one group; a bigger change is one by itself */

struct writer;

struct writer_status {
	uint64_t state_revision;
	uint64_t serve_revision; /* what DNS sees */
	bool serving;            /* serve is up to date */
	char serve_reason[REASON_MAX]; /* why not */
	size_t queued;
	uint64_t groups, changes, rebuilds, catch_ups;
	size_t reporters; /* Unbounds that report now */
	uint64_t state_reopens;
};

/* Opens state (borrowed, outlives the writer), brings serve up to date (catch-up from the
 * change log, or a rebuild beside it and a rename), then starts the thread. The
 * configuration is borrowed until the next writer_reload. A serve directory that cannot be
 * written is no failure: writer_status says so, and it is tried again. */
int writer_start(struct state *state, const struct config *config, struct writer **out,
	struct reason *reason);

/* Answers what is queued with CHANGE_BUSY, joins the thread, frees. NULL is allowed. */
void writer_stop(struct writer *writer);

/* Hands a change over that change_check accepted, and waits for its outcome. Any thread.
 * The change stays the caller's; a difference is kept in its arena. */
void writer_submit(struct writer *writer, struct change *change,
	struct change_result *out);

/* Runs `fn` on the writer thread, after all that is committed and before what comes next,
 * with both stores at one revision: livezoned reads serve in no other way. It must be
 * quick, and keeps nothing that it sees. STATUS_UNAVAILABLE when serve is not current. */
typedef void (*writer_look_fn)(void *context, struct serve_txn *serve,
	struct state_txn *state);
int writer_look(struct writer *writer, writer_look_fn fn, void *context,
	struct reason *reason);

/* Uses a new configuration from the next group on and recompiles the apexes. Both are
 * needed until writer_is_reloaded. */
void writer_reload(struct writer *writer, const struct config *config);

/* Waits for that, wait_ms at most: what was queued before comes first, and may be a bulk
 * change. True: the old configuration is no longer used. */
bool writer_is_reloaded(struct writer *writer, uint64_t wait_ms);

/* The clock that leases end on: wall-clock ms as they were at the start, which no later
 * jump of the wall clock changes (state_record.expires_ms minus this = what is left). */
uint64_t writer_lease_clock(struct writer *writer);

/* Any thread, at once: nothing of state is read. */
void writer_read_status(struct writer *writer, struct writer_status *out);

/* Waits until the durable and served revision is above `since`, the deadline (monotonic
 * ms from now) ends or the writer stops; returns the revision. For the long poll. */
uint64_t writer_wait(struct writer *writer, uint64_t since, uint32_t wait_ms);
