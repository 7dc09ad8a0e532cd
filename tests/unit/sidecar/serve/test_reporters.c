/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/report/report.h"
#include "lib/base/status.h"
#include "sidecar/serve/reporters.h"

#define READ_INODE 41 /* what the reporter reads */
#define NEW_INODE  42 /* what is served now */

static char dir[] = "/tmp/livezone-unit-XXXXXX";
static struct reporters reporters;
static pid_t child;

/* An Unbound that lives until its input ends. */
static pid_t
start_child(int *out_fd)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char byte;

		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	close(ends[0]);
	*out_fd = ends[1];
	return pid;
}

static void
write_report_of(uint64_t pid_namespace, uint64_t serve_inode)
{
	struct report report = {
		.pid = child,
		.serve_inode = serve_inode,
		.written_ms = clock_wall_ms(),
		.written_boot_ms = clock_boot_ms(),
	};

	report_identity_init(&report.identity);
	report.identity.pid = (uint64_t)child;
	if (pid_namespace)
		report.identity.pid_namespace = pid_namespace;
	assert_int_equal(report_write(dir, &report, NULL), STATUS_OK);
}

static void
write_report(uint64_t pid_namespace)
{
	write_report_of(pid_namespace, READ_INODE);
}

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/livezone-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	reporters = (struct reporters){ 0 };
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return unit_remove(dir);
}

static void
end_child(int fd)
{
	close(fd);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void
one_that_reads_the_old_store_is_behind(void **state)
{
	int fd;

	(void)state;
	child = start_child(&fd);
	write_report(0);
	reporters_look(&reporters, dir);
	assert_non_null(reporters_find_behind(&reporters, NEW_INODE));
	assert_null(reporters_find_behind(&reporters, READ_INODE));
	end_child(fd);
}

static void
nobody_waits_for_one_that_has_ended(void **state)
{
	int fd;

	(void)state;
	child = start_child(&fd);
	write_report(0);
	reporters_look(&reporters, dir);
	assert_int_equal(reporters.count, 1);
	end_child(fd);
	reporters_look(&reporters, dir);
	assert_int_equal(reporters.count, 0);
	assert_null(reporters_find_behind(&reporters, NEW_INODE));
}

/* A report of another time, as one that was stopped leaves it. */
static void
one_that_is_silent_is_behind_as_long_as_it_lives(void **state)
{
	uint64_t began;
	int fd;

	(void)state;
	child = start_child(&fd);
	write_report(0);
	reporters_look(&reporters, dir);
	assert_int_equal(reporters.count, 1);
	reporters.reporter[0].written_ms = 0;
	unit_remove(dir);
	reporters_look(&reporters, dir);
	assert_non_null(reporters_find_behind(&reporters, NEW_INODE));
	began = clock_boot_ms();
	reporters_wait(&reporters, dir, NEW_INODE);
	assert_true(clock_boot_ms() - began < REPORT_LOOK_MS); /* not waited for */
	end_child(fd);
	reporters_look(&reporters, dir);
	assert_null(reporters_find_behind(&reporters, NEW_INODE));
}

static void
in_another_pid_namespace_nobody_can_tell(void **state)
{
	int fd;

	(void)state;
	child = start_child(&fd);
	write_report(1);
	reporters_look(&reporters, dir);
	end_child(fd);
	reporters_look(&reporters, dir);
	assert_non_null(reporters_find_behind(&reporters, NEW_INODE));
}

static void
a_look_tells_how_many_reports_it_read(void **state)
{
	int fd;

	(void)state;
	child = start_child(&fd);
	assert_int_equal(reporters_look(&reporters, dir), 0);
	write_report(0);
	assert_int_equal(reporters_look(&reporters, dir), 1);
	assert_int_equal(reporters_look(&reporters, "/nonexistent/x"), 0);
	assert_int_equal(reporters.count, 1); /* remembered */
	end_child(fd);
}

static void
one_that_no_look_has_found_is_given_a_look_of_its_own(void **state)
{
	uint64_t began = clock_boot_ms();

	(void)state;
	reporters_wait_unknown(&reporters, dir, NEW_INODE);
	assert_int_equal(reporters.unknown_ms, 0);
	reporters_expect_unknown(&reporters);
	reporters_wait_unknown(&reporters, dir, NEW_INODE);
	assert_true(clock_boot_ms() - began > REPORT_LOOK_MS);
	assert_int_equal(reporters.unknown_ms, 0); /* once */
}

static void
one_that_no_look_has_found_is_waited_for_when_it_is_behind(void **state)
{
	uint64_t began = clock_boot_ms();
	int fd;

	(void)state;
	child = start_child(&fd);
	reporters_expect_unknown(&reporters);
	write_report(0);
	reporters_wait_unknown(&reporters, dir, NEW_INODE);
	assert_non_null(reporters_find_behind(&reporters, NEW_INODE));
	assert_true(clock_boot_ms() - began >= 4 * REPORT_LOOK_MS);
	reporters_expect_unknown(&reporters);
	write_report_of(0, NEW_INODE);
	reporters_wait_unknown(&reporters, dir, NEW_INODE);
	assert_null(reporters_find_behind(&reporters, NEW_INODE));
	end_child(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_that_reads_the_old_store_is_behind),
		TEST(nobody_waits_for_one_that_has_ended),
		TEST(one_that_is_silent_is_behind_as_long_as_it_lives),
		TEST(in_another_pid_namespace_nobody_can_tell),
		TEST(a_look_tells_how_many_reports_it_read),
		TEST(one_that_no_look_has_found_is_given_a_look_of_its_own),
		TEST(one_that_no_look_has_found_is_waited_for_when_it_is_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
