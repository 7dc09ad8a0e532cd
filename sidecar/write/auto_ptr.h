/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * PTR records of zones with auto-ptr follow a change of addresses: for plan_apply, around
 * each step whose RRset reverse_is_wanted. Writer thread only.
 */
#pragma once

#include <stdint.h>

#include "sidecar/state/reverse.h"
#include "sidecar/state/state.h"
#include "sidecar/write/plan.h"

struct auto_ptr {
	struct plan *plan;   /* whose arena the touched names live in */
	struct state_txn *txn;
	const struct zones *zones;
	struct plan_touched *touched;
	uint64_t revision;   /* of the step; 0: a renewal, which makes none */
	const struct zone *last; /* reverse zone that was touched last */
	struct rrset before; /* count 0: none */
	uint8_t block[REVERSE_BLOCK_MAX];
};

/* Notes what is stored; before the step is carried out. */
int auto_ptr_note(struct auto_ptr *pointing, const struct plan_step *step,
	struct reason *reason);

/* Brings index, counts, serials of reverse zones and the names touched to what the step
 * has made of it. */
int auto_ptr_follow(struct auto_ptr *pointing, const struct plan_step *step,
	const struct change *change, uint64_t revision, struct reason *reason);
