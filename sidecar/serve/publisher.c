/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The served copy. It takes no read transaction on serve (doc/lmdb.md, "process ids"): what it
 * needs to know it reads inside its write transactions.
 */
#include "sidecar/serve/publisher.h"

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
#include "lib/report/report.h"

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
	struct publisher *publisher;
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
give_up(struct publisher *publisher, enum guard_trip trip)
{
	serve_writer_abandon(publisher->store);
	publisher->store = NULL;
	publisher->is_current = false;
	publisher->retry_ms = 0;
	reason_set(&publisher->reason, STATUS_CORRUPT, "%s in serve", guard_name(trip));
}

/* Returns the job's status. */
static int
run_guarded(struct publisher *publisher, guard_fn fn, struct job *job)
{
	enum guard_trip trip = guard_run(fn, job);

	if (trip == GUARD_NONE)
		return job->status;
	give_up(publisher, trip);
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
wait_for_readers(struct publisher *publisher, const struct serve_writer *store)
{
	reporters_wait(&publisher->reporters, publisher->dir, serve_writer_inode(store));
	serve_writer_tidy(publisher->dir);
}

static int
publish(struct publisher *publisher, struct serve_writer *store)
{
	size_t found = reporters_look(&publisher->reporters, publisher->dir);
	int status = serve_writer_publish(store, &publisher->reason);

	if (status != STATUS_OK)
		return status;
	if (found == 0)
		reporters_expect_unknown(&publisher->reporters);
	wait_for_readers(publisher, store);
	return status;
}

/* Without it the module compares nothing, so that a failure is no reason not to serve. */
static void
write_identity(const struct serve_writer *store)
{
	struct identity own;

	report_identity_init(&own);
	(void)report_identity_write(serve_writer_path(store), &own, NULL);
}

/* Builds a new directory and puts it in place of whatever is there. */
static void
rebuild(struct publisher *publisher)
{
	struct serve_writer *store;
	struct serve_meta meta = publisher->meta;
	const struct reason why = publisher->reason;
	uint64_t began_ms = clock_boot_ms();
	struct job job = { 0 };
	int status = serve_writer_create(publisher->dir, publisher->size_limit, &store,
		&publisher->reason);

	publisher->is_current = false;
	if (status == STATUS_OK) {
		write_identity(store);
		status = compile_all(&publisher->compile, publisher->state, store,
			&meta, &publisher->reason);
		publisher->believe_ms = clock_boot_ms() + DAMAGE_MS
			+ DAMAGE_TIMES * (clock_boot_ms() - began_ms);
		if (status == STATUS_OK)
			status = publish(publisher, store);
		if (status != STATUS_OK)
			serve_writer_close(store);
	}
	if (status != STATUS_OK) {
		publisher->retry_after_ms = publisher->retry_after_ms == 0
			? RETRY_FIRST_MS
			: publisher->retry_after_ms * 2;
		if (publisher->retry_after_ms > RETRY_MAX_MS)
			publisher->retry_after_ms = RETRY_MAX_MS;
		publisher->retry_ms = clock_boot_ms() + publisher->retry_after_ms;
		return;
	}
	job.store = publisher->store;
	(void)run_guarded(publisher, &close_guarded, &job);
	publisher->store = store;
	publisher->meta = meta;
	publisher->is_current = true;
	publisher->retry_after_ms = 0;
	publisher->rebuilds++;
	if (why.text[0] != '\0')
		log_line(LOG_LEVEL_WARNING, "serve was rebuilt: %s", why.text);
	publisher->reason.text[0] = '\0';
}

/* --- following state --- */

static int
write_names(struct publisher *publisher, const struct touched_names *names, struct state_txn *from,
	struct serve_txn *to)
{
	struct compile *compile = &publisher->compile;
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < names->count; i++) {
		status = compile_name(compile, from, names->name[i], &publisher->reason);
		if (status == STATUS_OK)
			status = compile_put(compile, to, &publisher->reason);
	}
	return status;
}

