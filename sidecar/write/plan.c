/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A change against the state. The items come in key order and are joined with the RRsets
 * that the change removes by not naming them; then each name is looked at once: what
 * stands there, what will, and whether DNS allows it (plan_check.c).
 */
#include "sidecar/write/plan.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"
#include "lib/lookup/lookup.h"
#include "sidecar/write/planner.h"

static int prepare(struct planner *planner);
static int find_absent(struct planner *planner);
static int
visit_present(void *context, const struct state_record *record, struct reason *reason);
static int note_absent(struct planner *planner, const struct rrset *rrset);
static int walk_names(struct planner *planner);
static int plan_name(struct planner *planner, const struct name_key *owner);
static int begin_name(struct planner *planner, const struct name_key *owner);
static int
collect_old(void *context, const struct state_record *record, struct reason *reason);
static struct state_record *find_old(struct planner *planner, uint16_t type);
static int plan_item(struct planner *planner, uint32_t index);
static int
plan_put(struct planner *planner, uint32_t index, const struct state_record *old);
static int plan_delete(struct planner *planner, const struct name_key *owner,
	uint16_t type, struct state_record *old);
static int note_difference(struct planner *planner, char sign, size_t item,
	const struct rrset *rrset, const struct state_record *old);
static int clear_over(struct planner *planner, const struct name_key *owner);
static int plan_leases(struct planner *planner);
static int
visit_lease(void *context, const struct state_record *record, struct reason *reason);
static bool keeps_away(const struct planner *planner, const struct name_key *owner);
static int add_step(struct planner *planner, struct plan_step step,
	const struct state_record *old);
static const struct plan_before *
copy_before(struct arena *arena, const struct state_record *old);
static int no_memory(struct change_result *out);

int
plan_make(struct plan *plan, struct change *change, struct state_txn *txn,
	const struct zones *zones, uint64_t now_ms, struct change_result *out)
{
	struct planner *planner = calloc(1, sizeof(*planner));
	int status;

	*plan = (struct plan){ 0 };
	if (!planner)
		return no_memory(out);
	planner->plan = plan;
	planner->change = change;
	planner->txn = txn;
	planner->zones = zones;
	planner->now_ms = now_ms;
	planner->out = out;
	out->item = CHANGE_WHOLE;
	status = prepare(planner);
	if (status == STATUS_OK)
		status = plan_check_whole(planner);
	if (change->kind == CHANGE_HEARTBEAT || change->kind == CHANGE_EXPIRE) {
		if (status == STATUS_OK)
			status = plan_leases(planner);
	} else {
		if (status == STATUS_OK)
			status = find_absent(planner);
		if (status == STATUS_OK)
			status = plan_check_deletes(planner);
		if (status == STATUS_OK)
			status = walk_names(planner);
	}
	free(planner->absent);
	free(planner);
	return status;
}

void
plan_done(struct plan *plan)
{
	free(plan->step);
	arena_done(&plan->arena);
	*plan = (struct plan){ 0 };
}

/* Items that depend on what is stored. */
static int
prepare(struct planner *planner)
{
	struct change *change = planner->change;

	if (!change->prepare)
		return STATUS_OK;
	change->count = 0;
	return change->prepare(change, planner->txn, planner->zones, planner->out);
}

/* What goes because the change does not name it. */
static int
find_absent(struct planner *planner)
{
	static const struct name_key root;
	struct change *change = planner->change;
	struct reason *reason = &planner->out->reason;
	int status = STATUS_OK;

	if (change->kind == CHANGE_SOURCE)
		status = state_walk_source(planner->txn, change->source,
			change->source_len, visit_present, planner, reason);
	else if (change->kind == CHANGE_ZONE)
		status = state_walk_below(
			planner->txn, &change->zone, visit_present, planner, reason);
	else if (change->kind == CHANGE_RESTORE)
		status = state_walk_below(
			planner->txn, &root, visit_present, planner, reason);
	planner->at = 0;
	return status;
}

