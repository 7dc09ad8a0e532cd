/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Readers of bodies: JSON, lines of rdata, master files.
 */
#include "sidecar/api/api.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"
#include "lib/dns/masterfile.h"


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
	struct api_body *body;
	struct zone_record *record;
	size_t count, room;
};

static bool read_elements(struct api_body *body, struct json_value list, bool is_batch);
static int read_element(struct api_body *body, struct rrset_json_reader *reader,
	struct json_value element, bool is_batch, struct reason *reason);
static struct rrset_json_reader *new_reader(struct api_body *body);
static bool refuse_item(struct api_body *body, int status,
	const struct rrset_json_reader *reader, size_t index, const struct reason *reason);
static int
add_zone_record(void *context, const struct rrset *rr, int line, struct reason *reason);
static void sort_records(struct zone_context *zone);
static int compare_records(const void *a, const void *b);
static bool has_same_place(const struct zone_record *a, const struct zone_record *b);
static bool make_items(struct zone_context *zone);
static bool make_item(struct api_body *body, struct rrset_json_reader *reader,
	const struct zone_record *record, size_t count);

void
api_body_init(struct api_call *call, struct change *change, struct api_body *out)
{
	*out = (struct api_body){ call, change, authorize_default_source(&call->caller), 0 };
}

bool
api_body_view(struct api_call *call, const char **out_text, size_t *out_len)
{
	if (buffer_view(&call->request->body, out_text, out_len) == 0)
		return true;
	return api_no_memory(call);
}

bool
api_body_read_one(
	struct api_body *body, const struct rrset *place, struct change_item *item)
{
	struct rrset_json_reader *reader;
	struct rrset_json read = { .lease_ms = 0 };
	struct json_value object;
	struct reason reason = { "" };
	const char *text;
	size_t len;
	int status;

	if (!api_body_view(body->call, &text, &len))
		return false;
	status = json_check(text, len, &object, &reason);
	if (status) {
		problem_set(body->call->reply, PROBLEM_BAD_REQUEST, NULL, "%s", reason.text);
		return false;
	}
	reader = new_reader(body);
	if (!reader)
		return false;
	read.rrset = *place;
	status = rrset_json_read(reader, object, RRSET_JSON_BODY, &read, &reason);
	if (!status)
		status = api_body_take(body, &read, item);
	if (status)
		refuse_item(body, status, reader, 0, &reason);
	rrset_json_reader_free(reader);
	return status == 0;
}

bool
api_body_read_text(
	struct api_body *body, const struct rrset *place, struct change_item *item)
{
	struct rrset rrset = *place;
	struct rrset_json_reader *reader;
	struct reason reason = { "" };
	const char *text;
	size_t len;
	int status = 0;
	char *copy, *at, *line;

	if (!api_body_view(body->call, &text, &len))
		return false;
	copy = arena_copy(&body->change->arena, text, len + 1);
	if (!copy)
		return api_no_memory(body->call);
	if (memchr(copy, '\0', len)) {
		problem_set(body->call->reply, PROBLEM_BAD_REQUEST, NULL,
			"the body has a NUL byte");
		return false;
	}
	reader = new_reader(body);
	if (!reader)
		return false;
	at = copy;
	while (!status && (line = strsep(&at, "\n"))) {
		const size_t end = strlen(line);

		if (end > 0 && line[end - 1] == '\r')
			line[end - 1] = '\0';
		if (line[strspn(line, " \t")])
			status = rrset_json_add_record(reader, line, &rrset, &reason);
	}
	if (!status)
		status = rrset_json_finish_records(reader, &rrset, &reason);
	if (!status)
		status = change_take_rrset(body->change, item, &rrset);
	if (status)
		refuse_item(body, status, reader, 0, &reason);
	rrset_json_reader_free(reader);
	return status == 0;
}

bool
api_body_read_list(struct api_body *body, const char *list, const char *allowed,
	struct json_value *out_allowed)
{
	struct json_value elements = { NULL, 0 }, other = { NULL, 0 };
	struct json_members members;
	struct reason reason = { "" };
	const char *text;
	char key[JSON_KEY_MAX + 1], unknown[JSON_KEY_MAX + 1] = "";
	size_t len;

