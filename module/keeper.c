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

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "lib/base/throttle.h"
#include "lib/dns/presentation.h"
#include "lib/report/report.h"
#include "lib/serve/guard.h"
#include "module/breaker.h"
#include "module/live.h"
#include "module/snapshot.h"

/* A look costs three stat(2). A replaced store is noticed within REPORT_LOOK_MS, during
 * which the old one still answers; livezoned waits for that when it publishes a new one.
 *
 * Nothing to answer from, or the files are just changing: every moment counts. */
#define LOOK_TROUBLE_MS 50
#define REPORT_MS 1000

struct keeper {
	pthread_t thread;
	bool is_running;
	int wake_fd; /* written to by keeper_stop, and by a worker whose read tripped */

	pthread_mutex_t lock; /* guards the flags */
	pthread_cond_t changed;
	bool has_tried, has_ended;

	/* the thread's own; main thread while none runs */
	struct keeper_scope scope;
	struct breaker breaker;
	bool has_begun; /* the breaker has been asked */
	char off_reason[REASON_MAX]; /* what the breaker says */
	struct live live;
	struct snapshot snapshot;
	struct reason snapshot_why; /* why there is no new one, as it was said */
	uint64_t reported_ms; /* boot clock */
};

static int take_settings(struct keeper *keeper, const struct keeper_settings *settings,
	struct reason *reason);
static void
leave_snapshot(const struct keeper *keeper, const struct keeper_settings *settings);
static int
set_zones(struct report *report, const struct zones *zones, struct reason *reason);
static int start_thread(struct keeper *keeper, struct reason *reason);
static void close_wake_fd(struct keeper *keeper);
static bool wait_for(struct keeper *keeper, const bool *flag, unsigned limit_ms);
static void announce(struct keeper *keeper, bool *flag);
static bool join(struct keeper *keeper);
static void leave_behind(struct keeper *keeper);
static void *run(void *argument);
static bool go_round(struct keeper *keeper);
static void begin(struct keeper *keeper);
static void follow_with_snapshot(struct keeper *keeper);
static void sleep_or_wake(struct keeper *keeper);
static int write_report(struct keeper *keeper);

struct keeper *
keeper_new(void)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));

	if (!keeper)
		return NULL;
	keeper->wake_fd = -1;
	pthread_mutex_init(&keeper->lock, NULL);
	clock_init_condition(&keeper->changed);
	return keeper;
}

int
keeper_start(struct keeper *keeper, const struct keeper_settings *settings,
	struct reason *reason)
{
	int status;

	guard_install();
	status = take_settings(keeper, settings, reason);
	if (status == STATUS_OK)
		status = start_thread(keeper, reason);
	if (status == STATUS_OK)
		(void)wait_for(keeper, &keeper->has_tried, KEEPER_WAIT_MS);
	else
		leave_snapshot(keeper, settings);
	return status;
}

static int
take_settings(struct keeper *keeper, const struct keeper_settings *settings,
	struct reason *reason)
{
	struct keeper_scope *scope = &keeper->scope;
	char *dir = strdup(settings->config->store.serve);

	if (!dir)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	free(scope->dir);
	scope->dir = dir;
	scope->allows_network_filesystem = settings->config->store.allow_network_filesystem;
	scope->snapshot_limit = settings->config->store.snapshot_limit;
	scope->workers = settings->workers;
	scope->threads = settings->threads;
	scope->say = settings->say;
	if (!scope->report.started_ms)
		scope->report.started_ms = clock_wall_ms();
	snprintf(scope->report.unbound, sizeof(scope->report.unbound), "%s",
		settings->host);
	return set_zones(&scope->report, &settings->config->zones, reason);
}

/* Nobody would notice that the store is replaced, and it would be answered from for ever: the
 * snapshot answers, marked stale and until it is too old. */
static void
leave_snapshot(const struct keeper *keeper, const struct keeper_settings *settings)
{
	atomic_store(&settings->workers->live, NULL);
	if (strcmp(keeper->snapshot.dir, settings->config->store.serve) != 0)
		atomic_store(&settings->workers->snapshot, NULL);
}

