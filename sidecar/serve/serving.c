/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The served copy. It takes no read transaction on serve (doc/lmdb.md, "process ids"): what it
 * needs to know it reads inside its write transactions.
 */
#include "sidecar/serve/serving.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/filesystem.h"
#include "lib/serve/guard.h"
#include "lib/base/status.h"
#include "lib/base/log.h"
#include "sidecar/serve/serving_catch_up.h"
#include "sidecar/serve/serving_fill.h"

#define LOOK_MS 1000  /* between two looks at the files */
#define SWEEP_MS 5000 /* between two sweeps for slots of dead readers */
/* A report of damage is believed again after a second, or so many times what the rebuild took. */
#define DAMAGE_MS 1000
#define DAMAGE_TIMES 20
#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS 60000

/* --- faults --- */

/* A call that reads or changes pages of what is served. Where they are damaged, LMDB may
 * fault or fail an assertion. */
struct job {
	struct serving *serving;
	struct touched *touched;
	uint64_t revision;
	struct state_txn *from;
	struct serve_txn *to;
	struct serve_writer *store;
	struct serve_meta meta;
	int status;
};

/* After a fault nobody touches the environment again, and the next step is a rebuild beside
 * it. */
static void
give_up(struct serving *serving, enum guard_trip trip)
{
	serve_writer_abandon(serving->store);
	serving->store = NULL;
	serving->is_current = false;
	serving->retry_ms = 0;
	reason_set(&serving->reason, STATUS_CORRUPT, "%s in serve", guard_name(trip));
}

/* Returns the job's status. */
static int
run_guarded(struct serving *serving, guard_fn fn, struct job *job)
{
	enum guard_trip trip = guard_run(fn, job);

	if (trip == GUARD_NONE)
		return job->status;
	give_up(serving, trip);
	return STATUS_CORRUPT;
}

static void
close_guarded(void *context)
{
	struct job *job = context;

	serve_writer_close(job->store);
}

/* --- rebuild --- */

/* Until they are gone from the old directory, which says who they are: a livezoned that is
 * killed meanwhile must find that. */
static void
wait_for_readers(struct serving *serving, const struct serve_writer *store)
{
	reporters_wait(&serving->reporters, serving->dir, serve_writer_inode(store));
	serve_writer_tidy(serving->dir);
}

static int
publish(struct serving *serving, struct serve_writer *store)
{
	size_t found = reporters_look(&serving->reporters, serving->dir);
	int status = serve_writer_publish(store, &serving->reason);

	if (status != STATUS_OK)
		return status;
	if (found == 0)
		reporters_expect_unknown(&serving->reporters);
	wait_for_readers(serving, store);
	return status;
}

/* Builds a new directory and puts it in place of whatever is there. */
static void
rebuild(struct serving *serving)
{
	struct serve_writer *store;
	struct serve_meta meta = serving->meta;
	const struct reason why = serving->reason;
	uint64_t began_ms = clock_boot_ms();
	struct job job = { 0 };
	int status = serve_writer_create(serving->dir, serving->size_limit, &store,
		&serving->reason);

	serving->is_current = false;
	if (status == STATUS_OK) {
		status = serving_fill_store(serving, store, &meta);
		serving->believe_ms = clock_boot_ms() + DAMAGE_MS
			+ DAMAGE_TIMES * (clock_boot_ms() - began_ms);
		if (status == STATUS_OK)
			status = publish(serving, store);
		if (status != STATUS_OK)
			serve_writer_close(store);
	}
	if (status != STATUS_OK) {
		serving->retry_after_ms = serving->retry_after_ms == 0
			? RETRY_FIRST_MS
			: serving->retry_after_ms * 2;
		if (serving->retry_after_ms > RETRY_MAX_MS)
			serving->retry_after_ms = RETRY_MAX_MS;
		serving->retry_ms = clock_boot_ms() + serving->retry_after_ms;
		return;
	}
	job.store = serving->store;
	(void)run_guarded(serving, &close_guarded, &job);
	serving->store = store;
	serving->meta = meta;
	serving->is_current = true;
	serving->retry_after_ms = 0;
	serving->rebuilds++;
	if (why.text[0] != '\0')
		log_line(LOG_LEVEL_WARNING, "serve was built anew: %s", why.text);
	serving->reason.text[0] = '\0';
}

/* --- following state --- */

