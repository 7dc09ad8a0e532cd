/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "sidecar/state/state.h"

#define SLACK_MS 5000
#define DAY_MS (UINT64_C(24) * 3600 * 1000)

static char dir[] = "/tmp/livezone-clock-XXXXXX";
static char path[64];

static bool is_new;

static uint64_t
offset_of(const char *state_dir)
{
	return lease_clock_offset(state_dir, &is_new);
}

static int
setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/lease-clock", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static int
forget(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static void
load(char text[96])
{
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_non_null(fgets(text, 96, file));
	fclose(file);
}

static void
save(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
assert_is_of_now(uint64_t offset)
{
	const uint64_t now = clock_wall_ms() - clock_boot_ms();

	assert_in_range(offset, now - SLACK_MS, now + SLACK_MS);
}

static void
one_boot_has_one_offset(void **state)
{
	const uint64_t offset = offset_of(dir);
	char text[96], id[40];

	(void)state;
	assert_is_of_now(offset);
	assert_true(is_new);
	assert_int_equal(offset_of(dir), offset);
	assert_false(is_new);
	/* the wall clock was set since */
	load(text);
	assert_int_equal(sscanf(text, "%39s", id), 1);
	snprintf(text, sizeof(text), "%s %llu\n", id, (unsigned long long)(offset - DAY_MS));
	save(text);
	assert_int_equal(offset_of(dir), offset - DAY_MS);
	assert_int_equal(lease_clock_look(dir), offset - DAY_MS);
}

static void
another_boot_begins_with_the_wall_clock(void **state)
{
	char text[96];

	(void)state;
	save("11111111-2222-3333-4444-555555555555 77\n");
	assert_is_of_now(lease_clock_look(dir));
	assert_is_of_now(offset_of(dir));
	assert_true(is_new);
	load(text);
	assert_int_equal(offset_of(dir), strtoull(strchr(text, ' '), NULL, 10));
}

static void
a_bad_file_is_no_file(void **state)
{
	static const char *const texts[] = { "", "\n", "x", " 5\n", "no-id-but-a-word\n",
		"11111111-2222-3333-4444-5555555555555555555555555555 7\n" };
	char text[96], id[40];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		save(texts[i]);
		assert_is_of_now(offset_of(dir));
	}
	load(text);
	assert_int_equal(sscanf(text, "%39s", id), 1);
	snprintf(text, sizeof(text), "%s 77 78\n", id);
	save(text);
	assert_is_of_now(offset_of(dir));
	assert_is_of_now(offset_of("/nowhere/at/all"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_boot_has_one_offset, forget),
		cmocka_unit_test_setup(another_boot_begins_with_the_wall_clock, forget),
		cmocka_unit_test_setup(a_bad_file_is_no_file, forget),
	};

	return cmocka_run_group_tests_name("lease_clock", tests, setup, teardown);
}
