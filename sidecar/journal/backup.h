/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Backups: what they look like, and those who read them. The files are made by
 * backup_thread.c, and their names are
 *
 *	livezone-00000042-r1234.jsonl
 *
 * the number of the backup, which counts on whatever the clock does, and the revision. Files
 * of other names are left alone. The text, version 3, is JSON lines:
 *
 *	{"livezone":"backup","version":3,"revision":N,"instance":"3f...","created":"..."}
 *	{"name":...,"type":...,...,"source":"...","lease":"30s","revision":N}
 *	...
 *	{"livezone":"end","count":1,"revision":N,"crc":"..."}
 *
 * Lines between header and trailer are RRsets in key order, as rrset_json_write has them,
 * without what is left of a lease: leases begin again when they are restored, but for those
 * with "lease-left":"0s" (STATE_LEASE_OVER), which stay ended. crc is the CRC32C of all bytes
 * before the trailer's line, in hexadecimal. A backup is complete when it has its trailer and
 * that is right; nothing is restored from one that is not. Any thread, no shared state; one
 * reading or writing is one thread's.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/json.h"
#include "lib/base/reason.h"
#include "lib/config/config.h"
#include "sidecar/journal/journal.h"
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
	bool is_complete;    /* to its trailer, which is right */
	uint64_t records;    /* RRsets, all of them or those before the first damage */
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
 * without expires_ms (a lease begins again)
 * unless it is STATE_LEASE_OVER. The record is borrowed for the call. A status of
 * `fn` other than 0 ends the reading and is returned, and so is STATUS_INVALID for a line that
 * is no RRset that this livezoned takes. */
int backup_read(const char *path, state_record_fn fn, void *context,
	struct backup_verdict *out, struct reason *reason);

/* The newest complete one of the state of this instance (its text; NULL: of any). `skipped` (may
 * be NULL) is called for each newer one that was passed over. STATUS_NOT_FOUND: there is none. Any other failure: it is not known which one that
 * is. */
typedef void (*backup_skipped_fn)(void *context, const struct backup_file *file,
	const struct backup_verdict *verdict);
int backup_choose(const char *dir, const char *instance, backup_skipped_fn skipped, void *context,
	struct backup_file *out_file, struct backup_verdict *out_verdict,
	struct reason *reason);

void backup_write_name(uint64_t number, uint64_t revision, char out[BACKUP_NAME_MAX]);

/* "<dir>/<name>", the caller's to free; NULL when out of memory. */
char *backup_path(const char *dir, const char *name);

/* --- the text --- */

#define BACKUP_LINES_VERSION 3
#define BACKUP_LINE_MAX (1024 * 1024) /* 64 KiB of rdata, five bytes for each octet at most */

/* Takes the next bytes; a status other than 0 ends the writing and is returned. */
typedef int (*backup_lines_sink_fn)(
	void *context, const char *text, size_t len, struct reason *reason);

/* Writes all that the transaction sees, header and trailer included. */
int backup_lines_write(struct state_txn *txn, backup_lines_sink_fn sink, void *context,
	struct reason *reason);

/* Called for the object of each RRset; a status other than 0 ends the reading. */
typedef int (*backup_lines_record_fn)(
	void *context, struct json_value object, struct reason *reason);

/* A backup on its way in. All but `record` and `context` starts zeroed. */
struct backup_lines {
	backup_lines_record_fn record; /* NULL: RRsets are not read */
	void *context;
	uint64_t line;    /* read last; the first is 1 */
	uint64_t records; /* RRsets so far */
	bool has_header;  /* it is good: what follows is set */
	uint64_t revision;
	uint64_t created_ms; /* wall clock */
	char instance[STATE_INSTANCE_TEXT];
	bool is_complete; /* the trailer was read */
	uint32_t checksum; /* of the lines so far */
};

/* The next line, without its line end. STATUS_CORRUPT: it is none of the three lines, or the
 * trailer is wrong. STATUS_FOREIGN: no backup, or one of another version. Else the status of
 * `record`. */
int backup_lines_take(
	struct backup_lines *lines, const char *line, size_t len, struct reason *reason);

/* After the last line. STATUS_CORRUPT: the trailer is missing. */
int backup_lines_end(const struct backup_lines *lines, struct reason *reason);

/* --- the thread that makes them ---
 *
 * One is made when `backup.interval` has passed and the revision has moved, the first a minute
 * after the first write. The thread waits for nobody and nobody waits for it: it reads state in a
 * transaction of its own. A failure is logged once, stays in the status until a backup succeeds,
 * and is tried again. */

struct backup_thread;

struct backup_thread_status {
	bool is_on;
	char directory[CONFIG_PATH_MAX];
	bool has_newest;               /* there is a complete backup; of the newest: */
	char name[BACKUP_NAME_MAX];
	uint64_t revision;
	uint64_t records;
	uint64_t created_ms;           /* wall clock */
	uint64_t age_ms;
	uint64_t made, failed;         /* since the start */
	char error[REASON_MAX];        /* of the last attempt; "" = it succeeded */
};

/* `state` and `journal` (NULL: none) are borrowed and outlive the thread; the journal is trimmed
 * after each backup, and once an hour when none are made. */
int backup_thread_start(struct state *state, struct journal *journal,
	const struct config *config, struct backup_thread **out, struct reason *reason);

/* Gives a backup at work up. NULL is allowed. */
void backup_thread_stop(struct backup_thread *thread);

/* Takes over new settings; the configuration is not kept. */
void backup_thread_use(struct backup_thread *thread, const struct config *config);

void backup_thread_read_status(
	struct backup_thread *thread, struct backup_thread_status *out);

/* A backup must leave this much of the file system free: the state may be on it. */
#define BACKUP_MAKE_FREE_PERCENT 5
#define BACKUP_MAKE_FREE_MAX (UINT64_C(1) << 30)

struct backup_order {
	struct state *state;
	const char *dir;            /* made, 0700, when it is not there */
	size_t count;               /* files to keep, the new one included; at least 1 */
	const atomic_bool *is_over; /* set: give up */
	bool may_fill;              /* the disk, without BACKUP_MAKE_FREE_PERCENT */
};

/* One backup: it has its name only when it is whole, read back and on the disk; older ones go
 * only after that. Writes what is committed now, numbered after the newest of the directory, and
 * removes what is more than `count`, and what a making that was killed left. On a failure
 * nothing is left but what was there. STATUS_FULL, STATUS_IO, STATUS_UNAVAILABLE (is_over, or
 * a writer that waits for the readers of state). */
int backup_make(const struct backup_order *order, struct backup_file *out_file,
	struct backup_verdict *out_verdict, struct reason *reason);
