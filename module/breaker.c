/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Unclean exits, counted from start to start; on the keeper's thread.
 */
#include "module/breaker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define SILENT_MS 10000 /* in another pid namespace nobody can be asked */

struct visit {
	struct breaker *breaker;
	const struct identity *own;
	uint64_t now_ms;
};

static void visit_report(void *context, const struct report *report);
static bool is_dead(const struct visit *visit, const struct report *report);
static void add_crash(struct breaker *breaker, uint64_t at_ms);

void
breaker_begin(struct breaker *breaker, const char *dir, const struct identity *own,
	uint64_t now_ms)
{
	struct visit visit = { .breaker = breaker, .own = own, .now_ms = now_ms };

	(void)report_read_any(dir, visit_report, &visit, NULL);
	breaker_decide(breaker, now_ms);
}

void
breaker_remove_dead(struct breaker *breaker, const char *dir)
{
	for (size_t i = 0; i < breaker->dead_count; i++)
		report_remove(dir, breaker->dead[i]);
	breaker->dead_count = 0;
}

static void
visit_report(void *context, const struct report *report)
{
	struct visit *visit = context;
	struct breaker *breaker = visit->breaker;

	if (strcmp(report->identity.boot_id, visit->own->boot_id) != 0
		|| breaker->dead_count == BREAKER_DEAD_MAX || !is_dead(visit, report))
		return;
	if (report->identity.pid != visit->own->pid)
		breaker->dead[breaker->dead_count++] = report->pid;
	if (!report->ended)
		breaker_learn(breaker, report, visit->now_ms);
}

static bool
is_dead(const struct visit *visit, const struct report *report)
{
	/* we have not written ours yet */
	if (report->identity.pid == visit->own->pid)
		return true;
	if (report->identity.pid_namespace == visit->own->pid_namespace)
		return kill(report->pid, 0) != 0 && errno == ESRCH;
	return visit->now_ms > report->written_boot_ms + SILENT_MS;
}

void
breaker_learn(struct breaker *breaker, const struct report *dead, uint64_t now_ms)
{
	/* it wrote each second, so that it died then; the future is not of this boot */
	if (dead->written_boot_ms == 0 || dead->written_boot_ms > now_ms)
		return;
	add_crash(breaker, dead->written_boot_ms);
	for (size_t i = 0; i < REPORT_CRASHES; i++)
		if (dead->crash_ms[i] < dead->written_boot_ms)
			add_crash(breaker, dead->crash_ms[i]);
	if (dead->off_pause_ms > BREAKER_PAUSE_MAX_MS
		|| dead->off_until_ms > dead->written_boot_ms + BREAKER_PAUSE_MAX_MS)
		return; /* nobody of us wrote that */
	if (dead->off_until_ms > breaker->off_until_ms)
		breaker->off_until_ms = dead->off_until_ms;
	if (dead->off_pause_ms > breaker->pause_ms)
		breaker->pause_ms = dead->off_pause_ms;
}

static void
add_crash(struct breaker *breaker, uint64_t at_ms)
{
	size_t i, last = BREAKER_CRASHES - 1;

	for (i = 0; i < last && breaker->crash_ms[i] > at_ms; i++)
		;
	if (at_ms <= breaker->crash_ms[i])
		return; /* known, or older than all */
	memmove(&breaker->crash_ms[i + 1], &breaker->crash_ms[i],
		(last - i) * sizeof(*breaker->crash_ms));
	breaker->crash_ms[i] = at_ms;
}

void
breaker_decide(struct breaker *breaker, uint64_t now_ms)
{
	uint64_t newest = breaker->crash_ms[0];
	uint64_t oldest = breaker->crash_ms[BREAKER_CRASHES - 1];
	uint64_t pause;

	if (newest == 0 || now_ms > newest + BREAKER_RECENT_MS)
		return;
	if (breaker->off_until_ms > newest)
		pause = breaker->pause_ms; /* not the store's fault, but no time to try it */
	else if (breaker->off_until_ms && newest <= breaker->off_until_ms + BREAKER_WINDOW_MS)
		pause = 2 * breaker->pause_ms;
	else if (oldest && newest - oldest <= BREAKER_WINDOW_MS)
		pause = BREAKER_PAUSE_MS;
	else
		return;
	if (pause < BREAKER_PAUSE_MS)
		pause = BREAKER_PAUSE_MS;
	if (pause > BREAKER_PAUSE_MAX_MS)
		pause = BREAKER_PAUSE_MAX_MS;
	breaker->pause_ms = pause;
	breaker->off_until_ms = now_ms + pause;
}

bool
breaker_is_off(struct breaker *breaker, uint64_t now_ms)
{
	if (now_ms < breaker->off_until_ms)
		return true;
	if (breaker->off_until_ms && now_ms > breaker->off_until_ms + BREAKER_WINDOW_MS)
		*breaker = (struct breaker){ 0 };
	return false;
}

void
breaker_report(const struct breaker *breaker, struct report *report)
{
	memcpy(report->crash_ms, breaker->crash_ms, sizeof(report->crash_ms));
	report->off_until_ms = breaker->off_until_ms;
	report->off_pause_ms = breaker->pause_ms;
}
