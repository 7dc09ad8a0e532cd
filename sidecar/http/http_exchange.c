/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One request from its target to its reply: what the library lets pass is refused, a body is
 * taken in or thrown away, and the handler answers, at once, on a worker or after a wait.
 */
#include "sidecar/http/http_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "lib/base/status.h"

#define DISCARD_MAX (128 * 1024 * 1024) /* a refused body that is read to its end */

/* Fields that may come once. */
struct field_count {
	const char *name;
	unsigned count;
};

enum field {
	FIELD_LENGTH,
	FIELD_ENCODING,
	FIELD_HOST,
	FIELD_TYPE,
	FIELD_AUTHORIZATION,
	FIELD_IF_MATCH,
	FIELD_IF_NONE_MATCH,
	FIELD_COUNT,
};

static enum MHD_Result begin(struct http_exchange *exchange, const char *method);
static void read_method(struct http_request *request, const char *method);
static const char *check_header(struct http_exchange *exchange);
static enum MHD_Result
count_field(void *context, enum MHD_ValueKind kind, const char *key, const char *value);
static void take_body(struct http_exchange *exchange, const char *data, size_t size);
static enum MHD_Result proceed(struct http_exchange *exchange);
static void refuse(struct http_exchange *exchange, unsigned code, const char *detail);
static enum MHD_Result send_early(struct http_exchange *exchange);
static enum MHD_Result send_reply(struct http_exchange *exchange);
static bool may_hold(struct http_exchange *exchange, size_t bytes);
static struct MHD_Response *make_response(struct buffer *body);
static void free_body(void *context);
static void add_headers(const struct http_exchange *exchange, struct MHD_Response *response);

const char *
http_header(const struct http_request *request, const char *name)
{
	const struct http_exchange *exchange = request->connection;

	return MHD_lookup_connection_value(exchange->mhd, MHD_HEADER_KIND, name);
}

