/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Makes a state in "<dir>/new" from what is left when state is damaged or lost:
 *
 *	records    those of the damaged state, when all can be read and they are newer than
 *	           serve and the newest backup; else serve, when it is intact and not older
 *	           than that backup; else the backup; and what the damaged state still has
 *	           of later revisions
 *	source, lease, revision of a record that serve has
 *	           the damaged state or the newest backup, where their data is the same;
 *	           else source "api", the lease that is left, the revision of the name
 *	records of zones that are not live
 *	           the damaged state or the newest backup
 *
 * The revision is above every one that was seen. An alarm in the new state says what was done
 * and what may be missing; those that the damaged state has stand on. Main thread at start; nothing else is open.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/config/config.h"
#include "lib/base/reason.h"

#define RESTORE_ALARM "state-restored"
#define RESTORE_REVISION_GAP 1000 /* for revisions that nobody knows of any more */
#define RESTORE_LEASE_MS 60000    /* of a lease of which nobody knows the end */

struct restore_result {
	uint64_t revision;   /* of the new state */
	uint64_t rrsets;
	char what[REASON_MAX]; /* for log and alarm: made from what, and what may be missing */
};

/* STATUS_CORRUPT when nothing is left to restore from, another failure when a source cannot be
 * read for want of memory, descriptors or the like: it is not left out for that. Nothing is
 * changed then. */
int restore_make(const struct config *config, const char *why, struct restore_result *out,
	struct reason *reason);