static int
write_touched(const struct job *job, const struct serve_meta *meta)
{
	struct publisher *publisher = job->publisher;
	int status = write_names(publisher, &job->touched->names, job->from, job->to);

	if (status == STATUS_OK)
		status = write_names(publisher, &job->touched->reverse, job->from, job->to);
	if (status == STATUS_OK)
		status = write_names(publisher, &job->touched->apexes, job->from, job->to);
	if (status == STATUS_OK)
		status = serve_writer_put_meta(job->to, meta, &publisher->reason);
	return status;
}

static void
update_guarded(void *context)
{
	struct job *job = context;
	struct publisher *publisher = job->publisher;
	struct serve_meta meta = publisher->meta;

	meta.revision = job->revision;
	job->status = serve_writer_begin(publisher->store, &job->to, &publisher->reason);
	if (job->status != STATUS_OK)
		return;
	job->status = write_touched(job, &meta);
	if (job->status != STATUS_OK) {
		serve_writer_abort(job->to);
		return;
	}
	job->status = serve_writer_commit(job->to, &publisher->reason);
	if (job->status == STATUS_OK)
		publisher->meta = meta;
}

static int
update(struct publisher *publisher, struct touched *touched, uint64_t revision)
{
	struct job job = { .publisher = publisher, .touched = touched, .revision = revision };
	int status = state_begin_read(publisher->state, &job.from, &publisher->reason);

	if (status != STATUS_OK)
		return status;
	touched_sort(&touched->names);
	touched_sort(&touched->reverse);
	touched_sort(&touched->apexes);
	status = run_guarded(publisher, &update_guarded, &job);
	state_abort(job.from);
	return status;
}

static int
check_files(struct publisher *publisher)
{
	return publisher->store ? serve_writer_check(publisher->store, &publisher->reason)
			      : STATUS_NOT_FOUND;
}

void
publisher_update(struct publisher *publisher, struct touched *touched, uint64_t revision)
{
	if (publisher->is_current && check_files(publisher) == STATUS_OK
		&& update(publisher, touched, revision) == STATUS_OK)
		return;
	if (!publisher->is_current && clock_boot_ms() < publisher->retry_ms)
		return;
	rebuild(publisher);
}

/* Makes what is lost, or what could not be made before, when it is time for that. */
static void
renew(struct publisher *publisher)
{
	if (publisher->is_current ? check_files(publisher) != STATUS_OK
				  : clock_boot_ms() >= publisher->retry_ms)
		rebuild(publisher);
}

bool
publisher_is_seen(struct publisher *publisher, struct reason *reason)
{
	const struct reporter *behind;
	uint64_t inode;

	renew(publisher);
	if (!publisher->is_current) {
		*reason = publisher->reason;
		return false;
	}
	inode = serve_writer_inode(publisher->store);
	reporters_wait_unknown(&publisher->reporters, publisher->dir, inode);
	if (!reporters_find_behind(&publisher->reporters, inode))
		return true;
	reporters_look(&publisher->reporters, publisher->dir);
	behind = reporters_find_behind(&publisher->reporters, inode);
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
		job->publisher->store, &job->to, &job->publisher->reason);
}

int
publisher_begin_look(struct publisher *publisher, struct serve_txn **out, struct reason *reason)
{
	struct job job = { .publisher = publisher };
	int status;

	renew(publisher);
	if (!publisher->is_current) {
		*reason = publisher->reason;
		return reason_prefix(reason, STATUS_UNAVAILABLE, "serve");
	}
	status = run_guarded(publisher, &begin_guarded, &job);
	if (status != STATUS_OK) {
		*reason = publisher->reason;
		return status;
	}
	*out = job.to;
	return STATUS_OK;
}

int
publisher_look(struct publisher *publisher, guard_fn fn, void *context, struct reason *reason)
{
	enum guard_trip trip = guard_run(fn, context);

	if (trip == GUARD_NONE)
		return STATUS_OK;
	give_up(publisher, trip);
	*reason = publisher->reason;
	return STATUS_UNAVAILABLE;
}

