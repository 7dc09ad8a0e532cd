/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "sidecar/main/pulse.h"

static struct pulse
read_pulse(void)
{
	struct pulse pulse;

	pulse_read(&pulse);
	return pulse;
}

static void
test_each_step_is_one_beat(void **state)
{
	uint64_t before = read_pulse().beats;

	(void)state;
	pulse_beat();
	pulse_beat();
	assert_int_equal(read_pulse().beats, before + 2);
}

static void
test_an_allowance_grows_with_the_changes_and_ends_with_the_next_beat(void **state)
{
	(void)state;
	pulse_allow(1);
	assert_int_equal(read_pulse().allowed_ms, PULSE_ITEM_MS + PULSE_BULK_ITEM_MS);
	pulse_allow(1000000);
	assert_int_equal(read_pulse().allowed_ms,
		PULSE_ITEMS_MAX_MS + 1000000 * PULSE_BULK_ITEM_MS);
	pulse_beat();
	assert_int_equal(read_pulse().allowed_ms, 0);
}

static void *
allow_elsewhere(void *context)
{
	(void)context;
	pulse_allow_ms(5000);
	return NULL;
}

static void
test_time_is_allowed_to_the_thread_that_beats_and_to_no_other(void **state)
{
	pthread_t other;

	(void)state;
	pulse_beat();
	assert_int_equal(pthread_create(&other, NULL, allow_elsewhere, NULL), 0);
	pthread_join(other, NULL);
	assert_int_equal(read_pulse().allowed_ms, 0);
	pulse_allow_ms(5000);
	assert_int_equal(read_pulse().allowed_ms, 5000);
	pulse_beat();
	assert_int_equal(read_pulse().allowed_ms, 0);
}

static unsigned calls;

static void
count_call(void)
{
	calls++;
}

static void
test_the_hook_is_called_now_and_then_until_it_is_taken_off(void **state)
{
	unsigned i;

	(void)state;
	pulse_watch(count_call);
	for (i = 0; i < 3 * PULSE_STRIDE; i++)
		pulse_beat();
	assert_int_equal(calls, 3);
	pulse_wait();
	assert_int_equal(calls, 4);
	pulse_watch(NULL);
	pulse_wait();
	for (i = 0; i < PULSE_STRIDE; i++)
		pulse_beat();
	assert_int_equal(calls, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_step_is_one_beat),
		cmocka_unit_test(
			test_an_allowance_grows_with_the_changes_and_ends_with_the_next_beat),
		cmocka_unit_test(
			test_time_is_allowed_to_the_thread_that_beats_and_to_no_other),
		cmocka_unit_test(
			test_the_hook_is_called_now_and_then_until_it_is_taken_off),
	};

	return cmocka_run_group_tests_name("pulse", tests, NULL, NULL);
}
