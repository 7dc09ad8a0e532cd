/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Readers of bodies: JSON, lines of rdata, master files.
 */
#include "sidecar/api/api_body.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/masterfile.h"
#include "lib/base/status.h"
#include "sidecar/json/json.h"

#define SOURCE_DEFAULT "api"
#define NOWHERE ((size_t)-1)

/* What read_element works with. */
struct list_context {
	struct rrset_json_reader *reader;
	bool is_batch;
	size_t failed; /* index, or NOWHERE: the JSON itself is wrong */
};

/* A record of a master file before it is part of an RRset. */
struct zone_record {
	const struct name_key
		*owner; /* in the change's arena, no longer than it must be */
	uint32_t ttl;
	uint32_t line;
	uint32_t order; /* of the file */
	uint16_t type;
	uint16_t len; /* of the block of this one record */
	const uint8_t *block;
};

struct zone_context {
	struct rrset_json_reader *reader;
	struct zone_record *record;
	size_t count, room;
};

static int read_element(
	void *context, size_t index, struct json_object *element, struct reason *reason);
static void note_no_memory(struct rrset_json_reader *reader, int status);
static bool refuse_item(struct api_call *call, const struct rrset_json_reader *reader,
	const struct api_places *places, size_t index, const struct reason *reason);
static int
add_zone_record(void *context, const struct rrset *rr, int line, struct reason *reason);
static void sort_records(struct zone_context *zone);
static int compare_records(const void *a, const void *b);
static bool has_same_place(const struct zone_record *a, const struct zone_record *b);
static bool make_items(struct api_call *call, struct zone_context *zone, uint32_t *lines);
static bool make_item(struct api_call *call, struct rrset_json_reader *reader,
	const struct zone_record *record, size_t count);

void
api_body_init(struct api_call *call, struct change *change, struct rrset_json_reader *out)
{
	out->zones = call->zones;
	out->change = change;
	out->source = SOURCE_DEFAULT;
	out->lease_ms = 0;
	out->fault = (struct rrset_json_fault){ .kind = PROBLEM_BAD_REQUEST };
}

bool
api_body_view(struct api_call *call, const char **out_text, size_t *out_len)
{
	if (buffer_view(&call->request->body, out_text, out_len) == 0)
		return true;
	problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL,
		"no memory or space for the body");
	return false;
}

bool
api_body_read_one(
	struct api_call *call, struct rrset_json_reader *reader, struct change_item *item)
{
	const struct api_places places = { 0 };
	struct json_object *object;
	struct reason reason = { "" };
	const char *text;
	size_t len;
	int status;

	if (!api_body_view(call, &text, &len))
		return false;
	status = json_read(text, len, NULL, NULL, NULL, &object, NULL, &reason);
	if (status) {
		note_no_memory(reader, status);
		return refuse_item(call, reader, &places, CHANGE_WHOLE, &reason);
	}
	status = rrset_json_read(reader, object, RRSET_JSON_BODY, item, &reason);
	json_free(object);
	return status == 0 || refuse_item(call, reader, &places, 0, &reason);
}

bool
api_body_read_text(
	struct api_call *call, struct rrset_json_reader *reader, struct change_item *item)
{
	const struct api_places places = { 0 };
	struct rrset *rrset = &item->rrset;
	struct reason reason = { "" };
	const char *text;
	size_t len;
	int status = 0;
	char *copy, *at, *line;

	if (!api_body_view(call, &text, &len))
		return false;
	copy = arena_copy(&reader->change->arena, text, len + 1);
	if (!copy || memchr(copy, '\0', len)) {
		problem_set(call->reply, copy ? PROBLEM_BAD_REQUEST : PROBLEM_UNAVAILABLE,
			NULL, "%s", copy ? "the body has a NUL byte" : "out of memory");
		return false;
	}
	at = copy;
	while (!status && (line = strsep(&at, "\n"))) {
		const size_t end = strlen(line);

		if (end > 0 && line[end - 1] == '\r')
			line[end - 1] = '\0';
		if (line[strspn(line, " \t")])
			status = rrset_json_add_record(reader, line, rrset, &reason);
	}
	if (!status)
		status = rrset_json_finish_records(reader, rrset, &reason);
	return status == 0 || refuse_item(call, reader, &places, 0, &reason);
}

