/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The journal of this livezoned: what the writer commits goes into it, and its alarms go to the
 * writer. Main opens it before the writer starts and closes it when the writer has stopped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"
#include "lib/config/config.h"
#include "sidecar/journal/journal.h"
#include "sidecar/write/authorize.h"
#include "sidecar/write/change.h"
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

/* --- rollback ---
 *
 * A change that brings the RRsets of a zone, or of all live zones, back to what they were at a
 * revision: the journal says what each RRset was before the first change above that revision.
 * Most of the journal is read beforehand, on the caller's thread; the writer's thread reads
 * what came since, inside the transaction that writes, so that nothing is missed. */

#define ROLLBACK_FLUSH_MS 2000 /* the caller's thread waits no longer for the journal's disk */
#define ROLLBACK_HOLD_MS 200   /* nor the writer's, which holds up all writes meanwhile */
#define ROLLBACK_MEMORY_MAX (256u << 20) /* of what the RRsets were */

struct rollback;

struct rollback_settings {
	const char *state_dir;
	struct journal *journal;
	uint64_t revision; /* to go back to */
	bool has_zone;
	struct name_key zone; /* its apex; live zones inside are not part of it */
	bool force;
	const struct caller *caller; /* of the change */
};

/* Reads the journal up to now. The settings are copied, what they point to is borrowed.
 * STATUS_UNAVAILABLE: another one is at work, and has the memory. STATUS_NOT_FOUND: the journal
 * does not reach back so far, or has a gap; STATUS_TOO_LARGE. */
int history_rollback_new(const struct rollback_settings *settings, struct rollback **out,
	struct reason *reason);
void history_rollback_free(struct rollback *rollback); /* NULL is allowed; outlives its change */

/* Makes `change` (CHANGE_ROLLBACK, without items) this rollback. */
void history_rollback_attach(struct rollback *rollback, struct change *change);
