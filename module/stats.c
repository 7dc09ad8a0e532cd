/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Counters of the module: counted on the worker threads, summed on the keeper's.
 */
#include "module/stats.h"

#include <stdlib.h>
#include <string.h>

#include "lib/dns/presentation.h"
#include "lib/base/status.h"

static void set_zone_name(struct report_zone *out, const struct zone *zone);
static const struct report_zone *find_zone(const struct report *report, const char *name);

int
stats_init(struct stats *stats, size_t zone_count)
{
	memset(stats, 0, sizeof(*stats));
	stats->zone = calloc(zone_count ? zone_count : 1, sizeof(*stats->zone));
	if (!stats->zone)
		return STATUS_NO_MEMORY;
	stats->zone_count = zone_count;
	return 0;
}

void
stats_done(struct stats *stats)
{
	free(stats->zone);
	stats->zone = NULL;
}

void
stats_count_answer(
	struct stats *stats, size_t zone, enum report_stage stage, enum answer_kind kind)
{
	stats_count(&stats->zone[zone].answers[stage]);
	if (kind == ANSWER_NODATA)
		stats_count(&stats->zone[zone].nodata);
	else if (kind == ANSWER_NXDOMAIN)
		stats_count(&stats->zone[zone].nxdomain);
}

static uint64_t
value_of(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void
stats_add(const struct stats *stats, struct report *report)
{
	report->foreign += value_of(&stats->foreign);
	report->corrupt += value_of(&stats->corrupt);
	report->trips_sigbus += value_of(&stats->trips[GUARD_SIGBUS]);
	report->trips_sigsegv += value_of(&stats->trips[GUARD_SIGSEGV]);
	report->trips_assert += value_of(&stats->trips[GUARD_ASSERT]);
	for (size_t i = 0; i < stats->zone_count && i < report->zone_count; i++) {
		for (size_t stage = 0; stage < REPORT_STAGES; stage++)
			report->zone[i].answers[stage] +=
				value_of(&stats->zone[i].answers[stage]);
		report->zone[i].nodata += value_of(&stats->zone[i].nodata);
		report->zone[i].nxdomain += value_of(&stats->zone[i].nxdomain);
	}
}

void
stats_add_trip(enum guard_trip trip, struct report *report)
{
	report->trips_sigbus += trip == GUARD_SIGBUS;
	report->trips_sigsegv += trip == GUARD_SIGSEGV;
	report->trips_assert += trip == GUARD_ASSERT;
}

int
stats_set_zones(struct report *report, const struct zones *zones)
{
	size_t count = zones->count < REPORT_ZONES_MAX ? zones->count : REPORT_ZONES_MAX;
	struct report_zone *now = calloc(count ? count : 1, sizeof(*now));

	if (!now)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		const struct report_zone *before;

		set_zone_name(&now[i], &zones->zone[i]);
		before = find_zone(report, now[i].name);
		if (before)
			now[i] = *before;
	}
	free(report->zone);
	report->zone = now;
	report->zone_count = count;
	return 0;
}

static void
set_zone_name(struct report_zone *out, const struct zone *zone)
{
	char text[PRESENTATION_NAME_MAX];
	size_t len;

	presentation_write_name(&zone->name, text);
	len = strnlen(text, sizeof(out->name) - 1);
	memcpy(out->name, text, len);
	out->name[len] = '\0';
}

static const struct report_zone *
find_zone(const struct report *report, const char *name)
{
	for (size_t i = 0; i < report->zone_count; i++) {
		if (!strcmp(report->zone[i].name, name))
			return &report->zone[i];
	}
	return NULL;
}
