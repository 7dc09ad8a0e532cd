/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A plan carried out, step by step, in the writer's transaction.
 */
#include "sidecar/write/plan.h"

#include <stdlib.h>
#include <string.h>

#include "sidecar/state/state.h"
#include "lib/base/status.h"

/* PTR records of zones with auto-ptr follow a change of addresses: behind each step whose RRset
 * state_reverse_is_wanted. */
struct auto_ptr {
	struct plan *plan;   /* whose arena the touched names live in */
	struct state_txn *txn;
	const struct zones *zones;
	struct touched *touched;
	uint64_t revision;   /* of the step; 0: a renewal, which makes none */
	const struct zone *last; /* reverse zone that was touched last */
};

static int follow_pointers(struct auto_ptr *pointing, const struct plan_step *step,
	const struct change *change, uint64_t revision, struct reason *reason);
static int touch_reverse(void *context, const struct name_key *name, struct reason *reason);
static int apply_step(const struct plan_step *step, const struct change *change,
	struct state_txn *txn, const struct name_key *apex, uint64_t revision,
	uint64_t now_ms, struct reason *reason);
static int append_log(const struct plan *plan, struct state_txn *txn, uint64_t revision,
	struct reason *reason);

int
plan_apply(struct plan *plan, const struct change *change, struct state_txn *txn,
	const struct zones *zones, uint64_t revision, uint64_t now_ms,
	struct touched *touched, bool *out_is_clean, struct reason *reason)
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

		zone = zones_match(zones, step->owner);
		status = apply_step(step, change, txn, zone ? &zone->key : NULL, revision,
			now_ms, reason);
		if (status == STATUS_OK)
			status = touched_add(&touched->names, step->owner);
		else if (status == STATUS_FULL && i == 0)
			*out_is_clean = true;
		if (status == STATUS_OK && state_reverse_is_wanted(zone, step->owner, step->type))
			status = follow_pointers(&pointing, step, change, revision, reason);
		/* the serial moves with the data, not with a lease */
		if (status == STATUS_OK && zone && zone != last
			&& step->verb != PLAN_RENEW) {
			status = touched_add(&touched->apexes, &zone->key);
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
	struct state_record record;
	int status;

	switch (step->verb) {
	case PLAN_PUT:
		plan_read_after(step, change, now_ms, &record);
		record.revision = revision;
		return state_put(txn, apex, &record, reason);
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

bool
plan_read_before(const struct plan_step *step, struct state_record *out)
{
	const struct plan_before *before = step->before;

	if (!before)
		return false;
	*out = (struct state_record){
		.rrset = { .type = step->type,
			.count = before->count,
			.ttl = before->ttl,
			.rdata_len = before->rdata_len,
			.rdata = before->rdata },
		.expires_ms = before->expires_ms,
		.lease_ms = before->lease_ms,
		.source_len = before->source_len,
		.source = before->source,
	};
	name_key_copy(&out->rrset.owner, step->owner);
	return true;
}

bool
plan_read_after(const struct plan_step *step, const struct change *change, uint64_t now_ms,
	struct state_record *out)
{
	const struct change_item *item;

	if (step->verb == PLAN_END && plan_read_before(step, out)) {
		out->expires_ms = STATE_LEASE_OVER;
		return true;
	}
	if (step->verb != PLAN_PUT)
		return false;
	item = &change->items[step->item];
	*out = (struct state_record){
		.lease_ms = item->lease_ms,
		.expires_ms = item->is_lease_over ? STATE_LEASE_OVER
			: item->lease_ms ? now_ms + item->lease_ms : 0,
		.source_len = item->source_len,
		.source = item->source,
	};
	change_read_rrset(item, &out->rrset);
	return true;
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

		if (step->verb == PLAN_RENEW)
			continue;
		items[count].deleted = step->verb != PLAN_PUT;
		items[count].type = step->type;
		name_key_copy(&items[count++].owner, step->owner);
	}
	status = state_log_append(txn, revision, items, plan->writes, reason);
	free(items);
	return status;
}

/* --- auto-ptr --- */

/* Brings index, counts, serials of reverse zones and the names touched to what the step
 * has made of it. */
static int
follow_pointers(struct auto_ptr *pointing, const struct plan_step *step,
	const struct change *change, uint64_t revision, struct reason *reason)
{
	struct state_record before, after;
	bool was = plan_read_before(step, &before), is = plan_read_after(step, change, 0, &after);
	int status;

	pointing->revision = revision;
	if (step->verb == PLAN_RENEW) {
		/* the same data, which end at another time */
		pointing->revision = 0;
		status = state_get(pointing->txn, step->owner, step->type, &after, reason);
		if (status != STATUS_OK)
			return status;
		before = after;
		was = is = true;
	}
	if (!was && !is)
		return STATUS_OK;
	return state_point(pointing->txn, pointing->zones, was ? &before.rrset : NULL,
		is ? &after.rrset : NULL, touch_reverse, pointing, reason);
}

static int
touch_reverse(void *context, const struct name_key *name, struct reason *reason)
{
	struct auto_ptr *pointing = context;
	const struct zone *zone = zones_match(pointing->zones, name);
	const struct name_key *copy = arena_copy(&pointing->plan->arena, name, sizeof(*name));
	int status = copy ? touched_add(&pointing->touched->reverse, copy)
			  : STATUS_NO_MEMORY;

	if (status != STATUS_OK)
		return reason_set(reason, status, "out of memory");
	if (pointing->revision == 0 || !zone || zone == pointing->last)
		return STATUS_OK;
	pointing->last = zone;
	status = touched_add(&pointing->touched->apexes, &zone->key);
	return status == STATUS_OK
		? state_touch_zone(pointing->txn, &zone->key, pointing->revision, reason)
		: status;
}
