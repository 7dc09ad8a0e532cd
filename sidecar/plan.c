/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A change against the state. The items come in key order and are joined with the RRsets
 * that the change removes by not naming them; then each name is looked at once: what
 * stands there, what will, and whether DNS allows it.
 */
#include "sidecar/plan.h"

#include <stdlib.h>
#include <string.h>

#include "lib/fallback.h"
#include "lib/node.h"
#include "lib/reverse.h"
#include "lib/status.h"
#include "sidecar/pointing.h"
#include "sidecar/pulse.h"

#define SOURCE_RULE_MIN 10 /* a source with up to so many RRsets may lose them all */
#define ITEM_NONE UINT32_MAX

/* An RRset that goes because the change does not name it. */
struct absent {
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
	size_t at;              /* next item in change->order */
	struct absent *absent;  /* in key order */
	size_t absent_count, absent_room, absent_at;
	size_t owned;           /* RRsets seen of the source */
	/* the name in hand */
	struct state_record old[NODE_RRSETS_MAX];
	size_t old_count;
	bool goes[NODE_RRSETS_MAX]; /* old[i] is deleted */
	size_t new_count;           /* types that were not there */
	uint64_t new_size;          /* bytes of all that is put */
	bool has_cname;
	uint32_t last_put;          /* item to blame */
};

static int
no_memory(struct change_result *out)
{
	return reason_set(&out->reason, STATUS_NO_MEMORY, "out of memory");
}

