/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The watchdog of the main thread; see watchdog.h.
 */
#include "sidecar/main/watchdog.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"

#define LOOKS 4 /* in the limit */

void
watchdog_init(struct watchdog *watchdog, uint64_t own_s, const struct writer_beat *beat)
{
	uint64_t systemd_us = 0;

	*watchdog = (struct watchdog){
		.limit_ms = own_s * 1000,
		.looked_ms = clock_read_ms(CLOCK_MONOTONIC),
		.turns = beat->turns,
	};
	if (sd_watchdog_enabled(0, &systemd_us) > 0 && systemd_us >= 1000) {
		watchdog->is_systemd = true;
		watchdog->limit_ms = systemd_us / 1000;
	}
	watchdog->interval_ms = (watchdog->limit_ms + LOOKS - 1) / LOOKS;
}

enum watchdog_verdict
watchdog_judge(struct watchdog *watchdog, const struct writer_beat *beat, uint64_t now_ms)
{
	uint64_t awake_ms = now_ms - watchdog->looked_ms;

	if (awake_ms > 2 * watchdog->interval_ms)
		awake_ms = 2 * watchdog->interval_ms;
	watchdog->looked_ms = now_ms;
	if (beat->turns != watchdog->turns) {
		watchdog->turns = beat->turns;
		watchdog->still_ms = 0;
		return WATCHDOG_MOVES;
	}
	watchdog->still_ms += awake_ms;
	if (watchdog->still_ms < beat->allowed_ms)
		return WATCHDOG_MOVES;
	return watchdog->still_ms < beat->allowed_ms + watchdog->limit_ms
		       ? WATCHDOG_STILL
		       : WATCHDOG_STUCK;
}

/* One line when half of the time has passed: a look or two without a turn mean nothing. */
static void
warn(struct watchdog *watchdog, const struct writer_beat *beat)
{
	if (watchdog->is_logged
		|| watchdog->still_ms < beat->allowed_ms + watchdog->limit_ms / 2)
		return;
	watchdog->is_logged = true;
	log_line(LOG_LEVEL_WARNING, "the writer has made no progress for %llu s; %s",
		(unsigned long long)watchdog->still_ms / 1000,
		watchdog->is_systemd ? "systemd's watchdog is not pinged meanwhile"
				     : "livezoned will exit if this goes on");
}

void
watchdog_look(struct watchdog *watchdog, const struct writer_beat *beat)
{
	enum watchdog_verdict verdict;

	if (watchdog->limit_ms == 0)
		return;
	verdict = watchdog_judge(watchdog, beat, clock_read_ms(CLOCK_MONOTONIC));
	if (verdict == WATCHDOG_MOVES) {
		watchdog->is_logged = false;
		if (watchdog->is_systemd)
			sd_notify(0, "WATCHDOG=1");
		return;
	}
	warn(watchdog, beat);
	if (verdict == WATCHDOG_STILL || watchdog->is_systemd)
		return;
	log_line(LOG_LEVEL_ERROR,
		"the writer has made no progress for %llu s: exiting, to be restarted",
		(unsigned long long)watchdog->still_ms / 1000);
	_exit(EXIT_FAILURE); /* no clean end: that would wait for the writer */
}

uint64_t
watchdog_extend_start(void)
{
	sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu", WATCHDOG_EXTEND_MS * 1000ull);
	return WATCHDOG_START_MS;
}