	if (!api_body_view(body->call, &text, &len))
		return false;
	if (json_read(text, len, &members, &reason) != 0) {
		problem_set(body->call->reply, PROBLEM_BAD_REQUEST, NULL, "%s", reason.text);
		return false;
	}
	for (size_t i = 0; i < members.count; i++) {
		const struct json_member *member = &members.member[i];

		snprintf(key, sizeof(key), "%.*s", (int)member->key.len, member->key.at);
		if (strcmp(key, list) == 0) {
			elements = member->value;
		} else if (allowed && strcmp(key, allowed) == 0) {
			other = member->value;
		} else {
			memcpy(unknown, key, sizeof(key));
		}
	}
	if (!elements.at || json_kind(elements) != JSON_ARRAY) {
		problem_set(body->call->reply, PROBLEM_BAD_REQUEST, NULL,
			"the list \"%s\" is missing", list);
		return false;
	}
	if (unknown[0]) {
		problem_set(body->call->reply, PROBLEM_BAD_REQUEST, unknown,
			"unknown key \"%s\"", unknown);
		return false;
	}
	if (out_allowed)
		*out_allowed = other;
	body->call->places.list = list;
	return read_elements(body, elements, strcmp(list, "changes") == 0);
}

int
api_body_take(
	struct api_body *body, const struct rrset_json *from, struct change_item *item)
{
	const struct change_item *before = item > body->change->items ? item - 1 : NULL;

	item->is_delete = from->is_delete;
	item->if_absent |= from->if_absent;
	if (from->has_if_revision) {
		item->has_if_revision = true;
		item->if_revision = from->if_revision;
	}
	if (from->is_delete)
		return change_take_rrset(body->change, item, &from->rrset);
	item->lease_ms = from->has_lease ? from->lease_ms : body->lease_ms;
	item->is_lease_over = from->has_lease && from->has_lease_left
			      && from->lease_left_ms == 0;
	item->source_len = from->source ? from->source_len : (uint8_t)strlen(body->source);
	if (!from->source)
		item->source = body->source;
	else if (before && before->source_len == item->source_len
		 && memcmp(before->source, from->source, item->source_len) == 0)
		item->source = before->source; /* a bulk body has one source, mostly */
	else
		item->source = arena_copy(
			&body->change->arena, from->source, item->source_len + 1u);
	return item->source ? change_take_rrset(body->change, item, &from->rrset)
			    : STATUS_NO_MEMORY;
}

enum problem_kind
api_body_problem(int status, const struct rrset_json_fault *fault)
{
	if (status == STATUS_INVALID && fault->is_form)
		return PROBLEM_BAD_REQUEST;
	return status == STATUS_TOO_LARGE ? PROBLEM_TOO_LARGE : problem_from_status(status);
}

bool
api_body_read_zone(struct api_body *body, const struct zone *zone)
{
	struct zone_context context = { .body = body };
	struct api_call *call = body->call;
	struct reason reason = { "" };
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
	if (!file)
		return api_no_memory(call);
	status = masterfile_read(
		file, &zone->name, zone->ttl, add_zone_record, &context, &reason);
	fclose(file);
	if (status) {
		/* "line 17: ..." is both the place and the text */
		const size_t place = strspn(reason.text, "line 0123456789");
		char path[CHANGE_PATH_MAX] = "";

		if (strncmp(reason.text, "line ", 5) == 0 && place < sizeof(path))
			memcpy(path, reason.text, place);
		problem_set(call->reply, problem_from_status(status), path, "%s",
			reason.text);
	} else {
		call->places.lines = calloc(context.count + 1, sizeof(*call->places.lines));
		sort_records(&context);
		is_good = call->places.lines ? make_items(&context) : api_no_memory(call);
	}
	free(context.record);
	return is_good;
}

static bool
read_elements(struct api_body *body, struct json_value list, bool is_batch)
{
	struct rrset_json_reader *reader = new_reader(body);
	struct json_value element = { NULL, 0 };
	struct reason reason = { "" };
	int status = 0;

	if (!reader)
		return false;
	for (size_t i = 0; !status && json_next(list, &element); i++) {
		status = read_element(body, reader, element, is_batch, &reason);
		if (status)
			refuse_item(body, status, reader, i, &reason);
	}
	rrset_json_reader_free(reader);
	return status == 0;
}

