/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One row per operation of doc/openapi.yaml.
 */
#include "sidecar/api/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/log.h"

#define SMALL (1024 * 1024)
#define BULK (64 * 1024 * 1024)
#define RESTORE (1024 * 1024 * 1024)

static const struct route table[] = {
	{ HTTP_GET, "/v1/rrsets/{}/{}", CREDENTIALS_READ, .handle = api_rrsets_get },
	{ HTTP_PUT, "/v1/rrsets/{}/{}", CREDENTIALS_WRITE, .media = API_JSON | API_TEXT,
		.limit = SMALL, .parameters = "ttl source lease only-if-source",
		.handle = api_rrsets_put },
	{ HTTP_DELETE, "/v1/rrsets/{}/{}", CREDENTIALS_WRITE,
		.parameters = "only-if-source",
		.handle = api_rrsets_delete },
	{ HTTP_GET, "/v1/rrsets", CREDENTIALS_READ, .parameters = "name type",
		.handle = api_rrsets_find },
	{ HTTP_POST, "/v1/batch", CREDENTIALS_WRITE, .media = API_JSON, .limit = BULK,
		.parameters = "only-if-source", .handle = api_rrsets_batch },
	{ HTTP_GET, "/v1/sources", CREDENTIALS_READ, .handle = api_sources_list },
	{ HTTP_GET, "/v1/sources/{}", CREDENTIALS_READ, .is_long = true,
		.handle = api_sources_get },
	{ HTTP_PUT, "/v1/sources/{}", CREDENTIALS_WRITE, .media = API_JSON, .limit = BULK,
		.parameters = "dry-run force max-delete", .is_long = true,
		.handle = api_sources_put },
	{ HTTP_POST, "/v1/sources/{}/heartbeat", CREDENTIALS_WRITE,
		.handle = api_sources_heartbeat },
	{ HTTP_GET, "/v1/zones", CREDENTIALS_READ, .handle = api_zones_list },
	{ HTTP_GET, "/v1/zones/{}", CREDENTIALS_READ, .is_long = true,
		.handle = api_zones_get },
	{ HTTP_PUT, "/v1/zones/{}", CREDENTIALS_WRITE, .media = API_JSON | API_DNS,
		.limit = BULK, .parameters = "source", .is_long = true,
		.handle = api_zones_put },
	{ HTTP_GET, "/v1/changes", CREDENTIALS_READ, .parameters = "since wait values zone",
		.handle = api_history_changes },
	{ HTTP_GET, "/v1/history", CREDENTIALS_READ, .is_long = true,
		.parameters = "name type zone since until limit",
		.handle = api_history_get },
	{ HTTP_POST, "/v1/rollback", CREDENTIALS_WRITE, .media = API_JSON, .limit = SMALL,
		.parameters = "dry-run force", .is_long = true,
		.handle = api_history_rollback },
	{ HTTP_GET, "/v1/explain", CREDENTIALS_READ, .parameters = "name type",
		.handle = api_explain_get },
	{ HTTP_GET, "/v1/status", CREDENTIALS_READ, .is_long = true,
		.handle = api_status_get },
	{ HTTP_DELETE, "/v1/alarms/{}", CREDENTIALS_ADMIN, .handle = api_status_acknowledge },
	{ HTTP_GET, "/v1/backup", CREDENTIALS_ADMIN, .is_long = true,
		.handle = api_backup_get },
	{ HTTP_PUT, "/v1/restore", CREDENTIALS_ADMIN, .media = API_LINES,
		.limit = RESTORE, .is_long = true, .handle = api_backup_restore },
	{ HTTP_GET, "/healthz", CREDENTIALS_READ, .is_public = true,
		.handle = api_status_health },
	{ HTTP_GET, "/readyz", CREDENTIALS_READ, .is_public = true,
		.handle = api_status_ready },
	{ .pattern = NULL },
};

static const struct {
	const char *name;
	enum api_media media;
} media_types[] = {
	{ "application/json", API_JSON },
	{ "text/plain", API_TEXT },
	{ "text/dns", API_DNS },
	{ "application/x-ndjson", API_LINES },
};

#define MEDIA_TYPES (sizeof(media_types) / sizeof(media_types[0]))

static const char *const methods[] = {
	[HTTP_GET] = "GET",
	[HTTP_PUT] = "PUT",
	[HTTP_POST] = "POST",
	[HTTP_DELETE] = "DELETE",
	[HTTP_OTHER] = "other",
};

/* A part of a path that a pattern leaves open. */
struct segment {
	char *at;
	size_t len;
};

