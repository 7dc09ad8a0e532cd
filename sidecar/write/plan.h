/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What a change does to the state, worked out completely before the first byte is written:
 * LMDB has no cheap way to take half a change back. Made in plan.c, carried out in
 * plan_apply.c; what it touched is in plan_names.c. Writer thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "sidecar/state/state.h"
#include "lib/dns/zones.h"
#include "sidecar/write/change.h"

#define PLAN_EXPIRE_MAX 1000 /* leases ended in one change, so that writers wait shortly */

enum plan_verb {
	PLAN_PUT,
	PLAN_RENEW,
	PLAN_DELETE,
	PLAN_END, /* the lease ran out; the RRset stays as one whose lease is over */
};

struct plan_step {
	enum plan_verb verb;
	uint16_t type;
	uint32_t item; /* of a put */
	uint32_t lease_ms;
	const struct name_key *owner; /* in the change's items or the plan's arena */
};

struct plan {
	struct plan_step *step;
	size_t count, room;
	size_t writes;        /* all but renewals: without any there is no new revision */
	struct arena arena;
};

struct plan_names {
	const struct name_key **name;
	size_t count, room;
};

/* What must be compiled anew. Apexes and reverse names (auto-ptr) are apart, because the
 * names of a bulk change are in order and stay so. */
struct plan_touched {
	struct plan_names names, reverse, apexes;
};

void plan_touched_clear(struct plan_touched *touched);
void plan_touched_done(struct plan_touched *touched);

void plan_done(struct plan *plan);

/* Checks the change against the state and works out its steps; now_ms is the lease clock.
 * Returns 0 with the counts in *out; STATUS_INVALID when the change is refused, as *out
 * then says; another status when the state cannot be read. Writes nothing. */
int plan_make(struct plan *plan, struct change *change, struct state_txn *txn,
	const struct zones *zones, uint64_t now_ms, struct change_result *out);

/* Carries the steps out as `revision`, appends to the change log, and notes the names
 * touched, which live as long as plan and change. STATUS_FULL with *out_is_clean: nothing
 * was written; any other failure: the transaction is to be aborted. */
int plan_apply(struct plan *plan, const struct change *change, struct state_txn *txn,
	const struct zones *zones, uint64_t revision, uint64_t now_ms,
	struct plan_touched *touched, bool *out_is_clean, struct reason *reason);

/* Appends a name; STATUS_NO_MEMORY. */
int plan_names_add(struct plan_names *names, const struct name_key *name);

/* Sorts by key and drops doubles. */
void plan_names_sort(struct plan_names *names);

/* The order of keys, as memcmp tells it. */
int plan_names_compare(const struct name_key *a, const struct name_key *b);