static int
write_names(struct serving *serving, const struct touched_names *names, struct state_txn *from,
	struct serve_txn *to)
{
	struct compile *compile = &serving->compile;
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < names->count; i++) {
		status = compile_name(compile, from, names->name[i], &serving->reason);
		if (status == STATUS_OK)
			status = serving_fill_node(compile, to, &serving->reason);
	}
	return status;
}

static int
write_touched(const struct job *job, const struct serve_meta *meta)
{
	struct serving *serving = job->serving;
	int status = write_names(serving, &job->touched->names, job->from, job->to);

	if (status == STATUS_OK)
		status = write_names(serving, &job->touched->reverse, job->from, job->to);
	if (status == STATUS_OK)
		status = write_names(serving, &job->touched->apexes, job->from, job->to);
	if (status == STATUS_OK)
		status = serve_writer_put_meta(job->to, meta, &serving->reason);
	return status;
}

static void
update_guarded(void *context)
{
	struct job *job = context;
	struct serving *serving = job->serving;
	struct serve_meta meta = serving->meta;

	meta.revision = job->revision;
	job->status = serve_writer_begin(serving->store, &job->to, &serving->reason);
	if (job->status != STATUS_OK)
		return;
	job->status = write_touched(job, &meta);
	if (job->status != STATUS_OK) {
		serve_writer_abort(job->to);
		return;
	}
	job->status = serve_writer_commit(job->to, &serving->reason);
	if (job->status == STATUS_OK)
		serving->meta = meta;
}

static int
update(struct serving *serving, struct touched *touched, uint64_t revision)
{
	struct job job = { .serving = serving, .touched = touched, .revision = revision };
	int status = state_begin_read(serving->state, &job.from, &serving->reason);

	if (status != STATUS_OK)
		return status;
	touched_sort(&touched->names);
	touched_sort(&touched->reverse);
	touched_sort(&touched->apexes);
	status = run_guarded(serving, &update_guarded, &job);
	state_abort(job.from);
	return status;
}

static int
check_files(struct serving *serving)
{
	return serving->store ? serve_writer_check(serving->store, &serving->reason)
			      : STATUS_NOT_FOUND;
}

void
serving_update(struct serving *serving, struct touched *touched, uint64_t revision)
{
	if (serving->is_current && check_files(serving) == STATUS_OK
		&& update(serving, touched, revision) == STATUS_OK)
		return;
	if (!serving->is_current && clock_boot_ms() < serving->retry_ms)
		return;
	rebuild(serving);
}

bool
serving_is_seen(struct serving *serving, struct reason *reason)
{
	const struct reporter *behind;
	uint64_t inode;

	if (!serving->is_current) {
		*reason = serving->reason;
		return false;
	}
	inode = serve_writer_inode(serving->store);
	reporters_wait_unknown(&serving->reporters, serving->dir, inode);
	if (!reporters_find_behind(&serving->reporters, inode))
		return true;
	reporters_look(&serving->reporters, serving->dir);
	behind = reporters_find_behind(&serving->reporters, inode);
	if (!behind)
		return true;
	reason_set(reason, STATUS_UNAVAILABLE,
		"Unbound with pid %ld still reads the store that was replaced",
		(long)behind->pid);
	return false;
}

static void
begin_guarded(void *context)
{
	struct job *job = context;

	job->status = serve_writer_begin(
		job->serving->store, &job->to, &job->serving->reason);
}

int
serving_begin_look(struct serving *serving, struct serve_txn **out, struct reason *reason)
{
	struct job job = { .serving = serving };
	int status;

	if (serving->is_current && check_files(serving) != STATUS_OK)
		rebuild(serving);
	if (!serving->is_current) {
		*reason = serving->reason;
		return reason_prefix(reason, STATUS_UNAVAILABLE, "serve");
	}
	status = run_guarded(serving, &begin_guarded, &job);
	if (status != STATUS_OK) {
		*reason = serving->reason;
		return status;
	}
	*out = job.to;
	return STATUS_OK;
}

int
serving_look(struct serving *serving, guard_fn fn, void *context, struct reason *reason)
{
	enum guard_trip trip = guard_run(fn, context);

	if (trip == GUARD_NONE)
		return STATUS_OK;
	give_up(serving, trip);
	*reason = serving->reason;
	return STATUS_UNAVAILABLE;
}

