/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Changes as lists of items, and the rules that need no look at the state. Called by API
 * threads, each with its own change.
 */
#include "sidecar/write/change.h"

#include <endian.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/status.h"

#define ROOM_FIRST 4

struct change *
change_new(enum change_kind kind)
{
	struct change *change = calloc(1, sizeof(*change));

	if (change) {
		change->kind = kind;
		change->max_delete_percent = 50;
	}
	return change;
}

void
change_free(struct change *change)
{
	if (!change)
		return;
	arena_done(&change->arena);
	free(change->items);
	free(change->order);
	free(change);
}

struct change_item *
change_add(struct change *change)
{
	struct change_item *item;

	if (change->count == CHANGE_ITEMS_MAX)
		return NULL;
	if (change->count == change->room) {
		size_t room = change->room ? change->room * 2 : ROOM_FIRST;
		struct change_item *items = reallocarray(change->items, room, sizeof(*items));

		if (!items)
			return NULL;
		change->items = items;
		change->room = room;
	}
	item = &change->items[change->count++];
	*item = (struct change_item){ 0 };
	return item;
}

int
change_take_rrset(struct change *change, struct change_item *item, const struct rrset *rrset)
{
	const struct name_key *owner = arena_copy(&change->arena, &rrset->owner,
		offsetof(struct name_key, bytes) + rrset->owner.len);
	const uint8_t *rdata = rrset->rdata_len
		? arena_copy(&change->arena, rrset->rdata, rrset->rdata_len)
		: NULL;

	if (!owner || (rrset->rdata_len && !rdata))
		return STATUS_NO_MEMORY;
	item->rrset = (struct change_rrset){ owner, rdata, rrset->ttl, rrset->rdata_len,
		rrset->type, rrset->count };
	return STATUS_OK;
}

void
change_read_rrset(const struct change_item *item, struct rrset *out)
{
	const struct change_rrset *rrset = &item->rrset;

	name_key_copy(&out->owner, rrset->owner);
	out->type = rrset->type;
	out->count = rrset->count;
	out->ttl = rrset->ttl;
	out->rdata_len = rrset->rdata_len;
	out->rdata = rrset->rdata;
}

int
change_refuse(struct change_result *result, enum change_outcome outcome, size_t item,
	const char *field, const char *format, ...)
{
	va_list args;

	result->outcome = outcome;
	result->item = item;
	result->field = field;
	va_start(args, format);
	vsnprintf(result->reason.text, sizeof(result->reason.text), format, args);
	va_end(args);
	return STATUS_INVALID;
}

void
change_describe(const struct name_key *owner, uint16_t type, char out[CHANGE_TEXT_MAX])
{
	struct name name;
	char text[16];

	if (name_from_key(owner->bytes, owner->len, &name) == STATUS_OK)
		presentation_write_name(&name, out);
	else
		strcpy(out, "?");
	presentation_write_type(type, text);
	strcat(strcat(out, " "), text);
}

int
change_compare(const struct change_item *item, const struct name_key *owner, uint16_t type)
{
	int order = name_key_compare(item->rrset.owner, owner);

	return order != 0 ? order : (int)item->rrset.type - (int)type;
}

static int
compare_items(const struct change_item *a, const struct change_item *b)
{
	return change_compare(a, b->rrset.owner, b->rrset.type);
}

/* --- the order of items --- */

/* Most keys of a change begin alike, with their zone. What follows the common part, as a
 * two numbers, decides most comparisons without touching the item: sorting a million items
 * would otherwise be one cache miss after the other. */
struct sort_entry {
	uint64_t head[2];
	const struct change_item *item;
};

static size_t
common_prefix(const struct change *change)
{
	const struct name_key *first = change->items[0].rrset.owner;
	size_t i, common = first->len;

	for (i = 1; i < change->count && common > 0; i++) {
		const struct name_key *key = change->items[i].rrset.owner;
		size_t at = 0;

		if (common > key->len)
			common = key->len;
		if (memcmp(first->bytes, key->bytes, common) == 0)
			continue;
		while (first->bytes[at] == key->bytes[at])
			at++;
		common = at;
	}
	return common;
}

static struct sort_entry
make_entry(const struct change_item *item, size_t skip)
{
	const struct name_key *key = item->rrset.owner;
	struct sort_entry entry = { .item = item };
	size_t len = key->len - skip;

	memcpy(entry.head, key->bytes + skip,
		len < sizeof(entry.head) ? len : sizeof(entry.head));
	entry.head[0] = be64toh(entry.head[0]);
	entry.head[1] = be64toh(entry.head[1]);
	return entry;
}