static int
read_element(struct api_body *body, struct rrset_json_reader *reader,
	struct json_value element, bool is_batch, struct reason *reason)
{
	struct rrset_json read;
	struct change_item *item;
	int status = is_batch ? rrset_json_read_change(reader, element, &read, reason)
			      : rrset_json_read(
				      reader, element, RRSET_JSON_FULL, &read, reason);

	if (status)
		return status;
	item = change_add(body->change);
	if (item)
		return api_body_take(body, &read, item);
	reader->fault.path[0] = '\0';
	return body->change->count < CHANGE_ITEMS_MAX
		       ? STATUS_NO_MEMORY
		       : reason_set(reason, STATUS_TOO_LARGE, "more than %d items",
			       CHANGE_ITEMS_MAX);
}

/* NULL: the reply says that there is no memory. */
static struct rrset_json_reader *
new_reader(struct api_body *body)
{
	struct rrset_json_reader *reader = rrset_json_reader_new(body->call->zones);

	if (!reader)
		api_no_memory(body->call);
	return reader;
}

/* What is wrong with an item. Always false. */
static bool
refuse_item(struct api_body *body, int status, const struct rrset_json_reader *reader,
	size_t index, const struct reason *reason)
{
	const char *field = reader->fault.path[0] ? reader->fault.path : NULL;
	char path[CHANGE_PATH_MAX];

	if (status == STATUS_NO_MEMORY)
		return api_no_memory(body->call);
	api_write_place(body->call, index, field, path);
	problem_set(body->call->reply, api_body_problem(status, &reader->fault), path, "%s",
		reason->text);
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
		.owner = arena_copy(&zone->body->change->arena, &rr->owner,
			offsetof(struct name_key, bytes) + rr->owner.len),
		.ttl = rr->ttl,
		.line = (uint32_t)line,
		.order = (uint32_t)zone->count,
		.type = rr->type,
		.len = (uint16_t)rr->rdata_len,
		.block = arena_copy(
			&zone->body->change->arena, rr->rdata, rr->rdata_len),
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
make_items(struct zone_context *zone)
{
	struct rrset_json_reader *reader = new_reader(zone->body);
	bool is_good = reader != NULL;
	size_t end;

	for (size_t i = 0; is_good && i < zone->count; i = end) {
		for (end = i + 1; end < zone->count; end++)
			if (!has_same_place(&zone->record[i], &zone->record[end]))
				break;
		zone->body->call->places.lines[zone->body->change->count] =
			zone->record[i].line;
		is_good = make_item(zone->body, reader, &zone->record[i], end - i);
	}
	rrset_json_reader_free(reader);
	return is_good;
}

/* The records of one RRset; with different TTLs the lowest counts (RFC 2181 section 5.2).
 */
static bool
make_item(struct api_body *body, struct rrset_json_reader *reader,
	const struct zone_record *record, size_t count)
{
	const size_t index = body->change->count;
	struct change_item *item = change_add(body->change);
	struct reason reason = { "" };
	struct rrset rrset = { .type = record->type, .ttl = record->ttl };
	int status;

	if (!item)
		return api_no_memory(body->call);
	name_key_copy(&rrset.owner, record->owner);
	item->source = body->source;
	item->source_len = (uint8_t)strlen(body->source);
	reader->fault = (struct rrset_json_fault){ .is_form = false };
	for (size_t i = 0; i < count; i++) {
		if (rrset.count == RRSET_RECORDS_MAX
			|| rrset.rdata_len + record[i].len > sizeof(reader->block)) {
			reason_set(&reason, STATUS_INVALID,
				"more than 512 records or 64 KiB at one name and type");
			return refuse_item(
				body, STATUS_INVALID, reader, index, &reason);
		}
		memcpy(reader->block + rrset.rdata_len, record[i].block, record[i].len);
		rrset.rdata_len += record[i].len;
		rrset.count++;
		if (record[i].ttl < rrset.ttl)
			rrset.ttl = record[i].ttl;
	}
	status = rrset_json_finish_records(reader, &rrset, &reason);
	if (!status)
		status = change_take_rrset(body->change, item, &rrset);
	return status == 0 || refuse_item(body, status, reader, index, &reason);
}
