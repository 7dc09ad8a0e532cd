/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Refusals of a change, from the whole to the single name.
 */
#include "sidecar/write/planner.h"

#include <string.h>

#include "lib/base/status.h"

#define SOURCE_RULE_MIN 10 /* a source with up to so many RRsets may lose them all */

static int check_rights(struct planner *planner);
static int forbid(struct planner *planner, size_t item, const struct reason *reason);
static int check_conditions(
	struct planner *planner, uint32_t index, const struct state_record *old);
static int
check_owner(struct planner *planner, uint32_t index, const struct state_record *old);
static int refuse_owner(
	struct planner *planner, uint32_t index, const struct state_record *old);
static uint16_t beside_cname(const struct planner *planner);

int
plan_check_whole(struct planner *planner)
{
	const struct change *change = planner->change;
	struct state_source source = { 0 };
	struct state_zone zone = { 0 };
	uint64_t revision;
	bool exists;
	int status = check_rights(planner);

	if (status != STATUS_OK)
		return status;
	if (change->kind == CHANGE_SOURCE) {
		status = state_get_source(planner->txn, change->source,
			change->source_len, &source, &planner->out->reason);
		revision = source.revision;
		exists = status == STATUS_OK;
	} else if (change->kind == CHANGE_ZONE) {
		if (!zones_find(planner->zones, &change->zone))
			return change_refuse(planner->out, CHANGE_INVALID, CHANGE_WHOLE, NULL,
				"the zone is no longer live");
		status = state_get_zone(
			planner->txn, &change->zone, &zone, &planner->out->reason);
		revision = zone.revision;
		exists = status == STATUS_OK && zone.rrsets > 0;
	} else {
		return STATUS_OK;
	}
	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		return status;
	planner->out->rrset_revision = revision;
	if (change->has_if_revision && change->if_revision != revision)
		return change_refuse(planner->out, CHANGE_STALE, CHANGE_WHOLE, NULL,
				"it has changed since: If-Match names another revision");
	if (change->if_present && !exists)
		return change_refuse(planner->out, CHANGE_STALE, CHANGE_WHOLE, NULL,
				"it does not exist");
	if (change->if_absent && exists)
		return change_refuse(planner->out, CHANGE_STALE, CHANGE_WHOLE, NULL,
				"it exists already");
	return STATUS_OK;
}

int
plan_check_deletes(struct planner *planner)
{
	const struct change *change = planner->change;
	size_t owned = planner->owned, gone = planner->absent_count;

	if (change->kind != CHANGE_SOURCE || change->force || owned <= SOURCE_RULE_MIN
		|| gone * 100 <= owned * change->max_delete_percent)
		return STATUS_OK;
	return change_refuse(planner->out, CHANGE_CONFLICT, CHANGE_WHOLE, NULL,
		"would delete %zu of the source's %zu RRsets, more than max-delete %u %%: "
		"pass force=true to allow this",
		gone, owned, change->max_delete_percent);
}

/* Of the change as a whole; each name is looked at later. */
static int
check_rights(struct planner *planner)
{
	const struct change *change = planner->change;
	const struct caller *caller = &change->caller;
	struct reason reason = { "" };
	bool may = true;

	switch (change->kind) {
	case CHANGE_SOURCE:
	case CHANGE_HEARTBEAT:
		may = authorize_source(caller, change->source, change->source_len, &reason);
		break;
	case CHANGE_ZONE:
		may = authorize_name(caller, CREDENTIALS_WRITE, &change->zone, 0, &reason);
		break;
	case CHANGE_RESTORE:
	case CHANGE_EXPIRE:
	case CHANGE_ALARM:
		may = authorize_all(caller, CREDENTIALS_ADMIN, planner->zones, &reason);
		break;
	case CHANGE_ITEMS:
	case CHANGE_ROLLBACK:
		break;
	}
	return may ? STATUS_OK : forbid(planner, CHANGE_WHOLE, &reason);
}

int
plan_check_right(struct planner *planner, size_t item, const struct name_key *owner,
	uint16_t type)
{
	struct reason reason = { "" };

	/* who may restore may everything */
	return planner->change->kind == CHANGE_RESTORE
			       || authorize_name(&planner->change->caller,
				       CREDENTIALS_WRITE, owner, type, &reason)
		       ? STATUS_OK
		       : forbid(planner, item, &reason);
}

static int
forbid(struct planner *planner, size_t item, const struct reason *reason)
{
	return change_refuse(planner->out, CHANGE_FORBIDDEN, item, NULL, "%s", reason->text);
}

