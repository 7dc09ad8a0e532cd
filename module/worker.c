/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The state of a worker thread and the read section, called for every query of a live
 * zone on the worker's own thread.
 */
#include "module/worker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/serve/guard.h"
#include "lib/base/status.h"

#define STALE_TTL_MAX 30 /* seconds: RFC 8767 section 5 */
/* Slots beyond the expected threads: the keeper's own, and room for a host that starts a
 * few more than it says. */
#define SLOTS_EXTRA 4

/* One read, for guard_run. */
struct read {
	struct worker_state *state;
	struct serve_reader *reader;
	const struct zones *zones;
	const struct zone *zone;
	const struct name_key *key;
	const struct lookup_query *query;
	bool is_damaged; /* by what this query found */
	uint64_t reader_id; /* the reader itself may be freed when this is looked at */
};

static void read_live(struct workers *workers, struct read *read, struct lookup_query *query);
static void suspect(struct workers *workers, struct read *read);
static void wake_keeper(struct workers *workers);
static void
read_stale(struct workers *workers, struct read *read, struct lookup_query *query);
static void
read_from(_Atomic(struct serve_reader *) *from, struct workers *workers, struct read *read);
static uint64_t snapshot_age(const struct workers *workers, uint64_t now_ms);
static void cap_ttls(struct answer *answer);
static void read_store(void *context);
static void trip(struct workers *workers, struct read *read, enum guard_trip why);
static struct serve_reader *
enter(_Atomic(struct serve_reader *) *from, struct worker_state *state);
static void leave(struct worker_state *state);
static void worker_free(struct worker_state *state);
static uint64_t value_of(const _Atomic uint64_t *counter);
static void add_counters(const struct worker_counters *counters, struct report *report);

struct worker_state *
worker_new(struct workers *workers, size_t zone_count)
{
	struct worker_state *state;
	size_t index;

	/* asked again for each query of a thread that has none */
	if (atomic_load(&workers->count) >= WORKERS_MAX)
		return NULL;
	state = calloc(1, sizeof(*state));
	if (!state)
		return NULL;
	state->memory = calloc(zone_count + 1, sizeof(*state->memory));
	state->counters.zone = calloc(zone_count + 1, sizeof(*state->counters.zone));
	state->counters.zone_count = zone_count;
	if (!state->memory || !state->counters.zone || answer_init(&state->answer)) {
		worker_free(state);
		return NULL;
	}
	index = atomic_fetch_add(&workers->count, 1);
	if (index >= WORKERS_MAX) {
		worker_free(state);
		return NULL;
	}
	state->slot = index + 1;
	atomic_store(&workers->state[index], state);
	return state;
}

void
worker_read(struct workers *workers, struct worker_state *state,
	const struct zones *zones, const struct zone *zone, const struct name_key *key,
	struct lookup_query *query)
{
	struct read read = {
		.state = state,
		.zones = zones,
		.zone = zone,
		.key = key,
		.query = query,
	};
	query->memory = state->memory;
	read_live(workers, &read, query);
	if (state->answer.kind == ANSWER_FAILED)
		read_stale(workers, &read, query);
	if (state->answer.kind == ANSWER_FAILED)
		lookup_answer(zones, zone, key, query, NULL, &state->answer);
	if (state->answer.is_fallback)
		state->stage = REPORT_FALLBACK;
}

static void
read_live(struct workers *workers, struct read *read, struct lookup_query *query)
{
	struct worker_state *state = read->state;

	query->age_ms = 0;
	state->stage = REPORT_LIVE;
	read_from(&workers->live, workers, read);
	if (read->is_damaged)
		suspect(workers, read);
}

/* A name that fails may be asked for often: the keeper is woken once for each look. */
static void
suspect(struct workers *workers, struct read *read)
{
	worker_count(&read->state->counters.corrupt);
	if (atomic_exchange(&workers->suspect, read->reader_id) != read->reader_id)
		wake_keeper(workers);
}

static void
wake_keeper(struct workers *workers)
{
	const uint64_t one = 1;

	if (write(atomic_load(&workers->wake_fd), &one, sizeof(one)) < 0)
		return; /* the keeper looks soon by itself */
}

static void
read_stale(struct workers *workers, struct read *read, struct lookup_query *query)
{
	struct worker_state *state = read->state;

	query->age_ms = snapshot_age(workers, query->now_ms);
	state->stage = REPORT_STALE;
	read_from(&workers->snapshot, workers, read);
	cap_ttls(&state->answer);
}

/* Looks up in the store that *from says; ANSWER_FAILED when there is none. */
static void
read_from(_Atomic(struct serve_reader *) *from, struct workers *workers, struct read *read)
{
	enum guard_trip why;

	answer_reset(&read->state->answer);
	read->is_damaged = false;
	read->reader = enter(from, read->state);
	if (read->reader && !serve_reader_poisoned(read->reader)) {
		why = guard_run(&read_store, read);
		if (why != GUARD_NONE)
			trip(workers, read, why);
	}
	leave(read->state);
}

/* At least 1: a snapshot is never live. */
static uint64_t
snapshot_age(const struct workers *workers, uint64_t now_ms)
{
	uint64_t equal_ms = atomic_load(&workers->snapshot_ms);

	return now_ms > equal_ms ? now_ms - equal_ms : 1;
}

static void
cap_ttls(struct answer *answer)
{
	for (size_t i = 0; i < answer->rrset_count; i++) {
		if (answer->rrset[i].ttl > STALE_TTL_MAX)
			answer->rrset[i].ttl = STALE_TTL_MAX;
	}
}

