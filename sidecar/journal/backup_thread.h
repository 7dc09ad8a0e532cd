/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Automatic backups: a thread that makes one when `backup.interval` has passed and the
 * revision has moved, the first a minute after the first write. It waits for nobody and nobody waits
 * for it: it reads state in a transaction of its own. A failure is logged once, stays in the
 * status until a backup succeeds, and is tried again. To give way (to a writer that must open
 * state anew, to readers that take all slots) is a failure after a minute of it.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/config/config.h"
#include "lib/base/reason.h"
#include "sidecar/state/state.h"
#include "sidecar/journal/backup.h"
#include "sidecar/journal/journal.h"

struct backup_thread;

struct backup_thread_status {
	bool is_on;
	char directory[CONFIG_PATH_MAX];
	bool has_newest;               /* there is a complete backup; of the newest: */
	char name[BACKUP_NAME_MAX];
	uint64_t revision;
	uint64_t records;
	uint64_t created_ms;           /* wall clock */
	uint64_t age_ms;
	uint64_t made, failed;         /* since the start */
	char error[REASON_MAX];        /* of the last attempt; "" = it succeeded */
};

/* `state` and `journal` (NULL: none) are borrowed and outlive the thread; the journal is trimmed
 * after each backup, and once an hour when none are made. */
int backup_thread_start(struct state *state, struct journal *journal,
	const struct config *config, struct backup_thread **out, struct reason *reason);

/* Gives a backup at work up. NULL is allowed. */
void backup_thread_stop(struct backup_thread *thread);

/* Takes over new settings; the configuration is not kept. */
void backup_thread_use(struct backup_thread *thread, const struct config *config);

void backup_thread_read_status(
	struct backup_thread *thread, struct backup_thread_status *out);

/* A backup must leave this much of the file system free: the state may be on it. */
#define BACKUP_MAKE_FREE_PERCENT 5
#define BACKUP_MAKE_FREE_MAX (UINT64_C(1) << 30)

struct backup_order {
	struct state *state;
	const char *dir;            /* made, 0700, when it is not there */
	size_t count;               /* files to keep, the new one included; at least 1 */
	const atomic_bool *is_over; /* set: give up */
};

/* One backup: it has its name only when it is whole, read back and on the disk; older ones go
 * only after that. Writes what is committed now, numbered after the newest of the directory, and
 * removes what is more than `count`, and what a making that was killed left. On a failure
 * nothing is left but what was there. STATUS_FULL, STATUS_IO, STATUS_UNAVAILABLE (is_over, or
 * a writer that waits for the readers of state). */
int backup_make(const struct backup_order *order, struct backup_file *out_file,
	struct backup_verdict *out_verdict, struct reason *reason);
