/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "module/breaker.h"

#define NOW 10000000
#define SECOND 1000

static struct identity own;

/* One more run of the host, which knew `before` and died at `at`; the start after it. */
static struct breaker
run(const struct breaker *before, uint64_t at)
{
	struct report report = { .written_boot_ms = at };
	struct breaker next = { 0 };

	breaker_report(before, &report);
	breaker_learn(&next, &report, at + SECOND);
	breaker_decide(&next, at + SECOND);
	return next;
}

/* Crashes at these seconds after NOW, each a start afterwards. */
static struct breaker
run_all(const unsigned *at_s, size_t count)
{
	struct breaker breaker = { 0 };

	for (size_t i = 0; i < count; i++)
		breaker = run(&breaker, NOW + at_s[i] * SECOND);
	return breaker;
}

/* Whatever wrote that: nobody can have died then. */
static void
a_crash_in_the_future_does_not_count(void **state)
{
	struct breaker breaker = { 0 };
	struct report report = { .written_boot_ms = NOW + 1 };

	(void)state;
	breaker_learn(&breaker, &report, NOW);
	assert_int_equal(breaker.crash_ms[0], 0);
	report.written_boot_ms = NOW;
	breaker_learn(&breaker, &report, NOW);
	assert_int_equal(breaker.crash_ms[0], NOW);
}

