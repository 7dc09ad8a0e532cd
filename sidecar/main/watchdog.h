/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Is the writer stuck? Main thread, which pats systemd's watchdog only while the writer's
 * pulse (pulse.h) moves: a main loop or a writer that hangs in a system call or a lock ends
 * the patting, and systemd kills and restarts. Where nobody set WATCHDOG_USEC, as in a
 * container, livezoned ends itself when the writer has not moved for too long. A kill loses
 * no acknowledged write.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sidecar/main/pulse.h"

#define WATCHDOG_OWN_S 60 /* without systemd's; 0 turns it off */
#define WATCHDOG_OWN_MAX_S 86400
#define WATCHDOG_START_MS 10000  /* how often a start asks for more time */
#define WATCHDOG_EXTEND_MS 60000 /* and for how much */

enum watchdog_verdict {
	WATCHDOG_MOVES, /* beats since the last look, or may take that long */
	WATCHDOG_STILL, /* no beat */
	WATCHDOG_STUCK, /* none for the limit, and what the step was allowed */
};

struct watchdog {
	bool is_systemd;
	uint64_t limit_ms;    /* 0: off */
	uint64_t interval_ms; /* from look to look */
	uint64_t looked_ms, still_ms;
	uint64_t beats;
	bool is_told; /* in the log, of this stillness */
};

/* Takes the limit that systemd wants, or `own_s`. */
void watchdog_init(struct watchdog *watchdog, uint64_t own_s);

/* Counts time only as far as this thread was awake to look: a process that was stopped for
 * ten minutes is not stuck when it goes on. */
enum watchdog_verdict
watchdog_judge(struct watchdog *watchdog, const struct pulse *pulse, uint64_t now_ms);

/* Judges, and pats, or warns, or ends the process. Every interval_ms, after the start. */
void watchdog_look(struct watchdog *watchdog);

/* Before READY: asks systemd for WATCHDOG_EXTEND_MS more. Returns the ms until it is to be called
 * again. */
uint64_t watchdog_extend_start(void);