int
plan_check_item(struct planner *planner, uint32_t index, const struct state_record *old)
{
	const struct change_item *item = &planner->change->items[index];
	char text[CHANGE_TEXT_MAX];
	int status = plan_check_right(planner, index, item->rrset.owner, item->rrset.type);

	if (status == STATUS_OK)
		status = check_owner(planner, index, old);
	if (status == STATUS_OK)
		status = check_conditions(planner, index, old);
	if (status != STATUS_OK)
		return status;
	if (!zones_match(planner->zones, item->rrset.owner)) {
		change_describe(item->rrset.owner, item->rrset.type, text);
		return change_refuse(planner->out, CHANGE_INVALID, index, "name",
			"%s: the name is in no live zone", text);
	}
	return STATUS_OK;
}

/* As whom may the caller write, and over whom? */
static int
check_owner(struct planner *planner, uint32_t index, const struct state_record *old)
{
	const struct change *change = planner->change;
	const struct change_item *item = &change->items[index];
	struct reason reason = { "" };

	if (!item->is_delete && change->kind != CHANGE_RESTORE
		&& !authorize_source(
			&change->caller, item->source, item->source_len, &reason))
		return forbid(planner, index, &reason);
	if (!old)
		return STATUS_OK;
	if (change->kind == CHANGE_SOURCE && !change->force
		&& !planner_has_source(old, change->source, change->source_len))
		return refuse_owner(planner, index, old);
	if (change->only_source
		&& !planner_has_source(old, change->only_source, strlen(change->only_source)))
		return refuse_owner(planner, index, old);
	return STATUS_OK;
}

static int
refuse_owner(struct planner *planner, uint32_t index, const struct state_record *old)
{
	const struct change_item *item = &planner->change->items[index];
	struct change_result *out = planner->out;
	char text[CHANGE_TEXT_MAX];

	change_describe(item->rrset.owner, item->rrset.type, text);
	change_refuse(out, CHANGE_CONFLICT, index, NULL, "%s belongs to source \"%.*s\"", text,
		(int)old->source_len, old->source);
	memcpy(out->owner, old->source, old->source_len);
	out->owner[old->source_len] = '\0';
	return STATUS_INVALID;
}

static int
check_conditions(struct planner *planner, uint32_t index, const struct state_record *old)
{
	const struct change_item *item = &planner->change->items[index];
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
	if (!why)
		return STATUS_OK;
	change_describe(item->rrset.owner, item->rrset.type, text);
	change_refuse(planner->out, CHANGE_STALE, index, NULL, "%s: %s", text, why);
	planner->out->rrset_revision = revision;
	return STATUS_INVALID;
}

int
plan_check_name(struct planner *planner, const struct name_key *owner)
{
	size_t types = planner->new_count, made, i;
	uint64_t size = planner->new_size;
	char text[CHANGE_TEXT_MAX], other[16];
	uint16_t beside;

	if (planner->last_put == PLANNER_ITEM_NONE)
		return STATUS_OK;
	for (i = 0; i < planner->old_count; i++) {
		if (planner->goes[i])
			continue;
		types++;
		size += planner->old[i].rrset.rdata_len;
		if (planner->old[i].rrset.type == RRSET_CNAME)
			planner->has_cname = true;
	}
	beside = planner->has_cname ? beside_cname(planner) : 0;
	if (beside != 0) {
		change_describe(owner, RRSET_CNAME, text);
		presentation_write_type(beside, other);
		return change_refuse(planner->out, CHANGE_INVALID, planner->last_put, "type",
			"%s cannot stand beside %s: a CNAME is alone at its name (RFC "
			"2181 "
			"section 10.1)",
			text, other);
	}
	/* an apex may get an SOA and an NS RRset that nobody wrote */
	made = zones_find(planner->zones, owner) ? 2 : 0;
	if (types + made > NODE_RRSETS_MAX) {
		return change_refuse(planner->out, CHANGE_INVALID, planner->last_put, "type",
			"more than %d types at one name", NODE_RRSETS_MAX);
	}
	/* head of a node, heads of its RRsets, what an apex may get */
	if (size + 512 + (types + made) * 24 + made * 8192 > NODE_SIZE_MAX) {
		return change_refuse(planner->out, CHANGE_INVALID, planner->last_put, "records",
			"more than %d bytes at one name", NODE_SIZE_MAX);
	}
	return STATUS_OK;
}

/* The type that will stand beside a CNAME; 0 when it is alone. */
static uint16_t
beside_cname(const struct planner *planner)
{
	for (size_t i = 0; i < planner->old_count; i++)
		if (!planner->goes[i] && planner->old[i].rrset.type != RRSET_CNAME)
			return planner->old[i].rrset.type;
	return planner->other_put;
}