static bool begin(void *context, struct http_request *request, struct http_reply *reply);
static enum http_progress
answer(void *context, struct http_request *request, struct http_reply *reply);
static void advance(struct api_call *call);
static void refuse(void *context, struct http_request *request, unsigned code,
	const char *detail, struct http_reply *reply);
static void end(void *context, struct http_request *request);
static struct api_call *
new_call(struct api *api, struct http_request *request, struct http_reply *reply);
static bool admit(struct api_call *call);
static bool refuse_path(struct api_call *call, const char *allow);
static bool check_verb(struct api_call *call);
static bool check_parameters(struct api_call *call);
static bool check_media(struct api_call *call);
static bool is_word_of(const char *words, const char *word);
static bool
match(const char *pattern, char *path, struct segment found[API_VARIABLES_MAX]);
static void finish(struct api_call *call);

const struct route *
routes_table(void)
{
	return table;
}

struct http_handler
routes_handler(struct api *api)
{
	return (struct http_handler){
		.begin = begin,
		.answer = answer,
		.refuse = refuse,
		.end = end,
		.context = api,
	};
}

const struct route *
routes_find(enum http_method method, char *path, char *variable[API_VARIABLES_MAX],
	char out_allow[48])
{
	out_allow[0] = '\0';
	for (const struct route *route = table; route->pattern; route++) {
		struct segment found[API_VARIABLES_MAX] = { { NULL, 0 } };
		const size_t used = strlen(out_allow);

		if (!match(route->pattern, path, found))
			continue;
		if (route->method != method) {
			snprintf(out_allow + used, 48 - used, "%s%s", used ? ", " : "",
				methods[route->method]);
			continue;
		}
		for (size_t i = 0; i < API_VARIABLES_MAX && found[i].at; i++) {
			variable[i] = found[i].at;
			variable[i][found[i].len] = '\0';
		}
		return route;
	}
	return NULL;
}