/* Gives the report these zones, each with the counters it already had under that name. */
static int
set_zones(struct report *report, const struct zones *zones, struct reason *reason)
{
	size_t count = zones->count < REPORT_ZONES_MAX ? zones->count : REPORT_ZONES_MAX;
	struct report_zone *now = calloc(count + 1, sizeof(*now));

	if (!now)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		char text[PRESENTATION_NAME_MAX];

		presentation_write_name(&zones->zone[i].name, text);
		snprintf(now[i].name, sizeof(now[i].name), "%.255s", text);
		for (size_t k = 0; k < report->zone_count; k++)
			if (strcmp(report->zone[k].name, now[i].name) == 0)
				now[i] = report->zone[k];
	}
	free(report->zone);
	report->zone = now;
	report->zone_count = count;
	return STATUS_OK;
}

static int
start_thread(struct keeper *keeper, struct reason *reason)
{
	sigset_t all, before;
	int error;

	keeper->scope.report.pid = getpid();
	report_identity_init(&keeper->scope.report.identity);
	keeper->has_tried = keeper->has_ended = false;
	keeper->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (keeper->wake_fd < 0)
		return reason_set(reason, STATUS_IO, "eventfd: %s", strerror(errno));
	atomic_store(&keeper->scope.workers->wake_fd, keeper->wake_fd);
	atomic_store(&keeper->scope.is_stopping, false);
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
	atomic_store(&keeper->scope.workers->wake_fd, -1);
	close(keeper->wake_fd);
}

/* Until the thread sets the flag, but not longer; returns the flag. */
static bool
wait_for(struct keeper *keeper, const bool *flag, unsigned limit_ms)
{
	struct timespec until;
	bool is_set;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += limit_ms / 1000;
	pthread_mutex_lock(&keeper->lock);
	while (!*flag) {
		if (pthread_cond_timedwait(&keeper->changed, &keeper->lock, &until))
			break;
	}
	is_set = *flag;
	pthread_mutex_unlock(&keeper->lock);
	return is_set;
}

static void
announce(struct keeper *keeper, bool *flag)
{
	pthread_mutex_lock(&keeper->lock);
	*flag = true;
	pthread_cond_signal(&keeper->changed);
	pthread_mutex_unlock(&keeper->lock);
}

