/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The shared part of the API's handlers.
 */
#include "sidecar/api/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/duration.h"
#include "lib/dns/presentation.h"
#include "lib/base/status.h"
#include "sidecar/json/json_writer.h"
#include "sidecar/http/http.h"
#include "sidecar/json/rrset_json.h"
#include "lib/base/log.h"

static int
authorise_record(void *context, const struct state_record *record, struct reason *reason);
static void on_done(struct write_request *request);
static void finish_change(struct api_call *call);
static bool set_status(struct api_call *call, const struct change_result *result);
static bool answer_refusal(struct api_call *call, const struct change *change,
	const struct api_places *places, struct change_result *result);
static void forbid(struct api_call *call, const struct reason *reason);
static bool read_revision(const char *text, uint64_t *out);

void
api_write_place(const struct api_places *places, size_t item, const char *field,
	char out[CHANGE_PATH_MAX])
{
	out[0] = '\0';
	if (item == CHANGE_WHOLE)
		snprintf(out, CHANGE_PATH_MAX, "%s", field ? field : "");
	else if (places->lines)
		snprintf(out, CHANGE_PATH_MAX, "line %" PRIu32, places->lines[item]);
	else if (!places->list)
		snprintf(out, CHANGE_PATH_MAX, "%s", field ? field : "");
	else
		snprintf(out, CHANGE_PATH_MAX, "%s[%zu]%s%s", places->list, item,
			field ? "." : "", field ? field : "");
}

bool
api_authorise(struct api_call *call, enum credentials_verb verb,
	const struct name_key *name, uint16_t type)
{
	struct reason reason = { "" };

	if (authorize_name(&call->caller, verb, name, type, &reason))
		return true;
	forbid(call, &reason);
	return false;
}

bool
api_authorise_source(struct api_call *call, const char *source)
{
	struct reason reason = { "" };
	int status;

	if (!call->caller.token)
		return true;
	status = state_walk_source(call->txn, source, strlen(source), authorise_record,
		&call->caller, &reason);
	if (status == STATUS_CONFLICT) {
		forbid(call, &reason);
		return false;
	}
	return status == 0 || api_fail(call, status, &reason, NULL);
}

bool
api_begin_read(struct api_call *call, struct state_meta *out_meta)
{
	struct reason reason = { "" };
	int status = state_begin_read(call->api->state, &call->txn, &reason);

	if (!status)
		status = state_read_meta(call->txn, out_meta, &reason);
	return status == 0 || api_fail(call, status, &reason, NULL);
}

int
api_check_waiting(const struct api_call *call, struct reason *reason)
{
	return state_is_waiting(call->api->state)
		       ? reason_set(reason, STATUS_UNAVAILABLE,
				 "state is to be opened again after a failed write")
		       : STATUS_OK;
}

bool
api_has_no_room(struct api_call *call)
{
	const int status = call->reply->body.status;

	if (status)
		problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL,
			status == STATUS_UNAVAILABLE
				? "the memory for replies is used up; try again soon"
				: "out of memory");
	return status != 0;
}

bool
api_fail(struct api_call *call, int status, const struct reason *reason, const char *path)
{
	const enum problem_kind kind = problem_from_status(status);

	if (api_has_no_room(call))
		return false;
	problem_set(call->reply, kind, path, "%s", reason->text);
	if (kind == PROBLEM_INTERNAL || status == STATUS_CORRUPT)
		log_line(LOG_LEVEL_ERROR, "%s: %s%s", call->request->path, reason->text,
			status == STATUS_CORRUPT ? "; restart livezoned to restore state" : "");
	return false;
}

bool
api_read_name(
	struct api_call *call, const char *text, const char *path, struct name_key *out)
{
	struct reason reason = { "" };
	struct name name;
	int status = presentation_read_name(text, &name, &reason);

	if (status)
		return api_fail(call, status, &reason, path);
	name_to_key(name.wire, out);
	return true;
}

bool
api_read_type(struct api_call *call, const char *text, const char *path, uint16_t *out)
{
	struct reason reason = { "" };
	int status = presentation_read_type(text, out, &reason);

	return status == 0 || api_fail(call, status, &reason, path);
}

