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
#include "lib/base/log.h"
#include "lib/base/status.h"
#include "lib/dns/presentation.h"
#include "sidecar/json/json_writer.h"

static int
authorise_record(void *context, const struct state_record *record, struct reason *reason);
static struct write_request *new_request(struct api_call *call, struct change *change);
static void on_done(struct write_request *request);
static void finish_change(struct api_call *call);
static void answer_refusal(struct api_call *call, const struct change *change,
	struct change_result *result);
static void write_written(struct api_call *call, const struct change *change,
	const struct change_result *result);
static void write_difference(struct json_writer *json, const struct change *change,
	const struct change_diff *diff);
static bool forbid(struct api_call *call, const struct reason *reason);
static bool read_revision(const char *text, uint64_t *out);

int
api_settings_read(const char *path, struct api_settings **out, struct reason *reason)
{
	struct api_settings *settings = calloc(1, sizeof(*settings));
	int status;

	if (!settings)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	atomic_init(&settings->references, 1);
	status = config_read(path, &settings->config, reason);
	if (!status)
		status = auth_read(settings->config, &settings->auth, reason);
	if (status) {
		api_settings_release(settings);
		return status;
	}
	*out = settings;
	return 0;
}

void
api_settings_release(struct api_settings *settings)
{
	if (!settings || atomic_fetch_sub(&settings->references, 1) != 1)
		return;
	auth_free(settings->auth);
	config_free(settings->config);
	free(settings);
}

bool
api_no_memory(struct api_call *call)
{
	problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
	return false;
}

void
api_write_place(const struct api_call *call, size_t item, const char *field,
	char out[CHANGE_PATH_MAX])
{
	const struct api_places *places = &call->places;

	if (!field)
		field = "";
	if (item != CHANGE_WHOLE && places->lines)
		snprintf(out, CHANGE_PATH_MAX, "line %" PRIu32, places->lines[item]);
	else if (item != CHANGE_WHOLE && places->list)
		snprintf(out, CHANGE_PATH_MAX, "%s[%zu]%s%s", places->list, item,
			*field ? "." : "", field);
	else
		snprintf(out, CHANGE_PATH_MAX, "%s", field);
}

bool
api_authorise(struct api_call *call, enum credentials_verb verb,
	const struct name_key *name, uint16_t type)
{
	struct reason reason = { "" };

	return authorize_name(&call->caller, verb, name, type, &reason)
	       || forbid(call, &reason);
}

