/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdbool.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/report/report.h"
#include "lib/base/status.h"

static char dir[64];

struct seen {
	size_t count;
	struct report last;
	struct report_zone zone[4];
};

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/livezone-report-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	return unit_remove(dir);
}

static const char *
file_of(pid_t pid, const char *suffix)
{
	static char name[128];

	snprintf(name, sizeof(name), "%s/unbound-%d.report%s", dir, (int)pid, suffix);
	return name;
}

static void
remove_ours(void)
{
	unlink(file_of(getpid(), ""));
}

static void
put(const char *name, const char *text, size_t len)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	fclose(file);
}

static bool
is_there(const char *name)
{
	struct stat info;

	return lstat(name, &info) == 0;
}

static void
see(void *context, const struct report *report)
{
	struct seen *seen = context;

	seen->count++;
	seen->last = *report;
	for (size_t i = 0; i < report->zone_count && i < 4; i++)
		seen->zone[i] = report->zone[i];
}

static struct seen
read_all(void)
{
	struct seen seen = { 0 };
	struct reason reason = { "" };

	if (report_read_all(dir, see, &seen, &reason))
		fail_msg("%s", reason.text);
	return seen;
}

static struct seen
read_any(void)
{
	struct seen seen = { 0 };

	assert_int_equal(report_read_any(dir, see, &seen, NULL), 0);
	return seen;
}

static void
make_silent(const char *name)
{
	struct timespec times[2] = { { .tv_sec = time(NULL) - 60 }, { .tv_sec = time(NULL) - 60 } };

	assert_int_equal(utimensat(AT_FDCWD, name, times, 0), 0);
}

static void
make_old(const char *name)
{
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	assert_int_equal(utimensat(AT_FDCWD, name, times, 0), 0);
}

static void
what_is_written_is_read(void **state)
{
	struct report_zone zones[2] = {
		{ "a.", { 1, 2, 3, 4, 5 }, 6, 7 },
		{ "b\\032.c.", { UINT64_MAX }, 0, 0 },
	};
	struct report report = {
		.pid = getpid(),
		.unbound = "1.17.1",
		.store = "refused",
		.store_reason = "two\nlines\tand more",
		.serve_instance = "0123456789abcdef0123456789abcdef",
		.serve_inode = 42,
		.revision = UINT64_MAX,
		.started_ms = 1,
		.written_ms = 2,
		.identity = { .pid_namespace = 14,
			.boot_id = "boot",
			.lmdb = "0.9.24",
			.libc = "glibc 2.36",
			.mutex_size = 40 },
		.warning = "beware",
		.written_boot_ms = 15,
		.ended = 1,
		.crash_ms = { 18, 17, 16 },
		.off_until_ms = 19,
		.off_pause_ms = 20,
		.opens = 3,
		.corrupt = 4,
		.trips_sigbus = 7,
		.trips_sigsegv = 8,
		.trips_assert = 9,
		.damaged_inode = 13,
		.snapshot_revision = 10,
		.snapshot_size = 11,
		.snapshot_ms = 12,
		.foreign = 5,
		.workers = 6,
		.zone_count = 2,
		.zone = zones,
	};
	struct seen seen;
	struct stat info;
	struct reason reason = { "" };

	(void)state;
	assert_int_equal(report_write(dir, &report, &reason), 0);
	assert_int_equal(report_write(dir, &report, &reason), 0); /* replaces */
	seen = read_all();
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.last.pid, getpid());
	assert_string_equal(seen.last.unbound, "1.17.1");
	assert_string_equal(seen.last.store, "refused");
	assert_string_equal(seen.last.store_reason, "two?lines?and more");
	assert_string_equal(seen.last.serve_instance, report.serve_instance);
	assert_int_equal(seen.last.serve_inode, report.serve_inode);
	assert_true(seen.last.revision == UINT64_MAX);
	assert_int_equal(seen.last.started_ms, 1);
	assert_int_equal(seen.last.written_ms, 2);
	assert_int_equal(seen.last.identity.pid, getpid());
	assert_int_equal(seen.last.identity.pid_namespace, 14);
	assert_string_equal(seen.last.identity.boot_id, "boot");
	assert_string_equal(seen.last.identity.lmdb, "0.9.24");
	assert_string_equal(seen.last.identity.libc, "glibc 2.36");
	assert_int_equal(seen.last.identity.mutex_size, 40);
	assert_string_equal(seen.last.warning, "beware");
	assert_int_equal(seen.last.written_boot_ms, 15);
	assert_int_equal(seen.last.ended, 1);
	assert_memory_equal(seen.last.crash_ms, report.crash_ms, sizeof(report.crash_ms));
	assert_int_equal(seen.last.off_until_ms, 19);
	assert_int_equal(seen.last.off_pause_ms, 20);
	assert_int_equal(seen.last.opens, 3);
	assert_int_equal(seen.last.corrupt, 4);
	assert_int_equal(seen.last.trips_sigbus, 7);
	assert_int_equal(seen.last.trips_sigsegv, 8);
	assert_int_equal(seen.last.trips_assert, 9);
	assert_int_equal(seen.last.damaged_inode, 13);
	assert_int_equal(seen.last.snapshot_revision, 10);
	assert_int_equal(seen.last.snapshot_size, 11);
	assert_int_equal(seen.last.snapshot_ms, 12);
	assert_int_equal(seen.last.foreign, 5);
	assert_int_equal(seen.last.workers, 6);
	assert_int_equal(seen.last.zone_count, 2);
	assert_memory_equal(seen.zone, zones, sizeof(zones[0]));
	assert_string_equal(seen.zone[1].name, "b\\032.c.");
	assert_true(seen.zone[1].answers[0] == UINT64_MAX);
	assert_int_equal(stat(file_of(getpid(), ""), &info), 0);
	assert_int_equal(info.st_mode & 07777, 0640);
	assert_false(is_there(file_of(getpid(), ".new")));
	remove_ours();
	assert_false(is_there(file_of(getpid(), "")));
	assert_int_equal(read_all().count, 0);
}

