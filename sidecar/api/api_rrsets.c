/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One RRset by name and type, all at a name, and a list of puts and deletes as one change.
 */
#include "sidecar/api/api.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/status.h"
#include "sidecar/json/json_writer.h"

static struct change *new_change(struct api_call *call, struct rrset *out_place);
static bool read_place(struct api_call *call, struct rrset *out);
static bool read_only_source(struct api_call *call, struct change *change);
static bool read_body(struct api_call *call, struct change *change, struct rrset *place);
static bool read_text_parameters(
	struct api_body *body, struct rrset *place, struct change_item *item);
static bool refuse_parameters(struct api_call *call);
static void add_etag(struct api_call *call, const struct change_result *result);
static int
write_record(void *context, const struct state_record *record, struct reason *reason);

void
api_rrsets_get(struct api_call *call)
{
	struct json_writer json = { .out = &call->reply->body };
	struct rrset place;
	struct state_record record;
	struct state_meta meta;
	struct reason reason = { "" };
	int status;

	if (!read_place(call, &place)
		|| !api_authorise(call, CREDENTIALS_READ, &place.owner, 0)
		|| !api_begin_read(call, &meta))
		return;
	status = state_get(call->txn, &place.owner, place.type, &record, &reason);
	if (status == STATUS_NOT_FOUND) {
		problem_set(call->reply, PROBLEM_NOT_FOUND, NULL, "there is no %s at %s",
			call->variable[1], call->variable[0]);
	} else if (status) {
		api_fail(call, status, &reason, NULL);
	} else {
		api_write_record(&json, &record, writer_lease_clock(call->api->writer));
		api_set_etag(call->reply, record.revision);
	}
}

void
api_rrsets_put(struct api_call *call)
{
	struct rrset place = { .ttl = 0 };
	struct change *change = new_change(call, &place);

	if (change && read_body(call, change, &place))
		api_submit(call, add_etag);
}

void
api_rrsets_delete(struct api_call *call)
{
	struct rrset place = { .ttl = 0 };
	struct change *change = new_change(call, &place);

	if (!change)
		return;
	change->items->is_delete = true;
	change->items->if_absent = false;
	if (change_take_rrset(change, change->items, &place) == STATUS_OK)
		api_submit(call, add_etag);
	else
		api_no_memory(call);
}

void
api_rrsets_batch(struct api_call *call)
{
	struct change *change = api_new_change(call, CHANGE_ITEMS);
	struct api_body body;

	if (!change)
		return;
	api_body_init(call, change, &body);
	if (!read_only_source(call, change)
		|| !api_body_read_list(&body, "changes", NULL, NULL))
		return;
	if (change->count > 0)
		api_submit(call, NULL);
	else
		problem_set(call->reply, PROBLEM_BAD_REQUEST, "changes",
			"at least one change is needed");
}

/* What write_record works with. */
struct find {
	struct json_writer json;
	uint64_t now_ms;
	uint16_t type; /* 0: all */
};

void
api_rrsets_find(struct api_call *call)
{
	const char *name = http_uri_parameter(call->request, "name");
	const char *type = http_uri_parameter(call->request, "type");
	struct find find = { .json = { .out = &call->reply->body },
		.now_ms = writer_lease_clock(call->api->writer) };
	struct name_key key;
	struct state_meta meta;
	struct reason reason = { "" };
	int status;

	if (!name) {
		problem_set(
			call->reply, PROBLEM_BAD_REQUEST, "?name", "the name is missing");
		return;
	}
	if (!api_read_name(call, name, "?name", &key)
		|| (type && !api_read_type(call, type, "?type", &find.type))
		|| !api_authorise(call, CREDENTIALS_READ, &key, 0))
		return;
	if (!zones_match(call->zones, &key)) {
		problem_set(call->reply, PROBLEM_INVALID, "?name",
			"the name is in no live zone");
		return;
	}
	if (!api_begin_read(call, &meta))
		return;
	json_writer_begin(&find.json, '{');
	json_writer_member_number(&find.json, "revision", meta.revision);
	json_writer_member_begin(&find.json, "rrsets", '[');
	status = state_walk_name(call->txn, &key, write_record, &find, &reason);
	json_writer_end(&find.json, ']');
	json_writer_end(&find.json, '}');
	if (status)
		api_fail(call, status, &reason, NULL);
}