static bool
is_same_name(const struct name_key *a, const struct name_key *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static int
compare_names(const struct name_key *a, const struct name_key *b)
{
	int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

	return order != 0 ? order : (int)a->len - (int)b->len;
}

static int
add_step(struct planner *planner, struct plan_step step)
{
	struct plan *plan = planner->plan;

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

/* --- what goes because it is not named --- */

static const struct change_item *
next_item(const struct planner *planner)
{
	const struct change *change = planner->change;

	return planner->at < change->count ? &change->items[change->order[planner->at]]
					   : NULL;
}

static int
note_absent(struct planner *planner, const struct rrset *rrset)
{
	struct name_key *owner;

	if (planner->absent_count == planner->absent_room) {
		size_t room = planner->absent_room ? planner->absent_room * 2 : 64;
		struct absent *absent = reallocarray(planner->absent, room, sizeof(*absent));

		if (!absent)
			return no_memory(planner->out);
		planner->absent = absent;
		planner->absent_room = room;
	}
	owner = arena_copy(&planner->plan->arena, &rrset->owner, sizeof(rrset->owner));
	if (!owner)
		return no_memory(planner->out);
	planner->absent[planner->absent_count++] = (struct absent){ owner, rrset->type };
	return STATUS_OK;
}

static int
visit_present(void *context, const struct state_record *record, struct reason *reason)
{
	struct planner *planner = context;
	const struct change_item *item;
	int order = 1;

	(void)reason;
	pulse_beat();
	if (planner->change->kind == CHANGE_ZONE) {
		const struct zone *zone = zones_match(planner->zones, &record->rrset.owner);

		/* a live zone inside this one is not part of it */
		if (!zone || !is_same_name(&zone->key, &planner->change->zone))
			return STATUS_OK;
	}
	planner->owned++;
	while ((item = next_item(planner))) {
		order = change_compare(&item->rrset, &record->rrset);
		if (order >= 0)
			break;
		planner->at++;
	}
	return item && order == 0 ? STATUS_OK : note_absent(planner, &record->rrset);
}

static int
find_absent(struct planner *planner)
{
	static const struct name_key root;
	struct change *change = planner->change;
	struct reason *reason = &planner->out->reason;
	int status = STATUS_OK;

	if (change->kind == CHANGE_SOURCE)
		status = state_walk_source(planner->txn, change->source, change->source_len,
			visit_present, planner, reason);
	else if (change->kind == CHANGE_ZONE)
		status = state_walk_below(planner->txn, &change->zone, visit_present,
			planner, reason);
	else if (change->kind == CHANGE_RESTORE)
		status = state_walk_below(planner->txn, &root, visit_present, planner,
			reason);
	planner->at = 0;
	return status;
}

/* --- preconditions of the whole --- */

static int
refuse(struct planner *planner, enum change_outcome outcome, size_t item, const char *text)
{
	change_refuse(planner->out, outcome, item, NULL, "%s", text);
	return STATUS_INVALID;
}

static int
check_whole(struct planner *planner)
{
	const struct change *change = planner->change;
	struct state_source source = { 0 };
	struct state_zone zone = { 0 };
	uint64_t revision;
	bool exists;
	int status;

	if (change->kind == CHANGE_SOURCE) {
		status = state_get_source(planner->txn, change->source, change->source_len,
			&source, &planner->out->reason);
		revision = source.revision;
		exists = status == STATUS_OK;
	} else if (change->kind == CHANGE_ZONE) {
		if (!zones_find(planner->zones, &change->zone))
			return refuse(planner, CHANGE_INVALID, CHANGE_WHOLE,
				"the zone is no longer live");
		status = state_get_zone(planner->txn, &change->zone, &zone,
			&planner->out->reason);
		revision = zone.revision;
		exists = status == STATUS_OK && zone.rrsets > 0;
	} else {
		return STATUS_OK;
	}
	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		return status;
	planner->out->rrset_revision = revision;
	if (change->has_if_revision && change->if_revision != revision)
		return refuse(planner, CHANGE_STALE, CHANGE_WHOLE,
			"it has changed since: If-Match names another revision");
	if (change->if_present && !exists)
		return refuse(planner, CHANGE_STALE, CHANGE_WHOLE, "it does not exist");
	if (change->if_absent && exists)
		return refuse(planner, CHANGE_STALE, CHANGE_WHOLE, "it exists already");
	return STATUS_OK;
}

static int
check_deletes(struct planner *planner)
{
	const struct change *change = planner->change;
	size_t owned = planner->owned, gone = planner->absent_count;

	if (change->kind != CHANGE_SOURCE || change->force || owned <= SOURCE_RULE_MIN
		|| gone * 100 <= owned * change->max_delete_percent)
		return STATUS_OK;
	change_refuse(planner->out, CHANGE_CONFLICT, CHANGE_WHOLE, NULL,
		"would delete %zu of the source's %zu RRsets, more than max-delete %u %%: say "
		"force=true if that is meant",
		gone, owned, change->max_delete_percent);
	return STATUS_INVALID;
}

/* --- one name --- */

static int
collect_old(void *context, const struct state_record *record, struct reason *reason)
{
	struct planner *planner = context;

	if (planner->old_count == NODE_RRSETS_MAX)
		return reason_set(reason, STATUS_CORRUPT, "state: more than %d types at a name",
			NODE_RRSETS_MAX);
	planner->goes[planner->old_count] = false;
	planner->old[planner->old_count++] = *record;
	return STATUS_OK;
}

static int
begin_name(struct planner *planner, const struct name_key *owner)
{
	planner->old_count = planner->new_count = 0;
	planner->new_size = 0;
	planner->has_cname = false;
	planner->last_put = ITEM_NONE;
	return state_walk_name(planner->txn, owner, collect_old, planner,
		&planner->out->reason);
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

/* What DNS no longer answers. */
static bool
is_over(const struct planner *planner, const struct state_record *record)
{
	return record->expires_ms != 0 && record->expires_ms <= planner->now_ms;
}

static bool
has_source(const struct state_record *record, const char *source, size_t len)
{
	return record->source_len == len && memcmp(record->source, source, len) == 0;
}

static int
note_difference(struct planner *planner, char sign, size_t item, const struct rrset *rrset,
	const struct state_record *old)
{
	struct change_result *out = planner->out;
	struct arena *arena = &planner->change->arena;
	struct change_diff *diff;

	if (planner->change->kind != CHANGE_SOURCE || out->diff_count == CHANGE_DIFF_MAX)
		return STATUS_OK;
	if (!out->diff) {
		size_t most = planner->change->count + planner->absent_count;

		most = most < CHANGE_DIFF_MAX ? most : CHANGE_DIFF_MAX;
		out->diff = arena_alloc(arena, most * sizeof(*out->diff));
	}
	if (!out->diff)
		return no_memory(out);
	diff = &out->diff[out->diff_count++];
	*diff = (struct change_diff){ .sign = sign, .item = item };
	diff->before.owner = rrset->owner;
	diff->before.type = rrset->type;
	if (old) {
		diff->before = old->rrset;
		diff->before.rdata = arena_copy(arena, old->rrset.rdata,
			old->rrset.rdata_len);
		diff->before_lease_ms = old->lease_ms;
		memcpy(diff->before_source, old->source, old->source_len);
	}
	return !old || diff->before.rdata ? STATUS_OK : no_memory(out);
}

static int
check_item(struct planner *planner, uint32_t index, const struct state_record *old)
{
	const struct change_item *item = &planner->change->items[index];
	struct change_result *out = planner->out;
	uint64_t revision = old ? old->revision : 0;
	char text[CHANGE_TEXT_MAX];
	const char *why = NULL;

	if (item->if_absent && old)
		why = "it exists already";
	else if (item->if_present && !old)
		why = "it does not exist";
	else if (item->has_if_revision && item->if_revision != revision)
		why = old ? "it has changed since: its revision is another one"
			  : "it does not exist (any more)";
	if (why) {
		change_describe(&item->rrset.owner, item->rrset.type, text);
		change_refuse(out, CHANGE_STALE, index, NULL, "%s: %s", text, why);
		out->rrset_revision = revision;
		return STATUS_INVALID;
	}
	if (planner->change->kind == CHANGE_SOURCE && old && !planner->change->force
		&& !has_source(old, planner->change->source, planner->change->source_len)) {
		change_describe(&item->rrset.owner, item->rrset.type, text);
		change_refuse(out, CHANGE_CONFLICT, index, NULL,
			"%s belongs to source \"%.*s\"", text, (int)old->source_len,
			old->source);
		memcpy(out->owner, old->source, old->source_len);
		out->owner[old->source_len] = '\0';
		return STATUS_INVALID;
	}
	if (!zones_match(planner->zones, &item->rrset.owner)) {
		change_describe(&item->rrset.owner, item->rrset.type, text);
		change_refuse(out, CHANGE_INVALID, index, "name",
			"%s: the name is in no live zone", text);
		return STATUS_INVALID;
	}
	return STATUS_OK;
}

static int
plan_put(struct planner *planner, uint32_t index, const struct state_record *old)
{
	const struct change_item *item = &planner->change->items[index];
	struct change_result *out = planner->out;
	struct plan_step step = { PLAN_PUT, item->rrset.type, index, item->lease_ms,
		&item->rrset.owner };

	planner->last_put = index;
	planner->new_size += item->rrset.rdata_len;
	if (!old)
		planner->new_count++;
	if (item->rrset.type == RRSET_CNAME)
		planner->has_cname = true;
	if (old && !is_over(planner, old) && rrset_has_same_data(&old->rrset, &item->rrset)
		&& has_source(old, item->source, item->source_len)
		&& old->lease_ms == item->lease_ms) {
		out->unchanged++;
		if (item->lease_ms == 0)
			return STATUS_OK;
		out->renewed++;
		step.verb = PLAN_RENEW;
		return add_step(planner, step);
	}
	if (old && !is_over(planner, old))
		out->changed++;
	else
		out->added++;
	if (add_step(planner, step) != STATUS_OK)
		return STATUS_NO_MEMORY;
	return note_difference(planner, old ? '~' : '+', index, &item->rrset, old);
}

static int
plan_delete(struct planner *planner, const struct name_key *owner, uint16_t type,
	struct state_record *old)
{
	struct plan_step step = { PLAN_DELETE, type, ITEM_NONE, 0, owner };
	struct rrset rrset = { .owner = *owner, .type = type };

	if (!old)
		return STATUS_OK;
	planner->goes[old - planner->old] = true;
	planner->out->removed++;
	if (add_step(planner, step) != STATUS_OK)
		return STATUS_NO_MEMORY;
	return note_difference(planner, '-', CHANGE_WHOLE, &rrset, old);
}

static int
plan_item(struct planner *planner, uint32_t index)
{
	const struct change_item *item = &planner->change->items[index];
	struct state_record *old = find_old(planner, item->rrset.type);
	struct state_record *standing = old && !is_over(planner, old) ? old : NULL;
	int status = check_item(planner, index, standing);

	if (planner->change->count == 1)
		planner->out->old_revision = standing ? standing->revision : 0;
	if (status != STATUS_OK)
		return status;
	if (!item->is_delete)
		return plan_put(planner, index, old);
	if (!old && planner->change->kind == CHANGE_ITEMS && planner->change->count == 1)
		return refuse(planner, CHANGE_NOT_FOUND, index, "there is no such RRset");
	return plan_delete(planner, &item->rrset.owner, item->rrset.type, old);
}

/* Does the change put that type at the name in hand? Its items end before planner->at. */
static bool
is_put(const struct planner *planner, const struct name_key *owner, uint16_t type)
{
	const struct change *change = planner->change;
	size_t i;

	for (i = planner->at; i > 0; i--) {
		const struct change_item *item = &change->items[change->order[i - 1]];

		if (!is_same_name(&item->rrset.owner, owner))
			break;
		if (!item->is_delete && item->rrset.type == type)
			return true;
	}
	return false;
}

/* The type that will stand beside a CNAME; 0 when it is alone. */
static uint16_t
beside_cname(const struct planner *planner, const struct name_key *owner)
{
	const struct change *change = planner->change;
	size_t i;

	for (i = 0; i < planner->old_count; i++)
		if (!planner->goes[i] && planner->old[i].rrset.type != RRSET_CNAME)
			return planner->old[i].rrset.type;
	/* the items of this name end before planner->at */
	for (i = planner->at; i > 0; i--) {
		const struct change_item *item = &change->items[change->order[i - 1]];

		if (!is_same_name(&item->rrset.owner, owner))
			break;
		if (!item->is_delete && item->rrset.type != RRSET_CNAME)
			return item->rrset.type;
	}
	return 0;
}

/* What is over does not stand in the way of a CNAME, nor does a CNAME that is over. */
static int
clear_over(struct planner *planner, const struct name_key *owner)
{
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < planner->old_count; i++) {
		struct state_record *old = &planner->old[i];

		if (!planner->goes[i] && is_over(planner, old)
			&& (planner->has_cname || old->rrset.type == RRSET_CNAME)
			&& !is_put(planner, owner, old->rrset.type))
			status = plan_delete(planner, owner, old->rrset.type, old);
	}
	return status;
}

/* DNS's rules on what stands at the name after the change. */
static int
check_name(struct planner *planner, const struct name_key *owner)
{
	size_t types = planner->new_count, made, i;
	uint64_t size = planner->new_size;
	char text[CHANGE_TEXT_MAX], other[16];
	uint16_t beside;

	if (planner->last_put == ITEM_NONE)
		return STATUS_OK;
	for (i = 0; i < planner->old_count; i++) {
		if (planner->goes[i])
			continue;
		types++;
		size += planner->old[i].rrset.rdata_len;
		if (planner->old[i].rrset.type == RRSET_CNAME)
			planner->has_cname = true;
	}
	beside = planner->has_cname ? beside_cname(planner, owner) : 0;
	if (beside != 0) {
		change_describe(owner, RRSET_CNAME, text);
		presentation_write_type(beside, other);
		change_refuse(planner->out, CHANGE_INVALID, planner->last_put, "type",
			"%s cannot stand beside %s: a CNAME is alone at its name (RFC 2181 "
			"section 10.1)",
			text, other);
		return STATUS_INVALID;
	}
	/* an apex may get an SOA and an NS RRset that nobody wrote */
	made = zones_find(planner->zones, owner) ? 2 : 0;
	if (types + made > NODE_RRSETS_MAX) {
		change_refuse(planner->out, CHANGE_INVALID, planner->last_put, "type",
			"more than %d types at one name", NODE_RRSETS_MAX);
		return STATUS_INVALID;
	}
	/* head of a node, heads of its RRsets, what an apex may get */
	if (size + 512 + (types + made) * 24 + made * 8192 > NODE_SIZE_MAX) {
		change_refuse(planner->out, CHANGE_INVALID, planner->last_put, "records",
			"more than %d bytes at one name", NODE_SIZE_MAX);
		return STATUS_INVALID;
	}
	return STATUS_OK;
}

static int
plan_name(struct planner *planner, const struct name_key *owner)
{
	const struct change *change = planner->change;
	const struct change_item *item;
	int status = begin_name(planner, owner);

	while (status == STATUS_OK && planner->absent_at < planner->absent_count
		&& is_same_name(planner->absent[planner->absent_at].owner, owner)) {
		const struct absent *absent = &planner->absent[planner->absent_at++];

		status = plan_delete(planner, absent->owner, absent->type,
			find_old(planner, absent->type));
	}
	while (status == STATUS_OK && (item = next_item(planner))
		&& is_same_name(&item->rrset.owner, owner))
		status = plan_item(planner, change->order[planner->at++]);
	if (status == STATUS_OK && planner->last_put != ITEM_NONE)
		status = clear_over(planner, owner);
	return status == STATUS_OK ? check_name(planner, owner) : status;
}

static int
plan_names(struct planner *planner)
{
	int status = STATUS_OK;

	while (status == STATUS_OK) {
		const struct change_item *item = next_item(planner);
		const struct name_key *owner = item ? &item->rrset.owner : NULL;

		pulse_beat();
		if (planner->absent_at < planner->absent_count) {
			const struct name_key *gone = planner->absent[planner->absent_at].owner;

			if (!owner || compare_names(gone, owner) < 0)
				owner = gone;
		}
		if (!owner)
			break;
		status = plan_name(planner, owner);
	}
	return status;
}

/* --- the changes without items --- */

/* on-expiry: remove. Is there a fallback record that the RRset must keep away? */
static bool
keeps_away(const struct planner *planner, const struct name_key *owner)
{
	const struct zone *zone = zones_match(planner->zones, owner);

	return zone && zone->on_expiry == ZONE_EXPIRY_REMOVE && zone->fallback_count > 0
		&& fallback_find(zone, owner, RRSET_ANY);
}

static int
visit_lease(void *context, const struct state_record *record, struct reason *reason)
{
	struct planner *planner = context;
	bool is_renewal = planner->change->kind == CHANGE_HEARTBEAT;
	struct plan_step step = { is_renewal ? PLAN_RENEW : PLAN_DELETE, record->rrset.type,
		ITEM_NONE, record->lease_ms, NULL };

	(void)reason;
	pulse_beat();
	/* a heartbeat brings nothing back that DNS has ceased to answer */
	if (is_renewal && (record->lease_ms == 0 || is_over(planner, record)))
		return STATUS_OK;
	if (!is_renewal && planner->plan->count == PLAN_EXPIRE_MAX)
		return STATUS_TOO_LARGE;
	if (!is_renewal && !is_over(planner, record)) {
		/* more left than its length: the wall clock was ahead when it was written */
		if (record->expires_ms - planner->now_ms <= record->lease_ms)
			return STATUS_OK;
		is_renewal = true;
		step.verb = PLAN_RENEW;
	}
	if (!is_renewal && keeps_away(planner, &record->rrset.owner))
		step.verb = PLAN_END;
	step.owner = arena_copy(&planner->plan->arena, &record->rrset.owner,
		sizeof(record->rrset.owner));
	if (!step.owner)
		return no_memory(planner->out);
	if (is_renewal)
		planner->out->renewed++;
	else
		planner->out->removed++;
	return add_step(planner, step);
}

static int
plan_leases(struct planner *planner)
{
	const struct change *change = planner->change;
	struct state_source source;
	int status;

	if (change->kind == CHANGE_EXPIRE) {
		status = state_walk_expired(planner->txn,
			change->force ? UINT64_MAX : planner->now_ms, visit_lease, planner,
			&planner->out->reason);
		return status == STATUS_TOO_LARGE ? STATUS_OK : status;
	}
	status = state_get_source(planner->txn, change->source, change->source_len, &source,
		&planner->out->reason);
	if (status == STATUS_NOT_FOUND)
		return refuse(planner, CHANGE_NOT_FOUND, CHANGE_WHOLE,
			"there is no such source");
	if (status == STATUS_OK)
		status = state_walk_source(planner->txn, change->source, change->source_len,
			visit_lease, planner, &planner->out->reason);
	return status;
}

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
	if (change->kind == CHANGE_HEARTBEAT || change->kind == CHANGE_EXPIRE) {
		status = plan_leases(planner);
	} else {
		status = check_whole(planner);
		if (status == STATUS_OK)
			status = find_absent(planner);
		if (status == STATUS_OK)
			status = check_deletes(planner);
		if (status == STATUS_OK)
			status = plan_names(planner);
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

/* --- carrying out --- */

static int
apply_put(const struct plan_step *step, const struct change *change, struct state_txn *txn,
	const struct name_key *apex, uint64_t revision, uint64_t now_ms,
	struct reason *reason)
{
	const struct change_item *item = &change->items[step->item];
	struct state_record record = {
		.rrset = item->rrset,
		.revision = revision,
		.lease_ms = item->lease_ms,
		.expires_ms = item->lease_ms ? now_ms + item->lease_ms : 0,
		.source_len = item->source_len,
		.source = item->source,
	};

	return state_put(txn, apex, &record, reason);
}

static int
apply_step(const struct plan_step *step, const struct change *change, struct state_txn *txn,
	const struct name_key *apex, uint64_t revision, uint64_t now_ms,
	struct reason *reason)
{
	int status;

	switch (step->verb) {
	case PLAN_PUT:
		return apply_put(step, change, txn, apex, revision, now_ms, reason);
	case PLAN_RENEW:
		return state_renew(txn, step->owner, step->type, now_ms + step->lease_ms,
			reason);
	case PLAN_END:
		status = state_renew(txn, step->owner, step->type, STATE_LEASE_OVER, reason);
		if (status == STATUS_OK && apex)
			status = state_touch_zone(txn, apex, revision, reason);
		return status;
	default:
		return state_delete(txn, apex, step->owner, step->type, revision, reason);
	}
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
			items[count++] = (struct state_log_item){
				step->verb != PLAN_PUT, step->type, *step->owner
			};
	}
	status = state_log_append(txn, revision, items, plan->writes, reason);
	free(items);
	return status;
}

int
plan_apply(struct plan *plan, const struct change *change, struct state_txn *txn,
	const struct zones *zones, uint64_t revision, uint64_t now_ms,
	struct plan_touched *touched, bool *out_is_clean, struct reason *reason)
{
	struct pointing pointing = { .plan = plan, .txn = txn, .zones = zones,
		.touched = touched };
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
			status = pointing_note(&pointing, step, reason);
		if (status != STATUS_OK)
			break;
		status = apply_step(step, change, txn, zone ? &zone->key : NULL, revision,
			now_ms, reason);
		if (status == STATUS_OK)
			status = plan_names_add(&touched->names, step->owner);
		else if (status == STATUS_FULL && i == 0)
			*out_is_clean = true;
		if (status == STATUS_OK && has_pointers)
			status = pointing_follow(&pointing, step, change, revision, reason);
		/* the serial moves with the data, not with a lease */
		if (status == STATUS_OK && zone && zone != last && step->verb != PLAN_RENEW) {
			status = plan_names_add(&touched->apexes, &zone->key);
			last = zone;
		}
	}
	if (status == STATUS_OK && plan->writes > 0)
		status = append_log(plan, txn, revision, reason);
	return status;
}

/* --- names --- */

int
plan_names_add(struct plan_names *names, const struct name_key *name)
{
	if (names->count == names->room) {
		size_t room = names->room ? names->room * 2 : 64;
		const struct name_key **grown = reallocarray(names->name, room, sizeof(*grown));

		if (!grown)
			return STATUS_NO_MEMORY;
		names->name = grown;
		names->room = room;
	}
	names->name[names->count++] = name;
	return STATUS_OK;
}

static int
compare_pointers(const void *left, const void *right)
{
	return compare_names(*(const struct name_key *const *)left,
		*(const struct name_key *const *)right);
}

void
plan_names_sort(struct plan_names *names)
{
	size_t i, kept = 0;
	bool is_sorted = true;

	for (i = 1; is_sorted && i < names->count; i++)
		is_sorted = compare_names(names->name[i - 1], names->name[i]) <= 0;
	if (!is_sorted)
		qsort(names->name, names->count, sizeof(names->name[0]), compare_pointers);
	for (i = 0; i < names->count; i++)
		if (kept == 0 || compare_names(names->name[kept - 1], names->name[i]) != 0)
			names->name[kept++] = names->name[i];
	names->count = kept;
}

void
plan_touched_clear(struct plan_touched *touched)
{
	touched->names.count = touched->reverse.count = touched->apexes.count = 0;
}

static void
names_done(struct plan_names *names)
{
	free(names->name);
	*names = (struct plan_names){ 0 };
}

void
plan_touched_done(struct plan_touched *touched)
{
	names_done(&touched->names);
	names_done(&touched->reverse);
	names_done(&touched->apexes);
}
