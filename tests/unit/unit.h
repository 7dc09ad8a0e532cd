/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What every unit test includes: cmocka with the headers that it wants in front of it,
 * names from dotted text without the presentation reader, and small helpers.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/dns/name.h"

#define UNIT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* LIVEZONE_TEST_ONLY=a_name runs that one, for a thousand runs of it. */
__attribute__((constructor)) static void
unit_choose(void)
{
	const char *only = getenv("LIVEZONE_TEST_ONLY");

	if (only)
		cmocka_set_test_filter(only);
}

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

/* A directory with all that is in it. 0, as a teardown returns, when it is gone. */
static inline int
unit_remove(const char *dir)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* Until it ends, as it must: with 0. */
static inline void
unit_wait_child(pid_t child)
{
	int outcome = 1;

	assert_int_equal(waitpid(child, &outcome, 0), child);
	assert_int_equal(outcome, 0);
}

/* Of a process that was ours a moment ago. */
static inline pid_t
unit_gone_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}
