/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The text of livezone.yaml while it is read, and where in it something is wrong. Internal
 * to the config files; one thread.
 */
#pragma once

#include <stddef.h>

#include "lib/base/reason.h"

#define CONFIG_SOURCE_KEY_MAX 128 /* a place such as zones[1].fallback[0] */

struct config_source {
	const char *path; /* borrowed */
	struct reason *reason;
	char *text;
	size_t len;
};

/* Reads the file at source->path: a regular one of bounded size that not everybody may
 * write to. On STATUS_NO_MEMORY alone the reason is not set. */
int config_source_read(struct config_source *source);

void config_source_done(struct config_source *source);

/* Puts "<file>:<line>: <key>" in front of the reason; the line is found from the key.
 * Returns `status`. */
int config_source_fail(const struct config_source *source, int status, const char *format,
	...) __attribute__((format(printf, 3, 4)));

/* The same for a known line; 0 and NULL leave line and key out. */
int config_source_fail_at_line(const struct config_source *source, int status, int line,
	const char *key);
