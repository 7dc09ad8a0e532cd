/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The keeper: one thread of the module that does everything that may block. It opens the store
 * and claims the workers' reader slots, watches the files, switches the workers to a store that
 * took the old one's place, frees the old one when they left it, and writes the report. Started
 * and stopped by the host's main thread at each load; what is open stays open in between,
 * because LMDB forbids a second opening in one process and some versions break the locks of a
 * shared one that is closed (doc/lmdb.md). There is no host in this file.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/config/config.h"
#include "lib/base/reason.h"
#include "lib/report/report.h"
#include "module/worker.h"

struct keeper;

enum keeper_level {
	KEEPER_INFO,
	KEEPER_WARNING,
};

/* One line for the host's log; called on the keeper's thread. */
typedef void (*keeper_say_fn)(enum keeper_level level, const char *text);

/* All borrowed for the process's life, but config for the call of keeper_start only: a keeper
 * that is left behind outlives it. */
struct keeper_settings {
	const struct config *config;
	struct workers *workers;
	size_t threads;   /* workers that the host is going to start */
	const char *host; /* version of the host, for the report */
	keeper_say_fn say;
};

/* What the parts of the keeper share (live.h, snapshot.h). The thread's own; main thread while
 * none runs. */
struct keeper_scope {
	char *dir; /* of the store; a reload may name another */
	bool allows_network_filesystem;
	uint64_t snapshot_limit; /* bytes; 0: there is none */
	struct workers *workers;
	size_t threads;
	keeper_say_fn say;
	struct report report;    /* counters: of the workers that ended, and the keeper's */
	atomic_bool is_stopping; /* nobody waits for this round any more */
};

/* One per process, for its whole life. NULL when out of memory. */
struct keeper *keeper_new(void);

/* Starts the thread and waits, at most KEEPER_WAIT_MS, until it has tried the store once:
 * the first query is answered from a store that is there. On failure no thread runs, and the
 * workers have no live store; the snapshot, when there is one, answers until it is too old. */
int keeper_start(struct keeper *keeper, const struct keeper_settings *settings,
	struct reason *reason);

/* Ends the thread and keeps its counters. Call it before workers_reset. The store stays open.
 * Does nothing when no thread runs. False: the thread does not end within KEEPER_STOP_MS,
 * because it waits for another process, as for a livezoned that was stopped while it had a lock
 * (doc/lmdb.md, "reader mutex"). It is left behind then with all that it has, and the keeper
 * must not be used again. */
bool keeper_stop(struct keeper *keeper);

#define KEEPER_WAIT_MS 2000
#define KEEPER_STOP_MS 2000 /* a host that reloads answers nobody meanwhile */
