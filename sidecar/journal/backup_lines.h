/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The text of a backup, version 2: JSON lines, each sealed (lib/base/backup_line.h).
 *
 *	{"livezone":"backup","version":2,"revision":N,"instance":"3f...","created":"...","crc":"..."}
 *	{"name":...,"type":...,...,"source":"...","lease":"30s","revision":N,"crc":"..."}
 *	...
 *	{"livezone":"end","count":1,"revision":N,"crc":"..."}
 *
 * Lines between header and trailer are RRsets in key order, as rrset_json_write has them,
 * without what is left of a lease: leases begin anew when they are restored, but for those with
 * "lease-left":"0s" (STATE_LEASE_OVER), which stay over. One thread at
 * a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/json.h"
#include "lib/base/reason.h"
#include "sidecar/state/state.h"

#define BACKUP_LINES_VERSION 2

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
	backup_lines_record_fn record; /* NULL: seals are checked, RRsets are not read */
	void *context;
	uint64_t line;    /* read last; the first is 1 */
	uint64_t records; /* RRsets so far */
	bool has_header;  /* it is good: what follows is set */
	uint64_t revision;
	uint64_t created_ms; /* wall clock */
	char instance[STATE_INSTANCE_TEXT];
	bool is_complete; /* the trailer was read */
	uint32_t chain;
};

/* The next line, without its line end. STATUS_CORRUPT: its seal is wrong, or it is none of
 * the three lines. STATUS_FOREIGN: no backup, or one of another version. Else the status of
 * `record`. */
int backup_lines_take(
	struct backup_lines *lines, const char *line, size_t len, struct reason *reason);

/* After the last line. STATUS_CORRUPT: the trailer is missing. */
int backup_lines_end(const struct backup_lines *lines, struct reason *reason);