/* Whoever reports is another process: it shall not keep us at nothing but rebuilds. */
static bool
is_reported_damaged(struct publisher *publisher, uint64_t now)
{
	const struct reporter *reporter = reporters_find_damaged(
		&publisher->reporters, serve_writer_inode(publisher->store));

	if (!reporter || now < publisher->believe_ms)
		return false;
	reason_set(&publisher->reason, STATUS_CORRUPT,
		"Unbound with pid %ld found serve damaged", (long)reporter->pid);
	return true;
}

static void
sweep_guarded(void *context)
{
	struct job *job = context;

	serve_writer_sweep(job->publisher->store);
}

void
publisher_tick(struct publisher *publisher)
{
	struct job job = { .publisher = publisher };
	uint64_t now = clock_boot_ms();

	if (!publisher->is_current) {
		renew(publisher);
		return;
	}
	if (now - publisher->looked_ms < LOOK_MS)
		return;
	publisher->looked_ms = now;
	reporters_look(&publisher->reporters, publisher->dir);
	if (check_files(publisher) != STATUS_OK || is_reported_damaged(publisher, now)) {
		rebuild(publisher);
		return;
	}
	if (now - publisher->swept_ms >= SWEEP_MS) {
		publisher->swept_ms = now;
		(void)run_guarded(publisher, &sweep_guarded, &job);
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
	struct publisher *publisher = job->publisher;

	job->status = serve_writer_open(publisher->dir, publisher->size_limit, &publisher->store,
		&publisher->reason);
	if (job->status == STATUS_OK)
		job->status = serve_writer_begin(publisher->store, &job->to, &publisher->reason);
	if (job->status != STATUS_OK)
		return;
	job->status = serve_read_meta(job->to, &job->meta, &publisher->reason);
	serve_writer_abort(job->to);
}

/* Opens what is there and brings it to state's revision. Any failure means: rebuild. */
static int
catch_up(struct publisher *publisher)
{
	struct compile_changes changes = { .zones = NULL };
	struct job job = { .publisher = publisher };
	struct serve_meta found;
	struct state_meta meta;
	int status = run_guarded(publisher, &open_guarded, &job);

	found = job.meta;
	if (status == STATUS_OK)
		write_identity(publisher->store);
	if (status == STATUS_OK
		&& memcmp(found.boot_id, publisher->meta.boot_id, sizeof(found.boot_id)) != 0
		&& !is_in_memory(publisher->dir))
		status = reason_set(&publisher->reason, STATUS_CORRUPT,
			"serve is on a disk and of another boot");
	if (status == STATUS_OK)
		status = compile_find_changes(&publisher->compile, publisher->state,
			found.revision, &changes, &meta, &publisher->reason);
	if (status == STATUS_OK
		&& memcmp(found.instance, meta.instance, sizeof(meta.instance)) != 0)
		status = reason_set(&publisher->reason, STATUS_FOREIGN,
			"serve was made from another state");
	if (status == STATUS_OK) {
		memcpy(publisher->meta.instance, meta.instance, sizeof(meta.instance));
		status = update(publisher, &changes.touched, meta.revision);
		publisher->catch_ups += found.revision != meta.revision;
	}
	touched_done(&changes.touched);
	arena_done(&changes.arena);
	return status;
}

/* The livezoned before this one may have ended right after it put a new directory in place:
 * an Unbound that still reads the old one would not see what is written now. */
static void
look_for_readers(struct publisher *publisher)
{
	char old[PATH_MAX];

	if (snprintf(old, sizeof(old), "%s" SERVE_NEW_SUFFIX, publisher->dir) < (int)sizeof(old))
		reporters_look(&publisher->reporters, old);
	reporters_look(&publisher->reporters, publisher->dir);
}

void
publisher_start(struct publisher *publisher, bool must_rebuild)
{
	clock_read_boot_id(publisher->meta.boot_id);
	look_for_readers(publisher);
	publisher->is_current = !must_rebuild && catch_up(publisher) == STATUS_OK;
	if (publisher->is_current)
		wait_for_readers(publisher, publisher->store);
	else
		rebuild(publisher);
}

void
publisher_stop(struct publisher *publisher)
{
	struct job job = { .store = publisher->store };

	(void)run_guarded(publisher, &close_guarded, &job);
	publisher->store = NULL;
	free(publisher->dir);
	publisher->dir = NULL;
}
