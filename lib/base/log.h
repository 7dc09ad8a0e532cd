/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One line per event on stderr, from any thread. Under systemd each line has its priority
 * in front ("<6>"); elsewhere the time. A stderr that is closed, full or stuck costs
 * lines, never the daemon: a line that cannot be written at once is dropped and counted, and
 * the next one that can be has a line before it that says how many.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers are syslog's. */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
};

#define LOG_LINE_MAX 2048    /* below PIPE_BUF, so that lines of threads never mix */
#define LOG_REFUSED_BURST 20 /* log_refused: lines in one second */

/* Looks for systemd and ignores SIGPIPE; before the first line, one thread. */
void log_init(void);

/* Writes a line. Control and non-ASCII bytes of the text come out as \xHH, so that a name
 * or a header cannot forge a line. */
void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Lines that were dropped since the start. */
uint64_t log_dropped(void);

/* The same as log_line for requests that were refused: at most LOG_REFUSED_BURST lines a
 * second, then one line that counts the rest. */
void log_refused(const char *format, ...) __attribute__((format(printf, 1, 2)));