bool
api_body_read_list(struct api_call *call, struct rrset_json_reader *reader,
	const char *list, const char *const *allowed, struct json_object **out_rest)
{
	static const char *const nothing[] = { NULL };
	const struct api_places places = { .list = list };
	struct list_context context = {
		.reader = reader,
		.is_batch = strcmp(list, "changes") == 0,
		.failed = NOWHERE,
	};
	struct json_object *rest = NULL;
	struct reason reason = { "" };
	const char *text, *unknown;
	bool has_list;
	size_t len;
	int status;

	if (!api_body_view(call, &text, &len))
		return false;
	status = json_read(
		text, len, list, read_element, &context, &rest, &has_list, &reason);
	if (status) {
		note_no_memory(reader, status);
		return refuse_item(call, reader, &places, context.failed, &reason);
	}
	unknown = json_find_unknown(rest, allowed ? allowed : nothing);
	if (!has_list)
		problem_set(call->reply, PROBLEM_BAD_REQUEST, NULL,
			"the list \"%s\" is missing", list);
	else if (unknown)
		problem_set(call->reply, PROBLEM_BAD_REQUEST, unknown,
			"unknown key \"%s\"", unknown);
	if (!has_list || unknown) {
		json_free(rest);
		return false;
	}
	if (out_rest)
		*out_rest = rest;
	else
		json_free(rest);
	return true;
}

bool
api_body_read_zone(struct api_call *call, struct rrset_json_reader *reader,
	const struct zone *zone, uint32_t **out_lines)
{
	struct zone_context context = { .reader = reader };
	struct reason reason = { "" };
	uint32_t *lines = NULL;
	bool is_good = false;
	const char *text;
	FILE *file = NULL;
	size_t len;
	int status;

	if (!api_body_view(call, &text, &len))
		return false;
	/* fmemopen refuses a length of 0; the NUL behind the text is not read */
	file = len ? fmemopen((void *)(uintptr_t)text, len, "r")
		   : fopen("/dev/null", "re");
	if (!file) {
		problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
		return false;
	}
	status = masterfile_read(
		file, &zone->name, zone->ttl, add_zone_record, &context, &reason);
	fclose(file);
	lines = calloc(context.count + 1, sizeof(*lines));
	if (status) {
		/* "line 17: ..." is both the place and the text */
		const size_t place = strspn(reason.text, "line 0123456789");
		char path[CHANGE_PATH_MAX] = "";

		if (strncmp(reason.text, "line ", 5) == 0 && place < sizeof(path))
			memcpy(path, reason.text, place);
		problem_set(call->reply, problem_from_status(status), path, "%s",
			reason.text);
	} else if (!lines) {
		problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
	} else {
		sort_records(&context);
		is_good = make_items(call, &context, lines);
	}
	free(context.record);
	if (is_good)
		*out_lines = lines;
	else
		free(lines);
	return is_good;
}

static int
read_element(
	void *context, size_t index, struct json_object *element, struct reason *reason)
{
	struct list_context *list = context;
	struct change_item *item = change_add(list->reader->change);
	int status;

	list->failed = index;
	if (!item && list->reader->change->count < CHANGE_ITEMS_MAX)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (!item) {
		list->reader->fault =
			(struct rrset_json_fault){ .kind = PROBLEM_TOO_LARGE };
		return reason_set(
			reason, STATUS_TOO_LARGE, "more than %d items", CHANGE_ITEMS_MAX);
	}
	status = list->is_batch
			 ? rrset_json_read_change(list->reader, element, item, reason)
			 : rrset_json_read(
				 list->reader, element, RRSET_JSON_FULL, item, reason);
	if (!status)
		list->failed = NOWHERE;
	return status;
}

/* The client is not to blame. */
static void
note_no_memory(struct rrset_json_reader *reader, int status)
{
	if (status == STATUS_NO_MEMORY)
		reader->fault = (struct rrset_json_fault){ .kind = PROBLEM_UNAVAILABLE };
}

/* What is wrong with an item, or with the JSON around them (NOWHERE). */
static bool
refuse_item(struct api_call *call, const struct rrset_json_reader *reader,
	const struct api_places *places, size_t index, const struct reason *reason)
{
	const char *field = reader->fault.path[0] ? reader->fault.path : NULL;
	char path[CHANGE_PATH_MAX];

	if (index == NOWHERE) {
		problem_set(call->reply, reader->fault.kind, NULL, "%s", reason->text);
		return false;
	}
	api_write_place(places, index, field, path);
	problem_set(call->reply, reader->fault.kind, path, "%s", reason->text);
	return false;
}

