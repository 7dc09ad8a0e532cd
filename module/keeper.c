/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The keeper's thread. Public functions are called by the host's main thread; everything
 * below run() belongs to the thread.
 */
#include "module/keeper.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/report.h"
#include "lib/status.h"
#include "module/guard.h"
#include "module/snapshot.h"
#include "module/stats.h"

/* A look costs three stat(2). A replaced store is noticed within LOOK_LIVE_MS, during
 * which the old one still answers; livezoned waits for that when it publishes a new one.
 */
#define LOOK_LIVE_MS 250
/* Nothing to answer from, or the files are just changing: every moment counts. */
#define LOOK_TROUBLE_MS 100
#define REPORT_MS 1000
/* Slots beyond the expected threads: the keeper's own, and room for a host that starts a
 * few more than it says. */
#define SLOTS_EXTRA 4
/* Stores that are open but not current. One is normal for a moment; a full list means
 * that workers do not come out, and then the oldest is abandoned. */
#define RETIRED_MAX 4
/* So many stores may break in a row without a pause before the next is tried; then the
 * pauses double. In a row: less than CALM_MS apart. */
#define BROKEN_FREE 4
#define CALM_MS 60000
#define BACK_OFF_MAX_MS 60000

/* A store that is open but not current: freed when no worker is inside, but parked when
 * only a reload turned away from it. Its files are still shared then, so that it must not
 * be closed (R13) and is taken up again when a reload comes back (H17). */
struct retired {
	struct store_reader *reader;
	char *parked_dir;
};

struct keeper {
	struct keeper_settings settings;
	pid_t pid; /* of the process that the thread runs in */
	pthread_t thread;
	bool is_running;
	atomic_bool is_stopping;
	int wake_fd; /* written to by keeper_stop, and by a worker whose read tripped */

	pthread_mutex_t lock; /* guards has_tried */
	pthread_cond_t tried;
	bool has_tried;

	/* the thread's own; main thread while none runs */
	struct store_reader *current;
	char *dir;     /* of current */
	uint64_t damaged_inode; /* what livezoned is asked to build anew; 0: nothing */
	bool is_sound; /* current may be read, and freed when it was replaced */
	struct retired retired[RETIRED_MAX];
	struct snapshot snapshot;
	struct reason snapshot_why; /* why there is no new one, as it was said */
	bool was_switched;    /* at the last look */
	uint64_t reported_ms; /* boot clock, as all here */
	unsigned broken;      /* stores in a row that could not be read */
	uint64_t broken_ms, retry_ms; /* the last of them, and when to try the next */
	struct report report; /* counters: of the workers that ended */
};

/* For guard_run. */
struct opening {
	const char *dir;
	size_t slots;
	struct store_reader *reader;
	struct reason *why;
	int status;
};

struct revision {
	struct store_reader *reader;
	struct store_meta meta;
	bool is_known;
};

static int start_thread(struct keeper *keeper, struct reason *reason);
static void close_wake_fd(struct keeper *keeper);
static void wait_until_tried(struct keeper *keeper);
static void *run(void *argument);
static void follow_with_snapshot(struct keeper *keeper);
static void sleep_or_wake(struct keeper *keeper);
static void look(struct keeper *keeper);
static void check_current(struct keeper *keeper);
static int open_store(struct keeper *keeper, struct reason *why);
static void open_guarded(void *context);
static void back_off(struct keeper *keeper);
static void free_guarded(void *context);
static void claim_guarded(void *context);
static void read_revision_guarded(void *context);
static void
set_revision(struct keeper *keeper, struct report *report, const struct store_meta *meta);
static enum guard_trip run_guarded(struct keeper *keeper, struct store_reader *reader,
	guard_fn fn, void *context);
static int
switch_to(struct keeper *keeper, struct store_reader *reader, struct reason *why);
static void withdraw(struct keeper *keeper);
static bool unpark(struct keeper *keeper);
static void retire(struct keeper *keeper, bool is_parked);
static void free_retired(struct keeper *keeper);
static void claim_slots(struct keeper *keeper);
static size_t slots_wanted(const struct keeper *keeper);
static void set_store(struct keeper *keeper, const char *store, const char *why);
static void write_report(struct keeper *keeper);