static void
a_missing_directory_is_said(void **state)
{
	struct report report = { .pid = getpid() };
	struct reason reason = { "" };
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(report_write("/nonexistent/x", &report, &reason), STATUS_NOT_FOUND);
	assert_non_null(strstr(reason.text, "/nonexistent/x: No such file"));
	assert_int_equal(report_read_all("/nonexistent/x", see, &seen, &reason),
		STATUS_NOT_FOUND);
}

static void
reports_of_processes_that_are_gone_are_removed(void **state)
{
	pid_t pid = unit_gone_pid();
	struct report report = { .pid = pid };

	(void)state;
	assert_int_equal(report_write(dir, &report, NULL), 0);
	put(file_of(pid, ".new"), "x", 1);
	/* fresh: it may be alive in another pid namespace */
	assert_int_equal(read_all().count, 1);
	/* left for the next start, which asks for it */
	make_silent(file_of(pid, ""));
	assert_int_equal(read_all().count, 0);
	assert_int_equal(read_any().count, 1);
	make_old(file_of(pid, ""));
	make_old(file_of(pid, ".new"));
	assert_int_equal(read_all().count, 0);
	assert_false(is_there(file_of(pid, "")));
	assert_false(is_there(file_of(pid, ".new")));
	/* an old file of a living process stays */
	report.pid = getpid();
	assert_int_equal(report_write(dir, &report, NULL), 0);
	make_old(file_of(getpid(), ""));
	assert_int_equal(read_all().count, 1);
	report_remove(dir, getpid());
	assert_false(is_there(file_of(getpid(), "")));
}

static void
only_regular_files_are_read(void **state)
{
	char other[128];

	(void)state;
	snprintf(other, sizeof(other), "%s/other", dir);
	put(other, "livezone-report 1\n", 18);
	assert_int_equal(symlink(other, file_of(getpid(), "")), 0);
	assert_int_equal(read_all().count, 0);
	assert_int_equal(unlink(file_of(getpid(), "")), 0);
	assert_int_equal(mkfifo(file_of(getpid(), ""), 0600), 0);
	assert_int_equal(read_all().count, 0);
	assert_int_equal(unlink(file_of(getpid(), "")), 0);
	assert_int_equal(mkdir(file_of(getpid(), ""), 0700), 0);
	assert_int_equal(read_all().count, 0);
	assert_int_equal(rmdir(file_of(getpid(), "")), 0);
}