static int
add_zone_record(void *context, const struct rrset *rr, int line, struct reason *reason)
{
	struct zone_context *zone = context;
	struct zone_record *record;

	if (zone->count == zone->room) {
		const size_t room = zone->room ? 2 * zone->room : 256;

		if (zone->count >= CHANGE_ITEMS_MAX)
			return reason_set(reason, STATUS_TOO_LARGE,
				"more than %d records", CHANGE_ITEMS_MAX);
		record = realloc(zone->record, room * sizeof(*record));
		if (!record)
			return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
		zone->record = record;
		zone->room = room;
	}
	record = &zone->record[zone->count];
	*record = (struct zone_record){
		.owner = arena_copy(&zone->reader->change->arena, &rr->owner,
			offsetof(struct name_key, bytes) + rr->owner.len),
		.ttl = rr->ttl,
		.line = (uint32_t)line,
		.order = (uint32_t)zone->count,
		.type = rr->type,
		.len = (uint16_t)rr->rdata_len,
		.block = arena_copy(
			&zone->reader->change->arena, rr->rdata, rr->rdata_len),
	};
	if (!record->owner || !record->block)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	zone->count++;
	return 0;
}

/* Big zones come from programs, in order most often. */
static void
sort_records(struct zone_context *zone)
{
	size_t i;

	for (i = 1; i < zone->count; i++)
		if (compare_records(&zone->record[i - 1], &zone->record[i]) > 0)
			break;
	if (i < zone->count)
		qsort(zone->record, zone->count, sizeof(*zone->record), compare_records);
}

static int
compare_records(const void *a, const void *b)
{
	const struct zone_record *one = a, *other = b;
	const size_t len =
		one->owner->len < other->owner->len ? one->owner->len : other->owner->len;
	int order = memcmp(one->owner->bytes, other->owner->bytes, len);

	if (!order)
		order = one->owner->len - other->owner->len;
	if (!order)
		order = one->type - other->type;
	if (!order)
		order = one->order < other->order ? -1 : 1;
	return order;
}

static bool
has_same_place(const struct zone_record *a, const struct zone_record *b)
{
	return a->type == b->type && a->owner->len == b->owner->len
	       && memcmp(a->owner->bytes, b->owner->bytes, a->owner->len) == 0;
}

static bool
make_items(struct api_call *call, struct zone_context *zone, uint32_t *lines)
{
	size_t end;

	for (size_t i = 0; i < zone->count; i = end) {
		for (end = i + 1; end < zone->count; end++)
			if (!has_same_place(&zone->record[i], &zone->record[end]))
				break;
		lines[zone->reader->change->count] = zone->record[i].line;
		if (!make_item(call, zone->reader, &zone->record[i], end - i))
			return false;
	}
	return true;
}

/* The records of one RRset; with different TTLs the lowest counts (RFC 2181 section 5.2).
 */
static bool
make_item(struct api_call *call, struct rrset_json_reader *reader,
	const struct zone_record *record, size_t count)
{
	const struct api_places places = { .lines = &record->line };
	struct change_item *item = change_add(reader->change);
	struct reason reason = { "" };
	struct rrset *rrset;

	if (!item) {
		problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
		return false;
	}
	rrset = &item->rrset;
	memcpy(&rrset->owner, record->owner,
		offsetof(struct name_key, bytes) + record->owner->len);
	rrset->type = record->type;
	rrset->ttl = record->ttl;
	item->source = reader->source;
	item->source_len = (uint8_t)strlen(reader->source);
	reader->fault = (struct rrset_json_fault){ .kind = PROBLEM_INVALID };
	for (size_t i = 0; i < count; i++) {
		if (rrset->count == RRSET_RECORDS_MAX
			|| rrset->rdata_len + record[i].len > sizeof(reader->block)) {
			reason_set(&reason, STATUS_TOO_LARGE,
				"more than 512 records or 64 KiB at one name and type");
			return refuse_item(call, reader, &places, 0, &reason);
		}
		memcpy(reader->block + rrset->rdata_len, record[i].block, record[i].len);
		rrset->rdata_len += record[i].len;
		rrset->count++;
		if (record[i].ttl < rrset->ttl)
			rrset->ttl = record[i].ttl;
	}
	return rrset_json_finish_records(reader, rrset, &reason) == 0
	       || refuse_item(call, reader, &places, 0, &reason);
}
