/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Sources: each RRset belongs to one.
 */
#include "sidecar/api/api.h"

#include <string.h>

#include "lib/base/duration.h"
#include "lib/base/status.h"
#include "sidecar/json/json_writer.h"

#define LEASE_NOT_GIVEN UINT32_MAX

static int write_readable_source(void *context, const char *source, size_t source_len,
	const struct state_source *record, struct reason *reason);
static void write_source(struct json_writer *json, const char *source, size_t source_len,
	const struct state_source *record);
static bool read_source(struct api_call *call, struct state_source *out);
static bool read_change(struct api_call *call, struct change *change);
static bool read_options(struct api_call *call, struct change *change);
static bool
read_lease(struct api_call *call, struct json_value value, uint32_t *out_ms);
static bool finish_items(struct api_call *call, struct change *change, uint32_t lease_ms);
static void add_etag(struct api_call *call, const struct change_result *result);

void
api_sources_list(struct api_call *call)
{
	struct json_writer json = { .out = &call->reply->body };
	struct state_meta meta;
	struct reason reason = { "" };
	int status;

	/* the names of all writers: not for a token of one zone */
	if (!api_authorise_all(call, CREDENTIALS_READ) || !api_begin_read(call, &meta))
		return;
	json_writer_begin(&json, '{');
	json_writer_member_number(&json, "revision", meta.revision);
	json_writer_member_begin(&json, "sources", '[');
	status = state_walk_sources(call->txn, write_readable_source, &json, &reason);
	json_writer_end(&json, ']');
	json_writer_end(&json, '}');
	if (status)
		api_fail(call, status, &reason, NULL);
}

void
api_sources_get(struct api_call *call)
{
	struct json_writer json = { .out = &call->reply->body };
	const char *name = call->variable[0];
	struct state_source source;
	struct state_meta meta;

	if (!api_begin_read(call, &meta) || !read_source(call, &source)
		|| !api_authorise_source(call, name))
		return;
	write_source(&json, name, strlen(name), &source);
	api_set_etag(call->reply, source.revision);
}

void
api_sources_put(struct api_call *call)
{
	struct change *change = api_new_change(call, CHANGE_SOURCE);

	if (change && read_change(call, change))
		api_submit(call, add_etag);
}

void
api_sources_heartbeat(struct api_call *call)
{
	struct change *change = api_new_change(call, CHANGE_HEARTBEAT);

	if (!change)
		return;
	change->source = call->variable[0];
	change->source_len = strlen(change->source);
	if (api_check_source(call, change->source, "source"))
		api_submit(call, NULL);
}

static int
write_readable_source(void *context, const char *source, size_t source_len,
	const struct state_source *record, struct reason *reason)
{
	(void)reason;
	if (record->rrsets > 0)
		write_source(context, source, source_len, record);
	return 0;
}

static void
write_source(struct json_writer *json, const char *source, size_t source_len,
	const struct state_source *record)
{
	char text[DURATION_TEXT_MAX];

	json_writer_begin(json, '{');
	json_writer_key(json, "name");
	json_writer_string_n(json, source, source_len);
	json_writer_member_number(json, "rrsets", record->rrsets);
	json_writer_member_number(json, "revision", record->revision);
	duration_write_time(record->written_ms, text);
	json_writer_member(json, "written", text);
	if (record->heartbeat_ms) {
		duration_write_time(record->heartbeat_ms, text);
		json_writer_member(json, "heartbeat", text);
	}
	json_writer_end(json, '}');
}

/* The source of the path; 404 when it has nothing. */
static bool
read_source(struct api_call *call, struct state_source *out)
{
	const char *name = call->variable[0];
	struct reason reason = { "" };
	int status;

	if (!api_check_source(call, name, "source"))
		return false;
	status = state_get_source(call->txn, name, strlen(name), out, &reason);
	if (status == 0 && out->rrsets > 0)
		return true;
	if (status && status != STATUS_NOT_FOUND)
		return api_fail(call, status, &reason, NULL);
	problem_set(call->reply, PROBLEM_NOT_FOUND, NULL,
		"no RRset belongs to source \"%s\"", name);
	return false;
}

static bool
read_change(struct api_call *call, struct change *change)
{
	struct api_body body;
	struct json_value lease;
	uint32_t lease_ms = 0;

	change->source = call->variable[0];
	change->source_len = strlen(change->source);
	if (!api_check_source(call, change->source, "source")
		|| !read_options(call, change))
		return false;
	api_body_init(call, change, &body);
	body.source = change->source;
	body.lease_ms = LEASE_NOT_GIVEN;
	return api_body_read_list(&body, "rrsets", "lease", &lease)
	       && read_lease(call, lease, &lease_ms)
	       && finish_items(call, change, lease_ms);
}

static bool
read_options(struct api_call *call, struct change *change)
{
	uint64_t max_delete = 50;

	if (!api_read_conditions(call, change)
		|| !api_read_flag(call, "dry-run", &change->dry_run)
		|| !api_read_flag(call, "force", &change->force)
		|| !api_read_number(call, "max-delete", 0, 100, &max_delete))
		return false;
	change->max_delete_percent = (uint32_t)max_delete;
	return true;
}

/* The lease for RRsets that give none. */
static bool
read_lease(struct api_call *call, struct json_value value, uint32_t *out_ms)
{
	struct reason reason = { "a duration is a string, like \"30s\"" };
	char text[DURATION_TEXT_MAX];
	uint64_t lease_ms;

	if (!value.at)
		return true;
	if (json_text(value, text, sizeof(text)) < 0
		|| duration_read(text, &lease_ms, &reason) != 0) {
		problem_set(call->reply, PROBLEM_BAD_REQUEST, "lease", "%s", reason.text);
		return false;
	}
	if (lease_ms < RRSET_JSON_LEASE_MIN_MS || lease_ms > RRSET_JSON_LEASE_MAX_MS) {
		problem_set(call->reply, PROBLEM_INVALID, "lease",
			"a lease is between 1s and 7d");
		return false;
	}
	*out_ms = (uint32_t)lease_ms;
	return true;
}

static bool
finish_items(struct api_call *call, struct change *change, uint32_t lease_ms)
{
	char path[CHANGE_PATH_MAX];

	for (size_t i = 0; i < change->count; i++) {
		struct change_item *item = &change->items[i];

		if (item->lease_ms == LEASE_NOT_GIVEN)
			item->lease_ms = lease_ms;
		if (item->source_len == change->source_len
			&& memcmp(item->source, change->source, item->source_len) == 0)
			continue;
		api_write_place(call, i, "source", path);
		problem_set(call->reply, PROBLEM_INVALID, path,
			"the source is not that of the path");
		return false;
	}
	return true;
}

/* A dry run or an unchanged source has an older revision than the store; 0 when there is
 * no such source. */
static void
add_etag(struct api_call *call, const struct change_result *result)
{
	const char *name = call->variable[0];
	struct state_source source;
	struct state_meta meta;

	if (result->outcome != CHANGE_UNCHANGED)
		api_set_etag(call->reply, result->revision);
	else if (api_begin_read(call, &meta))
		api_set_etag(call->reply,
			state_get_source(call->txn, name, strlen(name), &source, NULL) == 0
				? source.revision
				: 0);
}
