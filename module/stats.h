/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What the module counts. Each worker counts for itself, in memory that only it writes;
 * the keeper sums the workers into a report. A counter never goes back over a reload:
 * the sum of the workers that ended is kept and is the base of the next sum.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/lookup/answer.h"
#include "lib/serve/guard.h"
#include "lib/report/report.h"
#include "lib/dns/zones.h"

struct stats_zone {
	_Atomic uint64_t answers[REPORT_STAGES];
	_Atomic uint64_t nodata;
	_Atomic uint64_t nxdomain;
};

/* Of one worker. Written by it, read by the keeper. */
struct stats {
	_Atomic uint64_t foreign;
	_Atomic uint64_t corrupt;
	_Atomic uint64_t trips[GUARD_TRIPS];
	size_t zone_count;
	struct stats_zone *zone; /* in the order of struct zones */
};

/* Room for the counters of `zone_count` zones. Returns 0 or STATUS_NO_MEMORY. */
int stats_init(struct stats *stats, size_t zone_count);
void stats_done(struct stats *stats);

/* Adds one. A counter has one writer, so that no locked instruction is needed. */
static inline void
stats_count(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter,
		atomic_load_explicit(counter, memory_order_relaxed) + 1,
		memory_order_relaxed);
}

/* Counts one answer of the zone with this index. */
void stats_count_answer(
	struct stats *stats, size_t zone, enum report_stage stage, enum answer_kind kind);

/* Adds a worker's counters to the report, whose zones are in the same order. */
void stats_add(const struct stats *stats, struct report *report);

/* Counts what ended a guarded call of the keeper's. */
void stats_add_trip(enum guard_trip trip, struct report *report);

/* Gives the report these zones, each with the counters it already had under that name.
 * Returns 0, or STATUS_NO_MEMORY and the report is as it was. */
int stats_set_zones(struct report *report, const struct zones *zones);
