/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sidecar/state/state.h"
#include "lib/base/status.h"

static char dir[64];
static struct reason reason;

static int
set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/livezone-unit-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	return unit_remove(dir);
}

static void
write_file(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *stream;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	stream = fopen(path, "w");
	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
}

static void
assert_file(const char *path, const char *text)
{
	char found[64] = "";
	FILE *stream = fopen(path, "r");

	assert_non_null(stream);
	assert_non_null(fgets(found, sizeof(found), stream));
	fclose(stream);
	assert_string_equal(found, text);
}

static void
test_a_damaged_file_is_kept_and_another_takes_its_place(void **state)
{
	char quarantined[PATH_MAX], again[PATH_MAX], path[PATH_MAX];

	(void)state;
	write_file("data.mdb", "damaged");
	assert_int_equal(state_file_quarantine(dir, quarantined, &reason), STATUS_OK);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	assert_file(path, "damaged"); /* until the other one is there */
	/* killed here, and again from the beginning: the same file has a second name */
	assert_int_equal(state_file_quarantine(dir, again, &reason), STATUS_OK);
	assert_file(again, "damaged");
	assert_int_equal(state_file_make_new(dir, path, &reason), STATUS_OK);
	write_file("new/data.mdb", "whole");
	assert_int_equal(state_file_adopt(dir, &reason), STATUS_OK);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	assert_file(path, "whole");
	assert_file(quarantined, "damaged");
	snprintf(path, sizeof(path), "%s/new", dir);
	assert_int_not_equal(access(path, F_OK), 0);

	/* the next one gets a place of its own */
	assert_int_equal(state_file_quarantine(dir, again, &reason), STATUS_OK);
	assert_string_not_equal(again, quarantined);
	assert_file(again, "whole");
	assert_file(quarantined, "damaged");
}

static void
test_what_a_killed_livezoned_left_in_new_is_made_again(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(state_file_make_new(dir, path, &reason), STATUS_OK);
	write_file("new/data.mdb", "half");
	assert_int_equal(state_file_make_new(dir, path, &reason), STATUS_OK);
	snprintf(path, sizeof(path), "%s/new/data.mdb", dir);
	assert_int_not_equal(access(path, F_OK), 0);
	/* nothing to adopt: what stands there stays */
	write_file("data.mdb", "old");
	assert_int_not_equal(state_file_adopt(dir, &reason), STATUS_OK);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	assert_file(path, "old");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_damaged_file_is_kept_and_another_takes_its_place, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_a_killed_livezoned_left_in_new_is_made_again, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