bool
api_authorise_all(struct api_call *call, enum credentials_verb verb)
{
	struct reason reason = { "" };

	return authorize_all(&call->caller, verb, call->zones, &reason)
	       || forbid(call, &reason);
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
	if (status == STATUS_CONFLICT)
		return forbid(call, &reason);
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
api_read_number(struct api_call *call, const char *key, uint64_t min, uint64_t max,
	uint64_t *out)
{
	const char *text = http_uri_parameter(call->request, key);
	char path[64];
	uint64_t value;

	if (!text)
		return true;
	value = strtoull(text, NULL, 10);
	if (*text && strlen(text) <= 19 && strspn(text, "0123456789") == strlen(text)
		&& value >= min && value <= max) {
		*out = value;
		return true;
	}
	snprintf(path, sizeof(path), "?%s", key);
	problem_set(call->reply, PROBLEM_BAD_REQUEST, path,
		"a whole number from %" PRIu64 " to %" PRIu64 " is needed", min, max);
	return false;
}

bool
api_read_conditions(struct api_call *call, struct change *change)
{
	const char *match = http_header(call->request, "If-Match");
	const char *none = http_header(call->request, "If-None-Match");
	const bool is_present = match && strcmp(match, "*") == 0;
	const bool has_revision = match && !is_present;
	uint64_t revision = 0;

	if (has_revision && !read_revision(match, &revision)) {
		problem_set(call->reply, PROBLEM_BAD_REQUEST, "If-Match",
			"a revision in double quotes or * is needed");
		return false;
	}
	if (none && strcmp(none, "*") != 0) {
		problem_set(call->reply, PROBLEM_BAD_REQUEST, "If-None-Match",
			"only * is supported");
		return false;
	}
	if (change->kind == CHANGE_ITEMS) {
		change->items->has_if_revision = has_revision;
		change->items->if_revision = revision;
		change->items->if_present = is_present;
		change->items->if_absent = none != NULL;
	} else {
		change->has_if_revision = has_revision;
		change->if_revision = revision;
		change->if_present = is_present;
		change->if_absent = none != NULL;
	}
	return true;
}

struct change *
api_new_change(struct api_call *call, enum change_kind kind)
{
	struct change *change = change_new(kind);

	if (!change)
		api_no_memory(call);
	return change && new_request(call, change) ? change : NULL;
}

void
api_submit(struct api_call *call, api_etag_fn add_etag)
{
	struct write_request *request = call->submitted;
	struct change *change = request->change;

	change->caller = call->caller;
	/* a writer that opens state again waits for its readers: none of them waits for it */
	state_abort(call->txn);
	call->txn = NULL;
	call->add_etag = add_etag;
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
	struct write_request *request = new_request(call, NULL);

	if (!request)
		return;
	request->look = look;
	request->look_context = call->data;
	call->is_to_submit = true;
	call->resume = resume;
}

/* NULL: the reply says that there is no memory. */
static struct write_request *
new_request(struct api_call *call, struct change *change)
{
	struct write_request *request = write_request_new(change);

	if (!request) {
		api_no_memory(call);
		return NULL;
	}
	request->context = call;
	request->done = on_done;
	call->submitted = request;
	return request;
}

void
api_work(struct api_call *call, void (*resume)(struct api_call *))
{
	call->is_to_work = true;
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

	if (result->outcome > CHANGE_UNCHANGED) {
		answer_refusal(call, change, result);
		return;
	}
	call->reply->status = result->is_unserved ? 202 : 200;
	write_written(call, change, result);
	if (call->add_etag)
		call->add_etag(call, result);
}

static void
write_written(struct api_call *call, const struct change *change,
	const struct change_result *result)
{
	const enum change_kind kind = change->kind;
	const bool has_difference = kind == CHANGE_SOURCE || kind == CHANGE_ROLLBACK;
	struct json_writer json = { .out = &call->reply->body };

	json_writer_begin(&json, '{');
	json_writer_member_number(&json, "revision", result->revision);
	json_writer_member_bool(&json, "served", !result->is_unserved);
	if (result->is_unserved)
		json_writer_member(&json, "reason", result->reason.text);
	if (kind == CHANGE_HEARTBEAT)
		json_writer_member_number(&json, "renewed", result->renewed);
	if (has_difference)
		json_writer_member_bool(&json, "dry-run", change->dry_run);
	if (has_difference || kind == CHANGE_ZONE || kind == CHANGE_RESTORE) {
		json_writer_member_number(&json, "added", result->added);
		json_writer_member_number(&json, "changed", result->changed);
		json_writer_member_number(&json, "deleted", result->removed);
		json_writer_member_number(&json, "unchanged", result->unchanged);
	}
	if (has_difference) {
		json_writer_member_begin(&json, "difference", '[');
		for (size_t i = 0; i < result->diff_count; i++)
			write_difference(&json, change, &result->diff[i]);
		json_writer_end(&json, ']');
	}
	json_writer_end(&json, '}');
}

/* A source is named where it is not the change's. */
static void
write_difference(struct json_writer *json, const struct change *change,
	const struct change_diff *diff)
{
	const struct change_item *after =
		diff->item == CHANGE_WHOLE ? NULL : &change->items[diff->item];
	const bool is_same_source =
		change->source && strcmp(diff->before_source, change->source) == 0;
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
		rrset_json_write_value(json, &diff->before,
			is_same_source ? NULL : diff->before_source,
			strlen(diff->before_source), diff->before_lease_ms);
		json_writer_end(json, '}');
	}
	if (after) {
		change_read_rrset(after, &rrset);
		json_writer_member_begin(json, "after", '{');
		rrset_json_write_value(json, &rrset, change->source ? NULL : after->source,
			after->source_len, after->lease_ms);
		json_writer_end(json, '}');
	}
	json_writer_end(json, '}');
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

static void
answer_refusal(
	struct api_call *call, const struct change *change, struct change_result *result)
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

	api_write_place(call, result->item, result->field, result->path);
	if (result->outcome == CHANGE_CONFLICT && !result->owner[0])
		problem.kind = PROBLEM_MAX_DELETE;
	if (result->outcome == CHANGE_STALE) {
		problem.has_revision = true;
		problem.revision = change->kind == CHANGE_ITEMS ? result->old_revision
								: result->revision;
	}
	problem_write(&problem, call->reply);
}

/* Always false. */
static bool
forbid(struct api_call *call, const struct reason *reason)
{
	problem_set(call->reply, PROBLEM_FORBIDDEN, NULL, "%s", reason->text);
	return false;
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
