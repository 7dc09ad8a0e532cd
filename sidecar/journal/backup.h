/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The files of the automatic backups: which there are, whether one is good, what is in it.
 * A backup is read to its first damage, never behind it: what stands before is as it was
 * written, in key order (backup_lines.h).
 *
 * A name is
 *
 *	livezone-00000042-r1234.jsonl
 *
 * the number of the backup, which counts on whatever the clock does, and the revision.
 * Files of other names are nobody's business. Any thread, no shared state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"
#include "sidecar/state/state.h"

#define BACKUP_NAME_MAX 64

struct backup_file {
	char name[BACKUP_NAME_MAX];
	uint64_t number;
	uint64_t revision; /* as the name says */
};

struct backup_list {
	struct backup_file *file; /* the newest first */
	size_t count;
};

/* What a file is good for. */
struct backup_verdict {
	bool is_complete;    /* to its trailer */
	uint64_t records;    /* good RRsets, all of them or those before the first damage */
	bool has_header;     /* what follows is known */
	uint64_t revision;
	uint64_t created_ms; /* wall clock */
	char instance[STATE_INSTANCE_TEXT]; /* hexadecimal: of the state it was made from */
	uint64_t line;       /* where the damage is */
	struct reason damage; /* and what: "" when complete */
};

/* The backups of a directory. STATUS_NOT_FOUND without the directory, STATUS_IO. The list is
 * the caller's to give to backup_list_done. */
int backup_list(const char *dir, struct backup_list *out, struct reason *reason);
void backup_list_done(struct backup_list *list); /* zeroed is allowed */

/* Reads a file to its end, or to its first damage. 0 whatever its condition is: the verdict
 * says; an I/O error on the way is damage, too. STATUS_NOT_FOUND, STATUS_FOREIGN (a symbolic
 * link), STATUS_IO: it cannot be opened. STATUS_NO_MEMORY. */
int backup_verify(const char *path, struct backup_verdict *out, struct reason *reason);

/* The same, and calls `fn` for each good RRset: with its source, revision and lease_ms, and
 * without expires_ms (a lease begins anew) unless it is STATE_LEASE_OVER. The record is borrowed for the call. A status of
 * `fn` other than 0 ends the reading and is returned, and so is STATUS_INVALID for a line that
 * is as it was sealed, but no RRset that this livezoned takes. */
int backup_read(const char *path, state_record_fn fn, void *context,
	struct backup_verdict *out, struct reason *reason);

/* The one to restore from: the newest complete one, or, when none is, the one with the most
 * good RRsets. `skipped` (may be NULL) is told of each that is not complete, down to the
 * chosen one. STATUS_NOT_FOUND: there is nothing to restore from. Any other failure: it is not
 * known which one that is. */
typedef void (*backup_skipped_fn)(void *context, const struct backup_file *file,
	const struct backup_verdict *verdict);
int backup_choose(const char *dir, backup_skipped_fn skipped, void *context,
	struct backup_file *out_file, struct backup_verdict *out_verdict,
	struct reason *reason);

void backup_write_name(uint64_t number, uint64_t revision, char out[BACKUP_NAME_MAX]);

/* "<dir>/<name>", the caller's to free; NULL when out of memory. */
char *backup_path(const char *dir, const char *name);
