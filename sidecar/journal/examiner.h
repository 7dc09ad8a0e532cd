/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Looks after state while livezoned runs: has it checked by a child (examine.h) when somebody
 * read what was never written, before it is opened anew after an I/O error, and once an hour;
 * keeps room on the disk ahead of it. What is damaged is not repaired in place: livezoned
 * starts itself anew, and the start restores it (recover.h).
 */
#pragma once

#include "lib/base/reason.h"
#include "sidecar/state/state.h"

#define EXAMINER_INTERVAL_S 3600
#define EXAMINER_DOUBT_MS 5000 /* between two checks that somebody asked for */
#define EXAMINER_RESERVE_S 60

struct examiner;

/* Called once, on any thread, when state is found damaged: livezoned is to start anew. */
typedef void (*examiner_damaged_fn)(void *context);

/* Reserves room, sets itself as state's examiner, and starts the thread. `dir` is borrowed. */
int examiner_start(struct state *state, const char *dir, examiner_damaged_fn damaged,
	void *context, struct examiner **out, struct reason *reason);

/* Ends a check that runs, and those to come: livezoned is stopping. NULL is allowed. */
void examiner_give_up(struct examiner *examiner);

/* Before state is closed. NULL is allowed. */
void examiner_stop(struct examiner *examiner);
