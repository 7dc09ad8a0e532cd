/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The writing side of the journal. The writer thread encodes each change into a batch and
 * queues it; the journal's own thread writes batches to the newest segment and syncs it once a
 * second. It alone touches the segment; the queue and the state of trouble are under the lock.
 */
#include "sidecar/journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/checksum.h"
#include "lib/base/clock.h"
#include "lib/base/cursor.h"
#include "lib/base/log.h"
#include "lib/base/status.h"
#include "sidecar/journal/journal_batch.h"
#include "sidecar/journal/journal_reader.h"

#define GATHER_MS 10             /* changes that come together are written together */
#define GATHER_BYTES (1u << 20)  /* enough to write at once */
#define RETRY_MS 1000            /* after a failed write */
#define CLOSE_MS 5000            /* at most, for a disk that does not answer */
#define SEGMENT_LEAST (1u << 20) /* else `size` / 16, up to the next line */
#define SEGMENT_MOST (64u << 20)
#define SEGMENTS_MAX 2000 /* each start begins one, also when starts come in a row */

/* Each one worse than the one before; an alarm is raised when it gets worse. */
enum trouble {
	TROUBLE_NONE,
	TROUBLE_LATE,
	TROUBLE_FAILING, /* the disk refuses; changes wait in memory */
	TROUBLE_DROPPING,
};

struct journal {
	pthread_t thread;
	char *state_dir, *dir; /* dir: of the segments */
	uint8_t instance[STATE_INSTANCE_SIZE];
	journal_alarm_fn alarm;
	void *context;
	/* of the writer thread */
	struct journal_batch *draft;
	struct journal_head head;
	/* of the journal's thread */
	int fd;                   /* of the newest segment; -1: the next change begins one */
	uint64_t written;         /* bytes of that segment */
	uint64_t last;            /* revision in the files */
	uint64_t retry_ms;        /* monotonic clock; not before */
	uint64_t dirty_ms;        /* first write that is not synced; 0 = none */
	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct journal_settings settings;
	struct journal_batch *first, *newest;
	size_t queued;
	unsigned flushers;
	bool is_idle, is_writing, must_rotate, is_stopping;
	enum trouble trouble;
	uint64_t dropped_after; /* DROPPING: the revision before the first one that is missing */
	uint64_t oldest, last_known;
	uint64_t gaps;
	struct reason error;
};

static int survey(struct journal *journal, uint64_t revision, struct reason *reason);
static void free_journal(struct journal *journal);
static void enqueue(struct journal *journal, struct journal_batch *batch);
static void *run(void *context);
static bool must_sync(const struct journal *journal);
static void wait_for_work(struct journal *journal);
static bool wait_until(struct journal *journal, uint64_t until_ms);
static bool write_first(struct journal *journal);
static void end_segment(struct journal *journal);
static int write_batch(struct journal *journal, struct journal_batch *batch, struct reason *reason);
static int begin_segment(struct journal *journal, uint64_t base, struct reason *reason);
static int write_all(int fd, const uint8_t *bytes, size_t len);
static void sync_segment(struct journal *journal);
static void note_written(struct journal *journal, const struct journal_batch *batch);
static void note_failure(struct journal *journal, const struct reason *reason);
static void raise_trouble(struct journal *journal, enum trouble trouble);

/* --- start and end --- */

int
journal_open(const char *state_dir, const uint8_t instance[STATE_INSTANCE_SIZE],
	uint64_t revision, const struct journal_settings *settings, journal_alarm_fn alarm,
	void *context, struct journal **out, struct reason *reason)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	int status;

	if (!journal)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	pthread_mutex_init(&journal->lock, NULL);
	clock_init_condition(&journal->work);
	clock_init_condition(&journal->done);
	memcpy(journal->instance, instance, STATE_INSTANCE_SIZE);
	journal->settings = *settings;
	journal->alarm = alarm;
	journal->context = context;
	journal->fd = -1;
	journal->state_dir = strdup(state_dir);
	if (asprintf(&journal->dir, "%s/journal", state_dir) < 0)
		journal->dir = NULL;
	status = journal->state_dir && journal->dir
		? survey(journal, revision, reason)
		: reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (status == STATUS_OK
		&& pthread_create(&journal->thread, NULL, run, journal) != 0)
		status = reason_set(reason, STATUS_IO, "no thread");
	if (status == STATUS_OK)
		*out = journal;
	else
		free_journal(journal);
	return status;
}

