/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * lock.mdb, watched for damage while LMDB has it mapped. LMDB itself believes what is there:
 * on a mutex that was overwritten it waits for ever, beyond the end of a file that was
 * shortened it faults.
 *
 *	  0 +-----------+------------+------------------------+--------+---------+
 *	    | magic u32 | format u32 | mutex of the readers   | txn id | readers |
 *	 64 +-----------+------------+------------------------+--------+---------+
 *	    | mutex of the writers                                               |
 *	128 +--------------------------------------------------------------------+
 *	    | one line of 64 bytes for each reader                               |
 *	    +--------------------------------------------------------------------+
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "lib/base/reason.h"

struct mdb_lock {
	int fd; /* -1: not watched */
	off_t size;
	uint32_t seal[4]; /* what never changes: magic, format, the kind of each mutex */
};

/* Notes what lock.mdb of the environment in `dir` looks like, once LMDB has opened it. */
int mdb_lock_open(const char *dir, struct mdb_lock *out, struct reason *reason);

/* STATUS_CORRUPT when it is shorter than it was, or its head was overwritten. No map is
 * touched. One that is not watched is fine. */
int mdb_lock_check(const struct mdb_lock *lock, struct reason *reason);

/* Only after the environment was closed: closing any descriptor of the file ends all locks
 * that this process has on it (fcntl(2)). */
void mdb_lock_close(struct mdb_lock *lock);
