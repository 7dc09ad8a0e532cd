/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Before state is opened: is it whole? A damaged one is put aside and another is made of what
 * is left (restore.h), and one that has vanished is made again when serve or backups show that
 * there was one. Whatever moment livezoned is killed at, the next start does the rest. Main
 * thread, with the lock of state held.
 */
#pragma once

#include <stdbool.h>

#include "lib/config/config.h"
#include "lib/base/reason.h"

struct recover_result {
	bool is_restored;
	bool must_recount; /* state_want_recount */
};

/* 0: state can be opened. STATUS_FOREIGN: it is not ours, or of another schema: nothing was
 * touched. STATUS_CORRUPT: damaged, and nothing is left to restore it from: nothing was
 * touched either. */
int recover_state(const struct config *config, struct recover_result *out,
	struct reason *reason);
