/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The live store: which environment the workers read. Watches the files that it lies in,
 * switches the workers to one that took its place, withdraws one that broke, and frees the
 * old one when they have left it. All of it on the keeper's thread; what is open stays open
 * over reloads (keeper.h). There is no host in this file.
 *
 * It is a state machine: each look finds out what happened (an event), and one table in
 * live.c says which state that leads to and what is done. States in which a store is open:
 *
 *	LIVE      it is what lies in the directory
 *	DELETED   nothing lies there, or something that was not openable a moment ago: what is
 *	          open is whole, and answers
 *	BROKEN    shortened, without its lock, or a read of it faulted: nobody reads it
 *
 * and in which none is:
 *
 *	STARTING  not looked yet
 *	ABSENT    there is none
 *	REFUSED   there is one that may not be opened
 *	DISABLED  the breaker (breaker.h) says so
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"
#include "lib/serve/mdb.h"
#include "module/keeper.h"

enum keeper_state {
	KEEPER_STARTING,
	KEEPER_LIVE,
	KEEPER_DELETED,
	KEEPER_BROKEN,
	KEEPER_ABSENT,
	KEEPER_REFUSED,
	KEEPER_DISABLED,
	KEEPER_STATES,
};

/* Stores that are open but not current. One is normal for a moment; a full list means
 * that workers do not come out, and then the oldest is abandoned. */
#define LIVE_RETIRED_MAX 4

#define LIVE_REFUSED_MS 1000 /* slots become free, mounts writable */

/* A store that is open but not current: freed when no worker is inside, but parked when only a
 * reload turned away from it. Its files are still shared then, so that it must not be closed
 * (doc/lmdb.md, "closing") and is taken up again when a reload comes back. */
struct live_retired {
	struct serve_reader *reader;
	char parked_dir[PATH_MAX]; /* "": not parked */
};

/* Files that were refused are not opened again at every look: LMDB maps them, takes a lock and a
 * reader slot each time, beside a livezoned and other resolvers that use them, and in 0.9.26
 * to 0.9.31 a close may break the mutexes of one who opens. Other files are tried at once. */
struct live_refused {
	struct mdb_files files;
	int status; /* STATUS_OK: nothing was refused */
	struct reason why;
	uint64_t until_ms; /* boot clock */
};

/* Owned by the keeper's thread; starts zeroed. Times are of the boot clock. */
struct live {
	enum keeper_state state;
	struct reason why;            /* not KEEPER_LIVE */
	struct serve_reader *current; /* in LIVE, DELETED, BROKEN */
	struct serve_reader *opened;  /* by this look, not yet current */
	char dir[PATH_MAX];           /* of current */
	uint64_t revision;            /* the last one seen */
	bool was_switched;            /* by the last look */
	bool has_news;                /* for livezoned, at once; the keeper clears it */
	uint64_t damaged_inode;       /* what livezoned is asked to rebuild; 0: nothing */
	uint64_t replaced_ms;         /* since then current is not what lies there; 0: it is */
	struct live_retired retired[LIVE_RETIRED_MAX];
	struct live_refused refused;
	struct reason identity, slots; /* warnings: what is wrong although it is read */
	const char *off_reason;       /* the breaker: the store is to be left alone; NULL: it is not */
	unsigned broken;              /* stores in a row that could not be read */
	uint64_t broken_ms, retry_ms; /* the last of them, and when to try the next */
};

/* Looks at the files, and goes on to another state: opens, switches, withdraws. A change is
 * said once. */
void live_look(struct live *live, struct keeper_scope *scope);

/* May current be read by the keeper? */
bool live_is_readable(const struct live *live, struct keeper_scope *scope);

/* Asks livezoned for another store: this one is damaged, but what it still answers is
 * right. */
void live_note_damage(struct live *live);

/* Adds what it is to the report. */
void live_report(struct live *live, struct keeper_scope *scope, struct report *report);

/* Is `dir` what was refused, and was that just now? STATUS_OK: try it. Otherwise the status
 * that was noted, with its reason. */
int live_refused_check(
	const struct live_refused *refused, const char *dir, struct reason *why);

/* Notes how an opening of `dir` ended, and why. */
void live_refused_note(struct live_refused *refused, const char *dir, int status,
	const struct reason *why);
