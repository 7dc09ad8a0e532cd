/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The data.mdb of state as a file that is made, put in place and put aside:
 *
 *	<dir>/data.mdb                     the environment
 *	<dir>/new/data.mdb                 one that is being made; removed when found at a start
 *	<dir>/quarantine/<time>/data.mdb   one that was damaged; never removed by livezoned
 *
 * Each step is one rename or link: killed at any point, data.mdb is the old one or the new
 * one, whole. Only with "<dir>/livezoned.lock" held and the environment closed.
 */
#pragma once

#include <limits.h>

#include "lib/base/reason.h"

/* Makes an empty "<dir>/new" and writes its path. */
int state_file_make_new(const char *dir, char out_path[PATH_MAX], struct reason *reason);
void state_file_remove_new(const char *dir);

/* Puts "<dir>/new/data.mdb" in the place of "<dir>/data.mdb", durably. */
int state_file_adopt(const char *dir, struct reason *reason);

/* Gives data.mdb a second name in quarantine, durably, and writes the path of that; the
 * first name goes when another environment is adopted. One that has such a name already
 * (livezoned was killed in between) keeps it. */
int state_file_quarantine(const char *dir, char out_path[PATH_MAX], struct reason *reason);
