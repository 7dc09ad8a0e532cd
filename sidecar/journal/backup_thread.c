/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * When a backup is made, and what is known of the newest one.
 */
#include "sidecar/journal/backup_thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "sidecar/journal/backup_make.h"
#include "lib/base/log.h"

#define FIRST_MS 10000    /* after the start: a crash loop must not make one each time */
#define RETRY_MS 60000    /* after a failure */
#define GIVEN_UP_MS 5000  /* after state wanted its readers gone */
#define SLEEP_MAX_MS 60000 /* the boot clock goes on while the machine sleeps */

/* What a backup is made for. */
struct settings_of_backup {
	char directory[CONFIG_PATH_MAX];
	uint64_t interval_ms; /* 0 = off */
	unsigned count;
};

/* The newest file that is complete. */
struct newest {
	struct backup_file file;
	struct backup_verdict verdict;
	uint64_t made_ms; /* boot clock */
};

struct backup_thread {
	pthread_t thread;
	struct state *state;
	atomic_bool is_over; /* stopping, or other settings: what is at work is given up */
	/* of the thread */
	struct newest newest; /* name "": none */
	uint64_t gave_way_ms; /* boot clock, the first time since it was said; 0 = not */
	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_stopping;
	bool is_changed;
	struct settings_of_backup settings;
	struct backup_thread_status status;
	uint64_t made_ms; /* of status, boot clock */
};

static void take_settings(struct settings_of_backup *out, const struct config *config);
static void *run(void *context);
static void sleep_until(struct backup_thread *thread, uint64_t due_ms);
static uint64_t
work(struct backup_thread *thread, const struct settings_of_backup *settings);
static bool gives_way(struct backup_thread *thread, int status, uint64_t limit_ms);
static void look_at_newest(struct newest *newest, const char *dir);
static int read_meta(struct state *state, struct state_meta *out, struct reason *reason);
static bool is_of(const struct newest *newest, const struct state_meta *meta);
static int
make(struct backup_thread *thread, const struct settings_of_backup *settings,
	struct reason *reason);
static void publish(struct backup_thread *thread, int status, bool is_made,
	const struct reason *reason);

int
backup_thread_start(struct state *state, const struct config *config,
	struct backup_thread **out, struct reason *reason)
{
	struct backup_thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	thread->state = state;
	take_settings(&thread->settings, config);
	pthread_mutex_init(&thread->lock, NULL);
	clock_init_condition(&thread->wake);
	if (pthread_create(&thread->thread, NULL, run, thread) != 0) {
		pthread_cond_destroy(&thread->wake);
		pthread_mutex_destroy(&thread->lock);
		free(thread);
		return reason_set(reason, STATUS_IO, "no thread for backups");
	}
	*out = thread;
	return 0;
}

void
backup_thread_stop(struct backup_thread *thread)
{
	if (!thread)
		return;
	pthread_mutex_lock(&thread->lock);
	thread->is_stopping = true;
	atomic_store(&thread->is_over, true);
	pthread_cond_signal(&thread->wake);
	pthread_mutex_unlock(&thread->lock);
	pthread_join(thread->thread, NULL);
	pthread_cond_destroy(&thread->wake);
	pthread_mutex_destroy(&thread->lock);
	free(thread);
}

void
backup_thread_use(struct backup_thread *thread, const struct config *config)
{
	struct settings_of_backup settings;

	take_settings(&settings, config);
	pthread_mutex_lock(&thread->lock);
	if (memcmp(&settings, &thread->settings, sizeof(settings)) != 0) {
		thread->settings = settings;
		thread->is_changed = true;
		atomic_store(&thread->is_over, true);
		pthread_cond_signal(&thread->wake);
	}
	pthread_mutex_unlock(&thread->lock);
}

void
backup_thread_read_status(struct backup_thread *thread, struct backup_thread_status *out)
{
	pthread_mutex_lock(&thread->lock);
	*out = thread->status;
	out->is_on = thread->settings.interval_ms > 0;
	memcpy(out->directory, thread->settings.directory, sizeof(out->directory));
	out->age_ms = out->has_newest ? clock_boot_ms() - thread->made_ms : 0;
	pthread_mutex_unlock(&thread->lock);
}

/* All bytes, so that two can be compared as they are. */
static void
take_settings(struct settings_of_backup *out, const struct config *config)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->directory, sizeof(out->directory), "%s", config->backup.directory);
	out->interval_ms = config->backup.interval_ms;
	out->count = config->backup.count;
}

static void *
run(void *context)
{
	struct backup_thread *thread = context;
	uint64_t due_ms = 0;
	bool is_fresh = true;

	pthread_setname_np(pthread_self(), "backup");
	pthread_mutex_lock(&thread->lock);
	while (!thread->is_stopping) {
		struct settings_of_backup settings = thread->settings;

		if (thread->is_changed)
			is_fresh = true;
		thread->is_changed = false;
		atomic_store(&thread->is_over, false);
		if (is_fresh)
			due_ms = clock_boot_ms()
				+ (settings.interval_ms < FIRST_MS ? settings.interval_ms
								   : FIRST_MS);
		is_fresh = false;
		if (settings.interval_ms == 0 || clock_boot_ms() < due_ms) {
			sleep_until(thread, settings.interval_ms ? due_ms : UINT64_MAX);
			continue;
		}
		pthread_mutex_unlock(&thread->lock);
		due_ms = clock_boot_ms() + work(thread, &settings);
		pthread_mutex_lock(&thread->lock);
	}
	pthread_mutex_unlock(&thread->lock);
	return NULL;
}

