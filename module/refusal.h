/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What was refused is not opened again at every look: LMDB maps the files, takes a lock and
 * a reader slot each time, beside a livezoned and other resolvers that use them, and in
 * 0.9.26 to 0.9.31 a close may break the mutexes of one who opens. Other files are tried at
 * once. On the keeper's thread.
 */
#pragma once

#include <stdint.h>

#include "lib/serve/mdb.h"
#include "lib/base/reason.h"

/* Starts zeroed. */
struct refusal {
	struct mdb_files files;
	int status; /* STATUS_OK: nothing was refused */
	struct reason why;
	uint64_t until_ms; /* boot clock */
};

/* Notes how an opening of `dir` ended, and why. */
void refusal_note(struct refusal *refusal, const char *dir, int status,
	const struct reason *why);

/* STATUS_OK: try it. Otherwise the status that was noted, with its reason. */
int refusal_check(const struct refusal *refusal, const char *dir, struct reason *why);

#define REFUSAL_MS 1000 /* slots become free, mounts writable */
