/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A plan carried out, step by step, in the writer's transaction.
 */
#include "sidecar/write/plan.h"

#include <stdlib.h>

#include "sidecar/state/reverse.h"
#include "lib/base/status.h"
#include "sidecar/write/auto_ptr.h"
#include "sidecar/main/pulse.h"

static int apply_step(const struct plan_step *step, const struct change *change,
	struct state_txn *txn, const struct name_key *apex, uint64_t revision,
	uint64_t now_ms, struct reason *reason);
static int apply_put(const struct plan_step *step, const struct change *change,
	struct state_txn *txn, const struct name_key *apex, uint64_t revision,
	uint64_t now_ms, struct reason *reason);
static int append_log(const struct plan *plan, struct state_txn *txn, uint64_t revision,
	struct reason *reason);

int
plan_apply(struct plan *plan, const struct change *change, struct state_txn *txn,
	const struct zones *zones, uint64_t revision, uint64_t now_ms,
	struct plan_touched *touched, bool *out_is_clean, struct reason *reason)
{
	struct auto_ptr pointing = {
		.plan = plan, .txn = txn, .zones = zones, .touched = touched
	};
	const struct zone *zone, *last = NULL;
	int status = STATUS_OK;
	size_t i;

	*out_is_clean = false;
	for (i = 0; status == STATUS_OK && i < plan->count; i++) {
		const struct plan_step *step = &plan->step[i];
		bool has_pointers;

		pulse_beat();
		zone = zones_match(zones, step->owner);
		has_pointers = reverse_is_wanted(zone, step->owner, step->type);
		if (has_pointers)
			status = auto_ptr_note(&pointing, step, reason);
		if (status != STATUS_OK)
			break;
		status = apply_step(step, change, txn, zone ? &zone->key : NULL, revision,
			now_ms, reason);
		if (status == STATUS_OK)
			status = plan_names_add(&touched->names, step->owner);
		else if (status == STATUS_FULL && i == 0)
			*out_is_clean = true;
		if (status == STATUS_OK && has_pointers)
			status = auto_ptr_follow(
				&pointing, step, change, revision, reason);
		/* the serial moves with the data, not with a lease */
		if (status == STATUS_OK && zone && zone != last
			&& step->verb != PLAN_RENEW) {
			status = plan_names_add(&touched->apexes, &zone->key);
			last = zone;
		}
	}
	if (status == STATUS_OK && plan->writes > 0)
		status = append_log(plan, txn, revision, reason);
	return status;
}

static int
apply_step(const struct plan_step *step, const struct change *change,
	struct state_txn *txn, const struct name_key *apex, uint64_t revision,
	uint64_t now_ms, struct reason *reason)
{
	int status;

	switch (step->verb) {
	case PLAN_PUT:
		return apply_put(step, change, txn, apex, revision, now_ms, reason);
	case PLAN_RENEW:
		return state_renew(
			txn, step->owner, step->type, now_ms + step->lease_ms, reason);
	case PLAN_END:
		status = state_renew(
			txn, step->owner, step->type, STATE_LEASE_OVER, reason);
		if (status == STATUS_OK && apex)
			status = state_touch_zone(txn, apex, revision, reason);
		return status;
	default:
		return state_delete(txn, apex, step->owner, step->type, revision, reason);
	}
}

static int
apply_put(const struct plan_step *step, const struct change *change,
	struct state_txn *txn, const struct name_key *apex, uint64_t revision,
	uint64_t now_ms, struct reason *reason)
{
	const struct change_item *item = &change->items[step->item];
	struct state_record record = {
		.rrset = item->rrset,
		.revision = revision,
		.lease_ms = item->lease_ms,
		.expires_ms = item->is_lease_over ? STATE_LEASE_OVER
			: item->lease_ms ? now_ms + item->lease_ms : 0,
		.source_len = item->source_len,
		.source = item->source,
	};

	return state_put(txn, apex, &record, reason);
}

static int
append_log(const struct plan *plan, struct state_txn *txn, uint64_t revision,
	struct reason *reason)
{
	size_t room = plan->writes <= STATE_LOG_ITEMS_MAX ? plan->writes : 0;
	struct state_log_item *items = reallocarray(NULL, room + 1, sizeof(*items));
	size_t i, count = 0;
	int status;

	if (!items)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	for (i = 0; i < plan->count && room > 0; i++) {
		const struct plan_step *step = &plan->step[i];

		if (step->verb != PLAN_RENEW)
			items[count++] = (struct state_log_item){ step->verb != PLAN_PUT,
				step->type, *step->owner };
	}
	status = state_log_append(txn, revision, items, plan->writes, reason);
	free(items);
	return status;
}
