/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Makes one backup file. It has its name only when it is whole, read back and on the disk;
 * older ones go only after that. The thread of backup_thread.c.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"
#include "sidecar/state/state.h"
#include "sidecar/journal/backup.h"

/* A backup must leave this much of the file system free: the state may be on it. */
#define BACKUP_MAKE_FREE_PERCENT 5
#define BACKUP_MAKE_FREE_MAX (UINT64_C(1) << 30)

struct backup_order {
	struct state *state;
	const char *dir;            /* made, 0700, when it is not there */
	size_t count;               /* files to keep, the new one included; at least 1 */
	const atomic_bool *is_over; /* set: give up */
};

/* Writes a backup of what is committed now, numbered after the newest of the directory, and
 * removes what is more than `count`, and what a making that was killed left. On a failure
 * nothing is left but what was there. STATUS_FULL, STATUS_IO, STATUS_UNAVAILABLE (is_over, or
 * a writer that waits for the readers of state). */
int backup_make(const struct backup_order *order, struct backup_file *out_file,
	struct backup_verdict *out_verdict, struct reason *reason);
