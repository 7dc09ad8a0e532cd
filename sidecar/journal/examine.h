/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Is state whole? Asked of a freshly executed livezoned (`--check-state`), because a damaged
 * file may do anything to the one who reads it: a crash of the child is an answer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/reason.h"

enum examine_verdict {
	EXAMINE_WHOLE,
	EXAMINE_COUNTS_WRONG, /* whole, but zones are to be counted anew */
	EXAMINE_DAMAGED,
	EXAMINE_FOREIGN,      /* another schema or format, or no environment of ours */
	EXAMINE_UNKNOWN,      /* could not be checked: no answer in time, no memory, killed */
};

/* What `livezoned --check-state DIR` does: prints one line, returns the exit status. */
int examine_child(const char *dir);

/* Runs that and waits for it, with a deadline. The reason is the line that it printed, or how
 * it ended. */
enum examine_verdict examine_run(const char *dir, struct reason *reason);

/* How long the file of the directory, as big as it is, may take to check. */
unsigned examine_limit_s(const char *dir);

/* From what waitpid says. A signal that the child brought upon itself is damage. */
enum examine_verdict examine_verdict_of(int wait_status);