/* What is there must be of this state and not be newer. */
static int
survey(struct journal *journal, uint64_t revision, struct reason *reason)
{
	struct journal_survey found = { 0 };
	struct reason ignored;
	char path[PATH_MAX], aside[PATH_MAX];
	int status;

	while ((status = journal_reader_survey(journal->state_dir, &found, reason)) == STATUS_OK
		&& (found.newest > revision
			|| memcmp(found.instance, journal->instance, STATE_INSTANCE_SIZE))) {
		journal_reader_path(journal->state_dir, found.base, path);
		if (snprintf(aside, sizeof(aside), "%s.aside", path) >= (int)sizeof(aside)
			|| rename(path, aside) != 0)
			break;
		log_line(LOG_LEVEL_WARNING, "journal: %s is not of this state: renamed to %s", path,
			aside);
	}
	journal->last = revision;
	journal->oldest = status == STATUS_OK ? found.oldest : revision;
	if (status == STATUS_OK && found.newest < revision) {
		journal->gaps = 1;
		log_line(LOG_LEVEL_WARNING,
			"journal: revisions %llu to %llu are missing: livezoned ended before they "
			"were written; their data is in state, but history and rollback do not "
			"reach back behind them",
			(unsigned long long)found.newest + 1, (unsigned long long)revision);
	}
	/* the gap is seen before the next change; a disk that refuses is reported by that one */
	if (status != STATUS_NO_MEMORY && found.newest < revision)
		begin_segment(journal, revision, &ignored);
	return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

bool
journal_close(struct journal *journal)
{
	struct timespec until;

	if (!journal)
		return true;
	pthread_mutex_lock(&journal->lock);
	journal->is_stopping = true;
	pthread_cond_signal(&journal->work);
	pthread_mutex_unlock(&journal->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CLOSE_MS / 1000;
	/* a disk that hangs keeps its thread: the process ends without it */
	if (pthread_timedjoin_np(journal->thread, NULL, &until) != 0)
		return false;
	free_journal(journal);
	return true;
}

static void
free_journal(struct journal *journal)
{
	if (journal->fd >= 0)
		close(journal->fd);
	journal_batch_free(journal->draft);
	journal_batch_free(journal->first);
	free(journal->state_dir);
	free(journal->dir);
	pthread_cond_destroy(&journal->done);
	pthread_cond_destroy(&journal->work);
	pthread_mutex_destroy(&journal->lock);
	free(journal);
}

void
journal_use(struct journal *journal, const struct journal_settings *settings)
{
	pthread_mutex_lock(&journal->lock);
	journal->settings = *settings;
	pthread_mutex_unlock(&journal->lock);
}

/* --- the writer thread --- */

void
journal_begin(struct journal *journal, const struct journal_head *head)
{
	if (!journal->draft)
		journal->draft = calloc(1, sizeof(*journal->draft));
	journal->head = *head;
	if (journal->draft)
		journal_batch_begin(journal->draft, head);
}

void
journal_add(struct journal *journal, const struct name_key *owner, uint16_t type,
	const struct state_record *before, const struct state_record *after)
{
	if (journal->draft)
		journal_batch_add(journal->draft, &journal->head, owner, type, before, after);
}

void
journal_end(struct journal *journal)
{
	struct journal_batch *batch = journal->draft;
	enum trouble worse = TROUBLE_NONE;

	if (batch)
		journal_batch_end(batch);
	pthread_mutex_lock(&journal->lock);
	if (!batch || batch->has_failed
		|| (journal->queued > 0 && journal->queued + batch->len > JOURNAL_QUEUE_MAX)) {
		/* the next one does not follow the last: that is how the gap is seen */
		journal->gaps += journal->trouble != TROUBLE_DROPPING;
		worse = TROUBLE_DROPPING;
	} else {
		const size_t before = journal->queued;

		journal->queued += batch->len;
		enqueue(journal, batch);
		if (clock_read_ms(CLOCK_MONOTONIC) - journal->first->queued_ms > JOURNAL_LATE_MS)
			worse = TROUBLE_LATE;
		if (journal->is_idle || (before < GATHER_BYTES && journal->queued >= GATHER_BYTES))
			pthread_cond_signal(&journal->work);
	}
	pthread_mutex_unlock(&journal->lock);
	raise_trouble(journal, worse);
}

/* Behind the changes that wait for the same write, or as the next batch. With the lock. */
static void
enqueue(struct journal *journal, struct journal_batch *batch)
{
	struct journal_batch *newest = journal->newest;
	const bool is_open = newest && !(journal->is_writing && newest == journal->first)
			     && newest->revision == batch->previous
			     && newest->len + batch->len <= GATHER_BYTES
			     && journal_batch_append(newest, batch);

	if (is_open)
		return;
	batch->queued_ms = clock_read_ms(CLOCK_MONOTONIC);
	if (newest)
		newest->next = batch;
	else
		journal->first = batch;
	journal->newest = batch;
	journal->draft = NULL;
}

/* --- the journal's thread --- */

static void *
run(void *context)
{
	struct journal *journal = context;
	bool is_fine = true;

	pthread_setname_np(pthread_self(), "journal");
	pthread_mutex_lock(&journal->lock);
	while (is_fine || !journal->is_stopping) {
		wait_for_work(journal);
		if (!journal->first && journal->is_stopping)
			break;
		do
			is_fine = write_first(journal);
		while (is_fine && journal->first && !must_sync(journal));
		pthread_mutex_unlock(&journal->lock);
		if (must_sync(journal))
			sync_segment(journal);
		pthread_mutex_lock(&journal->lock);
		pthread_cond_broadcast(&journal->done);
	}
	pthread_mutex_unlock(&journal->lock);
	sync_segment(journal);
	return NULL;
}

static bool
must_sync(const struct journal *journal)
{
	return journal->dirty_ms != 0
	       && clock_read_ms(CLOCK_MONOTONIC) - journal->dirty_ms >= JOURNAL_SYNC_MS;
}

/* Until there is a batch that may be written, or what was written is to be synced. */
static void
wait_for_work(struct journal *journal)
{
	const uint64_t sync_ms = journal->dirty_ms ? journal->dirty_ms + JOURNAL_SYNC_MS : 0;

	journal->is_idle = true;
	while (!journal->first && !journal->is_stopping)
		if (sync_ms == 0)
			pthread_cond_wait(&journal->work, &journal->lock);
		else if (!wait_until(journal, sync_ms))
			break;
	journal->is_idle = false;
	if (journal->retry_ms != 0)
		while (!journal->is_stopping && wait_until(journal, journal->retry_ms))
			;
	else if (journal->first && journal->queued < GATHER_BYTES && journal->flushers == 0
		 && !journal->is_stopping)
		wait_until(journal, clock_read_ms(CLOCK_MONOTONIC) + GATHER_MS);
}

/* False: the time is up. */
static bool
wait_until(struct journal *journal, uint64_t until_ms)
{
	const struct timespec until = { .tv_sec = (time_t)(until_ms / 1000),
		.tv_nsec = (long)(until_ms % 1000) * 1000000 };

	return pthread_cond_timedwait(&journal->work, &journal->lock, &until) == 0;
}

/* The lock is held, but not while writing. False: it could not be written and stays. */
static bool
write_first(struct journal *journal)
{
	struct journal_batch *batch = journal->first; /* only this thread takes it away */
	struct reason reason = { "" };
	uint64_t most = journal->settings.size / 16;
	bool must_rotate = journal->must_rotate;
	int status;

	if (!batch)
		return true;
	most = most < SEGMENT_LEAST ? SEGMENT_LEAST : most > SEGMENT_MOST ? SEGMENT_MOST : most;
	must_rotate = must_rotate || batch->previous != journal->last || journal->written >= most;
	journal->must_rotate = false;
	journal->is_writing = true;
	pthread_mutex_unlock(&journal->lock);
	if (must_rotate)
		end_segment(journal);
	status = write_batch(journal, batch, &reason);
	if (status == STATUS_OK)
		note_written(journal, batch);
	else
		note_failure(journal, &reason);
	pthread_mutex_lock(&journal->lock);
	journal->is_writing = false;
	if (status != STATUS_OK)
		return false;
	journal->last = batch->revision;
	journal->queued -= batch->len;
	journal->first = batch->next;
	if (!journal->first)
		journal->newest = NULL;
	batch->next = NULL;
	journal_batch_free(batch);
	return true;
}

static void
end_segment(struct journal *journal)
{
	sync_segment(journal);
	if (journal->fd >= 0)
		close(journal->fd);
	journal->fd = -1;
}

static int
write_batch(struct journal *journal, struct journal_batch *batch, struct reason *reason)
{
	int code, status = STATUS_OK;

	if (journal->fd < 0)
		status = begin_segment(journal, batch->previous, reason);
	if (status != STATUS_OK)
		return status;
	journal_batch_seal(batch);
	code = write_all(journal->fd, batch->bytes, batch->len);
	if (code != 0) {
		/* readers ignore what was written of it; the next try goes to the same place */
		if (ftruncate(journal->fd, (off_t)journal->written) != 0
			|| lseek(journal->fd, (off_t)journal->written, SEEK_SET) < 0) {
			close(journal->fd);
			journal->fd = -1;
		}
		return reason_errno(reason, code, journal->dir);
	}
	journal->written += batch->len;
	if (journal->dirty_ms == 0)
		journal->dirty_ms = clock_read_ms(CLOCK_MONOTONIC);
	return STATUS_OK;
}

/* A file of that name was left by a start that wrote nothing whole, or belongs to a state that
 * was replaced: it makes room. */
static int
begin_segment(struct journal *journal, uint64_t base, struct reason *reason)
{
	uint8_t head[JOURNAL_SEGMENT_HEAD];
	struct cursor_out out = cursor_out_init(head, sizeof(head));
	char path[PATH_MAX], aside[PATH_MAX];
	uint32_t sum;
	int dir, fd, code;

	cursor_put_u32(&out, 0);
	cursor_put(&out, JOURNAL_MAGIC, 4);
	cursor_put(&out, journal->instance, STATE_INSTANCE_SIZE);
	cursor_put_u64(&out, base);
	sum = htole32(checksum_crc32c(head + 4, sizeof(head) - 4));
	memcpy(head, &sum, sizeof(sum));
	if (mkdir(journal->dir, 0700) != 0 && errno != EEXIST)
		return reason_errno(reason, errno, journal->dir);
	journal_reader_path(journal->state_dir, base, path);
	if (snprintf(aside, sizeof(aside), "%s.aside", path) < (int)sizeof(aside))
		rename(path, aside);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return reason_errno(reason, errno, path);
	code = write_all(fd, head, sizeof(head));
	/* a name without a head must not be what a power loss leaves */
	if (code == 0 && fdatasync(fd) != 0)
		code = errno;
	dir = open(journal->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (code == 0 && (dir < 0 || fsync(dir) != 0))
		code = errno;
	if (dir >= 0)
		close(dir);
	if (code != 0) {
		close(fd);
		unlink(path);
		return reason_errno(reason, code, path);
	}
	journal->fd = fd;
	journal->written = sizeof(head);
	return STATUS_OK;
}

/* 0, or errno's code. */
static int
write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t done = write(fd, bytes, len);

		if (done < 0 && errno != EINTR)
			return errno;
		if (done == 0)
			return ENOSPC;
		if (done > 0) {
			bytes += done;
			len -= (size_t)done;
		}
	}
	return 0;
}

static void
sync_segment(struct journal *journal)
{
	struct reason reason;
	int code;

	if (journal->dirty_ms == 0)
		return;
	journal->dirty_ms = 0;
	if (journal->fd < 0 || fdatasync(journal->fd) == 0)
		return;
	/* the kernel may have dropped what it could not write: nothing follows it */
	code = errno;
	close(journal->fd);
	journal->fd = -1;
	reason_errno(&reason, code, journal->dir);
	note_failure(journal, &reason);
}

static void
note_written(struct journal *journal, const struct journal_batch *batch)
{
	char text[REASON_MAX] = "";
	bool has_recovered;

	pthread_mutex_lock(&journal->lock);
	if (batch->previous != journal->last)
		snprintf(text, sizeof(text),
			"revisions %llu to %llu are missing from the journal, because its disk was "
			"full, slow or gone. State has them; history and rollback do not reach "
			"back behind them, and a loss of state before the next backup would lose "
			"them",
			(unsigned long long)journal->last + 1,
			(unsigned long long)batch->previous);
	has_recovered = !batch->next && journal->trouble != TROUBLE_NONE;
	if (!batch->next)
		journal->trouble = TROUBLE_NONE;
	journal->retry_ms = 0;
	journal->error.text[0] = '\0';
	pthread_mutex_unlock(&journal->lock);
	if (has_recovered)
		log_line(LOG_LEVEL_INFO, "journal: written again up to revision %llu",
			(unsigned long long)batch->revision);
	if (text[0]) {
		log_line(LOG_LEVEL_WARNING, "journal: %s", text);
		journal->alarm(journal->context, text);
	}
}

static void
note_failure(struct journal *journal, const struct reason *reason)
{
	pthread_mutex_lock(&journal->lock);
	journal->error = *reason;
	journal->retry_ms = clock_read_ms(CLOCK_MONOTONIC) + RETRY_MS;
	pthread_mutex_unlock(&journal->lock);
	raise_trouble(journal, TROUBLE_FAILING);
}

/* An alarm, when that is worse than what there was. */
static void
raise_trouble(struct journal *journal, enum trouble trouble)
{
	static const char *const follows[] = {
		[TROUBLE_LATE] = "changes wait for it for more than 10 s; they are kept in memory "
				 "up to 64 MiB",
		[TROUBLE_FAILING] = "changes are kept in memory up to 64 MiB; will retry",
		[TROUBLE_DROPPING] = "what waits for it is more than 64 MiB: changes are missing "
				     "from history now, and from what a restore could replay",
	};
	char text[REASON_MAX + 256];

	pthread_mutex_lock(&journal->lock);
	if (trouble <= journal->trouble) {
		pthread_mutex_unlock(&journal->lock);
		return;
	}
	journal->trouble = trouble;
	snprintf(text, sizeof(text), "the journal's disk %s%s: after revision %llu %s. Writes go on",
		journal->error.text[0] ? "fails: " : "is slow", journal->error.text,
		(unsigned long long)journal->last, follows[trouble]);
	pthread_mutex_unlock(&journal->lock);
	log_line(LOG_LEVEL_ERROR, "journal: %s", text);
	journal->alarm(journal->context, text);
}

/* --- other threads --- */

void
journal_trim(struct journal *journal, uint64_t backup_revision)
{
	struct journal_segments segments = { 0 };
	uint64_t bytes = 0, size, age_ms;
	char path[PATH_MAX];
	size_t i;

	pthread_mutex_lock(&journal->lock);
	journal->must_rotate = true;
	size = journal->settings.size;
	age_ms = journal->settings.age_ms;
	pthread_mutex_unlock(&journal->lock);
	if (journal_reader_list(journal->state_dir, &segments, NULL) != STATUS_OK)
		return;
	for (i = 0; i < segments.count; i++)
		bytes += segments.segment[i].bytes;
	/* a segment has nothing above the base of the next one */
	for (i = 0; i + 1 < segments.count && segments.segment[i + 1].base <= backup_revision; i++) {
		const struct journal_segment *segment = &segments.segment[i];

		if (bytes <= size && segments.count - i <= SEGMENTS_MAX
			&& (age_ms == 0 || clock_wall_ms() < segment->changed_ms + age_ms))
			break;
		journal_reader_path(journal->state_dir, segment->base, path);
		if (unlink(path) != 0)
			break;
		bytes -= segment->bytes;
	}
	pthread_mutex_lock(&journal->lock);
	if (i < segments.count)
		journal->oldest = segments.segment[i].base;
	pthread_mutex_unlock(&journal->lock);
	free(segments.segment);
}

bool
journal_flush(struct journal *journal, uint32_t wait_ms)
{
	const uint64_t until_ms = clock_read_ms(CLOCK_MONOTONIC) + wait_ms;
	const struct timespec until = { .tv_sec = (time_t)(until_ms / 1000),
		.tv_nsec = (long)(until_ms % 1000) * 1000000 };
	bool is_done;

	pthread_mutex_lock(&journal->lock);
	journal->flushers++;
	pthread_cond_signal(&journal->work);
	while (journal->first)
		if (pthread_cond_timedwait(&journal->done, &journal->lock, &until) != 0)
			break;
	is_done = !journal->first;
	journal->flushers--;
	pthread_mutex_unlock(&journal->lock);
	return is_done;
}

void
journal_raise(struct journal *journal, const char *text)
{
	log_line(LOG_LEVEL_ERROR, "journal: %s", text);
	journal->alarm(journal->context, text);
}

void
journal_read_status(struct journal *journal, struct journal_status *out)
{
	struct journal_segments segments = { 0 };
	size_t i;

	pthread_mutex_lock(&journal->lock);
	*out = (struct journal_status){ .oldest = journal->oldest, .last = journal->last,
		.size = journal->settings.size, .queued = journal->queued, .gaps = journal->gaps };
	memcpy(out->error, journal->error.text, sizeof(out->error));
	pthread_mutex_unlock(&journal->lock);
	if (journal_reader_list(journal->state_dir, &segments, NULL) != STATUS_OK)
		return;
	for (i = 0; i < segments.count; i++)
		out->bytes += segments.segment[i].bytes;
	free(segments.segment);
}
