/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What can be said against a change: preconditions of the whole and of each item, and
 * DNS's rules on a name. All return 0, STATUS_INVALID when *planner->out says why the change is
 * refused, or another status when the state cannot be read. For plan.c.
 */
#pragma once

#include "sidecar/write/planner.h"

/* If-Match and its kin, of a source or zone that is replaced; is its zone still live? */
int plan_check_whole(struct planner *planner);

/* max-delete of a source, once planner->absent is known. */
int plan_check_deletes(struct planner *planner);

/* Preconditions, owner and zone of an item. `old` NULL: no such RRset stands. */
int
plan_check_item(struct planner *planner, uint32_t index, const struct state_record *old);

/* What stands at the name in hand after the change, whose items end before planner->at. */
int plan_check_name(struct planner *planner, const struct name_key *owner);