static void
three_crashes_within_the_window_leave_the_store_alone(void **state)
{
	static const struct {
		unsigned at_s[6];
		size_t count;
		unsigned pause_s; /* 0: goes on reading */
	} rows[] = {
		{ { 0 }, 0, 0 },
		{ { 1 }, 1, 0 },
		{ { 1, 2 }, 2, 0 },
		{ { 1, 2, 3 }, 3, 60 },
		{ { 0, 30, 60 }, 3, 60 },
		{ { 0, 30, 61 }, 3, 0 },
		{ { 0, 30, 61, 62 }, 4, 60 },
		/* while it is off: the store is not the cause, but it waits */
		{ { 1, 2, 3, 10 }, 4, 60 },
		/* soon after the store was tried again: at once, and for longer */
		{ { 1, 2, 3, 70 }, 4, 120 },
		{ { 1, 2, 3, 70, 200 }, 5, 240 },
		/* later: counted anew */
		{ { 1, 2, 3, 200 }, 4, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct breaker breaker = run_all(rows[i].at_s, rows[i].count);
		uint64_t now = NOW
			+ (rows[i].count ? rows[i].at_s[rows[i].count - 1] + 1 : 0) * SECOND;

		assert_int_equal(breaker_is_off(&breaker, now), rows[i].pause_s > 0);
		if (rows[i].pause_s == 0)
			continue;
		assert_true(breaker_is_off(&breaker, now + rows[i].pause_s * SECOND - 1));
		assert_false(breaker_is_off(&breaker, now + rows[i].pause_s * SECOND));
	}
}

static void
the_pause_is_bounded_and_all_is_forgotten_after_a_calm_time(void **state)
{
	struct breaker breaker = { 0 };
	uint64_t at = NOW;

	(void)state;
	for (int i = 0; i < 20; i++) {
		breaker = run(&breaker, at);
		at = breaker.off_until_ms > at ? breaker.off_until_ms + SECOND : at + SECOND;
	}
	assert_int_equal(breaker.pause_ms, BREAKER_PAUSE_MAX_MS);
	at = breaker.off_until_ms;
	assert_false(breaker_is_off(&breaker, at + BREAKER_WINDOW_MS));
	assert_true(breaker.pause_ms > 0);
	assert_false(breaker_is_off(&breaker, at + BREAKER_WINDOW_MS + 1));
	assert_int_equal(breaker.pause_ms + breaker.off_until_ms + breaker.crash_ms[0], 0);
}

static void
a_crash_of_long_ago_does_not_count(void **state)
{
	struct report report = { .written_boot_ms = NOW,
		.crash_ms = { NOW - 2 * SECOND, NOW - 4 * SECOND } };
	struct breaker breaker = { 0 };

	(void)state;
	breaker_learn(&breaker, &report, NOW + BREAKER_RECENT_MS + 1);
	breaker_decide(&breaker, NOW + BREAKER_RECENT_MS + 1);
	assert_false(breaker_is_off(&breaker, NOW + BREAKER_RECENT_MS + 1));
	breaker_decide(&breaker, NOW + BREAKER_RECENT_MS);
	assert_true(breaker_is_off(&breaker, NOW + BREAKER_RECENT_MS));
}

static void
nonsense_in_a_report_never_turns_the_store_off_for_long(void **state)
{
	static const struct report rows[] = {
		{ .written_boot_ms = UINT64_MAX },
		{ .written_boot_ms = NOW, .crash_ms = { UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 2 } },
		{ .written_boot_ms = NOW, .crash_ms = { NOW, NOW, NOW } },
		{ .written_boot_ms = NOW, .off_until_ms = UINT64_MAX },
		{ .written_boot_ms = NOW, .off_until_ms = NOW - 1, .off_pause_ms = UINT64_MAX },
		{ .written_boot_ms = 0, .off_until_ms = NOW + SECOND },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct breaker breaker = { 0 };

		breaker_learn(&breaker, &rows[i], NOW + SECOND);
		breaker_decide(&breaker, NOW + SECOND);
		assert_false(breaker_is_off(&breaker, NOW + SECOND));
	}
}

/* Its report; the newest of three crashes. */
static struct report
report_of(pid_t pid)
{
	struct report report = { .pid = pid,
		.identity = own,
		.written_boot_ms = NOW,
		.crash_ms = { NOW - 2 * SECOND, NOW - 4 * SECOND } };

	return report;
}

static bool
is_off_after(const struct report *report)
{
	char dir[] = "/tmp/livezone-breaker-XXXXXX", path[96];
	struct breaker breaker = { 0 };
	bool is_off;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(report_write(dir, report, NULL), 0);
	breaker_begin(&breaker, dir, &own, NOW + SECOND);
	is_off = breaker_is_off(&breaker, NOW + SECOND);
	breaker_remove_dead(&breaker, dir);
	breaker = (struct breaker){ 0 };
	breaker_begin(&breaker, dir, &own, NOW + SECOND);
	if (is_off && report->pid != getpid())
		assert_false(breaker_is_off(&breaker, NOW + SECOND)); /* taken up once */
	snprintf(path, sizeof(path), "%s/unbound-%d.report", dir, (int)report->pid);
	unlink(path);
	rmdir(dir);
	return is_off;
}

static void
reports_of_the_dead_are_taken_up(void **state)
{
	struct report report = report_of(unit_gone_pid());

	(void)state;
	assert_true(is_off_after(&report));
	report.ended = 1;
	assert_false(is_off_after(&report));
	report = report_of(unit_gone_pid());
	strcpy(report.identity.boot_id, "another boot");
	assert_false(is_off_after(&report));
	report = report_of(getppid());
	assert_false(is_off_after(&report)); /* it lives */
	/* before our first report: of a container that ended, with our pid */
	report = report_of(getpid());
	report.identity.pid_namespace++;
	assert_true(is_off_after(&report));
	/* of another namespace: when it is silent */
	report = report_of(getppid());
	report.identity.pid_namespace++;
	assert_false(is_off_after(&report));
	report.written_boot_ms -= 15 * SECOND;
	report.crash_ms[0] -= 15 * SECOND;
	report.crash_ms[1] -= 15 * SECOND;
	assert_true(is_off_after(&report));
}

static void
a_directory_that_is_not_there_counts_nothing(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	breaker_begin(&breaker, "/nonexistent/x", &own, NOW);
	assert_false(breaker_is_off(&breaker, NOW));
	breaker_remove_dead(&breaker, "/nonexistent/x");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crash_in_the_future_does_not_count),
		cmocka_unit_test(three_crashes_within_the_window_leave_the_store_alone),
		cmocka_unit_test(the_pause_is_bounded_and_all_is_forgotten_after_a_calm_time),
		cmocka_unit_test(a_crash_of_long_ago_does_not_count),
		cmocka_unit_test(nonsense_in_a_report_never_turns_the_store_off_for_long),
		cmocka_unit_test(reports_of_the_dead_are_taken_up),
		cmocka_unit_test(a_directory_that_is_not_there_counts_nothing),
	};

	report_identity_init(&own);
	return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
