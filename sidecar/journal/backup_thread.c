/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * When a backup is made, and what is known of the newest one.
 */
#include "sidecar/journal/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "lib/base/log.h"

#define FIRST_MS 60000    /* after the start, and until the first: a crash loop must not make one
			   * each time */
#define RETRY_MS 60000    /* after a failure */
#define TRIM_MS 3600000   /* of a journal beside which no backups are made */
#define PARTIAL "livezone.partial"
#define CHUNK (1024 * 1024) /* written, and started on its way to the disk, at once */
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
	struct journal *journal; /* NULL: none */
	atomic_bool is_over; /* stopping, or other settings: what is at work is given up */
	/* of the thread */
	struct newest newest; /* name "": none */
	uint64_t trim_ms;     /* boot clock: when the journal is trimmed without a backup */
	uint64_t gaps;        /* of the journal, at the last backup */
	uint64_t large_ms;    /* boot clock: not before, because the journal is large */
	bool is_alarmed;      /* of a journal that grows because backups fail */
	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_stopping;
	bool is_changed;
	struct settings_of_backup settings;
	struct backup_thread_status status;
	uint64_t made_ms; /* of status, boot clock */
};

/* The file while it is written. */
struct making {
	const struct backup_order *order;
	int dir;
	int file;
	uint64_t written;
	size_t used;
	char data[CHUNK];
};

static void take_settings(struct settings_of_backup *out, const struct config *config);
static void *run(void *context);
static void trim_without_backup(struct backup_thread *thread);
static bool has_new_gap(const struct backup_thread *thread);
static bool is_journal_above(const struct backup_thread *thread, unsigned times);
static void note_journal(struct backup_thread *thread, int status);
static void sleep_until(struct backup_thread *thread, uint64_t due_ms);
static uint64_t
work(struct backup_thread *thread, const struct settings_of_backup *settings);
static void look_at_newest(struct newest *newest, const char *dir);
static int read_meta(struct state *state, struct state_meta *out, struct reason *reason);
static bool is_of(const struct newest *newest, const struct state_meta *meta);
static int
make(struct backup_thread *thread, const struct settings_of_backup *settings,
	struct reason *reason);
static void publish(struct backup_thread *thread, int status, bool is_made,
	const struct reason *reason);

static int open_dir(const char *dir, int *out, struct reason *reason);
static int make_file(struct making *making, struct backup_file *file,
	struct backup_verdict *verdict, struct reason *reason);
static int write_lines(struct making *making, struct reason *reason);
static int
take_text(void *context, const char *text, size_t len, struct reason *reason);
static int write_chunk(struct making *making, struct reason *reason);
static int check_room(const struct making *making, struct reason *reason);
static int read_back(struct making *making, struct backup_verdict *verdict,
	struct reason *reason);
static int give_name(struct making *making, const struct backup_file *file,
	struct reason *reason);
static void prune(const struct making *making, const struct backup_list *list);
static int fail(const char *what, struct reason *reason);