bool
keeper_stop(struct keeper *keeper)
{
	struct workers *workers = keeper->scope.workers;
	uint64_t one = 1;

	if (!keeper->is_running)
		return true;
	atomic_store(&keeper->scope.is_stopping, true);
	while (write(keeper->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	if (!join(keeper)) {
		leave_behind(keeper);
		return false;
	}
	close_wake_fd(keeper);
	keeper->is_running = false;
	/* a reload or an end, but no crash */
	keeper->scope.report.ended = 1;
	(void)write_report(keeper);
	keeper->scope.report.ended = 0;
	workers_report(workers, &keeper->scope.report);
	return true;
}

static bool
join(struct keeper *keeper)
{
	if (!wait_for(keeper, &keeper->has_ended, KEEPER_STOP_MS))
		return false;
	pthread_join(keeper->thread, NULL);
	return true;
}

/* No worker runs. The thread may come back at any time, and finds that it is to stop. */
static void
leave_behind(struct keeper *keeper)
{
	struct workers *workers = keeper->scope.workers;
	struct report ended = { .pid = keeper->scope.report.pid,
		.identity = keeper->scope.report.identity,
		.ended = 1,
		.written_boot_ms = clock_boot_ms(),
		.written_ms = clock_wall_ms() };

	pthread_detach(keeper->thread);
	workers_leave(workers);
	atomic_store(&workers->live, NULL);
	atomic_store(&workers->snapshot, NULL);
	atomic_store(&workers->wake_fd, -1);
	(void)report_write(keeper->scope.dir, &ended, NULL);
}

static void *
run(void *argument)
{
	struct keeper *keeper = argument;

	throttle_begin(&keeper->scope.is_stopping);
	begin(keeper);
	while (go_round(keeper))
		;
	announce(keeper, &keeper->has_ended);
	return NULL;
}

/* False: the keeper is stopped. Asked after all that may block: when it was left behind, the
 * workers' states belong to its successor. */
static bool
go_round(struct keeper *keeper)
{
	struct keeper_scope *scope = &keeper->scope;
	uint64_t woken;

	keeper->live.off_reason = breaker_is_off(&keeper->breaker, clock_boot_ms())
		? keeper->off_reason : NULL;
	live_look(&keeper->live, scope);
	if (atomic_load(&scope->is_stopping))
		return false;
	if (keeper->live.has_news || clock_boot_ms() - keeper->reported_ms >= REPORT_MS)
		(void)write_report(keeper);
	if (atomic_load(&scope->is_stopping))
		return false;
	snapshot_claim(&keeper->snapshot, scope);
	announce(keeper, &keeper->has_tried);
	follow_with_snapshot(keeper);
	if (atomic_load(&scope->is_stopping))
		return false;
	if (keeper->live.has_news)
		(void)write_report(keeper);
	sleep_or_wake(keeper);
	return read(keeper->wake_fd, &woken, sizeof(woken)) <= 0
		|| !atomic_load(&scope->is_stopping);
}

/* Before a store is touched: what comes now may be the crash that is to be counted. */
static void
begin(struct keeper *keeper)
{
	const char *dir = keeper->scope.dir;
	uint64_t now = clock_boot_ms();

	if (!keeper->has_begun) {
		keeper->has_begun = true;
		breaker_begin(&keeper->breaker, dir, &keeper->scope.report.identity, now);
		if (breaker_is_off(&keeper->breaker, now))
			snprintf(keeper->off_reason, sizeof(keeper->off_reason),
				"Unbound ended uncleanly again and again: the store is not read "
				"for %u s; a clean restart of Unbound reads it at once",
				(unsigned)(keeper->breaker.pause_ms / 1000));
	}
	if (!atomic_load(&keeper->scope.is_stopping) && write_report(keeper) == STATUS_OK)
		breaker_remove_dead(&keeper->breaker, dir);
}

static void
follow_with_snapshot(struct keeper *keeper)
{
	struct reason why = { "" };
	char line[REASON_MAX + 64];
	int status;

	if (!live_is_readable(&keeper->live, &keeper->scope))
		return;
	status = snapshot_follow(&keeper->snapshot, &keeper->scope, keeper->live.current, &why);
	if (keeper->snapshot.is_equal)
		keeper->snapshot_why.text[0] = '\0'; /* the next failure is said again */
	if (status == STATUS_OK || atomic_load(&keeper->scope.is_stopping))
		return;
	if (status == STATUS_CORRUPT && keeper->live.current)
		live_note_damage(&keeper->live);
	if (strcmp(keeper->snapshot_why.text, why.text)) {
		keeper->snapshot_why = why;
		snprintf(line, sizeof(line), "no snapshot of the store as it is: %s", why.text);
		keeper->scope.say(KEEPER_WARNING, line);
	}
}

static void
sleep_or_wake(struct keeper *keeper)
{
	bool is_calm = keeper->live.state == KEEPER_LIVE && !keeper->live.was_switched;
	struct pollfd wake = { .fd = keeper->wake_fd, .events = POLLIN };

	poll(&wake, 1, is_calm ? REPORT_LOOK_MS : LOOK_TROUBLE_MS);
}

static int
write_report(struct keeper *keeper)
{
	struct workers *workers = keeper->scope.workers;
	struct report report = keeper->scope.report;
	size_t bytes = report.zone_count * sizeof(*report.zone);
	int status;

	report.zone = malloc(bytes ? bytes : 1);
	if (!report.zone)
		return STATUS_NO_MEMORY;
	memcpy(report.zone, keeper->scope.report.zone, bytes);
	report.workers = (unsigned)workers_count(workers);
	workers_report(workers, &report);
	live_report(&keeper->live, &keeper->scope, &report);
	snapshot_report(&keeper->snapshot, workers, &report);
	breaker_report(&keeper->breaker, &report);
	keeper->live.has_news = false;
	keeper->reported_ms = clock_boot_ms();
	report.written_ms = clock_wall_ms();
	report.written_boot_ms = keeper->reported_ms;
	/* without a directory there is no reader of reports either */
	status = report_write(keeper->scope.dir, &report, NULL);
	free(report.zone);
	return status;
}

