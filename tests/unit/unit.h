/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What every unit test includes: cmocka with the headers that it wants in front of it,
 * and names from dotted text without the presentation reader.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/name.h"

#define UNIT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Plain labels and dots only; "" is the root. */
static inline struct name
unit_name(const char *dotted)
{
	struct name name = { 0 };
	size_t used = 0;

	while (*dotted) {
		size_t label = strcspn(dotted, ".");

		name.wire[used++] = (uint8_t)label;
		memcpy(name.wire + used, dotted, label);
		used += label;
		dotted += label + (dotted[label] == '.');
	}
	name.wire[used] = 0;
	name.len = (uint8_t)(used + 1);
	return name;
}

static inline struct name_key
unit_key(const char *dotted)
{
	struct name name = unit_name(dotted);
	struct name_key key = { 0 };

	name_to_key(name.wire, &key);
	return key;
}