static int
visit_present(void *context, const struct state_record *record, struct reason *reason)
{
	struct planner *planner = context;
	const struct change_item *item;
	int order = 1, status;

	(void)reason;
	if (planner->change->kind == CHANGE_ZONE) {
		const struct zone *zone =
			zones_match(planner->zones, &record->rrset.owner);

		/* a live zone inside this one is not part of it */
		if (!zone || !name_key_equal(&zone->key, &planner->change->zone))
			return STATUS_OK;
	}
	planner->owned++;
	while ((item = planner_next_item(planner))) {
		order = change_compare(item, &record->rrset.owner, record->rrset.type);
		if (order >= 0)
			break;
		planner->at++;
	}
	if (item && order == 0)
		return STATUS_OK;
	status = plan_check_right(
		planner, CHANGE_WHOLE, &record->rrset.owner, record->rrset.type);
	return status == STATUS_OK ? note_absent(planner, &record->rrset) : status;
}

static int
note_absent(struct planner *planner, const struct rrset *rrset)
{
	struct name_key *owner;

	if (planner->absent_count == planner->absent_room) {
		size_t room = planner->absent_room ? planner->absent_room * 2 : 64;
		struct planner_absent *absent =
			reallocarray(planner->absent, room, sizeof(*absent));

		if (!absent)
			return no_memory(planner->out);
		planner->absent = absent;
		planner->absent_room = room;
	}
	owner = arena_copy(&planner->plan->arena, &rrset->owner, sizeof(rrset->owner));
	if (!owner)
		return no_memory(planner->out);
	planner->absent[planner->absent_count++] =
		(struct planner_absent){ owner, rrset->type };
	return STATUS_OK;
}

static int
walk_names(struct planner *planner)
{
	int status = STATUS_OK;

	while (status == STATUS_OK) {
		const struct change_item *item = planner_next_item(planner);
		const struct name_key *owner = item ? item->rrset.owner : NULL;

		if (planner->absent_at < planner->absent_count) {
			const struct name_key *gone =
				planner->absent[planner->absent_at].owner;

			if (!owner || name_key_compare(gone, owner) < 0)
				owner = gone;
		}
		if (!owner)
			break;
		status = plan_name(planner, owner);
	}
	return status;
}

static int
plan_name(struct planner *planner, const struct name_key *owner)
{
	const struct change *change = planner->change;
	const struct change_item *item;
	int status = begin_name(planner, owner);

	while (status == STATUS_OK && planner->absent_at < planner->absent_count
		&& name_key_equal(
			planner->absent[planner->absent_at].owner, owner)) {
		const struct planner_absent *absent =
			&planner->absent[planner->absent_at++];

		status = plan_delete(planner, absent->owner, absent->type,
			find_old(planner, absent->type));
	}
	while (status == STATUS_OK && (item = planner_next_item(planner))
		&& name_key_equal(item->rrset.owner, owner))
		status = plan_item(planner, change->order[planner->at++]);
	if (status == STATUS_OK && planner->last_put != PLANNER_ITEM_NONE)
		status = clear_over(planner, owner);
	return status == STATUS_OK ? plan_check_name(planner, owner) : status;
}

static int
begin_name(struct planner *planner, const struct name_key *owner)
{
	planner->old_count = planner->new_count = 0;
	planner->new_size = 0;
	planner->has_cname = false;
	planner->other_put = 0;
	planner->last_put = PLANNER_ITEM_NONE;
	return state_walk_name(
		planner->txn, owner, collect_old, planner, &planner->out->reason);
}

static int
collect_old(void *context, const struct state_record *record, struct reason *reason)
{
	struct planner *planner = context;

	if (planner->old_count == NODE_RRSETS_MAX)
		return reason_set(reason, STATUS_CORRUPT,
			"state: more than %d types at a name", NODE_RRSETS_MAX);
	planner->goes[planner->old_count] = planner->is_put[planner->old_count] = false;
	planner->old[planner->old_count++] = *record;
	return STATUS_OK;
}

