/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Is the writer stuck? The main thread pings systemd's watchdog only while the writer makes
 * progress: a main loop or a writer that hangs in a system call or a lock ends the pings, and
 * systemd kills and restarts livezoned. Where nobody set WATCHDOG_USEC, as in a container,
 * livezoned exits by itself when the writer has made no progress for too long. A kill loses no
 * acknowledged write.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sidecar/write/writer.h"

#define WATCHDOG_OWN_S 60 /* without systemd's; 0 turns it off */
#define WATCHDOG_OWN_MAX_S 86400
#define WATCHDOG_START_MS 10000  /* how often a start asks for more time */
#define WATCHDOG_EXTEND_MS 60000 /* and for how much */

enum watchdog_verdict {
	WATCHDOG_MOVES, /* a turn since the last look, or the turn may take that long */
	WATCHDOG_STILL, /* no turn */
	WATCHDOG_STUCK, /* none for the limit and what the turn was allowed */
};

struct watchdog {
	bool is_systemd;
	uint64_t limit_ms;    /* 0: off */
	uint64_t interval_ms; /* from look to look */
	uint64_t looked_ms, still_ms;
	uint64_t turns;
	bool is_logged; /* that it stands still now */
};

/* Takes the limit that systemd wants, or `own_s`. */
void watchdog_init(
	struct watchdog *watchdog, uint64_t own_s, const struct writer_beat *beat);

/* Counts time only as far as this thread was awake to look: a process that was stopped for
 * ten minutes is not stuck when it goes on. */
enum watchdog_verdict
watchdog_judge(struct watchdog *watchdog, const struct writer_beat *beat, uint64_t now_ms);

/* Judges, and pings, or warns, or ends the process. Every interval_ms, after the start. */
void watchdog_look(struct watchdog *watchdog, const struct writer_beat *beat);

/* Before READY: asks systemd for WATCHDOG_EXTEND_MS more. Returns the ms until it is to be called
 * again. */
uint64_t watchdog_extend_start(void);
