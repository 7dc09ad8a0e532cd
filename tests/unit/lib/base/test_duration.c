/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/duration.h"
#include "lib/base/status.h"

static const struct {
	const char *text;
	int status;
	uint64_t ms;
} durations[] = {
	{ "500ms", 0, 500 },
	{ "30s", 0, 30000 },
	{ "5m", 0, 300000 },
	{ "24h", 0, 86400000 },
	{ "7d", 0, 604800000 },
	{ "0s", 0, 0 },
	{ "", STATUS_INVALID, 0 },
	{ "30", STATUS_INVALID, 0 },
	{ "s", STATUS_INVALID, 0 },
	{ " 30s", STATUS_INVALID, 0 },
	{ "30s ", STATUS_INVALID, 0 },
	{ "-1s", STATUS_INVALID, 0 },
	{ "1.5s", STATUS_INVALID, 0 },
	{ "99999999999999999999s", STATUS_INVALID, 0 },
	{ "18446744073709551615s", STATUS_INVALID, 0 },
};

static const struct {
	const char *text;
	int status;
	uint64_t ms;
} times[] = {
	{ "1970-01-01T00:00:00Z", 0, 0 },
	{ "2026-01-31T12:00:00Z", 0, 1769860800000 },
	{ "2026-01-31T12:00:00.75Z", 0, 1769860800000 },
	{ "2026-01-31T14:00:00+02:00", 0, 1769860800000 },
	{ "2026-02-30T12:00:00Z", STATUS_INVALID, 0 },
	{ "2026-01-31T25:00:00Z", STATUS_INVALID, 0 },
	{ "2026-01-31T12:00:00", STATUS_INVALID, 0 },
	{ "2026-01-31T12:00:00.Z", STATUS_INVALID, 0 },
	{ "2026-01-31 12:00:00Z", STATUS_INVALID, 0 },
	{ "2026-01-31", STATUS_INVALID, 0 },
	{ "2026- 1-31T12:00:00Z", STATUS_INVALID, 0 },
	{ "+026-01-31T12:00:00Z", STATUS_INVALID, 0 },
	{ "2026-01-31T12:00: 0Z", STATUS_INVALID, 0 },
	{ "2026-01-31t12:00:00z", 0, 1769860800000 },
	{ "", STATUS_INVALID, 0 },
	{ "tomorrow", STATUS_INVALID, 0 },
};

static void
test_durations_are_read_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		struct reason reason = { "" };
		uint64_t ms = 42;

		assert_int_equal(duration_read(durations[i].text, &ms, &reason),
			durations[i].status);
		assert_int_equal(ms, durations[i].status ? 42 : durations[i].ms);
	}
}

static void
test_times_are_read_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct reason reason = { "" };
		uint64_t ms = 42;

		assert_int_equal(
			duration_read_time(times[i].text, &ms, &reason), times[i].status);
		assert_int_equal(ms, times[i].status ? 42 : times[i].ms);
	}
}

static void
test_replies_have_only_the_digits_they_need(void **state)
{
	char text[DURATION_TEXT_MAX];

	(void)state;
	duration_write_seconds(12300, text);
	assert_string_equal(text, "12.3s");
	duration_write_seconds(30000, text);
	assert_string_equal(text, "30s");
	duration_write_seconds(5, text);
	assert_string_equal(text, "0.005s");
	duration_write(1500, text);
	assert_string_equal(text, "1500ms");
	duration_write(30000, text);
	assert_string_equal(text, "30s");
	duration_write_time(1769860800000, text);
	assert_string_equal(text, "2026-01-31T12:00:00Z");
	duration_write_time(1769860800120, text);
	assert_string_equal(text, "2026-01-31T12:00:00.12Z");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations_are_read_whole),
		cmocka_unit_test(test_times_are_read_whole),
		cmocka_unit_test(test_replies_have_only_the_digits_they_need),
	};

	return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