static struct state_record *
find_old(struct planner *planner, uint16_t type)
{
	size_t i;

	for (i = 0; i < planner->old_count; i++)
		if (planner->old[i].rrset.type == type)
			return &planner->old[i];
	return NULL;
}

static int
plan_item(struct planner *planner, uint32_t index)
{
	const struct change_item *item = &planner->change->items[index];
	struct state_record *old = find_old(planner, item->rrset.type);
	struct state_record *standing =
		old && !planner_is_over(planner, old) ? old : NULL;
	int status = plan_check_item(planner, index, standing);

	if (planner->change->count == 1)
		planner->out->old_revision = standing ? standing->revision : 0;
	if (status != STATUS_OK)
		return status;
	if (!item->is_delete)
		return plan_put(planner, index, old);
	if (!old && planner->change->kind == CHANGE_ITEMS && planner->change->count == 1)
		return change_refuse(planner->out, CHANGE_NOT_FOUND, index, NULL,
				"there is no such RRset");
	return plan_delete(planner, item->rrset.owner, item->rrset.type, old);
}

static int
plan_put(struct planner *planner, uint32_t index, const struct state_record *old)
{
	const struct change_item *item = &planner->change->items[index];
	struct change_result *out = planner->out;
	struct plan_step step = { .verb = PLAN_PUT,
		.type = item->rrset.type,
		.item = index,
		.lease_ms = item->lease_ms,
		.owner = item->rrset.owner };
	struct rrset rrset;

	change_read_rrset(item, &rrset);
	planner->last_put = index;
	planner->new_size += item->rrset.rdata_len;
	if (old)
		planner->is_put[old - planner->old] = true;
	else
		planner->new_count++;
	if (item->rrset.type == RRSET_CNAME)
		planner->has_cname = true;
	else
		planner->other_put = item->rrset.type;
	if (old && !planner_is_over(planner, old) && !item->is_lease_over
		&& rrset_has_same_data(&old->rrset, &rrset)
		&& planner_has_source(old, item->source, item->source_len)
		&& old->lease_ms == item->lease_ms) {
		out->unchanged++;
		if (item->lease_ms == 0)
			return STATUS_OK;
		out->renewed++;
		step.verb = PLAN_RENEW;
		return add_step(planner, step, NULL);
	}
	if (old && !planner_is_over(planner, old))
		out->changed++;
	else
		out->added++;
	if (add_step(planner, step, old) != STATUS_OK)
		return STATUS_NO_MEMORY;
	return note_difference(planner, old ? '~' : '+', index, &rrset, old);
}

static int
plan_delete(struct planner *planner, const struct name_key *owner, uint16_t type,
	struct state_record *old)
{
	struct plan_step step = { .verb = PLAN_DELETE,
		.type = type,
		.item = PLANNER_ITEM_NONE,
		.owner = owner };
	struct rrset rrset = { .type = type };

	if (!old)
		return STATUS_OK;
	name_key_copy(&rrset.owner, owner);
	planner->goes[old - planner->old] = true;
	planner->out->removed++;
	if (add_step(planner, step, old) != STATUS_OK)
		return STATUS_NO_MEMORY;
	return note_difference(planner, '-', CHANGE_WHOLE, &rrset, old);
}

static int
note_difference(struct planner *planner, char sign, size_t item,
	const struct rrset *rrset, const struct state_record *old)
{
	struct change_result *out = planner->out;
	struct arena *arena = &planner->change->arena;
	struct change_diff *diff;
	const struct change *change = planner->change;
	size_t most = change->count + planner->absent_count;

	if (most > CHANGE_DIFF_MAX && !(change->kind == CHANGE_ROLLBACK && change->dry_run))
		most = CHANGE_DIFF_MAX;
	if ((change->kind != CHANGE_SOURCE && change->kind != CHANGE_ROLLBACK)
		|| out->diff_count == most)
		return STATUS_OK;
	if (!out->diff)
		out->diff = arena_alloc(arena, most * sizeof(*out->diff));
	if (!out->diff)
		return no_memory(out);
	diff = &out->diff[out->diff_count++];
	*diff = (struct change_diff){ .sign = sign, .item = item };
	diff->before.owner = rrset->owner;
	diff->before.type = rrset->type;
	if (old) {
		diff->before = old->rrset;
		diff->before.rdata =
			arena_copy(arena, old->rrset.rdata, old->rrset.rdata_len);
		diff->before_lease_ms = old->lease_ms;
		memcpy(diff->before_source, old->source, old->source_len);
	}
	return !old || diff->before.rdata ? STATUS_OK : no_memory(out);
}

