/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A copy of one commit of serve in this process's own memory, opened as an environment of
 * its own: the module's snapshot. The files of serve may go or break afterwards; the copy
 * has no file that anybody else could reach and no locks that a writer would have to see.
 *
 * Made by hand and not with mdb_env_copy, which waits for the writer's mutex and with it
 * for a livezoned that was stopped. The keeper's thread calls it, in the fault guard.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"
#include "lib/serve/reader.h"

/* Two environments over the same memory: what is read through the twin, all of it once, is
 * not counted as resident any more when that is closed. Both are closed by the caller. */
struct serve_copy {
	struct serve_reader *reader;
	struct serve_reader *twin; /* one slot */
	uint64_t size;
};

/* Copies what slot 0 of `from` sees, and claims `slots` transactions on the copy.
 * STATUS_TOO_LARGE when it has more than `limit` bytes. The copy is not verified yet. */
int serve_copy_make(struct serve_reader *from, uint64_t limit, size_t slots,
	struct serve_copy *out, struct reason *reason);

/* Reads all of the copy in a transaction of its slot 0: the meta record, and each node with
 * its RRsets. STATUS_CORRUPT: a value fails its checks, or some are missing.
 * STATUS_UNAVAILABLE: given up (throttle.h). 0.2 s for a million names. */
int serve_copy_verify(struct serve_reader *copy, struct serve_meta *out_meta,
	struct reason *reason);
