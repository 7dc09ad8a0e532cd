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

#include <stdbool.h>
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

/* The same without a lock, for a store that may not be opened: LMDB leaves the pages of the
 * last commit alone until the next one, so that a copy is whole when no commit came while it
 * was made. STATUS_UNAVAILABLE: they came too fast. *out_txn_id is the copy's. */
int serve_copy_make_unlocked(const char *dir, uint64_t limit, size_t slots,
	struct serve_copy *out, uint64_t *out_txn_id, struct reason *reason);

/* The last commit in `dir`, and which file it is in. */
int serve_copy_newest(const char *dir, uint64_t *out_txn_id, uint64_t *out_inode,
	struct reason *reason);

/* Has the store still the bytes of the copy, which was made of the same commit? Read, not
 * mapped. Pages that a writer is about to use may differ without harm. One thread; what it did
 * not come to before it was to be given up (pace.h) counts as alike. */
bool serve_copy_is_like(struct serve_reader *live, struct serve_reader *copy, uint64_t size);
