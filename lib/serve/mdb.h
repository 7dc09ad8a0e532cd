/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What the two environments share in their use of LMDB: codes translated once, and a look
 * at an environment's files before LMDB is let near them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/reason.h"

/* Which files an environment is made of: a replaced one differs. */
struct mdb_files {
	dev_t data_device, lock_device;
	ino_t data_inode, lock_inode;
	off_t data_size, lock_size;
};

/* Translates a code of LMDB or an errno value. */
int status_from_mdb(int code);

/* The same, with "<what>: <LMDB's text>" in the reason. */
int status_from_mdb_reason(int code, const char *what, struct reason *reason);

/* Finds data.mdb and lock.mdb in `dir` by stat(2): regular files, or STATUS_FOREIGN;
 * STATUS_NOT_FOUND when one is missing. */
int mdb_files_stat(const char *dir, struct mdb_files *out, struct reason *reason);

/* Are these the same two files, and has neither shrunk? (LMDB shrinks none.)
 * STATUS_FOREIGN: data.mdb is another file; STATUS_CORRUPT: it is the same one, but shorter or
 * with a shorter or another lock file, so that the writer no longer sees its readers. */
int mdb_files_compare(const struct mdb_files *open, const struct mdb_files *now,
	struct reason *reason);

/* Have both the same data.mdb, or the same lock.mdb? */
bool mdb_files_share_data(const struct mdb_files *one, const struct mdb_files *other);
bool mdb_files_share_lock(const struct mdb_files *one, const struct mdb_files *other);

/*
 * Reads both meta pages of data.mdb and refuses what LMDB would answer with a
 * crash or by starting afresh: an empty file or one that ends before the roots of its trees
 * (STATUS_CORRUPT), another format or page size (STATUS_FOREIGN). What is missing behind them
 * is not found here. Only for an environment that this process has not open.
 */
int mdb_files_check(const char *dir, struct reason *reason);

/* One commit, as its meta page has it. */
struct mdb_commit {
	uint8_t meta[2048]; /* the page, as far as it is used */
	uint32_t page_size;
	uint64_t size; /* bytes of all pages up to the last; the file may have fewer */
};

/* Finds the meta page of the commit that an open transaction sees. `fd` is
 * mdb_env_get_fd's. STATUS_UNAVAILABLE: newer commits came between, begin again. */
int mdb_commit_read(int fd, uint64_t txn_id, struct mdb_commit *out,
	struct reason *reason);

/* The beginning of a copy: both meta pages, so that LMDB can open it. */
int mdb_commit_write_meta(const struct mdb_commit *commit, int to, struct reason *reason);

/* All other pages, by read(2): nothing of the map is touched, and a file that ends before the
 * roots is STATUS_CORRUPT; what it lacks behind them is zero in the copy. The transaction is still open. Where must_stop (NULL: nobody) says so, it is
 * given up with STATUS_UNAVAILABLE. */
int mdb_commit_copy(const struct mdb_commit *commit, int from, int to, bool (*must_stop)(void),
	struct reason *reason);

/*
 * Gives lock.mdb in `dir` its blocks, for `readers` slots, making it when it is missing. LMDB
 * itself leaves holes and maps them: on a full disk whoever touches one, livezoned or a
 * resolver that claims a slot, gets SIGBUS. STATUS_FULL when there is no room. Only for an
 * environment that this process has not open: closing a descriptor ends its locks.
 */
int mdb_reserve_lock(const char *dir, unsigned readers, mode_t mode,
	struct reason *reason);
