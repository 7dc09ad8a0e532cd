/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Is a state environment whole? Every page, every value against its checksum, every index
 * against the RRsets that it was made from. Run by `livezoned --check-state` in a process of
 * its own, so that whatever a damaged file does to it is an answer, too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/serve/mdb_image.h"
#include "lib/base/reason.h"

struct state_check {
	uint64_t revision;
	uint64_t rrsets;
	bool must_recount; /* what zones count is wrong: made anew, no reason for more */
};

/* Checks one commit. STATUS_CORRUPT: the reason says what and where; STATUS_FOREIGN: not
 * ours, or of another schema; STATUS_NO_MEMORY. */
int state_check_image(const struct mdb_image *image, struct state_check *out,
	struct reason *reason);

/* The same for the newest commit in `dir`, which livezoned may have open and write to. Takes a
 * reader's slot, and closes nothing: the process is to end (doc/lmdb.md, "closing"). STATUS_IO,
 * STATUS_NOT_FOUND, STATUS_UNAVAILABLE (too many commits meanwhile): nothing is said of the
 * content. */
int state_check_directory(const char *dir, struct state_check *out, struct reason *reason);
