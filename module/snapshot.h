/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The stale snapshot: a verified copy of serve in memory (lib/serve/reader.h), from which
 * the workers answer when the store itself cannot be read. The keeper's thread makes a
 * new one when the store has changed, hands it to the workers as it hands them a store,
 * and frees the one before when they have left it; so there are two for a moment.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"
#include "module/keeper.h"

/* Owned by the keeper's thread; starts zeroed. */
struct snapshot {
	char dir[PATH_MAX]; /* that it is of */
	struct serve_reader *current; /* what workers->snapshot says */
	struct serve_reader *retired;
	uint64_t source, txn_id;      /* serve_reader_id and commit that it was tried of */
	bool is_equal;                /* current is a copy of that commit */
	uint64_t size, revision;      /* of current */
	uint64_t next_ms;             /* boot clock: not tried, or the store checked, before */
};

/* Drops one that is of another directory. Gives it as many slots as the workers need, which
 * a reload may have raised. Before they ask: one that has no slot in the store answers from
 * here. */
void snapshot_claim(struct snapshot *snapshot, struct keeper_scope *scope);

/* Brings the snapshot up to `live`, a store that is open and sound, as far as it is time to, or
 * notes that they are equal. On failure the old one stays; another try of one that is damaged (STATUS_CORRUPT) or over the limit
 * (STATUS_TOO_LARGE) waits for the next change, of any other only for a pause. */
int snapshot_follow(struct snapshot *snapshot, struct keeper_scope *scope,
	struct serve_reader *live, struct reason *reason);

/* Adds what it is to the report. */
void snapshot_report(const struct snapshot *snapshot, const struct workers *workers,
	struct report *report);