static int
compare_entries(const void *left, const void *right)
{
	const struct sort_entry *a = left, *b = right;

	if (a->head[0] != b->head[0])
		return a->head[0] < b->head[0] ? -1 : 1;
	if (a->head[1] != b->head[1])
		return a->head[1] < b->head[1] ? -1 : 1;
	return compare_items(a->item, b->item);
}

static bool
is_sorted(const struct change *change)
{
	size_t i;

	for (i = 1; i < change->count; i++)
		if (compare_items(&change->items[i - 1], &change->items[i]) > 0)
			return false;
	return true;
}

static int
sort_items(struct change *change)
{
	size_t count = change->count, skip, i;
	struct sort_entry *entry = NULL;

	free(change->order);
	change->order = reallocarray(NULL, count + 1, sizeof(*change->order));
	if (!change->order)
		return STATUS_NO_MEMORY;
	for (i = 0; i < count; i++)
		change->order[i] = (uint32_t)i;
	if (is_sorted(change))
		return STATUS_OK;
	entry = reallocarray(NULL, count, sizeof(*entry));
	if (!entry)
		return STATUS_NO_MEMORY;
	skip = common_prefix(change);
	for (i = 0; i < count; i++)
		entry[i] = make_entry(&change->items[i], skip);
	qsort(entry, count, sizeof(*entry), compare_entries);
	for (i = 0; i < count; i++)
		change->order[i] = (uint32_t)(entry[i].item - change->items);
	free(entry);
	return STATUS_OK;
}

/* --- the rules --- */

static int
check_zone(const struct change *change, size_t index, const struct zone *zone,
	struct change_result *out)
{
	char text[CHANGE_TEXT_MAX];
	const struct change_rrset *rrset = &change->items[index].rrset;

	if (zone
		&& (change->kind != CHANGE_ZONE || name_key_equal(&zone->key, &change->zone)))
		return STATUS_OK;
	change_describe(rrset->owner, rrset->type, text);
	return change_refuse(out, CHANGE_INVALID, index, "name", "%s: the name is %s", text,
		zone ? "not in this zone" : "in no live zone");
}

/* Types that stand once, or at one place only. */
static int
check_type(const struct change *change, size_t index, const struct zone *zone,
	struct change_result *out)
{
	const struct change_rrset *rrset = &change->items[index].rrset;
	bool is_apex = name_key_equal(rrset->owner, &zone->key);
	bool is_single = rrset->type == RRSET_SOA || rrset->type == RRSET_CNAME
		|| rrset->type == RRSET_DNAME;
	const char *field = "type", *why;
	char text[CHANGE_TEXT_MAX];

	if (rrset->type == RRSET_SOA && !is_apex) {
		why = "an SOA stands at the apex of its zone only";
	} else if (rrset->type == RRSET_CNAME && is_apex) {
		why = "the apex of a zone has an SOA, beside which no CNAME can stand";
	} else if (is_single && rrset->count > 1) {
		field = "records";
		why = "this type has one record";
	} else {
		return STATUS_OK;
	}
	change_describe(rrset->owner, rrset->type, text);
	return change_refuse(out, CHANGE_INVALID, index, field, "%s: %s", text, why);
}

static int
check_limits(const struct change *change, size_t index, struct change_result *out)
{
	const struct change_item *item = &change->items[index];
	struct rrset rrset;

	change_read_rrset(item, &rrset);
	if (rrset.count == 0)
		return change_refuse(out, CHANGE_INVALID, index, "records",
			"at least one record is needed");
	if (rrset.count > RRSET_RECORDS_MAX)
		return change_refuse(out, CHANGE_INVALID, index, "records",
			"%u records, at most %u are allowed", rrset.count,
			RRSET_RECORDS_MAX);
	if (rrset.rdata_len > RRSET_RDATA_MAX)
		return change_refuse(out, CHANGE_INVALID, index, "records",
			"%u bytes of records, at most %u are allowed", rrset.rdata_len,
			RRSET_RDATA_MAX);
	if (rrset_message_size(&rrset) > RRSET_MESSAGE_MAX)
		return change_refuse(out, CHANGE_INVALID, index, "records",
			"an answer with this RRset would have %zu octets, a DNS message "
			"has at most %u",
			rrset_message_size(&rrset), RRSET_MESSAGE_MAX);
	if (rrset.ttl > RRSET_TTL_MAX)
		return change_refuse(out, CHANGE_INVALID, index, "ttl",
			"TTL %u is out of range: 0 to %u", rrset.ttl, RRSET_TTL_MAX);
	if (item->source_len == 0 || item->source_len > STATE_SOURCE_MAX)
		return change_refuse(out, CHANGE_INVALID, index, "source",
			"a source's name has 1 to %u characters", STATE_SOURCE_MAX);
	return STATUS_OK;
}