bool
api_check_source(struct api_call *call, const char *text, const char *path)
{
	if (rrset_json_is_source(text))
		return true;
	problem_set(call->reply, PROBLEM_INVALID, path,
		"\"%.80s\" is not a source name: letters, digits, '.', '_' and '-', at most "
		"%d, a "
		"letter or digit first",
		text, STATE_SOURCE_MAX);
	return false;
}

bool
api_read_duration(struct api_call *call, const char *key, uint64_t min_ms,
	uint64_t max_ms, uint64_t *out)
{
	const char *text = http_uri_parameter(call->request, key);
	char path[64];
	struct reason reason = { "" };
	uint64_t value;

	if (!text)
		return true;
	snprintf(path, sizeof(path), "?%s", key);
	if (duration_read(text, &value, &reason) != 0) {
		problem_set(call->reply, PROBLEM_BAD_REQUEST, path, "%s", reason.text);
		return false;
	}
	if (value < min_ms || value > max_ms) {
		problem_set(call->reply, PROBLEM_INVALID, path,
			"%s is not between %" PRIu64 "s and %" PRIu64 "s", text,
			min_ms / 1000, max_ms / 1000);
		return false;
	}
	*out = value;
	return true;
}

bool
api_read_flag(struct api_call *call, const char *key, bool *out)
{
	const char *text = http_uri_parameter(call->request, key);
	char path[64];

	if (!text)
		return true;
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
		*out = text[0] == 't';
		return true;
	}
	snprintf(path, sizeof(path), "?%s", key);
	problem_set(call->reply, PROBLEM_BAD_REQUEST, path,
		"\"%.40s\" is neither true nor false", text);
	return false;
}

bool
api_read_conditions(struct api_call *call, struct api_conditions *out)
{
	const char *match = http_header(call->request, "If-Match");
	const char *none = http_header(call->request, "If-None-Match");

	*out = (struct api_conditions){ 0 };
	if (match && strcmp(match, "*") == 0) {
		out->present = true;
	} else if (match) {
		out->has_revision = read_revision(match, &out->revision);
		if (!out->has_revision) {
			problem_set(call->reply, PROBLEM_BAD_REQUEST, "If-Match",
				"a revision in double quotes or * is needed");
			return false;
		}
	}
	out->absent = none && strcmp(none, "*") == 0;
	if (none && !out->absent) {
		problem_set(call->reply, PROBLEM_BAD_REQUEST, "If-None-Match",
			"only * is supported");
		return false;
	}
	return true;
}

