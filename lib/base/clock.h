/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The three clocks, in milliseconds. Ages and leases in `serve` use the boot clock
 * (counts suspension, does not jump); leases in `state` use the wall clock, because
 * they must survive a boot. Waits go by the monotonic clock.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>
#include <time.h>

static inline uint64_t
clock_read_ms(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline uint64_t
clock_boot_ms(void)
{
	return clock_read_ms(CLOCK_BOOTTIME);
}

static inline uint64_t
clock_wall_ms(void)
{
	return clock_read_ms(CLOCK_REALTIME);
}

/* A condition whose timed waits nobody's setting of the wall clock prolongs. */
static inline void
clock_init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}
