/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The live store: which environment the workers read. Watches the files that it lies in,
 * switches the workers to one that took its place, frees the old one when they have left
 * it, and finds out whether the one in use is damaged. All of it on the keeper's thread;
 * what is open stays open over reloads (keeper.h). There is no host in this file.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/report/report.h"
#include "module/keeper.h"
#include "module/refusal.h"
#include "module/warning.h"
#include "module/worker.h"

/* Stores that are open but not current. One is normal for a moment; a full list means
 * that workers do not come out, and then the oldest is abandoned. */
#define LIVE_RETIRED_MAX 4

/* A store that is open but not current: freed when no worker is inside, but parked when only a
 * reload turned away from it. Its files are still shared then, so that it must not be closed
 * (doc/lmdb.md, "closing") and is taken up again when a reload comes back. */
struct live_retired {
	struct serve_reader *reader;
	char *parked_dir;
};

/* Owned by the keeper's thread; starts zeroed. Times are of the boot clock. */
struct live {
	struct serve_reader *current;
	char *dir;              /* of current */
	bool is_sound;          /* current may be read */
	bool was_switched;      /* by the last look */
	bool has_news;          /* for livezoned, at once; the keeper clears it */
	uint64_t damaged_inode; /* what livezoned is asked to build anew; 0: nothing */
	uint64_t replaced_ms;   /* since then current is not what lies there; 0: it is */
	struct live_retired retired[LIVE_RETIRED_MAX];
	struct warning warning;
	struct refusal refusal;
	unsigned broken;        /* stores in a row that could not be read */
	uint64_t broken_ms, retry_ms; /* the last of them, and when to try the next */
};

/* What one round of the keeper is about. */
struct live_order {
	const char *dir;
	bool allows_network_filesystem;
	struct workers *workers;
	size_t slots;
	struct report *report; /* trips and opens are counted here; `store` and why */
	keeper_say_fn say;
	const atomic_bool *is_over; /* nobody waits for this round any more */
	const char *why_off; /* the store is to be left alone; NULL: it is not */
};

/* Is what the workers read still what lies in the directory? Opens, switches, withdraws. */
void live_look(struct live *live, const struct live_order *order);

/* Writes it down in damaged_inode when a worker found that a value fails its checks. */
void live_check(struct live *live, const struct live_order *order);

/* May current be read by the keeper? */
bool live_is_readable(const struct live *live, const struct live_order *order);

/* Asks livezoned for another store: this one is damaged, but what it still answers is
 * right. */
void live_note_damage(struct live *live);

/* Adds what it is to the report. */
void live_report(struct live *live, const struct live_order *order, struct report *report);

/* Leaves all to the parent, after a fork. */
void live_forget(struct live *live, struct workers *workers);
