/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * When a snapshot is made and who reads it. Every touch of a map is guarded.
 */
#include "module/snapshot.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/serve/guard.h"
#include "lib/base/status.h"
#include "lib/serve/reader.h"

/* With the keeper's looks in between: at least once a second while the store changes. */
#define PAUSE_MS 700
/* At most 1 % of a processor's time is spent on copies. */
#define PAUSE_TIMES 99

/* For guard_run. */
struct work {
	struct keeper_scope *scope;
	struct serve_reader *live; /* the store */
	struct serve_reader *copy; /* that the call is about */
	struct serve_copy made;
	uint64_t txn_id;
	struct serve_meta meta;
	int status;
	struct reason *reason;
};

static bool may_follow(struct snapshot *snapshot, struct keeper_scope *scope);
static int renew(struct snapshot *snapshot, struct work *work);
static int adopt(struct snapshot *snapshot, struct work *work);
static size_t slots_wanted(const struct keeper_scope *scope);
static enum guard_trip run(const struct work *work, guard_fn fn);
static void read_txn_id(void *context);
static void make(void *context);
static void verify(void *context);
static void claim(void *context);
static void free_copy(void *context);
static void replace(struct snapshot *snapshot, struct keeper_scope *scope,
	struct serve_reader *copy);
static void free_retired(struct snapshot *snapshot, struct keeper_scope *scope);

void
snapshot_claim(struct snapshot *snapshot, struct keeper_scope *scope)
{
	struct work work = { .scope = scope };

	if (strcmp(snapshot->dir, scope->dir) != 0) {
		free_retired(snapshot, scope);
		replace(snapshot, scope, NULL);
		snprintf(snapshot->dir, sizeof(snapshot->dir), "%s", scope->dir);
	}
	work.copy = snapshot->current;
	/* a start that failed may have taken it from them */
	atomic_store(&scope->workers->snapshot, snapshot->current);
	if (snapshot->current && !serve_reader_poisoned(snapshot->current)
		&& serve_reader_slots(snapshot->current) < slots_wanted(scope))
		(void)run(&work, &claim);
}

int
snapshot_follow(struct snapshot *snapshot, struct keeper_scope *scope,
	struct serve_reader *live, struct reason *reason)
{
	struct work work = { .scope = scope, .live = live, .reason = reason,
		.copy = snapshot->current };
	uint64_t now = clock_boot_ms(), used = clock_read_ms(CLOCK_THREAD_CPUTIME_ID);
	enum guard_trip trip;
	int status;

	if (!may_follow(snapshot, scope))
		return STATUS_OK;
	trip = run(&work, &read_txn_id);
	if (trip != GUARD_NONE)
		serve_reader_poison(live, (int)trip);
	/* of anything else the keeper sees to it */
	if (trip != GUARD_NONE || work.status != STATUS_OK)
		return work.status != STATUS_CORRUPT
			? STATUS_OK
			: reason_set(reason, STATUS_CORRUPT, "serve has no last commit");
	if (snapshot->source == serve_reader_id(live)
		&& snapshot->txn_id == work.txn_id) {
		if (snapshot->is_equal)
			atomic_store(&scope->workers->snapshot_ms, now);
		return STATUS_OK;
	}
	if (now < snapshot->next_ms || snapshot->retired)
		return STATUS_OK;
	status = renew(snapshot, &work);
	if (status == STATUS_OK)
		atomic_store(&scope->workers->snapshot_ms, now);
	used = clock_read_ms(CLOCK_THREAD_CPUTIME_ID) - used;
	snapshot->next_ms = clock_boot_ms() + PAUSE_TIMES * used + PAUSE_MS;
	return status;
}

static bool
may_follow(struct snapshot *snapshot, struct keeper_scope *scope)
{
	free_retired(snapshot, scope);
	if (scope->snapshot_limit == 0
		|| (snapshot->current && serve_reader_poisoned(snapshot->current)))
		replace(snapshot, scope, NULL);
	return scope->snapshot_limit > 0;
}

