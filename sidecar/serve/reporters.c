/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Who reads serve, and which one.
 */
#include "sidecar/serve/reporters.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/report/report.h"

#define FRESH_MS 5000 /* five reports missed: stopped or gone */
#define WAIT_MS 2000  /* eight looks of a keeper */
/* One look of a keeper, and as long again for the opening and for a machine that is busy. */
#define UNKNOWN_MS (2 * REPORT_LOOK_MS)
#define PAUSE_MS 20

struct look {
	struct reporters *reporters;
	size_t found;
};

static bool
is_silent(const struct reporter *reporter)
{
	return reporter->written_ms + FRESH_MS <= clock_boot_ms();
}

static void
note(void *context, const struct report *report)
{
	struct look *look = context;
	struct reporters *reporters = look->reporters;
	const uint64_t now_ms = clock_boot_ms();
	const uint64_t age_ms = report_age_ms(report, reporters->own.boot_id);
	struct reporter now = {
		.pid = report->pid,
		.pid_namespace = report->identity.pid_namespace,
		.written_ms = age_ms < now_ms ? now_ms - age_ms : 0,
		.serve_inode = report->serve_inode,
		.damaged_inode = report->damaged_inode,
	};
	size_t i;

	if (is_silent(&now))
		return;
	look->found++;
	for (i = 0; i < reporters->count; i++) {
		if (reporters->reporter[i].pid == now.pid) {
			reporters->reporter[i] = now;
			return;
		}
	}
	if (reporters->count < REPORTERS_MAX)
		reporters->reporter[reporters->count++] = now;
}

/* Of processes in another pid namespace only their silence tells. */
static bool
is_of_our_namespace(const struct reporters *reporters, const struct reporter *reporter)
{
	return reporter->pid_namespace != 0
		&& reporter->pid_namespace == reporters->own.pid_namespace;
}

static bool
has_ended(const struct reporter *reporter)
{
	return kill(reporter->pid, 0) != 0 && errno == ESRCH;
}

/* A silent one that the kernel still knows was stopped, and goes on some day. */
static bool
may_still_read(const struct reporters *reporters, const struct reporter *reporter)
{
	if (is_silent(reporter))
		return is_of_our_namespace(reporters, reporter) && !has_ended(reporter);
	return !is_of_our_namespace(reporters, reporter) || !has_ended(reporter);
}

static void
forget_ended(struct reporters *reporters)
{
	size_t i, kept = 0;

	for (i = 0; i < reporters->count; i++)
		if (may_still_read(reporters, &reporters->reporter[i]))
			reporters->reporter[kept++] = reporters->reporter[i];
	reporters->count = kept;
}

size_t
reporters_look(struct reporters *reporters, const char *dir)
{
	struct look look = { .reporters = reporters };

	if (reporters->own.pid == 0)
		report_identity_init(&reporters->own);
	report_read_all(dir, note, &look, NULL);
	forget_ended(reporters);
	return look.found;
}

static bool
is_behind(const struct reporter *reporter, uint64_t serve_inode)
{
	return reporter->serve_inode != 0 && reporter->serve_inode != serve_inode;
}

const struct reporter *
reporters_find_behind(const struct reporters *reporters, uint64_t serve_inode)
{
	size_t i;

	for (i = 0; i < reporters->count; i++)
		if (is_behind(&reporters->reporter[i], serve_inode))
			return &reporters->reporter[i];
	return NULL;
}

const struct reporter *
reporters_find_damaged(const struct reporters *reporters, uint64_t serve_inode)
{
	size_t i;

	for (i = 0; i < reporters->count; i++)
		if (reporters->reporter[i].damaged_inode == serve_inode)
			return &reporters->reporter[i];
	return NULL;
}

static void
pause_once(void)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000 };

	nanosleep(&pause, NULL);
}

/* A stopped one would be waited for in vain. */
static bool
is_one_awaited(const struct reporters *reporters, uint64_t serve_inode)
{
	size_t i;

	for (i = 0; i < reporters->count; i++)
		if (is_behind(&reporters->reporter[i], serve_inode)
			&& !is_silent(&reporters->reporter[i]))
			return true;
	return false;
}

static void
wait_until(struct reporters *reporters, const char *dir, uint64_t serve_inode,
	uint64_t deadline_ms)
{
	while (is_one_awaited(reporters, serve_inode) && clock_boot_ms() < deadline_ms) {
		pause_once();
		reporters_look(reporters, dir);
	}
}

void
reporters_wait(struct reporters *reporters, const char *dir, uint64_t serve_inode)
{
	wait_until(reporters, dir, serve_inode, clock_boot_ms() + WAIT_MS);
}

void
reporters_expect_unknown(struct reporters *reporters)
{
	reporters->unknown_ms = clock_boot_ms();
}

void
reporters_wait_unknown(struct reporters *reporters, const char *dir, uint64_t serve_inode)
{
	if (reporters->unknown_ms == 0)
		return;
	while (clock_boot_ms() < reporters->unknown_ms + UNKNOWN_MS)
		pause_once();
	reporters_look(reporters, dir);
	wait_until(reporters, dir, serve_inode, reporters->unknown_ms + WAIT_MS);
	reporters->unknown_ms = 0;
}
