/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Where in a YAML text a key is: libcyaml gives the values and forgets the lines, and
 * messages need them. Runs once before reading (is it one plain document?) and once more
 * for each message. The one place that knows libyaml. No state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/reason.h"

#define YAML_PLACE_DEPTH_MAX 16 /* nesting that a hostile or broken file may have */
#define YAML_PLACE_PATH_MAX 256

/* One well-formed document whose root is a mapping, without aliases? Nothing at all is
 * good too, *out_is_empty says so. Else STATUS_INVALID and the line in *out_line. */
int yaml_place_check(const char *text, size_t len, bool *out_is_empty, int *out_line,
	struct reason *reason);

/* The line (from 1) of a path such as "zones[1].fallback[0]"; the line of the longest
 * part of the path that exists; 0 when there is none. */
int yaml_place_find(const char *text, size_t len, const char *path);