static int
check_item(const struct change *change, size_t index, const struct zones *zones,
	struct change_result *out)
{
	const struct change_item *item = &change->items[index];
	const struct zone *zone = zones_match(zones, item->rrset.owner);
	int status = check_zone(change, index, zone, out);

	if (status == STATUS_OK && !item->is_delete)
		status = check_limits(change, index, out);
	if (status == STATUS_OK && !item->is_delete)
		status = check_type(change, index, zone, out);
	return status;
}

static int
check_duplicates(const struct change *change, struct change_result *out)
{
	char text[CHANGE_TEXT_MAX];

	for (size_t i = 1; i < change->count; i++) {
		uint32_t a = change->order[i - 1], b = change->order[i];
		const struct change_rrset *rrset = &change->items[b].rrset;

		if (compare_items(&change->items[a], &change->items[b]) != 0)
			continue;
		change_describe(rrset->owner, rrset->type, text);
		return change_refuse(out, CHANGE_INVALID, a > b ? a : b, NULL,
			"%s is given twice", text);
	}
	return STATUS_OK;
}

int
change_check(struct change *change, const struct zones *zones, struct change_result *out)
{
	out->item = CHANGE_WHOLE;
	for (size_t i = 0; i < change->count; i++)
		if (check_item(change, i, zones, out) != STATUS_OK)
			return STATUS_INVALID;
	if (sort_items(change) != STATUS_OK) {
		change_refuse(out, CHANGE_FAILED, CHANGE_WHOLE, NULL, "out of memory");
		return STATUS_NO_MEMORY;
	}
	return check_duplicates(change, out);
}

/* --- the audit line --- */

static const char *
outcome_name(const struct change_result *result)
{
	static const char *const names[] = {
		[CHANGE_DONE] = "done",
		[CHANGE_UNCHANGED] = "unchanged",
		[CHANGE_NOT_FOUND] = "not found",
		[CHANGE_FORBIDDEN] = "forbidden",
		[CHANGE_INVALID] = "invalid",
		[CHANGE_STALE] = "precondition failed",
		[CHANGE_CONFLICT] = "conflict",
		[CHANGE_FULL] = "store full",
		[CHANGE_BUSY] = "busy",
		[CHANGE_FAILED] = "failed",
		[CHANGE_UNKNOWN] = "outcome unknown",
	};

	if (result->is_unserved)
		return result->outcome == CHANGE_DONE ? "done, not served"
						      : "unchanged, not served";
	return names[result->outcome];
}

/* "batch", "zone live.test.", "source k8s (dry run)". */
static void
write_subject(const struct change *change, char *out, size_t size)
{
	static const char *const verbs[] = {
		[CHANGE_ITEMS] = "batch",
		[CHANGE_SOURCE] = "replace source ",
		[CHANGE_ZONE] = "replace zone ",
		[CHANGE_HEARTBEAT] = "heartbeat of source ",
		[CHANGE_EXPIRE] = "expire",
		[CHANGE_RESTORE] = "restore",
		[CHANGE_ROLLBACK] = "rollback",
		[CHANGE_ALARM] = "acknowledge alarm ",
	};
	char text[PRESENTATION_NAME_MAX] = "";
	struct name name;

	if (change->kind == CHANGE_ZONE
		&& name_from_key(change->zone.bytes, change->zone.len, &name) == STATUS_OK)
		presentation_write_name(&name, text);
	else if (change->source)
		snprintf(text, sizeof(text), "%.*s", (int)change->source_len, change->source);
	else if (change->kind == CHANGE_ALARM)
		snprintf(text, sizeof(text), "%s", change->alarm);
	snprintf(out, size, "%s%.300s%s",
		change->alarm_text ? "raise alarm " : verbs[change->kind], text,
		change->dry_run ? " (dry run)" : "");
}

void
change_audit(const struct change *change, const struct change_result *result)
{
	const char *who = change->caller.name[0] ? change->caller.name : "livezoned";
	const struct change_item *item = change->items;
	char text[CHANGE_TEXT_MAX];

	if (change->kind == CHANGE_ITEMS && change->count == 1) {
		change_describe(item->rrset.owner, item->rrset.type, text);
		log_line(LOG_LEVEL_INFO,
			"audit: %s %s %.300s revision %" PRIu64 " -> %" PRIu64 " %s", who,
			item->is_delete ? "delete" : "put", text, result->old_revision,
			result->rrset_revision, outcome_name(result));
		return;
	}
	write_subject(change, text, sizeof(text));
	log_line(LOG_LEVEL_INFO,
		"audit: %s %s: %zu items, %zu added, %zu changed, %zu deleted, %zu renewed, "
		"revision %" PRIu64 " %s",
		who, text, change->count, result->added, result->changed, result->removed,
		result->renewed, result->revision, outcome_name(result));
}
