/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The journal of this livezoned: what the writer commits goes into it, and its alarms go to the
 * writer. Main opens it before the writer starts and closes it when the writer has stopped.
 */
#pragma once

#include "lib/base/reason.h"
#include "lib/config/config.h"
#include "sidecar/journal/journal.h"
#include "sidecar/write/writer.h"

struct history;

/* Opens the journal of a state that is open; both are borrowed. */
int history_open(struct state *state, const struct config *config, struct history **out,
	struct reason *reason);
void history_close(struct history *history); /* NULL is allowed */

/* For writer_start. */
struct writer_hook history_hook(struct history *history);

/* Takes over new settings; the configuration is not kept. */
void history_use(struct history *history, const struct config *config);

/* For status, trimming and flushing. */
struct journal *history_journal(struct history *history);
