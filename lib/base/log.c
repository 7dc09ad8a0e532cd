/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Lines on stderr for journald or a terminal.
 */
#include "lib/base/log.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/duration.h"

static bool has_journal;

/* log_refused's second and its count; under the lock. */
static struct {
	pthread_mutex_t lock;
	uint64_t second;
	unsigned lines;
	unsigned dropped;
} refused = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Lines that stderr did not take; the lock is never held while a write waits. */
static struct {
	pthread_mutex_t lock;
	uint64_t all;
	uint64_t unsaid;
} dropped_lines = { .lock = PTHREAD_MUTEX_INITIALIZER };

static size_t write_head(enum log_level level, char *line);
static size_t escape(const char *text, char *line, size_t used);
static void write_line(enum log_level level, const char *format, va_list args);
static size_t make_line(enum log_level level, const char *text, char line[LOG_LINE_MAX]);
static bool put_line(const char *line, size_t len);

void
log_init(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, NULL);
	has_journal = getenv("JOURNAL_STREAM") || getenv("INVOCATION_ID");
}

void
log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(level, format, args);
	va_end(args);
}

void
log_refused(const char *format, ...)
{
	const uint64_t second = clock_read_ms(CLOCK_MONOTONIC) / 1000;
	unsigned dropped = 0;
	bool is_wanted;
	va_list args;

	pthread_mutex_lock(&refused.lock);
	if (refused.second != second) {
		dropped = refused.dropped;
		refused.second = second;
		refused.lines = 0;
		refused.dropped = 0;
	}
	is_wanted = refused.lines < LOG_REFUSED_BURST;
	if (is_wanted)
		refused.lines++;
	else
		refused.dropped++;
	pthread_mutex_unlock(&refused.lock);
	if (dropped)
		log_line(LOG_LEVEL_WARNING, "%u more requests were refused", dropped);
	if (!is_wanted)
		return;
	va_start(args, format);
	write_line(LOG_LEVEL_WARNING, format, args);
	va_end(args);
}

uint64_t
log_dropped(void)
{
	uint64_t all;

	pthread_mutex_lock(&dropped_lines.lock);
	all = dropped_lines.all;
	pthread_mutex_unlock(&dropped_lines.lock);
	return all;
}

static void
write_line(enum log_level level, const char *format, va_list args)
{
	char text[LOG_LINE_MAX / 2], line[LOG_LINE_MAX], loss[LOG_LINE_MAX];
	char loss_text[128];
	size_t len, loss_len;

	vsnprintf(text, sizeof(text), format, args);
	len = make_line(level, text, line);
	pthread_mutex_lock(&dropped_lines.lock);
	if (dropped_lines.unsaid > 0) {
		snprintf(loss_text, sizeof(loss_text),
			"%" PRIu64 " lines of this log are lost: nobody read them",
			dropped_lines.unsaid);
		loss_len = make_line(LOG_LEVEL_WARNING, loss_text, loss);
		if (put_line(loss, loss_len))
			dropped_lines.unsaid = 0;
	}
	if (dropped_lines.unsaid > 0 || !put_line(line, len)) {
		dropped_lines.unsaid++;
		dropped_lines.all++;
	}
	pthread_mutex_unlock(&dropped_lines.lock);
}

static size_t
make_line(enum log_level level, const char *text, char line[LOG_LINE_MAX])
{
	size_t used = escape(text, line, write_head(level, line));

	line[used++] = '\n';
	return used;
}

/* A journal that does not read must not hold a request up: not at all, or whole, since a line
 * is shorter than PIPE_BUF. */
static bool
put_line(const char *line, size_t len)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT)
		&& write(STDERR_FILENO, line, len) == (ssize_t)len;
}

static size_t
write_head(enum log_level level, char *line)
{
	static const char *const words[] = {
		[LOG_LEVEL_ERROR] = "error: ",
		[LOG_LEVEL_WARNING] = "warning: ",
		[LOG_LEVEL_INFO] = "",
	};
	char now[DURATION_TEXT_MAX];

	if (has_journal)
		return (size_t)sprintf(line, "<%d>%s", level, words[level]);
	duration_write_time(clock_wall_ms() / 1000 * 1000, now);
	return (size_t)sprintf(line, "%s livezoned: %s", now, words[level]);
}

static size_t
escape(const char *text, char *line, size_t used)
{
	for (; *text && used < LOG_LINE_MAX - 8; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= ' ' && c < 0x7f)
			line[used++] = (char)c;
		else
			used += (size_t)sprintf(line + used, "\\x%02x", c);
	}
	return used;
}
