/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Sources: each RRset belongs to one.
 */
#include "sidecar/api/routes.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/duration.h"
#include "lib/base/status.h"
#include "sidecar/api/api_body.h"
#include "sidecar/json/json_writer.h"
#include "sidecar/http/http.h"

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
static void finish_put(struct api_call *call, const struct change *change,
	const struct change_result *result, bool is_done);
static void finish_heartbeat(struct api_call *call, const struct change *change,
	const struct change_result *result, bool is_done);
static void set_etag(struct api_call *call, const struct change_result *result);
static void
write_line(struct json_writer *json, const struct change *change, const struct change_diff *diff);
static void write_lease(struct json_writer *json, uint32_t lease_ms);

void
api_sources_list(struct api_call *call)
{
	struct json_writer json = { .out = &call->reply->body };
	struct state_meta meta;
	struct reason reason = { "" };
	int status;

	/* the names of all writers: not for a token of one zone */
	if (!authorize_all(&call->caller, CREDENTIALS_READ, call->zones, &reason)) {
		problem_set(call->reply, PROBLEM_FORBIDDEN, NULL, "%s", reason.text);
		return;
	}
	if (!api_begin_read(call, &meta))
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
	static const struct api_places places = { .list = "rrsets" };
	struct change *change = change_new(CHANGE_SOURCE);

	if (!change)
		problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
	else if (read_change(call, change))
		api_submit(call, change, &places, finish_put);
	else
		change_free(change);
}

static void
finish_put(struct api_call *call, const struct change *change,
	const struct change_result *result, bool is_done)
{
	struct json_writer json;

	if (!is_done)
		return;
	api_begin_written(call, result, &json);
	json_writer_member_bool(&json, "dry-run", change->dry_run);
	api_write_counts(&json, result);
	api_sources_write_difference(&json, change, result);
	json_writer_end(&json, '}');
	set_etag(call, result);
}

void
api_sources_heartbeat(struct api_call *call)
{
	static const struct api_places places;
	struct change *change = change_new(CHANGE_HEARTBEAT);

	if (!change) {
		problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	change->source = call->variable[0];
	change->source_len = strlen(change->source);
	if (api_check_source(call, change->source, "source"))
		api_submit(call, change, &places, finish_heartbeat);
	else
		change_free(change);
}

static void
finish_heartbeat(struct api_call *call, const struct change *change,
	const struct change_result *result, bool is_done)
{
	struct json_writer json;

	(void)change;
	if (!is_done)
		return;
	api_begin_written(call, result, &json);
	json_writer_member_number(&json, "renewed", result->renewed);
	json_writer_end(&json, '}');
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
	const char *max_delete = http_uri_parameter(call->request, "max-delete");
	struct api_conditions conditions;

	if (!api_read_conditions(call, &conditions)
		|| !api_read_flag(call, "dry-run", &change->dry_run)
		|| !api_read_flag(call, "force", &change->force))
		return false;
	change->has_if_revision = conditions.has_revision;
	change->if_revision = conditions.revision;
	change->if_present = conditions.present;
	change->if_absent = conditions.absent;
	change->max_delete_percent = 50;
	if (!max_delete)
		return true;
	change->max_delete_percent = (uint32_t)strtoul(max_delete, NULL, 10);
	if (*max_delete && strlen(max_delete) <= 3
		&& strspn(max_delete, "0123456789") == strlen(max_delete)
		&& change->max_delete_percent <= 100)
		return true;
	problem_set(call->reply, PROBLEM_BAD_REQUEST, "?max-delete",
		"a whole number from 0 to 100 is needed");
	return false;
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
	const struct api_places places = { .list = "rrsets" };
	char path[CHANGE_PATH_MAX];

	for (size_t i = 0; i < change->count; i++) {
		struct change_item *item = &change->items[i];

		if (item->lease_ms == LEASE_NOT_GIVEN)
			item->lease_ms = lease_ms;
		if (item->source_len == change->source_len
			&& memcmp(item->source, change->source, item->source_len) == 0)
			continue;
		api_write_place(&places, i, "source", path);
		problem_set(call->reply, PROBLEM_INVALID, path,
			"the source is not that of the path");
		return false;
	}
	return true;
}

/* A dry run or an unchanged source has an older revision than the store; 0 when there is
 * no such source. */
static void
set_etag(struct api_call *call, const struct change_result *result)
{
	const char *name = call->variable[0];
	struct state_source source;
	struct state_meta meta;

	if (result->outcome != CHANGE_UNCHANGED)
		api_set_etag(call->reply, result->revision);
	else if ((call->txn || api_begin_read(call, &meta))
		 && state_get_source(call->txn, name, strlen(name), &source, NULL) == 0)
		api_set_etag(call->reply, source.revision);
	else
		api_set_etag(call->reply, 0);
}

void
api_sources_write_difference(struct json_writer *json, const struct change *change,
	const struct change_result *result)
{
	json_writer_member_begin(json, "difference", '[');
	for (size_t i = 0; i < result->diff_count; i++)
		write_line(json, change, &result->diff[i]);
	json_writer_end(json, ']');
}

static void
write_line(struct json_writer *json, const struct change *change, const struct change_diff *diff)
{
	const struct change_item *after =
		diff->item == CHANGE_WHOLE ? NULL : &change->items[diff->item];
	struct rrset rrset;

	json_writer_begin(json, '{');
	json_writer_member(json, "op",
		diff->sign == '+'   ? "add"
		: diff->sign == '-' ? "delete"
				    : "change");
	rrset_json_write_name(json, "name", &diff->before.owner);
	rrset_json_write_type(json, diff->before.type);
	if (diff->sign != '+') {
		json_writer_member_begin(json, "before", '{');
		rrset_json_write_data(json, &diff->before);
		if (!change->source || strcmp(diff->before_source, change->source) != 0)
			json_writer_member(json, "source", diff->before_source);
		write_lease(json, diff->before_lease_ms);
		json_writer_end(json, '}');
	}
	if (after) {
		change_read_rrset(after, &rrset);
		json_writer_member_begin(json, "after", '{');
		rrset_json_write_data(json, &rrset);
		if (!change->source) {
			json_writer_key(json, "source");
			json_writer_string_n(json, after->source, after->source_len);
		}
		write_lease(json, after->lease_ms);
		json_writer_end(json, '}');
	}
	json_writer_end(json, '}');
}

static void
write_lease(struct json_writer *json, uint32_t lease_ms)
{
	char text[DURATION_TEXT_MAX];

	if (!lease_ms)
		return;
	duration_write(lease_ms, text);
	json_writer_member(json, "lease", text);
}