int
backup_thread_start(struct state *state, struct journal *journal,
	const struct config *config, struct backup_thread **out, struct reason *reason)
{
	struct backup_thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	thread->state = state;
	thread->journal = journal;
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
		if (settings.interval_ms == 0)
			trim_without_backup(thread);
		if (settings.interval_ms == 0
			|| (clock_boot_ms() < due_ms && !has_new_gap(thread)
				&& (clock_boot_ms() < thread->large_ms
					|| !is_journal_above(thread, 1)))) {
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

static void
trim_without_backup(struct backup_thread *thread)
{
	if (!thread->journal || clock_boot_ms() < thread->trim_ms)
		return;
	thread->trim_ms = clock_boot_ms() + TRIM_MS;
	journal_trim(thread->journal, UINT64_MAX);
}

static uint64_t
count_gaps(const struct backup_thread *thread)
{
	struct journal_status status = { 0 };

	if (thread->journal)
		journal_read_status(thread->journal, &status);
	return status.gaps;
}

/* What the journal lacks is in the next backup only. Looked at when the thread wakes. */
static bool
has_new_gap(const struct backup_thread *thread)
{
	return count_gaps(thread) > thread->gaps;
}

/* Only a backup allows the journal to shrink to `history.size`. */
static bool
is_journal_above(const struct backup_thread *thread, unsigned times)
{
	struct journal_status status = { 0 };

	if (thread->journal)
		journal_read_status(thread->journal, &status);
	return status.bytes > times * status.size;
}

static void
note_journal(struct backup_thread *thread, int status)
{
	if (!status)
		thread->is_alarmed = false;
	if (!status || thread->is_alarmed || !is_journal_above(thread, 2))
		return;
	thread->is_alarmed = true;
	journal_raise(thread->journal,
		"the journal is more than twice as large as history.size and cannot be shortened, "
		"because backups fail: see the status of backups");
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

	thread->gaps = count_gaps(thread);
	look_at_newest(&thread->newest, settings->directory);
	status = read_meta(thread->state, &meta, &reason);
	if (!status && meta.revision > 0 && !is_of(&thread->newest, &meta)) {
		status = make(thread, settings, &reason);
		is_made = status == 0;
	}
	thread->large_ms = clock_boot_ms() + retry_ms;
	publish(thread, status, is_made, &reason);
	note_journal(thread, status);
	if (is_made && thread->journal)
		journal_trim(thread->journal, thread->newest.verdict.revision);
	if (status)
		return retry_ms;
	return thread->newest.file.name[0] || settings->interval_ms < FIRST_MS
		? settings->interval_ms
		: FIRST_MS;
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
		/* else the journal would fill the rest */
		.may_fill = is_journal_above(thread, 1),
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
		log_line(LOG_LEVEL_ERROR, "backup: %s; will retry",
			reason->text);
	else if (status == 0 && was_bad)
		log_line(LOG_LEVEL_INFO, "backup: works again");
	if (is_made)
		log_line(LOG_LEVEL_INFO, "backup: %s, %llu RRsets", newest->file.name,
			(unsigned long long)newest->verdict.records);
}

/* --- one backup: state, in one read transaction, streamed into a file --- */

int
backup_make(const struct backup_order *order, struct backup_file *out_file,
	struct backup_verdict *out_verdict, struct reason *reason)
{
	struct making *making = calloc(1, sizeof(*making));
	struct backup_list list = { NULL, 0 };
	struct backup_file file = { .number = 1 };
	int status;

	if (!making)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	making->order = order;
	making->dir = making->file = -1;
	status = open_dir(order->dir, &making->dir, reason);
	if (!status)
		status = backup_list(order->dir, &list, reason);
	if (!status) {
		if (list.count > 0)
			file.number = list.file[0].number + 1;
		status = make_file(making, &file, out_verdict, reason);
	}
	if (!status) {
		*out_file = file;
		prune(making, &list);
	}
	backup_list_done(&list);
	if (making->dir >= 0)
		close(making->dir);
	free(making);
	return status ? reason_prefix(reason, status, "%s", order->dir) : 0;
}

static int
open_dir(const char *dir, int *out, struct reason *reason)
{
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return fail("cannot be made", reason);
	*out = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? fail("cannot be opened", reason) : 0;
}

static int
make_file(struct making *making, struct backup_file *file, struct backup_verdict *verdict,
	struct reason *reason)
{
	int status;

	unlinkat(making->dir, PARTIAL, 0); /* of a making that was killed */
	making->file = openat(making->dir, PARTIAL,
		O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (making->file < 0)
		return fail(PARTIAL, reason);
	status = write_lines(making, reason);
	if (!status && fsync(making->file) != 0)
		status = fail(PARTIAL, reason);
	close(making->file);
	if (!status)
		status = read_back(making, verdict, reason);
	if (!status) {
		file->revision = verdict->revision;
		backup_write_name(file->number, file->revision, file->name);
		status = give_name(making, file, reason);
	}
	if (status)
		unlinkat(making->dir, PARTIAL, 0);
	return status;
}

/* The transaction ends before anything is synced. */
static int
write_lines(struct making *making, struct reason *reason)
{
	struct state_txn *txn;
	int status = check_room(making, reason);

	if (!status)
		status = state_begin_read(making->order->state, &txn, reason);
	if (status)
		return status;
	status = backup_lines_write(txn, take_text, making, reason);
	state_abort(txn);
	return status ? status : write_chunk(making, reason);
}

static int
take_text(void *context, const char *text, size_t len, struct reason *reason)
{
	struct making *making = context;
	int status = 0;

	while (!status && len > 0) {
		const size_t room = sizeof(making->data) - making->used;
		const size_t now = len < room ? len : room;

		memcpy(making->data + making->used, text, now);
		making->used += now;
		text += now;
		len -= now;
		if (making->used == sizeof(making->data))
			status = write_chunk(making, reason);
	}
	return status;
}

static int
write_chunk(struct making *making, struct reason *reason)
{
	const char *at = making->data;
	int status;

	if (atomic_load(making->order->is_over))
		return reason_set(reason, STATUS_UNAVAILABLE, "given up");
	if (state_is_waiting(making->order->state))
		return reason_set(reason, STATUS_UNAVAILABLE,
			"given up: state has to be reopened after a failed write");
	status = check_room(making, reason);
	while (!status && making->used > 0) {
		const ssize_t put = write(making->file, at, making->used);

		if (put < 0 && errno != EINTR)
			status = fail(PARTIAL, reason);
		if (put <= 0)
			continue;
		at += put;
		making->used -= (size_t)put;
		making->written += (uint64_t)put;
	}
	/* at the end there is little left to sync: a long sync would hold up those of state
	 * on the same disk */
	sync_file_range(making->file, 0, 0, SYNC_FILE_RANGE_WRITE);
	return status;
}

static int
check_room(const struct making *making, struct reason *reason)
{
	struct statvfs fs;
	uint64_t reserve;

	if (making->order->may_fill)
		return 0;
	if (fstatvfs(making->file, &fs) != 0)
		return fail(PARTIAL, reason);
	reserve = (uint64_t)fs.f_blocks * fs.f_frsize * BACKUP_MAKE_FREE_PERCENT / 100;
	if (reserve > BACKUP_MAKE_FREE_MAX)
		reserve = BACKUP_MAKE_FREE_MAX;
	if ((uint64_t)fs.f_bavail * fs.f_frsize >= reserve)
		return 0;
	return reason_set(reason, STATUS_FULL, "the file system is nearly full");
}

/* What cannot be read now cannot be restored later. */
static int
read_back(struct making *making, struct backup_verdict *verdict, struct reason *reason)
{
	char *path = backup_path(making->order->dir, PARTIAL);
	int status = path ? backup_verify(path, verdict, reason)
			  : reason_set(reason, STATUS_NO_MEMORY, "out of memory");

	free(path);
	if (status || verdict->is_complete)
		return status;
	return reason_set(reason, STATUS_IO, "what was written reads otherwise: %.200s",
		verdict->damage.text);
}

static int
give_name(struct making *making, const struct backup_file *file, struct reason *reason)
{
	if (renameat(making->dir, PARTIAL, making->dir, file->name) != 0)
		return fail(file->name, reason);
	if (fsync(making->dir) == 0)
		return 0;
	fail(file->name, reason);
	unlinkat(making->dir, file->name, 0);
	return STATUS_IO;
}

/* `list` is from before the new one. What cannot be removed now is tried again next time. */
static void
prune(const struct making *making, const struct backup_list *list)
{
	for (size_t i = making->order->count - 1; i < list->count; i++)
		unlinkat(making->dir, list->file[i].name, 0);
}

static int
fail(const char *what, struct reason *reason)
{
	const int status = errno == ENOSPC || errno == EDQUOT ? STATUS_FULL : STATUS_IO;

	return reason_set(reason, status, "%s: %s", what, strerror(errno));
}
