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

#include "lib/reason.h"
#include "lib/store.h"

#define STORE_NEW_SUFFIX ".new"

struct store_writer;

/* Opens the environment at `dir` for writing; size_limit is LMDB's map size.
 * STATUS_NOT_FOUND when there is none, STATUS_FOREIGN or STATUS_CORRUPT when it is not
 * ours; nothing is changed then. */
int store_writer_open(const char *dir, uint64_t size_limit, struct store_writer **out,
	struct reason *reason);

/* Makes an empty environment at "<dir>.new" (one left over there is removed). Files get
 * modes 0640 and 0660 for the directory's group. */
int store_writer_create(const char *dir, uint64_t size_limit, struct store_writer **out,
	struct reason *reason);

/* Puts a created environment at `dir` in one step. An old directory there is at "<dir>.new"
 * then. Readers that have it open keep their map. */
int store_writer_publish(struct store_writer *writer, struct reason *reason);

/* Removes what is at "<dir>.new", when no created environment waits there. */
void store_writer_tidy(const char *dir);

/* Ends the use without touching the shared locks (doc/lmdb.md, "closing"); an environment that
 * was never published is removed. NULL is allowed. */
void store_writer_close(struct store_writer *writer);

/* The same for one on which a call was left by a fault: nothing of it is touched again, and
 * its memory is lost. */
void store_writer_abandon(struct store_writer *writer);

/* Is the directory still the one that is open, in full length? */
int store_writer_check(struct store_writer *writer, struct reason *reason);

/* Which data.mdb is open; readers report the one that they read. */
uint64_t store_writer_inode(const struct store_writer *writer);

/* Frees the slots of readers whose process is gone. */
void store_writer_sweep(struct store_writer *writer);

/* A write transaction; ended by commit or abort. */
int store_writer_begin(struct store_writer *writer, struct store_txn **out,
	struct reason *reason);
int store_writer_commit(struct store_txn *txn, struct reason *reason);
void store_writer_abort(struct store_txn *txn);

/* Reserves a node's value of `size` bytes under the key and lets the caller encode into
 * it. *out is valid until the next call on the transaction. Here and in store_writer_delete
 * STATUS_CORRUPT means that the place of the name is damaged: to be aborted, and serve to be
 * rebuilt. */
int store_writer_reserve(struct store_txn *txn, const struct name_key *key, size_t size,
	uint8_t **out, struct reason *reason);

/* Removes a node; one that is proven to be absent is fine. */
int store_writer_delete(struct store_txn *txn, const struct name_key *key,
	struct reason *reason);

int store_writer_put_meta(struct store_txn *txn, const struct store_meta *meta,
	struct reason *reason);
