/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A plan in the making: what plan.c (a change against what stands) and plan_check.c
 * (preconditions and DNS's rules) share. For these files only. Writer thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/serve/node.h"
#include "sidecar/write/plan.h"

#define PLANNER_ITEM_NONE UINT32_MAX

/* An RRset that goes because the change does not name it. */
struct planner_absent {
	const struct name_key *owner;
	uint16_t type;
};

struct planner {
	struct plan *plan;
	struct change *change;
	struct state_txn *txn;
	const struct zones *zones;
	uint64_t now_ms;
	struct change_result *out;
	size_t at;                     /* next item in change->order */
	struct planner_absent *absent; /* in key order */
	size_t absent_count, absent_room, absent_at;
	size_t owned; /* RRsets seen of the source */
	/* the name in hand */
	struct state_record old[NODE_RRSETS_MAX];
	size_t old_count;
	bool goes[NODE_RRSETS_MAX];   /* old[i] is deleted */
	bool is_put[NODE_RRSETS_MAX]; /* or replaced */
	size_t new_count;           /* types that were not there */
	uint64_t new_size;          /* bytes of all that is put */
	bool has_cname;
	uint16_t other_put; /* a type beside CNAME that is put; 0: none */
	uint32_t last_put; /* item to blame */
};

/* --- plan_check.c: what can be said against a change. All return 0, STATUS_INVALID when
 * planner->out says why the change is refused, or another status when the state cannot be
 * read. --- */

/* If-Match and its kin, of a source or zone that is replaced; is its zone still live? */
int plan_check_whole(struct planner *planner);

/* max-delete of a source, once planner->absent is known. */
int plan_check_deletes(struct planner *planner);

/* May the caller write this RRset? */
int plan_check_right(struct planner *planner, size_t item, const struct name_key *owner,
	uint16_t type);

/* Rights, preconditions, owner and zone of an item. `old` NULL: no such RRset stands. */
int plan_check_item(
	struct planner *planner, uint32_t index, const struct state_record *old);

/* What stands at the name in hand after the change. */
int plan_check_name(struct planner *planner, const struct name_key *owner);

/* --- helpers of both --- */

static inline const struct change_item *
planner_next_item(const struct planner *planner)
{
	const struct change *change = planner->change;

	return planner->at < change->count ? &change->items[change->order[planner->at]]
					   : NULL;
}

/* What DNS no longer answers. */
static inline bool
planner_is_over(const struct planner *planner, const struct state_record *record)
{
	return record->expires_ms != 0 && record->expires_ms <= planner->now_ms;
}

static inline bool
planner_has_source(const struct state_record *record, const char *source, size_t len)
{
	return record->source_len == len && memcmp(record->source, source, len) == 0;
}
