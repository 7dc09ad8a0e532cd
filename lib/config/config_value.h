/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Single values of livezone.yaml, text to what it means. An absent text (NULL) leaves the
 * default that *out has already. Each returns 0, or STATUS_INVALID with what is needed.
 * Internal to the config files. No state.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"

#define CONFIG_VALUE_PATH_MAX 3072 /* leaves room for names in the directory */

/* A word and what it stands for; a list ends with NULL. */
struct config_value_choice {
	const char *text;
	int value;
};

/* An absolute path shorter than `max`; the text must be there. *out is the caller's. */
int config_value_path(const char *text, size_t max, char **out, struct reason *reason);

/* The same for a directory, without slashes at its end; `fallback` when absent. */
int config_value_directory(const char *text, const char *fallback, char **out,
	struct reason *reason);

/* Bytes, or a size such as 256MiB; from `min` to SERVE_SIZE_MAX. */
int config_value_size(const char *text, uint64_t min, uint64_t *out, struct reason *reason);

/* One of the words. */
int config_value_choice(const char *text, const struct config_value_choice *choices, int *out,
	struct reason *reason);

/* Seconds of a TTL, or a duration of whole seconds. */
int config_value_ttl(const char *text, uint32_t *out, struct reason *reason);

/* A whole number of decimal digits from `min` to `max`. */
int config_value_count(const char *text, unsigned min, unsigned max, unsigned *out,
	struct reason *reason);

/* A duration of 1s to 366d; 0 or "off": 0. */
int config_value_interval(const char *text, uint64_t *out_ms, struct reason *reason);

/* A duration of up to 366d, or 0. */
int config_value_stale(const char *text, uint64_t *out_ms, struct reason *reason);
