/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Readers of serve: the module's workers (and tests). One open environment with a fixed
 * number of claimed transactions; opening and claiming may block for a moment and
 * belongs to the keeper thread, begin and end never do (no lock, no system call).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"
#include "lib/serve/layout.h"

struct serve_reader;

/* Opens `dir` and claims `slots` transactions, or as many as the lock file has left, but at
 * least one. Refuses what is not a directory with
 * regular files, an environment that LMDB opened without locks, another schema.
 * Never creates, changes or deletes a file. */
int serve_reader_open(const char *dir, size_t slots, struct serve_reader **out,
	struct reason *reason);

/* Claims more transactions, until there are `slots`; those that were there stay usable
 * meanwhile. For a host that got more threads: one process cannot open twice. */
int serve_reader_claim(struct serve_reader *reader, size_t slots, struct reason *reason);

/* Only for an environment that was replaced and that no thread is inside of; the current
 * one is never closed (doc/lmdb.md, "closing"). NULL is allowed. */
void serve_reader_close(struct serve_reader *reader);

/* Does the directory still hold the files that are open, in full length? Uses stat(2)
 * only. STATUS_NOT_FOUND and STATUS_FOREIGN: deleted or replaced, what is open is whole;
 * STATUS_CORRUPT: truncated, or the lock file alone was replaced: must not be read. */
int serve_reader_check(struct serve_reader *reader, struct reason *reason);

/* Marks a reader on which a call was left by a fault: its inner state is unknown, so it is
 * neither read nor closed any more. `why` is the caller's, not 0. Any thread. */
void serve_reader_poison(struct serve_reader *reader, int why);

/* Why it was poisoned; 0: it was not. Any thread. */
int serve_reader_poisoned(const struct serve_reader *reader);

/* The meta record as it was at open. */
const struct serve_meta *serve_reader_meta(const struct serve_reader *reader);

/* Which data.mdb is open: tells apart two environments of the same instance. */
uint64_t serve_reader_inode(const struct serve_reader *reader);

/* Tells this opening from every other one of the process; never 0. */
uint64_t serve_reader_id(const struct serve_reader *reader);

/* How many are claimed. */
size_t serve_reader_slots(const struct serve_reader *reader);

/* The slot-th transaction, used by one thread at a time; NULL when so many were not
 * claimed. */
struct serve_txn *serve_reader_slot(struct serve_reader *reader, size_t slot);

/* Renews the transaction: sees every commit that was acknowledged before the call.
 * Returns 0 or a negative status; then there is nothing to end. */
int serve_reader_begin(struct serve_txn *txn);

/* Resets it; nodes found in it are gone. */
void serve_reader_end(struct serve_txn *txn);

/*
 * A copy of one commit of serve in this process's own memory, opened as an environment of
 * its own: the module's snapshot. The files of serve may go or break afterwards; the copy
 * has no file that anybody else could reach and no locks that a writer would have to see.
 *
 * Made by hand and not with mdb_env_copy, which waits for the writer's mutex and with it
 * for a livezoned that was stopped. The keeper's thread calls it, in the fault guard.
 */

/* Two environments over the same memory: what is read through the twin, all of it once, is
 * not counted as resident any more when that is closed. Both are closed by the caller. */
struct serve_copy {
	struct serve_reader *reader;
	struct serve_reader *twin; /* one slot */
	uint64_t size;
};

/* Copies what slot 0 of `from` sees, and claims `slots` transactions on the copy.
 * STATUS_TOO_LARGE when it has more than `limit` bytes. The copy is not verified yet. */
int serve_reader_copy(struct serve_reader *from, uint64_t limit, size_t slots,
	struct serve_copy *out, struct reason *reason);

/* Reads all of the copy in a transaction of its slot 0: the meta record, and each node with
 * its RRsets. STATUS_CORRUPT: a value fails its checks, or some are missing.
 * STATUS_UNAVAILABLE: given up (throttle.h). 0.2 s for a million names. */
int serve_reader_verify(struct serve_reader *copy, struct serve_meta *out_meta,
	struct reason *reason);

/* Opens one file that nobody else has and that will not change, `size` bytes of it, without
 * locks. Touches only its first two pages. */
int serve_reader_open_private(const char *path, uint64_t size, size_t slots,
	struct serve_reader **out, struct reason *reason);
