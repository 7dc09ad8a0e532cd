/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The Unbounds that read serve, as their reports tell it (report.h): needed when serve is
 * replaced, because a write may be called served only when each of them has taken the new
 * environment. Remembered from look to look, since a deleted directory takes the reports
 * with it. Writer thread only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/report/report.h"

#define REPORTERS_MAX 64

struct reporter {
	pid_t pid;
	uint64_t pid_namespace; /* inode; 0: not known */
	uint64_t written_ms;  /* boot clock */
	uint64_t serve_inode; /* of the data.mdb that it reads; 0: none */
	uint64_t damaged_inode; /* of one that it found damaged */
};

struct reporters {
	struct identity own; /* of this process, from the first look on */
	uint64_t unknown_ms; /* boot clock: reporters_expect_unknown; 0: none is expected */
	size_t count;
	struct reporter reporter[REPORTERS_MAX];
};

/* Reads the reports in `dir` and forgets those whose process has ended. One that was stopped
 * is remembered; in another pid namespace it cannot be told from one that has ended, and is
 * forgotten after some seconds of silence. Returns how many it read. */
size_t reporters_look(struct reporters *reporters, const char *dir);

/* The first that reads another data.mdb than this one, or NULL. One that reads none has
 * nothing old to answer from. */
const struct reporter *reporters_find_behind(const struct reporters *reporters,
	uint64_t serve_inode);

/* The first that found this data.mdb damaged, or NULL. */
const struct reporter *reporters_find_damaged(const struct reporters *reporters,
	uint64_t serve_inode);

/* Looks again until nobody is behind who reports; bounded. */
void reporters_wait(struct reporters *reporters, const char *dir, uint64_t serve_inode);

/* A new serve is in place, and no report was there to tell who reads the one before: an
 * Unbound may that no look has found. */
void reporters_expect_unknown(struct reporters *reporters);

/* Waits until such an Unbound has looked at the files and reported what it reads, and then as
 * reporters_wait does, with its bound. Returns at once when none is expected. */
void reporters_wait_unknown(struct reporters *reporters, const char *dir,
	uint64_t serve_inode);
