/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The crash-loop breaker. Reading a store may break the host in ways that the fault guard
 * cannot catch, and then it breaks again at the next start. After BREAKER_CRASHES unclean
 * exits within BREAKER_WINDOW_MS the store is left alone: fallback records and the next
 * module answer, for BREAKER_PAUSE_MS. Then it is read again; a crash within the window
 * after that doubles the pause, up to BREAKER_PAUSE_MAX_MS.
 *
 * What is counted: a process that left a report without "ended" (lib/report/report.h): a signal,
 * an abort, SIGKILL, out of memory, exit(3) without deinit() once a query came. Not: SIGTERM,
 * unbound-control stop, reload, a start that fails, livezone-prestart. A clean end forgets what
 * came before it, so that a restart by hand has the store at once. Unbounds that share a serve
 * directory are counted together. All times are of the boot clock, and reports of another boot
 * do not count.
 *
 * The report lies in serve, because the host's user writes nowhere else under chroot, systemd
 * or AppArmor. A running module rewrites it each second, so that it follows a serve that
 * is replaced by rename; only what happens while none runs is lost then, and that serve is
 * another one anyway. A report that cannot be written or read counts nothing: the breaker
 * fails towards reading the store.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/report/report.h"

#define BREAKER_CRASHES REPORT_CRASHES
#define BREAKER_WINDOW_MS 60000
#define BREAKER_PAUSE_MS 60000
#define BREAKER_PAUSE_MAX_MS 3600000
/* Older crashes say nothing of a start now; supervisors pause for at most five minutes. */
#define BREAKER_RECENT_MS 300000
#define BREAKER_DEAD_MAX 16 /* reports taken up at one start; a loop makes one at a time */

/* The keeper's; starts zeroed. */
struct breaker {
	uint64_t crash_ms[BREAKER_CRASHES]; /* newest first; 0: none */
	uint64_t off_until_ms; /* kept for the window behind it; 0: nothing happened lately */
	uint64_t pause_ms;
	size_t dead_count; /* reports that were taken up, until they are removed */
	pid_t dead[BREAKER_DEAD_MAX];
};

/* Learns from the reports of dead processes in `dir`. Once in a process, before the store is
 * touched and before the first report of ours is written. */
void breaker_begin(struct breaker *breaker, const char *dir, const struct identity *own,
	uint64_t now_ms);

/* Removes the reports that breaker_begin took up; when ours is written, which has them in
 * it. */
void breaker_remove_dead(struct breaker *breaker, const char *dir);

/* Takes up what the report of a dead process says. Part of breaker_begin. */
void breaker_learn(struct breaker *breaker, const struct report *dead, uint64_t now_ms);

/* Is there a loop? Sets how long the store is off. Part of breaker_begin. */
void breaker_decide(struct breaker *breaker, uint64_t now_ms);

/* Is the store to be left alone? Forgets all when it has been read without a crash for the
 * window. */
bool breaker_is_off(struct breaker *breaker, uint64_t now_ms);

/* What the next start has to know. */
void breaker_report(const struct breaker *breaker, struct report *report);
