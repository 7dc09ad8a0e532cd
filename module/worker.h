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
 * again, nobody closes it, and the keeper is woken to look for another. A store that fails
 * for one name, because a value or the proof of an absence (store.h) is damaged, is
 * suspect: the keeper is woken to read all of it. The query itself is read once more, from
 * the snapshot.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/lookup/answer.h"
#include "lib/lookup/lookup.h"
#include "lib/serve/reader.h"
#include "lib/dns/zones.h"
#include "module/stats.h"

/* Half of the reader slots of the lock file, so that another resolver can share it. Threads
 * beyond answer from the snapshot, those beyond SERVE_READERS_MAX from fallback records. */
#define WORKERS_LIVE_MAX (SERVE_READERS_MAX / 2)
#define WORKERS_MAX 1024 /* each may have ANSWER_BUFFER_SIZE; a thread beyond answers nothing */

struct worker_state {
	size_t slot; /* of every store: 0 is the keeper's own, worker n has n + 1 */
	_Atomic(struct serve_reader *) inside;
	struct answer answer; /* of the query in hand */
	struct lookup_memory *memory; /* one for each zone, of the store `memory_of` */
	uint64_t memory_of;
	enum report_stage stage; /* of the answer: live, stale or fallback */
	struct stats stats;
	void *host; /* what entry.c allocated with it, freed by it */
};

/* The worker threads of this process. Static memory: lives over reloads. */
struct workers {
	_Atomic(struct serve_reader *) live; /* NULL: no readable store */
	_Atomic(struct serve_reader *) snapshot; /* a copy in memory, or NULL */
	_Atomic uint64_t snapshot_ms; /* boot clock: when it last was equal to live */
	_Atomic uint64_t suspect; /* serve_reader_id of a store that shall be checked; 0: none */
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