bool
http_must_end(const struct http_request *request)
{
	const struct http_exchange *exchange = request->connection;
	const int fd = http_peers_fd(&exchange->server->peers, exchange->connection);
	char byte;

	return atomic_load(&exchange->server->is_stopping)
	       || recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void
http_suspend(struct http_request *request)
{
	struct http_exchange *exchange = request->connection;

	if (!exchange->is_on_worker)
		MHD_suspend_connection(exchange->mhd);
}

bool
http_work(struct http_request *request)
{
	struct http_exchange *exchange = request->connection;

	if (exchange->is_on_worker)
		return false;
	exchange->is_on_worker = true;
	MHD_suspend_connection(exchange->mhd);
	return http_queue_work(exchange, true);
}

void
http_resume(struct http_request *request)
{
	struct http_exchange *exchange = request->connection;

	if (exchange->is_on_worker)
		http_queue_work(exchange, true);
	else
		MHD_resume_connection(exchange->mhd);
}

void *
http_exchange_new(void *context, const char *target, struct MHD_Connection *mhd)
{
	struct http_exchange *exchange = calloc(1, sizeof(*exchange));
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	if (!exchange)
		return NULL;
	exchange->server = context;
	exchange->mhd = mhd;
	exchange->connection = info->socket_context;
	exchange->request.connection = exchange;
	buffer_init(&exchange->request.body, SIZE_MAX, &exchange->server->budget);
	exchange->reply.status = MHD_HTTP_OK;
	buffer_init(&exchange->reply.body, SIZE_MAX, &exchange->server->budget);
	exchange->target = strdup(target);
	if (!exchange->target || !exchange->connection) {
		free(exchange->target);
		free(exchange);
		return NULL;
	}
	atomic_fetch_add(&exchange->server->requests, 1);
	exchange->request.peer = &exchange->connection->peer;
	exchange->target_status = http_uri_split(
		exchange->target, &exchange->request, &exchange->target_reason);
	return exchange;
}

enum MHD_Result
http_exchange_advance(void *context, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *data, size_t *size,
	void **inout_exchange)
{
	struct http_exchange *exchange = *inout_exchange;

	(void)context, (void)mhd, (void)url, (void)version;
	if (!exchange)
		return MHD_NO;
	if (!exchange->has_begun) {
		exchange->has_begun = true;
		return begin(exchange, method);
	}
	if (*size > 0) {
		take_body(exchange, data, *size);
		*size = 0;
		return MHD_YES;
	}
	exchange->is_complete = true;
	return proceed(exchange);
}

void
http_exchange_free(void *context, struct MHD_Connection *mhd, void **inout_exchange,
	enum MHD_RequestTerminationCode code)
{
	struct http_server *server = context;
	struct http_exchange *exchange = *inout_exchange;

	(void)mhd, (void)code;
	if (!exchange)
		return;
	*inout_exchange = NULL;
	server->handler->end(server->handler->context, &exchange->request);
	buffer_done(&exchange->request.body);
	buffer_done(&exchange->reply.body);
	http_peers_hold(&server->peers, exchange->connection, 0, SIZE_MAX);
	http_peers_enter(&server->peers, exchange->connection, HTTP_PHASE_IDLE, 0);
	free(exchange->target);
	free(exchange);
	atomic_fetch_sub(&server->requests, 1);
}

/* Everything that can be said before the body. */
static enum MHD_Result
begin(struct http_exchange *exchange, const char *method)
{
	struct http_server *server = exchange->server;
	struct http_request *request = &exchange->request;
	const char *wrong = check_header(exchange);
	const char *length = http_header(request, "Content-Length");

	read_method(request, method);
	if (wrong) {
		exchange->must_close = true; /* where its body ends is not certain */
		refuse(exchange, MHD_HTTP_BAD_REQUEST, wrong);
	} else if (exchange->target_status) {
		refuse(exchange, MHD_HTTP_BAD_REQUEST, exchange->target_reason.text);
	} else if (atomic_load(&server->is_stopping)) {
		refuse(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "livezoned is stopping");
	} else if (!server->handler->begin(
			   server->handler->context, request, &exchange->reply)) {
		exchange->is_answered = true;
	} else if (!http_peers_admit(&server->peers, exchange->connection, request->caller)
		   && !request->is_public) {
		exchange->must_close = true;
		refuse(exchange, MHD_HTTP_SERVICE_UNAVAILABLE,
			"too many connections are open; try again soon");
	} else if (length && strtoull(length, NULL, 10) > request->body_limit) {
		refuse(exchange, MHD_HTTP_CONTENT_TOO_LARGE, NULL);
	}
	if (exchange->is_answered)
		return send_early(exchange);
	if (request->is_public)
		buffer_init(&exchange->reply.body, HTTP_PROBLEM_MAX, NULL);
	http_peers_enter(&server->peers, exchange->connection, HTTP_PHASE_BODY, 0);
	return MHD_YES;
}

static void
read_method(struct http_request *request, const char *method)
{
	static const char *const methods[] = {
		[HTTP_GET] = "GET",
		[HTTP_PUT] = "PUT",
		[HTTP_POST] = "POST",
		[HTTP_DELETE] = "DELETE",
	};

	request->method = strcmp(method, "HEAD") == 0 ? HTTP_GET : HTTP_OTHER;
	for (enum http_method i = HTTP_GET; i < HTTP_OTHER; i++)
		if (strcmp(method, methods[i]) == 0)
			request->method = i;
}

/* What the library lets pass. NULL: nothing is wrong. */
static const char *
check_header(struct http_exchange *exchange)
{
	struct field_count fields[FIELD_COUNT] = {
		[FIELD_LENGTH] = { "Content-Length", 0 },
		[FIELD_ENCODING] = { "Transfer-Encoding", 0 },
		[FIELD_HOST] = { "Host", 0 },
		[FIELD_TYPE] = { "Content-Type", 0 },
		[FIELD_AUTHORIZATION] = { "Authorization", 0 },
		[FIELD_IF_MATCH] = { "If-Match", 0 },
		[FIELD_IF_NONE_MATCH] = { "If-None-Match", 0 },
	};
	const char *encoding;

	if (MHD_get_connection_values(exchange->mhd, MHD_HEADER_KIND, count_field, fields)
		> HTTP_HEADER_FIELDS_MAX)
		return "more than 64 header fields";
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (fields[i].count > 1)
			return "duplicate header field";
	if (fields[FIELD_LENGTH].count && fields[FIELD_ENCODING].count)
		return "both Content-Length and Transfer-Encoding";
	encoding = http_header(&exchange->request, "Transfer-Encoding");
	if (encoding && strcasecmp(encoding, "chunked") != 0)
		return "unknown Transfer-Encoding: only chunked is supported";
	return NULL;
}

static enum MHD_Result
count_field(void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct field_count *fields = context;

	(void)kind, (void)value;
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (strcasecmp(key, fields[i].name) == 0)
			fields[i].count++;
	return MHD_YES;
}

/* In the middle of a body no reply can be queued: what comes after a fault is thrown
 * away, and as it does not count as progress any more, the deadline bounds that. */
static void
take_body(struct http_exchange *exchange, const char *data, size_t size)
{
	struct http_request *request = &exchange->request;
	struct buffer *body = &request->body;

	if (exchange->is_answered)
		return;
	http_peers_progress(&exchange->server->peers, exchange->connection, size);
	if (body->used + size > request->body_limit) {
		refuse(exchange, MHD_HTTP_CONTENT_TOO_LARGE, NULL);
		return;
	}
	buffer_add(body, data, size);
	if (body->status || !may_hold(exchange, body->room))
		refuse(exchange, MHD_HTTP_SERVICE_UNAVAILABLE,
			body->status == STATUS_NO_MEMORY
				? "out of memory"
				: "the memory for bodies is used up; try again soon");
}

/* Once the body has come, and after each resumption. */
static enum MHD_Result
proceed(struct http_exchange *exchange)
{
	struct http_server *server = exchange->server;

	if (exchange->is_answered)
		return send_reply(exchange);
	http_peers_enter(&server->peers, exchange->connection, HTTP_PHASE_WORKING, 0);
	if (!exchange->request.is_long && exchange->request.body.used <= HTTP_BODY_QUICK) {
		if (server->handler->answer(server->handler->context, &exchange->request,
			    &exchange->reply)
			== HTTP_SUSPENDED)
			return MHD_YES;
		return send_reply(exchange);
	}
	exchange->is_on_worker = true;
	MHD_suspend_connection(exchange->mhd);
	if (http_queue_work(exchange, false))
		return MHD_YES;
	refuse(exchange, MHD_HTTP_SERVICE_UNAVAILABLE,
		"too many long requests are waiting; try again soon");
	MHD_resume_connection(exchange->mhd);
	return MHD_YES;
}

void
http_exchange_work(struct http_exchange *exchange)
{
	const struct http_handler *handler = exchange->server->handler;

	if (handler->answer(handler->context, &exchange->request, &exchange->reply)
		== HTTP_SUSPENDED)
		return;
	exchange->is_answered = true;
	MHD_resume_connection(exchange->mhd);
}

static void
refuse(struct http_exchange *exchange, unsigned code, const char *detail)
{
	const struct http_handler *handler = exchange->server->handler;

	buffer_done(&exchange->request.body);
	handler->refuse(
		handler->context, &exchange->request, code, detail, &exchange->reply);
	exchange->is_answered = true;
}

/* A client that is still sending does not read: a reply before the end of its body, and
 * the close behind it, would reach it as a broken pipe. So the body is thrown away first,
 * unless the client waits for a word (Expect) or the body is out of all proportion. */
static enum MHD_Result
send_early(struct http_exchange *exchange)
{
	const char *length = http_header(&exchange->request, "Content-Length");
	const uint64_t bytes = length ? strtoull(length, NULL, 10) : 0;
	const bool has_body =
		bytes > 0 || http_header(&exchange->request, "Transfer-Encoding");

	if (exchange->must_close || !has_body || bytes > DISCARD_MAX
		|| http_header(&exchange->request, "Expect"))
		return send_reply(exchange);
	http_peers_enter(
		&exchange->server->peers, exchange->connection, HTTP_PHASE_BODY, 0);
	return MHD_YES;
}

/* The body goes to the library. */
static enum MHD_Result
send_reply(struct http_exchange *exchange)
{
	struct http_reply *reply = &exchange->reply;
	struct MHD_Response *response;
	enum MHD_Result queued;

	buffer_done(&exchange->request.body);
	if (!reply->body.status
		&& !may_hold(exchange, reply->body.budget ? reply->body.room : 0)) {
		exchange->is_answered = false;
		refuse(exchange, MHD_HTTP_SERVICE_UNAVAILABLE,
			"the memory for replies is used up; try again soon");
	}
	if (reply->body.status)
		return MHD_NO; /* half a reply is worse than none */
	http_peers_enter(&exchange->server->peers, exchange->connection, HTTP_PHASE_REPLY,
		reply->body.used);
	response = make_response(&reply->body);
	if (!response)
		return MHD_NO;
	add_headers(exchange, response);
	queued = MHD_queue_response(exchange->mhd, reply->status, response);
	MHD_destroy_response(response);
	return queued;
}

/* A token has half of the memory at most; a user of the unix socket may take all. */
static bool
may_hold(struct http_exchange *exchange, size_t bytes)
{
	const size_t limit = exchange->server->budget.limit;

	return http_peers_hold(&exchange->server->peers, exchange->connection, bytes,
		exchange->request.peer->is_local ? limit : limit / 2);
}

/* Takes the body over. */
static struct MHD_Response *
make_response(struct buffer *body)
{
	struct buffer *held = malloc(sizeof(*held));
	struct MHD_Response *response = NULL;

	if (!held)
		return NULL;
	*held = *body;
	buffer_init(body, 0, NULL);
	response = MHD_create_response_from_buffer_with_free_callback_cls(
		held->used, held->data ? held->data : (void *)held, free_body, held);
	if (!response)
		free_body(held);
	return response;
}

static void
free_body(void *context)
{
	struct buffer *body = context;

	buffer_done(body);
	free(body);
}

static void
add_headers(const struct http_exchange *exchange, struct MHD_Response *response)
{
	const struct http_reply *reply = &exchange->reply;
	char seconds[16];

	if (reply->type)
		MHD_add_response_header(
			response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
	if (reply->etag[0])
		MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, reply->etag);
	if (reply->allow[0])
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
	if (reply->wants_token)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
			"Bearer realm=\"livezone\"");
	if (reply->retry_after) {
		snprintf(seconds, sizeof(seconds), "%u", reply->retry_after);
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (exchange->must_close || atomic_load(&exchange->server->is_stopping))
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}