static void
read_store(void *context)
{
	struct read *read = context;
	struct worker_state *state = read->state;
	struct serve_txn *txn = serve_reader_slot(read->reader, state->slot);
	/* no slot: more threads than the keeper knows of; it claims more soon */
	int status = txn ? serve_reader_begin(txn) : STATUS_UNAVAILABLE;

	read->reader_id = serve_reader_id(read->reader);
	read->is_damaged = status == STATUS_CORRUPT;
	if (status != STATUS_OK)
		return;
	if (state->memory_of != serve_reader_id(read->reader)) {
		memset(state->memory, 0, read->zones->count * sizeof(*state->memory));
		state->memory_of = serve_reader_id(read->reader);
	}
	lookup_answer(read->zones, read->zone, read->key, read->query, txn,
		&state->answer);
	serve_reader_end(txn);
	/* a value; not the end of our memory or of the answer's room */
	read->is_damaged = state->answer.kind == ANSWER_FAILED
			   && state->answer.failure == STATUS_CORRUPT;
}

/* Several workers may come here for one store. */
static void
trip(struct workers *workers, struct read *read, enum guard_trip why)
{
	serve_reader_poison(read->reader, (int)why);
	worker_count(&read->state->counters.trips[why]);
	answer_reset(&read->state->answer);
	wake_keeper(workers);
}

static struct serve_reader *
enter(_Atomic(struct serve_reader *) *from, struct worker_state *state)
{
	struct serve_reader *reader = atomic_load(from);

	for (;;) {
		struct serve_reader *now;

		atomic_store(&state->inside, reader);
		now = atomic_load(from);
		if (now == reader)
			return reader;
		reader = now; /* switched in between; the keeper does so rarely */
	}
}

static void
leave(struct worker_state *state)
{
	atomic_store_explicit(&state->inside, NULL, memory_order_release);
}

void
workers_reset(struct workers *workers)
{
	size_t count = workers_count(workers);

	for (size_t i = 0; i < count; i++)
		worker_free(atomic_exchange(&workers->state[i], NULL));
	atomic_store(&workers->count, 0);
}

void
workers_leave(struct workers *workers)
{
	size_t count = workers_count(workers);

	for (size_t i = 0; i < count; i++)
		atomic_store(&workers->state[i], NULL);
	atomic_store(&workers->count, 0);
}

static void
worker_free(struct worker_state *state)
{
	if (!state)
		return;
	free(state->memory);
	answer_done(&state->answer);
	free(state->counters.zone);
	free(state);
}

bool
workers_use(const struct workers *workers, const struct serve_reader *reader)
{
	size_t count = workers_count(workers);

	for (size_t i = 0; i < count; i++) {
		const struct worker_state *state = atomic_load(&workers->state[i]);

		if (state && atomic_load(&state->inside) == reader)
			return true;
	}
	return false;
}

size_t
workers_memory(const struct workers *workers)
{
	size_t count = workers_count(workers), bytes = sizeof(*workers);

	for (size_t i = 0; i < count; i++) {
		const struct worker_state *state = atomic_load(&workers->state[i]);

		if (state)
			bytes += sizeof(*state) + ANSWER_BUFFER_SIZE
				 + state->counters.zone_count * sizeof(*state->counters.zone);
	}
	return bytes;
}

size_t
workers_count(const struct workers *workers)
{
	size_t count = atomic_load(&workers->count);

	return count < WORKERS_MAX ? count : WORKERS_MAX;
}

void
worker_count_answer(struct worker_state *state, size_t zone, enum report_stage stage,
	enum answer_kind kind)
{
	struct worker_zone_counters *counters = &state->counters.zone[zone];

	worker_count(&counters->answers[stage]);
	if (kind == ANSWER_NODATA)
		worker_count(&counters->nodata);
	else if (kind == ANSWER_NXDOMAIN)
		worker_count(&counters->nxdomain);
}

void
workers_report(const struct workers *workers, struct report *report)
{
	size_t count = workers_count(workers);

	for (size_t i = 0; i < count; i++) {
		const struct worker_state *state = atomic_load(&workers->state[i]);

		if (state)
			add_counters(&state->counters, report);
	}
}

static void
add_counters(const struct worker_counters *counters, struct report *report)
{
	report->foreign += value_of(&counters->foreign);
	report->corrupt += value_of(&counters->corrupt);
	report->trips_sigbus += value_of(&counters->trips[GUARD_SIGBUS]);
	report->trips_sigsegv += value_of(&counters->trips[GUARD_SIGSEGV]);
	report->trips_assert += value_of(&counters->trips[GUARD_ASSERT]);
	for (size_t i = 0; i < counters->zone_count && i < report->zone_count; i++) {
		const struct worker_zone_counters *from = &counters->zone[i];
		struct report_zone *to = &report->zone[i];

		for (size_t stage = 0; stage < REPORT_STAGES; stage++)
			to->answers[stage] += value_of(&from->answers[stage]);
		to->nodata += value_of(&from->nodata);
		to->nxdomain += value_of(&from->nxdomain);
	}
}

static uint64_t
value_of(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

enum guard_trip
workers_guard(struct report *report, struct serve_reader *reader, guard_fn fn, void *context)
{
	enum guard_trip trip = guard_run(fn, context);

	report->trips_sigbus += trip == GUARD_SIGBUS;
	report->trips_sigsegv += trip == GUARD_SIGSEGV;
	report->trips_assert += trip == GUARD_ASSERT;
	if (trip != GUARD_NONE && reader)
		serve_reader_poison(reader, (int)trip);
	return trip;
}

size_t
workers_slots(const struct workers *workers, size_t threads, size_t limit)
{
	size_t running = workers_count(workers);
	size_t slots = (running > threads ? running : threads) + SLOTS_EXTRA;

	return slots < limit ? slots : limit;
}
