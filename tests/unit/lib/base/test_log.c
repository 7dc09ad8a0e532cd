/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/log.h"

#define TEXT_MAX (1 << 17)
#define LINES 5000 /* more than a pipe holds */

static int from, stderr_copy;
static char text[TEXT_MAX];

static int
setup(void **state)
{
	int ends[2];

	(void)state;
	unsetenv("JOURNAL_STREAM");
	unsetenv("INVOCATION_ID");
	log_init();
	stderr_copy = dup(STDERR_FILENO);
	if (stderr_copy < 0 || pipe(ends) != 0)
		return -1;
	from = ends[0];
	if (fcntl(from, F_SETFL, O_NONBLOCK) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
		return -1;
	return close(ends[1]);
}

static int
teardown(void **state)
{
	(void)state;
	return dup2(stderr_copy, STDERR_FILENO) < 0;
}

/* All that was written. */
static const char *
drain(void)
{
	ssize_t len, used = 0;

	while ((len = read(from, text + used, (size_t)(TEXT_MAX - 1 - used))) > 0)
		used += len;
	text[used] = '\0';
	return text;
}

static unsigned
count_lines(const char *lines)
{
	unsigned count = 0;

	for (; (lines = strchr(lines, '\n')); lines++)
		count++;
	return count;
}

static void
a_line_has_time_level_and_no_control_bytes(void **state)
{
	const char *line;

	(void)state;
	log_line(LOG_LEVEL_ERROR, "%s of %d\n\xc3", "one", 2);
	line = drain();
	assert_int_equal(line[10], 'T');
	assert_int_equal(line[19], 'Z');
	assert_string_equal(line + 20, " livezoned: error: one of 2\\x0a\\xc3\n");
}

static void
lines_that_nobody_reads_are_counted_and_said(void **state)
{
	uint64_t before = log_dropped();
	unsigned written;
	char said[96];

	(void)state;
	for (int i = 0; i < LINES; i++)
		log_line(LOG_LEVEL_INFO, "line %d", i);
	written = count_lines(drain());
	assert_in_range(written, 100, LINES - 100);
	assert_int_equal(log_dropped() - before, LINES - written);
	log_line(LOG_LEVEL_INFO, "again");
	snprintf(said, sizeof(said), "livezoned: warning: %u lines of this log are lost",
		LINES - written);
	drain();
	assert_int_equal(count_lines(text), 2);
	assert_non_null(strstr(text, said));
	assert_non_null(strstr(strchr(text, '\n'), "livezoned: again\n"));
	log_line(LOG_LEVEL_INFO, "and again");
	assert_int_equal(count_lines(drain()), 1);
	assert_int_equal(log_dropped() - before, LINES - written);
}

static void
refused_requests_have_a_few_lines_a_second(void **state)
{
	unsigned lines = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		log_refused("refused");
		lines += count_lines(drain());
	}
	/* a second may end on the way: then there are two bursts, and one more line */
	assert_in_range(lines, LOG_REFUSED_BURST, 2 * LOG_REFUSED_BURST + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_line_has_time_level_and_no_control_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			lines_that_nobody_reads_are_counted_and_said, setup, teardown),
		cmocka_unit_test_setup_teardown(
			refused_requests_have_a_few_lines_a_second, setup, teardown),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
