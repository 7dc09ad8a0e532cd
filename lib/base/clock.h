/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The three clocks, in milliseconds. Ages and leases in `serve` use the boot clock
 * (counts suspension, does not jump); leases in `state` use the wall clock, because
 * they must survive a boot. Waits go by the monotonic clock. And which boot this is, without
 * which the boot clock says little. No state, any thread.
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

/* A condition whose timed waits do not change when the wall clock is set. */
static inline void
clock_init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

#define CLOCK_BOOT_ID_SIZE 16
#define CLOCK_BOOT_TEXT_SIZE 37 /* with its end */

/* The kernel's id of this boot as bytes; zero where it cannot be read. */
void clock_read_boot_id(uint8_t out[CLOCK_BOOT_ID_SIZE]);

/* The same as the kernel writes it; empty where it cannot be read, as in a chroot without
 * /proc. */
void clock_read_boot_text(char out[CLOCK_BOOT_TEXT_SIZE]);
