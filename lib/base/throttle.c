/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One pace for each thread. No lock, no allocation.
 */
#include "lib/base/throttle.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define WORK_NS 250000
#define REST_NS 750000
#define CALLS 16 /* for one look at the clock */

/* initial-exec: without a call into the loader */
#define LOCAL __thread __attribute__((tls_model("initial-exec")))

static LOCAL const atomic_bool *thread_hurry; /* NULL: this thread never rests */
static LOCAL unsigned calls;
static LOCAL uint64_t began_ns;

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void
throttle_begin(const atomic_bool *hurry)
{
	thread_hurry = hurry;
	began_ns = now_ns();
}

bool
throttle_rest(void)
{
	const struct timespec rest = { .tv_nsec = REST_NS };

	if (!thread_hurry)
		return false;
	if (atomic_load(thread_hurry))
		return true;
	if (++calls % CALLS != 0 || now_ns() - began_ns < WORK_NS)
		return false;
	nanosleep(&rest, NULL);
	began_ns = now_ns();
	return atomic_load(thread_hurry);
}