/* Whoever reports is another process: it shall not keep us at nothing but rebuilds. */
static bool
is_reported_damaged(struct serving *serving, uint64_t now)
{
	const struct reporter *reporter = reporters_find_damaged(
		&serving->reporters, serve_writer_inode(serving->store));

	if (!reporter || now < serving->believe_ms)
		return false;
	reason_set(&serving->reason, STATUS_CORRUPT,
		"Unbound with pid %ld found serve damaged", (long)reporter->pid);
	return true;
}

static void
sweep_guarded(void *context)
{
	struct job *job = context;

	serve_writer_sweep(job->serving->store);
}

void
serving_tick(struct serving *serving)
{
	struct job job = { .serving = serving };
	uint64_t now = clock_boot_ms();

	if (!serving->is_current) {
		if (now >= serving->retry_ms)
			rebuild(serving);
		return;
	}
	if (now - serving->looked_ms < LOOK_MS)
		return;
	serving->looked_ms = now;
	reporters_look(&serving->reporters, serving->dir);
	if (check_files(serving) != STATUS_OK || is_reported_damaged(serving, now)) {
		rebuild(serving);
		return;
	}
	if (now - serving->swept_ms >= SWEEP_MS) {
		serving->swept_ms = now;
		(void)run_guarded(serving, &sweep_guarded, &job);
	}
}

/* --- start --- */

/* Is what the directory holds gone after a power loss? Then what is there is whole. */
static bool
is_in_memory(const char *dir)
{
	enum filesystem kind = FILESYSTEM_DISK;
	const char *name;

	return filesystem_of(dir, &kind, &name, NULL) == STATUS_OK
		&& kind == FILESYSTEM_MEMORY;
}

static void
open_guarded(void *context)
{
	struct job *job = context;
	struct serving *serving = job->serving;

	job->status = serve_writer_open(serving->dir, serving->size_limit, &serving->store,
		&serving->reason);
	if (job->status == STATUS_OK)
		job->status = serve_writer_begin(serving->store, &job->to, &serving->reason);
	if (job->status != STATUS_OK)
		return;
	job->status = serve_read_meta(job->to, &job->meta, &serving->reason);
	serve_writer_abort(job->to);
}

/* Opens what is there and brings it to state's revision. Any failure means: rebuild. */
static int
catch_up(struct serving *serving)
{
	struct serving_catch_up catch_up = { .serving = serving };
	struct job job = { .serving = serving };
	struct serve_meta found;
	struct state_meta meta;
	int status = run_guarded(serving, &open_guarded, &job);

	found = job.meta;
	if (status == STATUS_OK
		&& memcmp(found.boot_id, serving->meta.boot_id, sizeof(found.boot_id)) != 0
		&& !is_in_memory(serving->dir))
		status = reason_set(&serving->reason, STATUS_CORRUPT,
			"serve is on a disk and of another boot");
	if (status == STATUS_OK)
		status = serving_catch_up_collect(serving, &catch_up, found.revision, &meta);
	if (status == STATUS_OK
		&& memcmp(found.instance, meta.instance, sizeof(meta.instance)) != 0)
		status = reason_set(&serving->reason, STATUS_FOREIGN,
			"serve was made from another state");
	if (status == STATUS_OK) {
		memcpy(serving->meta.instance, meta.instance, sizeof(meta.instance));
		status = update(serving, &catch_up.touched, meta.revision);
		serving->catch_ups += found.revision != meta.revision;
	}
	touched_done(&catch_up.touched);
	arena_done(&catch_up.arena);
	return status;
}

/* The livezoned before this one may have ended right after it put a new directory in place:
 * an Unbound that still reads the old one would not see what is written now. */
static void
look_for_readers(struct serving *serving)
{
	char old[PATH_MAX];

	if (snprintf(old, sizeof(old), "%s" SERVE_NEW_SUFFIX, serving->dir) < (int)sizeof(old))
		reporters_look(&serving->reporters, old);
	reporters_look(&serving->reporters, serving->dir);
}

void
serving_start(struct serving *serving, bool must_rebuild)
{
	clock_read_boot_id(serving->meta.boot_id);
	look_for_readers(serving);
	serving->is_current = !must_rebuild && catch_up(serving) == STATUS_OK;
	if (serving->is_current)
		wait_for_readers(serving, serving->store);
	else
		rebuild(serving);
}

void
serving_stop(struct serving *serving)
{
	struct job job = { .store = serving->store };

	(void)run_guarded(serving, &close_guarded, &job);
	serving->store = NULL;
	free(serving->dir);
	serving->dir = NULL;
}