/* Of one item; with its place and preconditions. NULL: the reply is the problem. */
static struct change *
new_change(struct api_call *call, struct rrset *out_place)
{
	struct change *change = api_new_change(call, CHANGE_ITEMS);

	if (!change)
		return NULL;
	if (!change_add(change)) {
		api_no_memory(call);
		return NULL;
	}
	return read_place(call, out_place) && api_read_conditions(call, change)
			       && read_only_source(call, change)
		       ? change
		       : NULL;
}

static bool
read_only_source(struct api_call *call, struct change *change)
{
	change->only_source = http_uri_parameter(call->request, "only-if-source");
	return !change->only_source
	       || api_check_source(call, change->only_source, "?only-if-source");
}

/* Name and type of the path. */
static bool
read_place(struct api_call *call, struct rrset *out)
{
	return api_read_name(call, call->variable[0], "name", &out->owner)
	       && api_read_type(call, call->variable[1], "type", &out->type);
}

static bool
read_body(struct api_call *call, struct change *change, struct rrset *place)
{
	struct api_body body;

	api_body_init(call, change, &body);
	if (call->media == API_JSON)
		return refuse_parameters(call)
		       && api_body_read_one(&body, place, change->items);
	return read_text_parameters(&body, place, change->items)
	       && api_body_read_text(&body, place, change->items);
}

/* With text/plain the rest of the RRset is in the query. */
static bool
read_text_parameters(
	struct api_body *body, struct rrset *place, struct change_item *item)
{
	struct api_call *call = body->call;
	const char *source = http_uri_parameter(call->request, "source");
	struct reason reason = { "" };
	uint64_t lease_ms = 0, ttl = UINT64_MAX;

	if (!api_read_number(call, "ttl", 0, UINT32_MAX, &ttl))
		return false;
	if (ttl == UINT64_MAX) {
		if (rrset_json_default_ttl(call->zones, place, &reason) != 0)
			return api_fail(call, STATUS_INVALID, &reason, "name");
	} else if (ttl > RRSET_TTL_MAX) {
		problem_set(call->reply, PROBLEM_INVALID, "?ttl", "a TTL is between 0 and %d",
			RRSET_TTL_MAX);
		return false;
	} else {
		place->ttl = (uint32_t)ttl;
	}
	if (source && !api_check_source(call, source, "?source"))
		return false;
	if (!api_read_duration(call, "lease", RRSET_JSON_LEASE_MIN_MS,
		    RRSET_JSON_LEASE_MAX_MS, &lease_ms))
		return false;
	item->source = source ? source : body->source;
	item->source_len = (uint8_t)strlen(item->source);
	item->lease_ms = (uint32_t)lease_ms;
	return true;
}

/* JSON has them in the body: two places would be one too many. */
static bool
refuse_parameters(struct api_call *call)
{
	static const char *const names[] = { "ttl", "source", "lease" };
	char path[16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!http_uri_parameter(call->request, names[i]))
			continue;
		snprintf(path, sizeof(path), "?%s", names[i]);
		problem_set(call->reply, PROBLEM_BAD_REQUEST, path,
			"with JSON this goes into the body");
		return false;
	}
	return true;
}

static void
add_etag(struct api_call *call, const struct change_result *result)
{
	if (result->rrset_revision)
		api_set_etag(call->reply, result->rrset_revision);
}

static int
write_record(void *context, const struct state_record *record, struct reason *reason)
{
	struct find *find = context;

	(void)reason;
	if (!find->type || find->type == record->rrset.type)
		api_write_record(&find->json, record, find->now_ms);
	return 0;
}
