/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Internal to the config files: readers for rows of tables of keys (yaml.h). Single values are
 * read by config_value.c, zones by config_zones.c. Each returns 0, or a status and what is
 * needed. No state.
 */
#pragma once

#include "lib/base/reason.h"
#include "lib/config/yaml.h"

#define CONFIG_VALUE_PATH_MAX 3072 /* leaves room for names in the directory */

/* char *: an absolute path shorter than `max` (0: CONFIG_VALUE_PATH_MAX). */
int config_value_path(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason);

/* char *: the same for a directory, without slashes at its end. */
int config_value_directory(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason);

/* uint64_t: bytes, or a size such as 256MiB; from `min` (0 or 1 MiB) to SERVE_SIZE_MAX. */
int config_value_size(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason);

/* An enum: one of the words in `choices`. */
int config_value_choice(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason);

/* bool */
int config_value_bool(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason);

/* uint32_t: seconds of a TTL, or a duration of whole seconds. */
int config_value_ttl(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason);

/* unsigned: decimal digits, from `min` to `max`. */
int config_value_count(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason);

/* uint64_t in milliseconds: a duration of 1s to 366d; 0 for "0" and "off". */
int config_value_interval(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason);

/* uint64_t in milliseconds: a duration of up to 366d, or 0. */
int config_value_stale(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason);

/* The list of zones, read and checked into the struct zones at `out`, which is empty. The
 * caller calls zones_done, also after a failure. */
int config_zones_read(const struct yaml_value *list, const struct yaml_key *key, void *out,
	struct reason *reason);
