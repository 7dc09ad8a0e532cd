/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A monotonic clock that stands still until a test moves it, for a program that is linked with
 * -Wl,--wrap=clock_gettime -Wl,--wrap=pthread_cond_timedwait. A thread that waits for a second
 * by it turns at once; a longer wait is as long as it is.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "lib/base/clock.h"
#include "tests/unit/unit.h"

#define STILL_CLOCK_TURN_S 1
#define STILL_CLOCK_TURN_NS 10000000
#define STILL_CLOCK_DEADLINE_MS 30000

int __real_clock_gettime(clockid_t id, struct timespec *out);
int __wrap_clock_gettime(clockid_t id, struct timespec *out);
int __real_pthread_cond_timedwait(
	pthread_cond_t *condition, pthread_mutex_t *lock, const struct timespec *until);
int __wrap_pthread_cond_timedwait(
	pthread_cond_t *condition, pthread_mutex_t *lock, const struct timespec *until);

static atomic_long still_clock_s = 100000;
static atomic_uint still_clock_turns;

int
__wrap_clock_gettime(clockid_t id, struct timespec *out)
{
	if (id != CLOCK_MONOTONIC)
		return __real_clock_gettime(id, out);
	*out = (struct timespec){ .tv_sec = still_clock_s };
	return 0;
}

int
__wrap_pthread_cond_timedwait(
	pthread_cond_t *condition, pthread_mutex_t *lock, const struct timespec *until)
{
	const time_t wait_s = until->tv_sec - still_clock_s;
	struct timespec end;

	__real_clock_gettime(CLOCK_MONOTONIC, &end);
	if (wait_s > STILL_CLOCK_TURN_S) {
		end.tv_sec += wait_s;
	} else {
		still_clock_turns++;
		end.tv_nsec += STILL_CLOCK_TURN_NS;
		end.tv_sec += end.tv_nsec / 1000000000;
		end.tv_nsec %= 1000000000;
	}
	return __real_pthread_cond_timedwait(condition, lock, &end);
}

/* Until the thread has looked at what is so now. */
static inline void
still_clock_wait_turn(void)
{
	const uint64_t deadline = clock_boot_ms() + STILL_CLOCK_DEADLINE_MS;
	const unsigned seen = still_clock_turns;

	while (still_clock_turns < seen + 2) {
		if (clock_boot_ms() > deadline)
			fail_msg("the thread does not turn");
		usleep(1000);
	}
}