struct keeper *
keeper_new(void)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	pthread_condattr_t attributes;

	if (!keeper)
		return NULL;
	keeper->wake_fd = -1;
	pthread_mutex_init(&keeper->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&keeper->tried, &attributes);
	pthread_condattr_destroy(&attributes);
	return keeper;
}

int
keeper_start(struct keeper *keeper, const struct keeper_settings *settings,
	struct reason *reason)
{
	int status;

	guard_install();
	store_reader_on_assert(&guard_on_assert);
	keeper->settings = *settings;
	if (!keeper->report.started_ms)
		keeper->report.started_ms = clock_wall_ms();
	snprintf(keeper->report.unbound, sizeof(keeper->report.unbound), "%s",
		settings->host);
	if (stats_set_zones(&keeper->report, &settings->config->zones))
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	status = start_thread(keeper, reason);
	if (!status)
		wait_until_tried(keeper);
	return status;
}

static int
start_thread(struct keeper *keeper, struct reason *reason)
{
	sigset_t all, before;
	int error;

	keeper->pid = getpid();
	keeper->report.pid = keeper->pid;
	keeper->has_tried = false;
	keeper->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (keeper->wake_fd < 0)
		return reason_set(reason, STATUS_IO, "eventfd: %s", strerror(errno));
	atomic_store(&keeper->settings.workers->wake_fd, keeper->wake_fd);
	atomic_store(&keeper->is_stopping, false);
	/* the host's signals are the main thread's; faults must not be blocked */
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&keeper->thread, NULL, &run, keeper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		close_wake_fd(keeper);
		return reason_set(
			reason, STATUS_IO, "pthread_create: %s", strerror(error));
	}
	keeper->is_running = true;
	return 0;
}

static void
close_wake_fd(struct keeper *keeper)
{
	atomic_store(&keeper->settings.workers->wake_fd, -1);
	close(keeper->wake_fd);
}

static void
wait_until_tried(struct keeper *keeper)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += KEEPER_WAIT_MS / 1000;
	pthread_mutex_lock(&keeper->lock);
	while (!keeper->has_tried) {
		if (pthread_cond_timedwait(&keeper->tried, &keeper->lock, &until))
			break;
	}
	pthread_mutex_unlock(&keeper->lock);
}

