/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The one writer of serve: livezoned's writer thread. It takes no read transaction
 * (doc/lmdb.md, "process ids"); look-ups run inside its write transaction. A new environment is
 * built beside the old one, at "<dir>.new", and takes its place in one rename.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"
#include "lib/serve/layout.h"

#define SERVE_NEW_SUFFIX ".new"

struct serve_writer;

/* Opens the environment at `dir` for writing; size_limit is LMDB's map size.
 * STATUS_NOT_FOUND when there is none, STATUS_FOREIGN or STATUS_CORRUPT when it is not
 * ours; nothing is changed then. */
int serve_writer_open(const char *dir, uint64_t size_limit, struct serve_writer **out,
	struct reason *reason);

/* Makes an empty environment at "<dir>.new" (one left over there is removed). Files get
 * modes 0640 and 0660 for the directory's group. */
int serve_writer_create(const char *dir, uint64_t size_limit, struct serve_writer **out,
	struct reason *reason);

/* Puts a created environment at `dir` in one step. An old directory there is at "<dir>.new"
 * then. Readers that have it open keep their map. */
int serve_writer_publish(struct serve_writer *writer, struct reason *reason);

/* Removes what is at "<dir>.new", when no created environment waits there. */
void serve_writer_tidy(const char *dir);

/* Ends the use without touching the shared locks (doc/lmdb.md, "closing"); an environment that
 * was never published is removed. NULL is allowed. */
void serve_writer_close(struct serve_writer *writer);

/* The same for one on which a call was left by a fault: nothing of it is touched again, and
 * its memory is lost. */
void serve_writer_abandon(struct serve_writer *writer);

/* Is the directory still the one that is open, in full length? */
int serve_writer_check(struct serve_writer *writer, struct reason *reason);

/* Where it is now: the directory, or "<dir>.new" until it is published. */
const char *serve_writer_path(const struct serve_writer *writer);

/* Which data.mdb is open; readers report the one that they read. */
uint64_t serve_writer_inode(const struct serve_writer *writer);

/* Frees the slots of readers whose process is gone. */
void serve_writer_sweep(struct serve_writer *writer);

/* A write transaction; ended by commit or abort. */
int serve_writer_begin(struct serve_writer *writer, struct serve_txn **out,
	struct reason *reason);
int serve_writer_commit(struct serve_txn *txn, struct reason *reason);
void serve_writer_abort(struct serve_txn *txn);

/* Reserves a node's value of `size` bytes under the key and lets the caller encode into
 * it. *out is valid until the next call on the transaction. After a failure, here and in
 * serve_writer_delete, the transaction is to be aborted. */
int serve_writer_reserve(struct serve_txn *txn, const struct name_key *key, size_t size,
	uint8_t **out, struct reason *reason);

/* Removes a node; one that is not there is fine. */
int serve_writer_delete(struct serve_txn *txn, const struct name_key *key,
	struct reason *reason);

int serve_writer_put_meta(struct serve_txn *txn, const struct serve_meta *meta,
	struct reason *reason);