static bool
begin(void *context, struct http_request *request, struct http_reply *reply)
{
	struct api_call *call = new_call(context, request, reply);
	bool is_admitted;

	if (!call) {
		problem_set(reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
		return false;
	}
	is_admitted = admit(call);
	if (!is_admitted) {
		finish(call);
		return false;
	}
	request->body_limit = call->route->limit;
	request->is_public = call->route->is_public;
	request->is_long = call->route->is_long;
	if (!request->is_public)
		snprintf(request->caller, sizeof(request->caller), "%s", call->caller.name);
	return true;
}

/* Once a call was submitted or waits, another thread may have it at any moment: it is not
 * touched any more. */
static enum http_progress
answer(void *context, struct http_request *request, struct http_reply *reply)
{
	struct api *api = context;
	struct api_call *call = request->user;

	call->reply = reply;
	/* an epoll thread does not wait until state is opened again */
	if (!call->route->is_public && state_may_wait(api->state) && http_work(request))
		return HTTP_SUSPENDED;
	for (;;) {
		struct write_request *submitted;

		advance(call);
		submitted = call->submitted;
		if (call->is_to_submit) {
			call->is_to_submit = false;
			http_suspend(request);
			writer_submit(api->writer, submitted);
			return HTTP_SUSPENDED;
		}
		if (call->is_to_work) {
			call->is_to_work = false;
			if (http_work(request))
				return HTTP_SUSPENDED;
			continue;
		}
		if (!call->is_to_wait)
			break;
		call->is_to_wait = false;
		if (http_wait(request, call->wait_above, call->wait_until_ms))
			return HTTP_SUSPENDED;
	}
	(void)api_has_no_room(call);
	finish(call);
	state_abort(call->txn); /* the client may read for a long time */
	call->txn = NULL;
	return HTTP_REPLIED;
}

static void
advance(struct api_call *call)
{
	void (*resume)(struct api_call *) = call->resume;

	call->resume = NULL;
	if (resume) {
		resume(call);
		return;
	}
	call->reply->type = "application/json";
	call->route->handle(call);
}

static void
refuse(void *context, struct http_request *request, unsigned code, const char *detail,
	struct http_reply *reply)
{
	char text[64];

	(void)context;
	if (code == 413) {
		snprintf(text, sizeof(text), "the body may have %llu bytes here",
			(unsigned long long)request->body_limit);
		detail = text;
	}
	problem_set(reply, problem_from_code(code), NULL, "%s", detail);
	log_refused(
		"refused: %s: %u %s", request->path ? request->path : "?", code, detail);
}

static void
end(void *context, struct http_request *request)
{
	struct api_call *call = request->user;

	(void)context;
	if (!call)
		return;
	state_abort(call->txn);
	if (call->free_data)
		call->free_data(call->data);
	write_request_free(call->submitted); /* its change borrows from what follows */
	api_settings_release(call->settings);
	free(call->places.lines);
	free(call);
	request->user = NULL;
}

static struct api_call *
new_call(struct api *api, struct http_request *request, struct http_reply *reply)
{
	const size_t path_len = strlen(request->path);
	struct api_call *call = calloc(1, sizeof(*call) + path_len + 1);

	if (!call)
		return NULL;
	memcpy(call->path, request->path, path_len);
	pthread_mutex_lock(&api->lock);
	call->settings = api->settings;
	atomic_fetch_add(&call->settings->references, 1);
	pthread_mutex_unlock(&api->lock);
	call->api = api;
	call->zones = &call->settings->config->zones;
	call->request = request;
	call->reply = reply;
	request->user = call;
	return call;
}

/* Who, what, how: in this order, so that a stranger learns nothing of the rest. */
static bool
admit(struct api_call *call)
{
	const struct auth *auth = call->settings->auth;
	char allow[48];

	call->route = routes_find(call->request->method, call->path, call->variable, allow);
	if (!auth_check_origin(auth, call->request, call->reply))
		return false;
	if (!(call->route && call->route->is_public)
		&& !auth_identify(auth, call->request, &call->caller, call->reply))
		return false;
	if (!call->route)
		return refuse_path(call, allow);
	return check_verb(call) && check_parameters(call) && check_media(call);
}

/* Always false. */
static bool
refuse_path(struct api_call *call, const char *allow)
{
	if (!allow[0]) {
		problem_set(call->reply, PROBLEM_NOT_FOUND, NULL,
			"there is nothing at %s", call->request->path);
		return false;
	}
	problem_set(call->reply, PROBLEM_METHOD_NOT_ALLOWED, NULL, "the methods here are %s",
		allow);
	snprintf(call->reply->allow, sizeof(call->reply->allow), "%s", allow);
	return false;
}

static bool
check_verb(struct api_call *call)
{
	struct reason reason = { "" };

	if (call->route->is_public
		|| authorize_verb(&call->caller, call->route->verb, &reason))
		return true;
	problem_set(call->reply, PROBLEM_FORBIDDEN, NULL, "%s", reason.text);
	return false;
}

static bool
check_parameters(struct api_call *call)
{
	for (size_t i = 0; i < call->request->parameter_count; i++) {
		const char *key = call->request->parameter[i].key;
		char path[64];

		if (is_word_of(call->route->parameters, key))
			continue;
		snprintf(path, sizeof(path), "?%.60s", key);
		problem_set(call->reply, PROBLEM_BAD_REQUEST, path,
			"unknown query parameter \"%.60s\"", key);
		return false;
	}
	return true;
}

static bool
check_media(struct api_call *call)
{
	const char *type = http_header(call->request, "Content-Type");
	const size_t len = type ? strcspn(type, "; \t") : 0;
	char wanted[128] = "";

	if (!call->route->media)
		return true;
	for (size_t i = 0; i < MEDIA_TYPES; i++) {
		const char *name = media_types[i].name;
		const size_t used = strlen(wanted);

		if (!(call->route->media & media_types[i].media))
			continue;
		if (type && strlen(name) == len && strncasecmp(type, name, len) == 0) {
			call->media = media_types[i].media;
			return true;
		}
		snprintf(wanted + used, sizeof(wanted) - used, "%s%s", used ? " or " : "",
			name);
	}
	problem_set(call->reply, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "Content-Type",
		"Content-Type must be %s", wanted);
	return false;
}

static bool
is_word_of(const char *words, const char *word)
{
	const size_t len = strlen(word);

	while (words && *words) {
		const size_t end = strcspn(words, " ");

		if (end == len && memcmp(words, word, len) == 0)
			return true;
		words += end + (words[end] == ' ');
	}
	return false;
}

/* "{}" stands for one segment that is not empty. */
static bool
match(const char *pattern, char *path, struct segment found[API_VARIABLES_MAX])
{
	size_t count = 0;

	while (*pattern) {
		const size_t len = strcspn(path, "/");

		if (*pattern != '{') {
			if (*pattern != *path)
				return false;
			pattern++;
			path++;
			continue;
		}
		if (len == 0)
			return false;
		found[count++] = (struct segment){ path, len };
		pattern += 2;
		path += len;
	}
	return !*path;
}

/* Refusals for lack of rights are logged, at a limited rate. */
static void
finish(struct api_call *call)
{
	const unsigned code = call->reply->status;

	if (code != 401 && code != 403 && code != 429)
		return;
	log_refused("refused: %s %s %.300s: %u",
		call->caller.name[0] ? call->caller.name : "tcp",
		methods[call->request->method], call->request->path, code);
}