/* Wakes early, too. With the lock held. */
static void
sleep_until(struct backup_thread *thread, uint64_t due_ms)
{
	const uint64_t left = due_ms - clock_boot_ms();
	const uint64_t pause = left < SLEEP_MAX_MS ? left : SLEEP_MAX_MS;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(pause % 1000) * 1000000;
	until.tv_sec += (time_t)(pause / 1000) + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	if (!thread->is_stopping && !thread->is_changed)
		pthread_cond_timedwait(&thread->wake, &thread->lock, &until);
}

/* One round. Returns the ms to the next one. */
static uint64_t
work(struct backup_thread *thread, const struct settings_of_backup *settings)
{
	const uint64_t retry_ms =
		settings->interval_ms < RETRY_MS ? settings->interval_ms : RETRY_MS;
	struct reason reason = { "" };
	struct state_meta meta;
	bool is_made = false;
	int status;

	look_at_newest(&thread->newest, settings->directory);
	status = read_meta(thread->state, &meta, &reason);
	if (!status && meta.revision > 0 && !is_of(&thread->newest, &meta)) {
		status = make(thread, settings, &reason);
		is_made = status == 0;
	}
	if (gives_way(thread, status, retry_ms))
		return retry_ms < GIVEN_UP_MS ? retry_ms : GIVEN_UP_MS;
	publish(thread, status, is_made, &reason);
	return status ? retry_ms : settings->interval_ms;
}

/* That somebody else was to go first is no failure, unless it stays so. */
static bool
gives_way(struct backup_thread *thread, int status, uint64_t limit_ms)
{
	const uint64_t now_ms = clock_boot_ms();

	if (status != STATUS_UNAVAILABLE) {
		thread->gave_way_ms = 0;
		return false;
	}
	if (thread->gave_way_ms == 0)
		thread->gave_way_ms = now_ms;
	if (now_ms - thread->gave_way_ms < limit_ms)
		return true;
	thread->gave_way_ms = now_ms;
	return false;
}

/* Reads the newest file when it is another one than last time; a damaged one counts for
 * nothing, whatever its name says. */
static void
look_at_newest(struct newest *newest, const char *dir)
{
	struct backup_list list = { NULL, 0 };
	struct newest found = { .made_ms = 0 };
	struct reason reason = { "" };
	char *path = NULL;
	uint64_t age_ms;

	if (backup_list(dir, &list, &reason) == 0 && list.count > 0) {
		found.file = list.file[0];
		path = backup_path(dir, found.file.name);
	}
	backup_list_done(&list);
	if (path && strcmp(found.file.name, newest->file.name) == 0) {
		free(path);
		return;
	}
	*newest = (struct newest){ .made_ms = 0 };
	if (path && backup_verify(path, &found.verdict, &reason) == 0
		&& found.verdict.is_complete) {
		age_ms = clock_wall_ms() - found.verdict.created_ms;
		/* a clock that was set back, or a boot clock that is young */
		if (found.verdict.created_ms > clock_wall_ms())
			age_ms = 0;
		found.made_ms = clock_boot_ms() - age_ms; /* wraps round, and back again */
		*newest = found;
	}
	free(path);
}

static int
read_meta(struct state *state, struct state_meta *out, struct reason *reason)
{
	struct state_txn *txn;
	int status = state_begin_read(state, &txn, reason);

	if (status)
		return status;
	status = state_read_meta(txn, out, reason);
	state_abort(txn);
	return status;
}

static bool
is_of(const struct newest *newest, const struct state_meta *meta)
{
	char instance[STATE_INSTANCE_TEXT];

	state_write_instance(meta, instance);
	return newest->file.name[0] && newest->verdict.revision == meta->revision
		&& strcmp(newest->verdict.instance, instance) == 0;
}

static int
make(struct backup_thread *thread, const struct settings_of_backup *settings,
	struct reason *reason)
{
	const struct backup_order order = {
		.state = thread->state,
		.dir = settings->directory,
		.count = settings->count,
		.is_over = &thread->is_over,
	};
	struct newest made = { .made_ms = clock_boot_ms() };
	int status = backup_make(&order, &made.file, &made.verdict, reason);

	if (status == 0)
		thread->newest = made;
	return status;
}

static void
publish(struct backup_thread *thread, int status, bool is_made, const struct reason *reason)
{
	struct backup_thread_status *out = &thread->status;
	const struct newest *newest = &thread->newest;
	bool is_news, was_bad;

	pthread_mutex_lock(&thread->lock);
	was_bad = out->error[0] != '\0';
	is_news = status && strcmp(out->error, reason->text) != 0;
	snprintf(out->error, sizeof(out->error), "%s", status ? reason->text : "");
	out->made += is_made;
	out->failed += status != 0;
	out->has_newest = newest->file.name[0] != '\0';
	memcpy(out->name, newest->file.name, sizeof(out->name));
	out->revision = newest->verdict.revision;
	out->records = newest->verdict.records;
	out->created_ms = newest->verdict.created_ms;
	thread->made_ms = newest->made_ms;
	pthread_mutex_unlock(&thread->lock);
	if (is_news)
		log_line(LOG_LEVEL_ERROR, "backup: %s; the next try is soon, and again",
			reason->text);
	else if (status == 0 && was_bad)
		log_line(LOG_LEVEL_INFO, "backup: works again");
	if (is_made)
		log_line(LOG_LEVEL_INFO, "backup: %s, %llu RRsets", newest->file.name,
			(unsigned long long)newest->verdict.records);
}
