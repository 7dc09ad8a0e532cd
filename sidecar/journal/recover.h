/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The one way back. Before state is opened: is it whole? A damaged one is put aside, and
 * another is made of the newest complete backup and of what the journal has behind it; so is
 * one that has vanished, when journal, backups or serve show that there was one. Whatever
 * moment livezoned is killed at, the next start does the rest. DNS goes on meanwhile: nothing
 * here touches serve. The thread that starts livezoned, with the lock of state held.
 *
 *	damaged       the check says so (state.h), or the journal is ahead of it: state is
 *	              committed before it is journalled, so it is an old copy
 *	made from     backup at revision R, journal above R; without a backup, a journal that
 *	              reaches back to revision 0; else livezoned does not start
 *	leases        begin again with their full length; those that had ended stay ended
 *	revision      RECOVER_REVISION_GAP above every one that was seen, so that none is used
 *	              twice: it is the serial that resolvers have seen
 *	in doubt      named by the alarm: revisions that the journal lacks, and those after its
 *	              last whole one
 */
#pragma once

#include <stdbool.h>

#include "lib/base/reason.h"
#include "lib/config/config.h"

#define RECOVER_ALARM "state-restored"
#define RECOVER_REVISION_GAP 1000000 /* more than are written before the journal is synced */

/* 0: state can be opened; *out_is_restored: it was made again, and an alarm in it says so.
 * STATUS_FOREIGN: it is not ours, or of another schema. STATUS_CORRUPT: it is damaged or lost,
 * and there is nothing whole to restore it from. Any failure: nothing was touched. */
int recover_state(const struct config *config, bool *out_is_restored, struct reason *reason);
