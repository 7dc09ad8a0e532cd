/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The writer thread: the only one that writes state and serve. It takes the changes that
 * were submitted while its last commit ran as one group: one durable state transaction, one
 * serve transaction, then each request is answered by its callback. It also ends leases,
 * catches serve up after a start, and rebuilds serve when it is lost.
 *
 * Whatever wants to write submits a request, and needs nothing of HTTP for that: handlers of
 * the API, alarms, the journal, tests.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/reason.h"
#include "lib/config/config.h"
#include "lib/serve/layout.h"
#include "sidecar/state/state.h"
#include "sidecar/write/change.h"
#include "sidecar/write/plan.h"

#define WRITER_QUEUE_MAX 50000 /* items of small changes waiting; more is CHANGE_BUSY (503) */
#define WRITER_BULK_MAX 64     /* bulk changes waiting; the same */
#define WRITER_BULK_ITEMS 1000 /* a list of so many items is a bulk change, too */
#define WRITER_LOOKS_MAX 64    /* look-ups waiting; more is STATUS_UNAVAILABLE */
#define WRITER_GROUP_MAX 10000 /* items of one group; a bigger change is one by itself */

struct serve_txn;
struct writer;
struct write_request;

/* Called exactly once for each request that was submitted, on the writer's thread and without
 * a lock; the request is the callee's again, who may free it. Must be quick and must not wait
 * for the writer, but may submit. What is refused at once, because a queue is full or the writer
 * has stopped, is answered on the submitter's thread, within writer_submit. */
typedef void (*write_done_fn)(struct write_request *request);

/* A look-up into both stores at one revision, on the writer's thread: livezoned reads serve in
 * no other way. Must be quick, and keeps nothing of what it sees. */
typedef void (*write_look_fn)(
	struct write_request *request, struct serve_txn *serve, struct state_txn *state);

/*
 * A change, or a look-up, on its way. From writer_submit until `done` it belongs to the writer:
 * nobody else reads or changes it. What the change borrows (names of sources, the caller's
 * token) stays in place until then.
 */
struct write_request {
	struct change *change; /* owned; NULL: a look-up */
	write_done_fn done;
	void *context;               /* the submitter's */
	struct change_result result; /* for `done` to read; a difference is in the change's arena */

	write_look_fn look; /* instead of a change */
	void *look_context;
	int status; /* of the look-up; not 0: result.reason says why */

	/* the writer's own */
	struct write_request *next;
	struct plan plan;
	bool is_final;   /* refused or failed: not tried again in this group */
	bool is_applied; /* written by the transaction of its group */
};

/* Takes the change over, which may be NULL when there was no memory for it or nothing is to be
 * changed. NULL: out of memory, and the change is freed. */
struct write_request *write_request_new(struct change *change);
void write_request_free(struct write_request *request); /* NULL is allowed */

/* Hands a request over. A change with items was accepted by change_check before. Any thread;
 * never waits. */
void writer_submit(struct writer *writer, struct write_request *request);

/* The same with a request whose `done` is not set, and waits for its end: for threads that may
 * wait. The request stays the caller's. Not on the writer's thread. */
void writer_submit_wait(struct writer *writer, struct write_request *request);

struct writer_status {
	uint64_t state_revision;
	uint64_t serve_revision; /* what DNS sees */
	bool is_serve_current;   /* with state */
	char serve_reason[REASON_MAX]; /* why not */
	size_t queued;                 /* items */
	size_t queued_bulk;            /* changes */
	uint64_t groups, changes, rebuilds, catch_ups;
	size_t reporters; /* Unbounds that report now */
	uint64_t state_reopens;
};

/* One committed change, called on the writer's thread after state's commit, in the order of
 * revisions: plan steps with PLAN_RENEW are no part of it, and leases count from now_ms. Must be
 * quick. */
typedef void (*writer_commit_fn)(void *context, struct writer *writer,
	const struct write_request *request, uint64_t previous_revision, uint64_t now_ms);
struct writer_hook {
	writer_commit_fn commit; /* NULL: none */
	void *context;
};

/* Opens state (borrowed, outlives the writer), brings serve up to date (catch-up from the
 * change log, or a rebuild beside it and a rename), then starts the thread. The
 * configuration is borrowed until the next writer_reload. A serve directory that cannot be
 * written is not a failure: writer_status says so, and the writer will retry. The hook is
 * copied; NULL is allowed. */
int writer_start(struct state *state, const struct config *config,
	const struct writer_hook *hook, struct writer **out, struct reason *reason);

/* Ends the thread and answers what is queued with CHANGE_BUSY; each later request is answered
 * so at once. For whoever ends requests' threads afterwards. NULL is allowed. */
void writer_stop(struct writer *writer);

/* Stops the writer, if need be, and frees it: nobody submits any more. NULL is allowed. */
void writer_free(struct writer *writer);

/* The committed and served revision has risen, or the writer stops. On the writer's thread;
 * must be quick. */
typedef void (*writer_publish_fn)(void *context, uint64_t revision);

/* Any thread; revisions that were published before are not repeated. */
void writer_on_publish(struct writer *writer, writer_publish_fn fn, void *context);

/* The writer's sign of life, for a watchdog: one turn at least each second while the writer is
 * idle. Any thread; takes no lock. */
struct writer_beat {
	uint64_t turns;
	uint64_t allowed_ms; /* beyond the usual, for the RRsets that this turn writes */
};
void writer_read_beat(const struct writer *writer, struct writer_beat *out);

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
