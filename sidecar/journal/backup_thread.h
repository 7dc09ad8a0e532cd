/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Automatic backups: a thread that makes one when `backup.interval` has passed and the
 * revision has moved, the first soon after the start. It waits for nobody and nobody waits
 * for it: it reads state in a transaction of its own. A failure is logged once, stays in the
 * status until a backup succeeds, and is tried again. To give way (to a writer that must open
 * state anew, to readers that take all slots) is a failure after a minute of it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/config/config.h"
#include "lib/base/reason.h"
#include "sidecar/state/state.h"
#include "sidecar/journal/backup.h"

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

/* `state` is borrowed and outlives the thread. */
int backup_thread_start(struct state *state, const struct config *config,
	struct backup_thread **out, struct reason *reason);

/* Gives a backup at work up. NULL is allowed. */
void backup_thread_stop(struct backup_thread *thread);

/* Takes over new settings; the configuration is not kept. */
void backup_thread_use(struct backup_thread *thread, const struct config *config);

void backup_thread_read_status(
	struct backup_thread *thread, struct backup_thread_status *out);
