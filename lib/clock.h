/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The three clocks, in milliseconds. Ages and leases in `serve` use the boot clock
 * (counts suspension, does not jump); leases in `state` use the wall clock, because
 * they must survive a boot.
 */
#pragma once

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