static int
renew(struct snapshot *snapshot, struct work *work)
{
	enum guard_trip trip;

	snapshot->source = serve_reader_id(work->live);
	snapshot->txn_id = work->txn_id;
	snapshot->is_equal = false;
	trip = run(work, &make);
	if (trip != GUARD_NONE) {
		serve_reader_poison(work->live, (int)trip);
		return reason_set(work->reason, STATUS_CORRUPT, "%s while it was copied",
			guard_name(trip));
	}
	if (work->status == STATUS_OK)
		(void)adopt(snapshot, work);
	/* of anything else, such as no descriptor left, the next try may know nothing */
	if (work->status != STATUS_OK && work->status != STATUS_CORRUPT
		&& work->status != STATUS_TOO_LARGE)
		snapshot->source = 0;
	return work->status;
}

/* Checks the copy that was made, and takes it. */
static int
adopt(struct snapshot *snapshot, struct work *work)
{
	enum guard_trip trip;

	work->copy = work->made.twin;
	trip = run(work, &verify);
	/* nobody else knows it, so that even after a trip it may be closed */
	(void)run(work, &free_copy);
	work->copy = work->made.reader;
	if (trip != GUARD_NONE)
		work->status = reason_set(work->reason, STATUS_CORRUPT,
			"serve is damaged: %s in its copy", guard_name(trip));
	if (work->status == STATUS_OK && atomic_load(&work->scope->is_stopping))
		work->status = reason_set(work->reason, STATUS_UNAVAILABLE, "stopped");
	if (work->status != STATUS_OK) {
		(void)run(work, &free_copy);
		return work->status;
	}
	snapshot->is_equal = true;
	snapshot->size = work->made.size;
	snapshot->revision = work->meta.revision;
	replace(snapshot, work->scope, work->copy);
	return STATUS_OK;
}

static size_t
slots_wanted(const struct keeper_scope *scope)
{
	return workers_slots(scope->workers, scope->threads, SERVE_READERS_MAX);
}

static enum guard_trip
run(const struct work *work, guard_fn fn)
{
	return workers_guard(&work->scope->report, NULL, fn, (void *)(uintptr_t)work);
}

static void
read_txn_id(void *context)
{
	struct work *work = context;
	struct serve_txn *txn = serve_reader_slot(work->live, 0);

	work->status = serve_reader_begin(txn);
	if (work->status != STATUS_OK)
		return;
	work->txn_id = serve_txn_id(txn);
	serve_reader_end(txn);
}

static void
make(void *context)
{
	struct work *work = context;

	work->status = serve_reader_copy(work->live, work->scope->snapshot_limit,
		slots_wanted(work->scope), &work->made, work->reason);
}

static void
verify(void *context)
{
	struct work *work = context;

	work->status = serve_reader_verify(work->copy, &work->meta, work->reason);
}

static void
claim(void *context)
{
	const struct work *work = context;

	(void)serve_reader_claim(work->copy, slots_wanted(work->scope), NULL);
}

static void
free_copy(void *context)
{
	const struct work *work = context;

	serve_reader_close(work->copy);
}

static void
replace(struct snapshot *snapshot, struct keeper_scope *scope,
	struct serve_reader *copy)
{
	if (snapshot->current && snapshot->retired)
		return; /* a worker is still in the last but one; next time */
	atomic_store(&scope->workers->snapshot, copy);
	if (snapshot->current)
		snapshot->retired = snapshot->current;
	snapshot->current = copy;
	if (!copy) {
		snapshot->source = 0;
		snapshot->is_equal = false;
	}
	free_retired(snapshot, scope);
}

static void
free_retired(struct snapshot *snapshot, struct keeper_scope *scope)
{
	struct work work = { .scope = scope, .copy = snapshot->retired };

	if (!work.copy || workers_use(scope->workers, work.copy))
		return;
	snapshot->retired = NULL;
	if (!serve_reader_poisoned(work.copy)) /* else abandoned as it is */
		(void)run(&work, &free_copy);
}

void
snapshot_report(const struct snapshot *snapshot, const struct workers *workers,
	struct report *report)
{
	uint64_t age_ms = clock_boot_ms() - atomic_load(&workers->snapshot_ms);

	if (!snapshot->current)
		return;
	report->snapshot_revision = snapshot->revision;
	report->snapshot_size = snapshot->size;
	report->snapshot_ms = clock_wall_ms() - age_ms;
}