void
api_submit(struct api_call *call, struct change *change, const struct api_places *places,
	api_finish_fn finish)
{
	struct write_request *request = write_request_new(change);

	if (!request) {
		problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	call->submitted = request;
	change->caller = call->caller;
	/* a writer that opens state again waits for its readers: none of them waits for it */
	state_abort(call->txn);
	call->txn = NULL;
	call->places = *places;
	call->finish = finish;
	request->context = call;
	request->done = on_done;
	request->result = (struct change_result){ .item = CHANGE_WHOLE };
	if (change->kind == CHANGE_ALARM
		|| change_check(change, call->zones, &request->result) == 0) {
		call->is_to_submit = true;
		call->resume = finish_change;
		return;
	}
	change_audit(change, &request->result);
	finish_change(call);
}

void
api_look(struct api_call *call, write_look_fn look, void (*resume)(struct api_call *))
{
	struct write_request *request = write_request_new(NULL);

	if (!request) {
		problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	request->look = look;
	request->look_context = call->data;
	request->context = call;
	request->done = on_done;
	call->submitted = request;
	call->is_to_submit = true;
	call->resume = resume;
}

void
api_wait(struct api_call *call, uint64_t above, uint64_t until_ms,
	void (*resume)(struct api_call *))
{
	call->is_to_wait = true;
	call->wait_above = above;
	call->wait_until_ms = until_ms;
	call->resume = resume;
}

/* On the writer's thread. */
static void
on_done(struct write_request *request)
{
	struct api_call *call = request->context;

	http_resume(call->request);
}

static void
finish_change(struct api_call *call)
{
	struct change_result *result = &call->submitted->result;
	const struct change *change = call->submitted->change;
	const bool is_done = set_status(call, result)
			     || answer_refusal(call, change, &call->places, result);

	call->finish(call, change, result, is_done);
}

void
api_begin_written(
	struct api_call *call, const struct change_result *result, struct json_writer *json)
{
	const bool is_served = result->outcome != CHANGE_DONE_UNSERVED;

	*json = (struct json_writer){ .out = &call->reply->body };
	json_writer_begin(json, '{');
	json_writer_member_number(json, "revision", result->revision);
	json_writer_member_bool(json, "served", is_served);
	if (!is_served)
		json_writer_member(json, "reason", result->reason.text);
}

void
api_write_counts(struct json_writer *json, const struct change_result *result)
{
	json_writer_member_number(json, "added", result->added);
	json_writer_member_number(json, "changed", result->changed);
	json_writer_member_number(json, "deleted", result->removed);
	json_writer_member_number(json, "unchanged", result->unchanged);
}

void
api_set_etag(struct http_reply *reply, uint64_t revision)
{
	snprintf(reply->etag, sizeof(reply->etag), "\"%" PRIu64 "\"", revision);
}

void
api_write_record(
	struct json_writer *json, const struct state_record *record, uint64_t now_ms)
{
	struct rrset_json shown;

	state_record_to_json(record, now_ms, &shown);
	rrset_json_write(json, &shown);
}

static int
authorise_record(void *context, const struct state_record *record, struct reason *reason)
{
	const struct caller *caller = context;

	return authorize_name(caller, CREDENTIALS_READ, &record->rrset.owner,
		       record->rrset.type, reason)
		       ? 0
		       : STATUS_CONFLICT;
}

static bool
set_status(struct api_call *call, const struct change_result *result)
{
	switch (result->outcome) {
	case CHANGE_DONE:
	case CHANGE_UNCHANGED:
		call->reply->status = 200;
		return true;
	case CHANGE_DONE_UNSERVED:
		call->reply->status = 202;
		return true;
	default:
		return false;
	}
}

static bool
answer_refusal(struct api_call *call, const struct change *change,
	const struct api_places *places, struct change_result *result)
{
	static const enum problem_kind kinds[] = {
		[CHANGE_NOT_FOUND] = PROBLEM_NOT_FOUND,
		[CHANGE_FORBIDDEN] = PROBLEM_FORBIDDEN,
		[CHANGE_INVALID] = PROBLEM_INVALID,
		[CHANGE_STALE] = PROBLEM_PRECONDITION_FAILED,
		[CHANGE_CONFLICT] = PROBLEM_OWNED,
		[CHANGE_FULL] = PROBLEM_STORE_FULL,
		[CHANGE_BUSY] = PROBLEM_UNAVAILABLE,
		[CHANGE_FAILED] = PROBLEM_INTERNAL,
		[CHANGE_UNKNOWN] = PROBLEM_UNAVAILABLE,
	};
	struct problem problem = {
		.kind = kinds[result->outcome],
		.detail = result->reason.text,
		.path = result->path,
		.owner = result->owner,
		.is_outcome_unknown = result->outcome == CHANGE_UNKNOWN,
	};

	api_write_place(places, result->item, result->field, result->path);
	if (result->outcome == CHANGE_CONFLICT && !result->owner[0])
		problem.kind = PROBLEM_MAX_DELETE;
	if (result->outcome == CHANGE_STALE) {
		problem.has_revision = true;
		problem.revision = change->kind == CHANGE_ITEMS ? result->old_revision
								: result->revision;
	}
	problem_write(&problem, call->reply);
	return false;
}

static void
forbid(struct api_call *call, const struct reason *reason)
{
	problem_set(call->reply, PROBLEM_FORBIDDEN, NULL, "%s", reason->text);
}

/* "4711" with its quotes. */
static bool
read_revision(const char *text, uint64_t *out)
{
	const size_t len = strlen(text);

	if (len < 3 || len > 21 || text[0] != '"' || text[len - 1] != '"'
		|| strspn(text + 1, "0123456789") != len - 2)
		return false;
	*out = strtoull(text + 1, NULL, 10);
	return true;
}