static void
a_link_in_the_way_is_not_followed_when_writing(void **state)
{
	struct report report = { .pid = getpid() };
	char other[128], text[8] = "";
	FILE *file;

	(void)state;
	snprintf(other, sizeof(other), "%s/other", dir);
	put(other, "keep", 4);
	unlink(file_of(getpid(), ".new"));
	assert_int_equal(symlink(other, file_of(getpid(), ".new")), 0);
	assert_int_equal(report_write(dir, &report, NULL), 0);
	file = fopen(other, "r");
	assert_non_null(file);
	assert_int_equal(fread(text, 1, sizeof(text) - 1, file), 4);
	fclose(file);
	assert_string_equal(text, "keep");
	remove_ours();
}

static void
other_names_are_left_alone(void **state)
{
	static const char *const names[] = { "data.mdb", "unbound-.report", "unbound-0.report",
		"unbound-1.report.x", "unbound--1.report", "unbound-01.report", "unbound-1.repor",
		"unbound-99999999999.report", "unbound- 1.report" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char name[128];

		snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		put(name, "livezone-report 1\n", 18);
		make_old(name);
		assert_int_equal(read_all().count, 0);
		assert_true(is_there(name));
		assert_int_equal(unlink(name), 0);
	}
}

static void
foreign_content_is_skipped_or_cut(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		size_t zones;
	} rows[] = {
		{ "", 0, 0 },
		{ "livezone-report 1", 0, 0 },
		{ "livezone-report 10\n", 0, 0 },
		{ "livezone-report 2\nrevision 1\n", 0, 0 },
		{ "livezone-report 1\n", 1, 0 },
		{ "livezone-report 1\n\n\nnew-key 5\nrevision x\nworkers\nworkers -1\n", 1, 0 },
		{ "livezone-report 1\nrevision 99999999999999999999999\n", 1, 0 },
		{ "livezone-report 1\nzone\nzone \nzone 1 2 3\n", 1, 0 },
		{ "livezone-report 1\nzone 1 2 3 4 5 6 7 a.\n", 1, 1 },
		{ "livezone-report 1\nzone 1 2 3 4 5 6 7 a.", 1, 1 },
		{ "livezone-report 1\nzone 1 2 3 4 5 6 x a.\nzone 1 2 3 4 5 6 7 ", 1, 1 },
		{ "livezone-report 1\nzone 1 2 3 4 5 6 -7 a.\n", 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct seen seen;

		put(file_of(getpid(), ""), rows[i].text, strlen(rows[i].text));
		seen = read_all();
		assert_int_equal(seen.count, rows[i].count);
		assert_int_equal(seen.last.zone_count, rows[i].zones);
		assert_int_equal(seen.last.workers, 0);
		assert_int_equal(seen.last.revision, 0);
	}
	put(file_of(getpid(), ""), "livezone-report 1\n\0workers 5\n", 28);
	assert_int_equal(read_all().count, 0);
	remove_ours();
}

static void
sizes_are_capped(void **state)
{
	size_t size = 600 * 1024;
	char *text = malloc(size);
	char *at = text;
	struct seen seen;

	(void)state;
	assert_non_null(text);
	at += sprintf(at, "livezone-report 1\nstore ");
	memset(at, 'x', 1000);
	at += 1000;
	at += sprintf(at, "\nworkers 4294967295\n");
	for (unsigned i = 0; i < REPORT_ZONES_MAX + 10; i++) {
		at += sprintf(at, "zone 1 2 3 4 5 6 7 ");
		memset(at, 'y', 300);
		at += 300;
		*at++ = '\n';
	}
	put(file_of(getpid(), ""), text, (size_t)(at - text));
	seen = read_all();
	assert_int_equal(seen.count, 1);
	assert_int_equal(strlen(seen.last.store), sizeof(seen.last.store) - 1);
	assert_int_equal(seen.last.workers, UINT16_MAX);
	assert_int_equal(seen.last.zone_count, REPORT_ZONES_MAX);
	assert_int_equal(strlen(seen.zone[0].name), sizeof(seen.zone[0].name) - 1);
	memset(at, '\n', size - (size_t)(at - text));
	put(file_of(getpid(), ""), text, size);
	assert_int_equal(read_all().count, 0);
	free(text);
	remove_ours();
}

#define in_own_directory(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		in_own_directory(what_is_written_is_read),
		in_own_directory(a_missing_directory_is_said),
		in_own_directory(reports_of_processes_that_are_gone_are_removed),
		in_own_directory(only_regular_files_are_read),
		in_own_directory(a_link_in_the_way_is_not_followed_when_writing),
		in_own_directory(other_names_are_left_alone),
		in_own_directory(foreign_content_is_skipped_or_cut),
		in_own_directory(sizes_are_capped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
