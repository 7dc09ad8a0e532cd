/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One state per worker thread of the host, and how a worker reads the store: which store
 * is the current one is an atomic pointer that the keeper changes; a worker writes down
 * the store that it is inside of, and the keeper frees an old one when no worker is
 * inside. No lock and no system call on the way of a query.
 *
 *	 keeper                             worker
 *	 live = new store                   again: s = live; inside = s
 *	 later: is any `inside` the old       if (live != s) goto again
 *	 one? no: free it                   read, copy out; inside = NULL
 *
 * All of it is sequentially consistent, so either the worker sees the new `live` or the
 * keeper sees `inside`. There is no host in this file.
 *
 * Reads run in the fault guard. A store that tripped it is poisoned: no worker reads it
 * again, nobody closes it, and the keeper is woken to look for another. A store of which a
 * value fails its checks is suspect: the keeper is woken to report that. The query itself is
 * read once more, from the snapshot.
 *
 * Each worker counts for itself, in memory that only it writes; the keeper sums the workers
 * into a report.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/dns/zones.h"
#include "lib/lookup/answer.h"
#include "lib/lookup/lookup.h"
#include "lib/report/report.h"
#include "lib/serve/guard.h"
#include "lib/serve/reader.h"

/* Half of the reader slots of the lock file, so that another resolver can share it. Threads
 * beyond answer from the snapshot, those beyond SERVE_READERS_MAX from fallback records. */
#define WORKERS_LIVE_MAX (SERVE_READERS_MAX / 2)
#define WORKERS_MAX 1024 /* each may have ANSWER_BUFFER_SIZE; a thread beyond answers nothing */

struct worker_zone_counters {
	_Atomic uint64_t answers[REPORT_STAGES];
	_Atomic uint64_t nodata;
	_Atomic uint64_t nxdomain;
};

/* Of one worker. Written by it, read by the keeper. */
struct worker_counters {
	_Atomic uint64_t foreign;
	_Atomic uint64_t corrupt;
	_Atomic uint64_t trips[GUARD_TRIPS];
	size_t zone_count;
	struct worker_zone_counters *zone; /* in the order of struct zones */
};

struct worker_state {
	size_t slot; /* of every store: 0 is the keeper's own, worker n has n + 1 */
	_Atomic(struct serve_reader *) inside;
	struct answer answer; /* of the query in hand */
	struct lookup_memory *memory; /* one for each zone, of the store `memory_of` */
	uint64_t memory_of;
	enum report_stage stage; /* of the answer: live, stale or fallback */
	struct worker_counters counters;
	void *host; /* what entry.c allocated with it, freed by it */
};

/* The worker threads of this process. Static memory: lives over reloads. */
struct workers {
	_Atomic(struct serve_reader *) live; /* NULL: no readable store */
	_Atomic(struct serve_reader *) snapshot; /* a copy in memory, or NULL */
	_Atomic uint64_t snapshot_ms; /* boot clock: when it last was equal to live */
	_Atomic uint64_t suspect; /* serve_reader_id of a store with a bad value; 0: none */
	atomic_int wake_fd; /* eventfd of the keeper, when there is a store to read */
	atomic_size_t count; /* may pass WORKERS_MAX: those get no state */
	_Atomic(struct worker_state *) state[WORKERS_MAX];
};

/* A new state for the calling thread, known to the keeper from now on. NULL: out of
 * memory or too many threads. */
struct worker_state *worker_new(struct workers *workers, size_t zone_count);

/* Looks the query up in the current store; when that cannot be read or fails for this name, in
 * the snapshot; then in the fallback records. The result is in state->answer and state->stage.
 * Sets what of the query is about the store. The read section: nothing points into a store
 * after it. */
void worker_read(struct workers *workers, struct worker_state *state,
	const struct zones *zones, const struct zone *zone, const struct name_key *key,
	struct lookup_query *query);

/* Frees all states; when the threads that used them are gone. */
void workers_reset(struct workers *workers);

/* The same when a keeper was left behind, which may be looking at them: they stay allocated,
 * what they hold (and `host`) too. */
void workers_leave(struct workers *workers);

/* Is a worker inside this store? For the keeper, when it is no longer `live`. */
bool workers_use(const struct workers *workers, const struct serve_reader *reader);

/* Bytes allocated for the workers. */
size_t workers_memory(const struct workers *workers);

/* How many states there are; index them with workers->state[]. */
size_t workers_count(const struct workers *workers);

/* Adds one. A counter has one writer, so that no locked instruction is needed. */
static inline void
worker_count(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter,
		atomic_load_explicit(counter, memory_order_relaxed) + 1,
		memory_order_relaxed);
}

/* Counts one answer of the zone with this index. */
void worker_count_answer(struct worker_state *state, size_t zone, enum report_stage stage,
	enum answer_kind kind);

/* Adds what all workers counted to the report, whose zones are in the same order. */
void workers_report(const struct workers *workers, struct report *report);

/* Calls fn in the fault guard, for the keeper. A trip is counted in the report, and `reader` (or
 * NULL), which fn touches, is poisoned. */
enum guard_trip workers_guard(struct report *report, struct serve_reader *reader, guard_fn fn,
	void *context);

/* How many reader slots `threads` expected workers need, or those that run when these are more. */
size_t workers_slots(const struct workers *workers, size_t threads, size_t limit);
