/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "lib/base/throttle.h"

#define STEPS 10000
#define STEP_NS 10000 /* of work between two calls */

/* The C library's, with a clock that goes on by what the test does only. */
static uint64_t now_ns, rested_ns, longest_ns;

int
clock_gettime(clockid_t id, struct timespec *out)
{
	(void)id;
	*out = (struct timespec){ (time_t)(now_ns / 1000000000), (long)(now_ns % 1000000000) };
	return 0;
}

int
nanosleep(const struct timespec *wanted, struct timespec *left)
{
	uint64_t ns = (uint64_t)wanted->tv_sec * 1000000000 + (uint64_t)wanted->tv_nsec;

	(void)left;
	now_ns += ns;
	rested_ns += ns;
	longest_ns = ns > longest_ns ? ns : longest_ns;
	return 0;
}

static void
work(void)
{
	rested_ns = longest_ns = 0;
	for (int i = 0; i < STEPS; i++) {
		now_ns += STEP_NS;
		(void)throttle_rest();
	}
}

static void
a_paced_thread_rests_most_of_the_time_in_short_steps(void **state)
{
	static const atomic_bool no_hurry;

	(void)state;
	throttle_begin(&no_hurry);
	work();
	assert_true(rested_ns >= UINT64_C(2) * STEPS * STEP_NS);
	assert_true(longest_ns <= 1000000);
	throttle_begin(NULL);
}

static void
other_threads_never_rest(void **state)
{
	(void)state;
	work();
	assert_int_equal(rested_ns, 0);
}

static void
nor_does_one_that_is_in_a_hurry(void **state)
{
	static const atomic_bool hurry = true;

	(void)state;
	throttle_begin(&hurry);
	work();
	assert_int_equal(rested_ns, 0);
	throttle_begin(NULL);
}

static void
one_that_is_in_a_hurry_gives_up(void **state)
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
		cmocka_unit_test(a_paced_thread_rests_most_of_the_time_in_short_steps),
		cmocka_unit_test(other_threads_never_rest),
		cmocka_unit_test(nor_does_one_that_is_in_a_hurry),
		cmocka_unit_test(one_that_is_in_a_hurry_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