/* What is over does not stand in the way of a CNAME, nor does a CNAME that is over. */
static int
clear_over(struct planner *planner, const struct name_key *owner)
{
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < planner->old_count; i++) {
		struct state_record *old = &planner->old[i];

		if (!planner->goes[i] && planner_is_over(planner, old)
			&& (planner->has_cname || old->rrset.type == RRSET_CNAME)
			&& !planner->is_put[i])
			status = plan_delete(planner, owner, old->rrset.type, old);
	}
	return status;
}

/* --- changes without items: a heartbeat, and leases that ran out --- */

static int
plan_leases(struct planner *planner)
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
		return change_refuse(planner->out, CHANGE_NOT_FOUND, CHANGE_WHOLE, NULL,
				"no RRset belongs to this source");
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
	struct plan_step step = { .verb = is_renewal ? PLAN_RENEW : PLAN_DELETE,
		.type = record->rrset.type,
		.item = PLANNER_ITEM_NONE,
		.lease_ms = record->lease_ms };

	(void)reason;
	if (is_renewal
		&& plan_check_right(planner, CHANGE_WHOLE, &record->rrset.owner,
			   record->rrset.type)
			   != STATUS_OK)
		return STATUS_INVALID;
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
		return no_memory(planner->out);
	if (is_renewal)
		planner->out->renewed++;
	else
		planner->out->removed++;
	return add_step(planner, step, is_renewal ? NULL : record);
}

/* on-expiry: remove. Is there a fallback record that the RRset must keep away? */
static bool
keeps_away(const struct planner *planner, const struct name_key *owner)
{
	const struct zone *zone = zones_match(planner->zones, owner);

	return zone && zone->on_expiry == ZONE_EXPIRY_REMOVE && zone->fallback_count > 0
	       && zone_find_fallback(zone, owner, RRSET_ANY);
}

/* --- what each part ends in --- */

static int
add_step(struct planner *planner, struct plan_step step, const struct state_record *old)
{
	struct plan *plan = planner->plan;

	if (old) {
		step.before = copy_before(&plan->arena, old);
		if (!step.before)
			return no_memory(planner->out);
	}
	if (plan->count == plan->room) {
		size_t room = plan->room ? plan->room * 2 : 16;
		struct plan_step *steps = reallocarray(plan->step, room, sizeof(*steps));

		if (!steps)
			return no_memory(planner->out);
		plan->step = steps;
		plan->room = room;
	}
	plan->step[plan->count++] = step;
	if (step.verb != PLAN_RENEW)
		plan->writes++;
	return STATUS_OK;
}

static const struct plan_before *
copy_before(struct arena *arena, const struct state_record *old)
{
	struct plan_before *before = arena_alloc(arena, sizeof(*before));

	if (!before)
		return NULL;
	*before = (struct plan_before){ .ttl = old->rrset.ttl,
		.lease_ms = old->lease_ms,
		.expires_ms = old->expires_ms,
		.rdata_len = old->rrset.rdata_len,
		.count = old->rrset.count,
		.source_len = old->source_len,
		.rdata = arena_copy(arena, old->rrset.rdata, old->rrset.rdata_len),
		.source = arena_copy(arena, old->source, old->source_len) };
	return before->rdata && before->source ? before : NULL;
}

static int
no_memory(struct change_result *out)
{
	return reason_set(&out->reason, STATUS_NO_MEMORY, "out of memory");
}
