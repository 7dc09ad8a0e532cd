/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Long work beside threads that answer queries: the scheduler would let it have a processor for
 * milliseconds at a time, and who waits for that processor is a query. A thread that called
 * throttle_begin works for a quarter of a millisecond, then rests for three quarters; one that did
 * not never rests.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

/* For this thread, from now on. While *hurry is true it does not rest. NULL: never again. */
void throttle_begin(const atomic_bool *hurry);

/* To be called in the loops of long work, a few microseconds apart. True: *hurry is, so that the
 * work is to be given up. */
bool throttle_rest(void);
