/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <sys/stat.h>
#include <time.h>

#include "lib/base/status.h"
#include "module/live.h"

#define NOW 10000000
#define SIZE 8192

static char dir[64];
static struct reason why;

/* The C library's, with a clock that stands still. */
static uint64_t now_ms;

int
clock_gettime(clockid_t id, struct timespec *out)
{
	(void)id;
	*out = (struct timespec){ (time_t)(now_ms / 1000), (long)(now_ms % 1000) * 1000000 };
	return 0;
}

static const char *
path_of(const char *in, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", in, name);
	return path;
}

static void
make_file(const char *in, const char *name)
{
	FILE *file = fopen(path_of(in, name), "w");

	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(truncate(path_of(in, name), SIZE), 0);
}

static int
set_up(void **context)
{
	(void)context;
	now_ms = NOW;
	strcpy(dir, "/tmp/livezone-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	make_file(dir, "data.mdb");
	make_file(dir, "lock.mdb");
	return 0;
}

static int
tear_down(void **context)
{
	(void)context;
	return unit_remove(dir);
}

static struct live_refused
refuse(int status, const char *text)
{
	struct live_refused refused = { .status = STATUS_OK };
	struct reason reason;

	reason_set(&reason, status, "%s", text);
	live_refused_note(&refused, dir, status, &reason);
	return refused;
}

static void
what_was_never_opened_is_tried(void **context)
{
	struct live_refused refused = { .status = STATUS_OK };

	(void)context;
	assert_int_equal(live_refused_check(&refused, dir, &why), STATUS_OK);
	assert_int_equal(live_refused_check(&refused, "/nonexistent/x", &why), STATUS_OK);
}

static void
what_was_refused_waits_with_its_reason(void **context)
{
	static const int rows[] = { STATUS_CORRUPT, STATUS_FOREIGN, STATUS_IO,
		STATUS_UNAVAILABLE, STATUS_NO_MEMORY };

	(void)context;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct live_refused refused;

		now_ms = NOW;
		refused = refuse(rows[i], "no 100% reason");
		assert_int_equal(live_refused_check(&refused, dir, &why), rows[i]);
		assert_string_equal(why.text, "no 100% reason");
		now_ms = NOW + LIVE_REFUSED_MS - 1;
		assert_int_equal(live_refused_check(&refused, dir, &why), rows[i]);
		now_ms = NOW + LIVE_REFUSED_MS;
		assert_int_equal(live_refused_check(&refused, dir, &why), STATUS_OK);
	}
}

static void
each_refusal_waits_again(void **context)
{
	struct live_refused refused = refuse(STATUS_UNAVAILABLE, "no slot");
	struct reason second;

	(void)context;
	now_ms = NOW + LIVE_REFUSED_MS;
	reason_set(&second, STATUS_IO, "no disk");
	live_refused_note(&refused, dir, STATUS_IO, &second);
	now_ms += LIVE_REFUSED_MS - 1;
	assert_int_equal(live_refused_check(&refused, dir, &why), STATUS_IO);
	assert_string_equal(why.text, "no disk");
	now_ms++;
	assert_int_equal(live_refused_check(&refused, dir, &why), STATUS_OK);
}

static void
an_opening_that_went_well_ends_it(void **context)
{
	struct live_refused refused = refuse(STATUS_IO, "no disk");

	(void)context;
	live_refused_note(&refused, dir, STATUS_OK, &why);
	assert_int_equal(live_refused_check(&refused, dir, &why), STATUS_OK);
}

static void
replace(const char *name)
{
	char new_path[128];

	make_file(dir, "new");
	strcpy(new_path, path_of(dir, "new"));
	assert_int_equal(rename(new_path, path_of(dir, name)), 0);
}

static void
replace_data(void)
{
	replace("data.mdb");
}

static void
replace_lock(void)
{
	replace("lock.mdb");
}

static void
cut_data(void)
{
	assert_int_equal(truncate(path_of(dir, "data.mdb"), SIZE / 2), 0);
}

static void
remove_data(void)
{
	assert_int_equal(unlink(path_of(dir, "data.mdb")), 0);
}

/* As a commit does it: the same files. */
static void
grow_data(void)
{
	assert_int_equal(truncate(path_of(dir, "data.mdb"), 2 * SIZE), 0);
}

static void
other_files_are_tried_at_once(void **context)
{
	static const struct {
		void (*change)(void);
		int status;
	} rows[] = {
		{ replace_data, STATUS_OK },
		{ replace_lock, STATUS_OK },
		{ cut_data, STATUS_OK },
		{ remove_data, STATUS_OK },
		{ grow_data, STATUS_CORRUPT },
	};

	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct live_refused refused = refuse(STATUS_CORRUPT, "damaged");

		assert_int_equal(live_refused_check(&refused, dir, &why), STATUS_CORRUPT);
		rows[i].change();
		assert_int_equal(live_refused_check(&refused, dir, &why), rows[i].status);
		tear_down(context);
		set_up(context);
	}
}

static void
another_directory_is_tried_at_once(void **context)
{
	struct live_refused refused = refuse(STATUS_CORRUPT, "damaged");
	char other[96];

	(void)context;
	snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(mkdir(other, 0700), 0);
	make_file(other, "data.mdb");
	make_file(other, "lock.mdb");
	assert_int_equal(live_refused_check(&refused, other, &why), STATUS_OK);
	assert_int_equal(live_refused_check(&refused, dir, &why), STATUS_CORRUPT);
}

/* Nothing to wait for: whatever comes is another file. */
static void
files_that_were_not_there_are_not_refused(void **context)
{
	struct live_refused refused;

	(void)context;
	remove_data();
	refused = refuse(STATUS_NOT_FOUND, "no such file");
	assert_int_equal(live_refused_check(&refused, dir, &why), STATUS_OK);
	make_file(dir, "data.mdb");
	assert_int_equal(live_refused_check(&refused, dir, &why), STATUS_OK);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_was_never_opened_is_tried),
		TEST(what_was_refused_waits_with_its_reason),
		TEST(each_refusal_waits_again),
		TEST(an_opening_that_went_well_ends_it),
		TEST(other_files_are_tried_at_once),
		TEST(another_directory_is_tried_at_once),
		TEST(files_that_were_not_there_are_not_refused),
	};

	return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
