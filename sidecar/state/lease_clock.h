/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The clock that leases end on: the boot clock, which neither jumps nor stands still while
 * the machine sleeps, plus an offset that makes wall-clock time of it. The offset is taken
 * once for each boot and kept in "<state>/lease-clock", so that neither a wall clock that is
 * set, nor a start of livezoned after that, ends or prolongs a lease. Over a boot the wall
 * clock is all there is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Lease clock minus boot clock, in ms. *out_is_new: it was not known, the machine has booted
 * since; it is kept from now on. A file that cannot be read or written costs only what it is
 * for. At the start, one thread. */
uint64_t lease_clock_offset(const char *state_dir, bool *out_is_new);

/* The same, and keeps nothing. */
uint64_t lease_clock_look(const char *state_dir);
