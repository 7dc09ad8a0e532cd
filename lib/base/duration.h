/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Durations and points in time as text: "30s" in configuration and requests, "12.3s" and
 * RFC 3339 in replies. No state, any thread.
 */
#pragma once

#include <stdint.h>

#include "lib/base/reason.h"

#define DURATION_TEXT_MAX 32

/* Reads a whole number with one of the units ms, s, m, h, d; nothing around it. Returns
 * 0 or STATUS_INVALID, also for what does not fit in 64 bits of milliseconds. */
int duration_read(const char *text, uint64_t *out_ms, struct reason *reason);

/* "30s", "0.5s", "12.345s": seconds with as many digits as are needed. */
void duration_write_seconds(uint64_t ms, char out[DURATION_TEXT_MAX]);

/* A duration that duration_read takes: "30s", "1500ms". */
void duration_write(uint64_t ms, char out[DURATION_TEXT_MAX]);

/* Reads RFC 3339 in UTC ("2026-01-31T12:00:00Z", fraction dropped) or with an offset, as
 * wall clock ms. Returns 0 or STATUS_INVALID. */
int duration_read_time(const char *text, uint64_t *out_wall_ms, struct reason *reason);

/* "2026-01-31T12:00:00.123Z"; without the fraction when it is zero. */
void duration_write_time(uint64_t wall_ms, char out[DURATION_TEXT_MAX]);
