/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What is wrong with the store although it is read: said once in the log, and in each
 * report. On the keeper's thread.
 */
#pragma once

#include <stddef.h>

#include "lib/report/report.h"
#include "module/keeper.h"

struct warning {
	struct reason side, slots; /* empty: nothing */
};

/* Compares what livezoned says of itself in `dir` with what the report says of us. A status
 * other than STATUS_OK: both must not use one lock file. */
int warning_check_side(struct warning *warning, const char *dir, struct report *report,
	keeper_say_fn say, struct reason *why);

/* Are there as many reader slots as there shall be? */
void warning_check_slots(struct warning *warning, size_t have, size_t want,
	struct report *report, keeper_say_fn say);
