/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Is state whole? Asked of a freshly executed livezoned (`--check-state`), because a damaged
 * file may do anything to a process that reads it: a crash of the child is an answer.
 */
#pragma once

#include <stdint.h>

#include "lib/base/reason.h"
#include "sidecar/state/state.h"

enum examine_verdict {
	EXAMINE_WHOLE,
	EXAMINE_DAMAGED,
	EXAMINE_FOREIGN,   /* another schema or format */
	EXAMINE_NO_RECORD, /* an environment without our meta record: damaged, or never ours */
	EXAMINE_UNKNOWN,   /* could not be checked: no answer in time, no memory, killed */
};

/* What `livezoned --check-state DIR` does: prints what it finds, returns the exit status. */
int examine_child(const char *dir);

/* Runs that and waits for it, with a deadline. The reason is the last line that it printed, or
 * how it ended; *out_meta what it read of the meta record, zeroed when it could not. */
enum examine_verdict examine_run(
	const char *dir, struct state_meta *out_meta, struct reason *reason);

/* From what waitpid says. A signal that the child brought upon itself is damage. */
enum examine_verdict examine_verdict_of(int wait_status);
