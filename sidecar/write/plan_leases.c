/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Leases renewed and ended, one step each.
 */
#include "sidecar/write/plan_leases.h"

#include "lib/lookup/lookup.h"
#include "lib/base/status.h"
#include "sidecar/main/pulse.h"

static int
visit_lease(void *context, const struct state_record *record, struct reason *reason);
static bool keeps_away(const struct planner *planner, const struct name_key *owner);

int
plan_leases_make(struct planner *planner)
{
	const struct change *change = planner->change;
	struct state_source source;
	int status;

	if (change->kind == CHANGE_EXPIRE) {
		status = state_walk_expired(planner->txn,
			change->force ? UINT64_MAX : planner->now_ms, visit_lease,
			planner, &planner->out->reason);
		return status == STATUS_TOO_LARGE ? STATUS_OK : status;
	}
	status = state_get_source(planner->txn, change->source, change->source_len,
		&source, &planner->out->reason);
	if (status == STATUS_NOT_FOUND)
		return planner_refuse(planner, CHANGE_NOT_FOUND, CHANGE_WHOLE,
			"there is no such source");
	if (status == STATUS_OK)
		status = state_walk_source(planner->txn, change->source,
			change->source_len, visit_lease, planner, &planner->out->reason);
	return status;
}

static int
visit_lease(void *context, const struct state_record *record, struct reason *reason)
{
	struct planner *planner = context;
	bool is_renewal = planner->change->kind == CHANGE_HEARTBEAT;
	struct plan_step step = { is_renewal ? PLAN_RENEW : PLAN_DELETE,
		record->rrset.type, PLANNER_ITEM_NONE, record->lease_ms, NULL };

	(void)reason;
	pulse_beat();
	/* a heartbeat brings nothing back that DNS has ceased to answer */
	if (is_renewal && (record->lease_ms == 0 || planner_is_over(planner, record)))
		return STATUS_OK;
	if (!is_renewal && planner->plan->count == PLAN_EXPIRE_MAX)
		return STATUS_TOO_LARGE;
	if (!is_renewal && !planner_is_over(planner, record)) {
		/* more left than its length: the wall clock was ahead when it was written */
		if (record->expires_ms - planner->now_ms <= record->lease_ms)
			return STATUS_OK;
		is_renewal = true;
		step.verb = PLAN_RENEW;
	}
	if (!is_renewal && keeps_away(planner, &record->rrset.owner))
		step.verb = PLAN_END;
	step.owner = arena_copy(
		&planner->plan->arena, &record->rrset.owner, sizeof(record->rrset.owner));
	if (!step.owner)
		return planner_no_memory(planner->out);
	if (is_renewal)
		planner->out->renewed++;
	else
		planner->out->removed++;
	return planner_add_step(planner, step);
}

/* on-expiry: remove. Is there a fallback record that the RRset must keep away? */
static bool
keeps_away(const struct planner *planner, const struct name_key *owner)
{
	const struct zone *zone = zones_match(planner->zones, owner);

	return zone && zone->on_expiry == ZONE_EXPIRY_REMOVE && zone->fallback_count > 0
	       && zone_find_fallback(zone, owner, RRSET_ANY);
}
