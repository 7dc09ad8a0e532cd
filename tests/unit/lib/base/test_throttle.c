/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/throttle.h"

#define WORK_MS 40

struct work {
	bool is_paced;
	atomic_bool hurry;
	uint64_t wall_ms;
};

/* Until the thread has had WORK_MS of a processor. */
static void *
run(void *context)
{
	struct work *work = context;
	uint64_t began = clock_read_ms(CLOCK_MONOTONIC);
	uint64_t end = clock_read_ms(CLOCK_THREAD_CPUTIME_ID) + WORK_MS;

	if (work->is_paced)
		throttle_begin(&work->hurry);
	while (clock_read_ms(CLOCK_THREAD_CPUTIME_ID) < end)
		throttle_rest();
	work->wall_ms = clock_read_ms(CLOCK_MONOTONIC) - began;
	return NULL;
}

static uint64_t
wall_ms(bool is_paced, bool hurry)
{
	struct work work = { .is_paced = is_paced, .hurry = hurry };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, run, &work), 0);
	pthread_join(thread, NULL);
	return work.wall_ms;
}

/* The least of some: a busy machine makes everything longer. */
static uint64_t
least_wall_ms(bool is_paced, bool hurry)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t wall = wall_ms(is_paced, hurry);

		least = wall < least ? wall : least;
	}
	return least;
}

static void
a_paced_thread_rests_most_of_the_time(void **state)
{
	(void)state;
	assert_true(wall_ms(true, false) >= 2 * WORK_MS);
}

static void
other_threads_never_rest(void **state)
{
	(void)state;
	assert_true(least_wall_ms(false, false) < least_wall_ms(true, false));
}

static void
nor_does_one_that_is_in_a_hurry(void **state)
{
	(void)state;
	assert_true(least_wall_ms(true, true) < least_wall_ms(true, false));
}

static void
who_is_in_a_hurry_gives_up(void **state)
{
	atomic_bool hurry = false;

	(void)state;
	assert_false(throttle_rest());
	throttle_begin(&hurry);
	assert_false(throttle_rest());
	hurry = true;
	assert_true(throttle_rest());
	throttle_begin(NULL);
	assert_false(throttle_rest());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_paced_thread_rests_most_of_the_time),
		cmocka_unit_test(other_threads_never_rest),
		cmocka_unit_test(nor_does_one_that_is_in_a_hurry),
		cmocka_unit_test(who_is_in_a_hurry_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