void
keeper_stop(struct keeper *keeper)
{
	struct workers *workers = keeper->settings.workers;
	uint64_t one = 1;

	if (!keeper->is_running)
		return;
	atomic_store(&keeper->is_stopping, true);
	while (write(keeper->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(keeper->thread, NULL);
	close_wake_fd(keeper);
	keeper->is_running = false;
	for (size_t i = 0; i < workers_count(workers); i++)
		stats_add(&atomic_load(&workers->state[i])->stats, &keeper->report);
}

void
keeper_follow_fork(struct keeper *keeper)
{
	if (!keeper->is_running || keeper->pid == getpid())
		return;
	/* the stores are abandoned as they are: even closing them is the parent's
	 * business */
	atomic_store(&keeper->settings.workers->live, NULL);
	keeper->current = NULL;
	free(keeper->dir);
	keeper->dir = NULL;
	for (size_t i = 0; i < RETIRED_MAX; i++)
		free(keeper->retired[i].parked_dir);
	memset(keeper->retired, 0, sizeof(keeper->retired));
	snapshot_forget(&keeper->snapshot, keeper->settings.workers);
	close_wake_fd(keeper);
	keeper->is_running = false;
	pthread_mutex_init(&keeper->lock, NULL);
	(void)start_thread(keeper, NULL);
}

static void *
run(void *argument)
{
	struct keeper *keeper = argument;
	uint64_t woken;

	for (;;) {
		look(keeper);
		if (keeper->was_switched
			|| clock_boot_ms() - keeper->reported_ms >= REPORT_MS)
			write_report(keeper);
		pthread_mutex_lock(&keeper->lock);
		keeper->has_tried = true;
		pthread_cond_signal(&keeper->tried);
		pthread_mutex_unlock(&keeper->lock);
		follow_with_snapshot(keeper);
		sleep_or_wake(keeper);
		if (read(keeper->wake_fd, &woken, sizeof(woken)) > 0
			&& atomic_load(&keeper->is_stopping))
			return NULL;
	}
}

static void
follow_with_snapshot(struct keeper *keeper)
{
	const struct snapshot_order order = {
		.workers = keeper->settings.workers,
		.live = keeper->current,
		.limit = keeper->settings.config->store.snapshot_limit,
		.slots = slots_wanted(keeper),
		.report = &keeper->report,
	};
	struct reason why = { "" };
	char line[REASON_MAX + 64];
	int status;

	if (!atomic_load(&order.workers->live) || store_reader_poisoned(keeper->current))
		return;
	status = snapshot_follow(&keeper->snapshot, &order, &why);
	if (status == STATUS_OK)
		return;
	if (status == STATUS_CORRUPT)
		keeper->damaged_inode = store_reader_inode(keeper->current);
	if (strcmp(keeper->snapshot_why.text, why.text)) {
		keeper->snapshot_why = why;
		snprintf(line, sizeof(line), "no snapshot of the store as it is: %s", why.text);
		keeper->settings.say(KEEPER_WARNING, line);
	}
}

static void
sleep_or_wake(struct keeper *keeper)
{
	bool is_calm = !strcmp(keeper->report.store, "live") && !keeper->was_switched;
	struct pollfd wake = { .fd = keeper->wake_fd, .events = POLLIN };

	poll(&wake, 1, is_calm ? LOOK_LIVE_MS : LOOK_TROUBLE_MS);
}

/* Is what the workers read still what lies in the directory? */
static void
look(struct keeper *keeper)
{
	const char *dir = keeper->settings.config->store.serve;
	struct reason why = { "" };

	keeper->was_switched = false;
	free_retired(keeper);
	if (keeper->current && strcmp(keeper->dir, dir)) {
		/* a reload named another directory; no worker runs yet */
		atomic_store(&keeper->settings.workers->live, NULL);
		retire(keeper, true);
	}
	if (!keeper->current && !unpark(keeper)) {
		int status = open_store(keeper, &why);

		if (status)
			set_store(keeper,
				status == STATUS_NOT_FOUND ? "absent" : "refused",
				why.text);
		return;
	}
	if (keeper->is_sound)
		check_current(keeper);
	else /* on failure, what was said when it was withdrawn stands */
		(void)open_store(keeper, NULL);
}

static void
check_current(struct keeper *keeper)
{
	struct reason why = { "" }, why_not = { "" };
	int trip = store_reader_poisoned(keeper->current);
	int status;

	if (trip)
		status = reason_set(&why, STATUS_CORRUPT, "%s while it was read",
			guard_name((enum guard_trip)trip));
	else
		status = store_reader_check(keeper->current, &why);
	if (status == 0) {
		claim_slots(keeper);
		atomic_store(&keeper->settings.workers->live, keeper->current);
		set_store(keeper, "live", "");
		return;
	}
	if (status == STATUS_CORRUPT) {
		withdraw(keeper);
		/* said even when there is another store already: somebody broke this one */
		set_store(keeper, "refused", why.text);
	}
	/* deleted: still mapped and whole, the best that there is until there is another
	 */
	if (open_store(keeper, &why_not))
		set_store(keeper, keeper->is_sound ? "deleted" : "refused",
			status == STATUS_FOREIGN ? why_not.text : why.text);
}

static int
open_store(struct keeper *keeper, struct reason *why)
{
	struct opening opening = {
		.dir = keeper->settings.config->store.serve,
		.slots = slots_wanted(keeper),
		.why = why,
	};
	enum guard_trip trip;

	if (clock_boot_ms() < keeper->retry_ms)
		return reason_set(why, STATUS_CORRUPT,
			"stores broke %u times in a row: waiting", keeper->broken);
	trip = run_guarded(keeper, NULL, &open_guarded, &opening);
	if (trip != GUARD_NONE) {
		/* what was opened so far is abandoned, and known as open */
		back_off(keeper);
		return reason_set(why, STATUS_CORRUPT, "%s while it was opened",
			guard_name(trip));
	}
	return opening.status ? opening.status : switch_to(keeper, opening.reader, why);
}

static void
open_guarded(void *context)
{
	struct opening *opening = context;

	opening->status = store_reader_open(
		opening->dir, opening->slots, &opening->reader, opening->why);
}

/* Calls fn in the guard; a reader that tripped it is poisoned. */
static enum guard_trip
run_guarded(struct keeper *keeper, struct store_reader *reader, guard_fn fn, void *context)
{
	enum guard_trip trip = guard_run(fn, context);

	if (trip == GUARD_NONE)
		return trip;
	stats_add_trip(trip, &keeper->report);
	if (reader)
		store_reader_poison(reader, (int)trip);
	return trip;
}

/* A broken store costs its address space and two descriptors for ever, so that one which
 * breaks again and again must not be followed at its pace. */
static void
back_off(struct keeper *keeper)
{
	uint64_t now = clock_boot_ms();
	unsigned steps;

	if (now - keeper->broken_ms > CALM_MS)
		keeper->broken = 0;
	keeper->broken_ms = now;
	steps = keeper->broken++;
	if (steps >= BROKEN_FREE)
		keeper->retry_ms = now + (steps - BROKEN_FREE < 6
			? UINT64_C(1000) << (steps - BROKEN_FREE) : BACK_OFF_MAX_MS);
}

static int
switch_to(struct keeper *keeper, struct store_reader *reader, struct reason *why)
{
	char *dir = strdup(keeper->settings.config->store.serve);

	if (!dir) {
		store_reader_close(reader);
		return reason_set(why, STATUS_NO_MEMORY, "out of memory");
	}
	atomic_store(&keeper->settings.workers->live, reader);
	if (keeper->current)
		retire(keeper, false);
	keeper->current = reader;
	keeper->dir = dir;
	keeper->is_sound = true;
	keeper->was_switched = true;
	keeper->damaged_inode = 0;
	keeper->report.opens++;
	set_store(keeper, "live", "");
	return 0;
}

/* Truncated, or the writer no longer sees our locks: a read may end the process. */
static void
withdraw(struct keeper *keeper)
{
	atomic_store(&keeper->settings.workers->live, NULL);
	keeper->is_sound = false;
	keeper->was_switched = true; /* livezoned must know at once: writes are not seen */
	keeper->damaged_inode = store_reader_inode(keeper->current);
	back_off(keeper);
}

static bool
unpark(struct keeper *keeper)
{
	for (size_t i = 0; i < RETIRED_MAX; i++) {
		struct retired *at = &keeper->retired[i];

		if (!at->parked_dir
			|| strcmp(at->parked_dir, keeper->settings.config->store.serve))
			continue;
		keeper->current = at->reader;
		keeper->dir = at->parked_dir;
		keeper->is_sound = true;
		*at = (struct retired){ 0 };
		return true;
	}
	return false;
}

/* Puts the current store away; one that is not sound is abandoned as it is, because its
 * inner state is unknown. */
static void
retire(struct keeper *keeper, bool is_parked)
{
	struct retired *last = &keeper->retired[RETIRED_MAX - 1];
	struct retired now = { .reader = keeper->current };

	if (is_parked)
		now.parked_dir = keeper->dir;
	else
		free(keeper->dir);
	if (keeper->is_sound) {
		free(last->parked_dir);
		memmove(&keeper->retired[1], &keeper->retired[0],
			(RETIRED_MAX - 1) * sizeof(*last));
		keeper->retired[0] = now;
	} else {
		free(now.parked_dir);
	}
	keeper->current = NULL;
	keeper->dir = NULL;
}

static void
free_retired(struct keeper *keeper)
{
	for (size_t i = 0; i < RETIRED_MAX; i++) {
		struct retired *at = &keeper->retired[i];

		if (!at->reader || at->parked_dir
			|| workers_use(keeper->settings.workers, at->reader))
			continue;
		if (!store_reader_poisoned(at->reader))
			(void)run_guarded(keeper, NULL, &free_guarded, at->reader);
		*at = (struct retired){ 0 };
	}
}

static void
free_guarded(void *context)
{
	store_reader_close(context);
}

/* A reload may have raised the number of threads. */
static void
claim_slots(struct keeper *keeper)
{
	(void)run_guarded(keeper, keeper->current, &claim_guarded, keeper);
}

static void
claim_guarded(void *context)
{
	const struct keeper *keeper = context;

	(void)store_reader_claim(keeper->current, slots_wanted(keeper), NULL);
}

static size_t
slots_wanted(const struct keeper *keeper)
{
	size_t expected = keeper->settings.threads;
	size_t running = workers_count(keeper->settings.workers);
	size_t slots = (running > expected ? running : expected) + SLOTS_EXTRA;

	return slots < WORKERS_MAX ? slots : WORKERS_MAX;
}

/* Says a change once. */
static void
set_store(struct keeper *keeper, const char *store, const char *why)
{
	struct report *report = &keeper->report;
	char line[REASON_MAX + 256];
	bool is_live = !strcmp(store, "live");

	if (!strcmp(report->store, store) && !keeper->was_switched
		&& !strncmp(report->store_reason, why, sizeof(report->store_reason) - 1))
		return;
	snprintf(report->store, sizeof(report->store), "%s", store);
	snprintf(report->store_reason, sizeof(report->store_reason), "%.255s", why);
	if (is_live)
		snprintf(line, sizeof(line), "store %s is live, revision %llu",
			keeper->dir,
			(unsigned long long)store_reader_meta(keeper->current)->revision);
	else
		snprintf(line, sizeof(line), "store is %s: %s", store, why);
	keeper->settings.say(is_live ? KEEPER_INFO : KEEPER_WARNING, line);
}

static void
write_report(struct keeper *keeper)
{
	struct workers *workers = keeper->settings.workers;
	struct report report = keeper->report;
	size_t bytes = report.zone_count * sizeof(*report.zone);

	report.zone = malloc(bytes ? bytes : 1);
	if (!report.zone)
		return;
	memcpy(report.zone, keeper->report.zone, bytes);
	report.workers = (unsigned)workers_count(workers);
	report.damaged_inode = keeper->damaged_inode;
	for (size_t i = 0; i < report.workers; i++) {
		struct worker_state *state = atomic_load(&workers->state[i]);

		if (state)
			stats_add(&state->stats, &report);
	}
	if (atomic_load(&workers->live) && !store_reader_poisoned(keeper->current)) {
		struct revision revision = { .reader = keeper->current };

		report.serve_inode = store_reader_inode(keeper->current);
		if (run_guarded(keeper, keeper->current, &read_revision_guarded, &revision)
				== GUARD_NONE
			&& revision.is_known)
			set_revision(keeper, &report, &revision.meta);
	}
	snapshot_report(&keeper->snapshot, workers, &report);
	keeper->reported_ms = clock_boot_ms();
	report.written_ms = clock_wall_ms();
	/* without a directory there is no reader of reports either */
	(void)report_write(keeper->settings.config->store.serve, &report, NULL);
	free(report.zone);
}

static void
read_revision_guarded(void *context)
{
	struct revision *revision = context;
	struct store_txn *txn = store_reader_slot(revision->reader, 0);

	if (store_reader_begin(txn))
		return;
	revision->is_known = store_read_meta(txn, &revision->meta, NULL) == 0;
	store_reader_end(txn);
}

static void
set_revision(struct keeper *keeper, struct report *report, const struct store_meta *meta)
{
	keeper->report.revision = report->revision = meta->revision;
	for (size_t i = 0; i < sizeof(meta->instance); i++)
		snprintf(report->serve_instance + 2 * i, 3, "%02x", meta->instance[i]);
}
