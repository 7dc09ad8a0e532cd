/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Text for people that travels with an error. The callee sets it, each caller
 * on the way up may put its own context in front; the one that handles the error
 * prints it. A NULL reason is allowed everywhere: the text is then dropped.
 */
#pragma once

#include <stdarg.h>

#define REASON_MAX 512 /* longer text is cut: two lines of a terminal */

#define REASON_EXCERPT_MAX 60 /* octets of a foreign text in a message */
#define REASON_EXCERPT_SIZE (4 * REASON_EXCERPT_MAX + 4)

struct reason {
	char text[REASON_MAX];
};

/* Replaces the text. Returns `status`, so that `return reason_set(...)` reads well. */
int reason_set(struct reason *reason, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What errno's `code` means; the text is "<what>: " and the system's. */
int reason_errno(struct reason *reason, int code, const char *what);

/* Puts "<context>: " in front of the text. Returns `status`. */
int reason_prefix(struct reason *reason, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* At most REASON_EXCERPT_MAX octets of a foreign text, fit for a log line: what is not
 * printable ASCII as \DDD, "..." behind a text that was cut. */
void reason_excerpt(const char *text, char out[REASON_EXCERPT_SIZE]);
