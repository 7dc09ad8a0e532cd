/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Two numbers with one writer: no lock, so that a writer that is stuck holds none.
 */
#include "sidecar/main/pulse.h"

#include <stdatomic.h>
#include <stdbool.h>

static _Atomic uint64_t beats, allowed_ms;
static _Atomic(pulse_fn) watching;
static _Thread_local bool is_mine; /* this thread has beaten */

void
pulse_beat(void)
{
	/* a plain add: nobody else writes, and a million names are a million beats */
	uint64_t now = atomic_load_explicit(&beats, memory_order_relaxed) + 1;

	atomic_store_explicit(&beats, now, memory_order_relaxed);
	atomic_store_explicit(&allowed_ms, 0, memory_order_relaxed);
	is_mine = true;
	if (now % PULSE_STRIDE == 0)
		pulse_wait();
}

void
pulse_wait(void)
{
	pulse_fn hook = atomic_load_explicit(&watching, memory_order_relaxed);

	if (hook)
		hook();
}

void
pulse_allow(size_t items)
{
	uint64_t few = items < PULSE_ITEMS_MAX_MS / PULSE_ITEM_MS ? items * PULSE_ITEM_MS
								  : PULSE_ITEMS_MAX_MS;

	atomic_store_explicit(
		&allowed_ms, few + items * PULSE_BULK_ITEM_MS, memory_order_relaxed);
}

void
pulse_allow_ms(uint64_t ms)
{
	if (is_mine)
		atomic_store_explicit(&allowed_ms, ms, memory_order_relaxed);
}

void
pulse_watch(pulse_fn hook)
{
	atomic_store_explicit(&watching, hook, memory_order_relaxed);
}

void
pulse_read(struct pulse *out)
{
	out->beats = atomic_load_explicit(&beats, memory_order_relaxed);
	out->allowed_ms = atomic_load_explicit(&allowed_ms, memory_order_relaxed);
}
