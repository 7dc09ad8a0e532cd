/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What a change does to the state, worked out completely before the first byte is written:
 * LMDB has no cheap way to take half a change back. Made in plan.c, carried out in
 * plan_apply.c. Writer thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "sidecar/state/state.h"
#include "lib/dns/zones.h"
#include "sidecar/serve/touched.h"
#include "sidecar/write/change.h"

#define PLAN_EXPIRE_MAX 1000 /* leases ended in one change, so that writers wait shortly */

enum plan_verb {
	PLAN_PUT,
	PLAN_RENEW,
	PLAN_DELETE,
	PLAN_END, /* the lease ran out; the RRset stays as one whose lease is over */
};

/* The RRset of the step's owner and type as it was: for the journal. */
struct plan_before {
	uint32_t ttl, lease_ms;
	uint64_t expires_ms;
	uint32_t rdata_len;
	uint16_t count;
	uint8_t source_len;
	const uint8_t *rdata; /* block as in rrset.h */
	const char *source;
};

struct plan_step {
	enum plan_verb verb;
	uint16_t type;
	uint32_t item; /* of a put */
	uint32_t lease_ms;
	const struct name_key *owner; /* in the change's items or the plan's arena */
	const struct plan_before *before; /* in the plan's arena; NULL: none, or a renewal */
};

struct plan {
	struct plan_step *step;
	size_t count, room;
	size_t writes;        /* all but renewals: without any there is no new revision */
	struct arena arena;
};

void plan_done(struct plan *plan);

/* Checks the change against the state and works out its steps; now_ms is the lease clock.
 * Returns 0 with the counts in *out; STATUS_INVALID when the change is refused, as *out
 * then says; another status when the state cannot be read. Writes nothing. */
int plan_make(struct plan *plan, struct change *change, struct state_txn *txn,
	const struct zones *zones, uint64_t now_ms, struct change_result *out);

/* What was and will be stored for a step that is not a renewal, in the change's and the plan's
 * memory. False: there was, or will be, no such RRset. The lease of `after` counts from
 * now_ms; revisions are 0. */
bool plan_read_before(const struct plan_step *step, struct state_record *out);
bool plan_read_after(const struct plan_step *step, const struct change *change,
	uint64_t now_ms, struct state_record *out);

/* Carries the steps out as `revision`, appends to the change log, and notes the names
 * touched, which live as long as plan and change. STATUS_FULL with *out_is_clean: nothing
 * was written; any other failure: the transaction is to be aborted. */
int plan_apply(struct plan *plan, const struct change *change, struct state_txn *txn,
	const struct zones *zones, uint64_t revision, uint64_t now_ms,
	struct touched *touched, bool *out_is_clean, struct reason *reason);
