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
yaml_text_fn config_value_path;

/* char *: the same for a directory, without slashes at its end. */
yaml_text_fn config_value_directory;

/* uint64_t: bytes, or a size such as 256MiB; from `min` (0 or 1 MiB) to SERVE_SIZE_MAX. */
yaml_text_fn config_value_size;

/* An enum: one of the words in `choices`. */
yaml_text_fn config_value_choice;

/* bool */
yaml_text_fn config_value_bool;

/* uint32_t: seconds of a TTL, or a duration of whole seconds. */
yaml_text_fn config_value_ttl;

/* unsigned: decimal digits, from `min` to `max`. */
yaml_text_fn config_value_count;

/* uint64_t in milliseconds: a duration of 1s to 366d; 0 for "0" and "off". */
yaml_text_fn config_value_interval;

/* uint64_t in milliseconds: a duration of up to 366d, or 0. */
yaml_text_fn config_value_stale;

/* The list of zones, read and checked into the struct zones at `out`, which is empty. The
 * caller calls zones_done, also after a failure. */
yaml_value_fn config_zones_read;
