/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One request from its target to its reply: what the library lets pass is refused, a body
 * is taken in or thrown away, bulk bodies wait for a slot, and the caller's handler
 * answers.
 */
#include "sidecar/http/http_exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "sidecar/http/http_server.h"
#include "sidecar/http/http_uri.h"

#define DISCARD_MAX (128 * 1024 * 1024) /* a refused body that is read to its end */

/* One request on its way through. */
struct exchange {
	struct http_request request; /* first: the handler gives it back */
	struct http_server *server;
	struct MHD_Connection *mhd;
	struct http_connection *connection;
	char *target;
	struct reason target_reason;
	int target_status;
	bool has_begun;
	bool has_bulk_slot;
	unsigned refusal; /* HTTP status when the rest of the body is thrown away */
	const char *refusal_text;
	bool has_early; /* likewise, with the whole reply: */
	struct http_reply early;
	bool must_close;
	bool is_complete; /* the whole body has come */
};

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

static enum MHD_Result begin(struct exchange *exchange, const char *method);
static const char *check_header(struct exchange *exchange);
static enum MHD_Result
count_field(void *context, enum MHD_ValueKind kind, const char *key, const char *value);
static void take_body(struct exchange *exchange, const char *data, size_t size);
static enum MHD_Result answer(struct exchange *exchange);
static enum MHD_Result
refuse(struct exchange *exchange, unsigned code, const char *detail);
static enum MHD_Result send_early(struct exchange *exchange, struct http_reply *reply);
static enum MHD_Result send_reply(struct exchange *exchange, struct http_reply *reply);
static bool take_bulk_slot(struct exchange *exchange);
static void give_bulk_slot(struct exchange *exchange);
static void init_reply(const struct http_server *server, struct http_reply *reply);

const char *
http_header(const struct http_request *request, const char *name)
{
	const struct exchange *exchange = request->connection;

	return MHD_lookup_connection_value(exchange->mhd, MHD_HEADER_KIND, name);
}

bool
http_is_over(const struct http_request *request)
{
	const struct exchange *exchange = request->connection;
	char byte;

	return atomic_load(&exchange->server->is_stopping)
	       || recv(exchange->connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void *
http_exchange_new(void *context, const char *target, struct MHD_Connection *mhd)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	if (!exchange)
		return NULL;
	exchange->server = context;
	exchange->mhd = mhd;
	exchange->connection = info->socket_context;
	exchange->request.connection = exchange;
	buffer_init(
		&exchange->request.body, HTTP_BODY_MEMORY, exchange->server->spool_dir);
	exchange->target = strdup(target);
	if (!exchange->target || !exchange->connection) {
		free(exchange->target);
		free(exchange);
		return NULL;
	}
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
	struct exchange *exchange = *inout_exchange;

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
	return answer(exchange);
}

void
http_exchange_free(void *context, struct MHD_Connection *mhd, void **inout_exchange,
	enum MHD_RequestTerminationCode code)
{
	struct http_server *server = context;
	struct exchange *exchange = *inout_exchange;

	(void)mhd, (void)code;
	if (!exchange)
		return;
	*inout_exchange = NULL;
	server->handler->end(server->handler->context, &exchange->request);
	give_bulk_slot(exchange);
	http_peers_enter(&server->peers, exchange->connection, HTTP_PHASE_IDLE, 0);
	buffer_done(&exchange->request.body);
	if (exchange->has_early)
		buffer_done(&exchange->early.body);
	free(exchange->target);
	free(exchange);
}

/* Everything that can be said before the body. */
static enum MHD_Result
begin(struct exchange *exchange, const char *method)
{
	static const char *const methods[] = {
		[HTTP_GET] = "GET",
		[HTTP_PUT] = "PUT",
		[HTTP_POST] = "POST",
		[HTTP_DELETE] = "DELETE",
	};
	struct http_server *server = exchange->server;
	struct http_request *request = &exchange->request;
	const char *wrong = check_header(exchange);
	const char *length = http_header(request, "Content-Length");
	uint64_t bytes = length ? strtoull(length, NULL, 10) : 0;
	struct http_reply reply;

	if (wrong) {
		exchange->must_close = true; /* where its body ends is not certain */
		return refuse(exchange, MHD_HTTP_BAD_REQUEST, wrong);
	}
	if (exchange->target_status)
		return refuse(
			exchange, MHD_HTTP_BAD_REQUEST, exchange->target_reason.text);
	if (atomic_load(&server->is_stopping))
		return refuse(
			exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "livezoned is stopping");
	request->method = strcmp(method, "HEAD") == 0 ? HTTP_GET : HTTP_OTHER;
	for (enum http_method i = HTTP_GET; i < HTTP_OTHER; i++)
		if (strcmp(method, methods[i]) == 0)
			request->method = i;
	init_reply(server, &reply);
	if (!server->handler->begin(server->handler->context, request, &reply))
		return send_early(exchange, &reply);
	if (bytes > request->body_limit)
		return refuse(exchange, MHD_HTTP_CONTENT_TOO_LARGE, NULL);
	if (bytes > HTTP_BODY_SMALL && !take_bulk_slot(exchange))
		return refuse(exchange, MHD_HTTP_SERVICE_UNAVAILABLE,
			"other bulk bodies are at work; try again soon");
	http_peers_enter(&server->peers, exchange->connection, HTTP_PHASE_BODY, 0);
	return MHD_YES;
}

/* What the library lets pass. NULL: nothing is wrong. */
static const char *
check_header(struct exchange *exchange)
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
			return "a header field that may come once is given twice";
	if (fields[FIELD_LENGTH].count && fields[FIELD_ENCODING].count)
		return "Content-Length and Transfer-Encoding exclude each other";
	encoding = http_header(&exchange->request, "Transfer-Encoding");
	if (encoding && strcasecmp(encoding, "chunked") != 0)
		return "Transfer-Encoding: only chunked is known";
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
 * away, and as it counts no more as progress, the deadline bounds that. */
static void
take_body(struct exchange *exchange, const char *data, size_t size)
{
	struct http_request *request = &exchange->request;

	if (exchange->refusal || exchange->has_early)
		return;
	http_peers_progress(&exchange->server->peers, exchange->connection, size);
	if (request->body.size + size > request->body_limit) {
		exchange->refusal = MHD_HTTP_CONTENT_TOO_LARGE;
	} else if (request->body.size + size > HTTP_BODY_SMALL && !exchange->has_bulk_slot
		   && !take_bulk_slot(exchange)) {
		exchange->refusal = MHD_HTTP_SERVICE_UNAVAILABLE;
		exchange->refusal_text = "other bulk bodies are at work; try again soon";
	} else {
		buffer_add(&request->body, data, size);
		if (request->body.status == STATUS_FULL
			|| request->body.status == STATUS_IO) {
			exchange->refusal = MHD_HTTP_INSUFFICIENT_STORAGE;
			exchange->refusal_text = "no space for the body";
		} else if (request->body.status) {
			exchange->refusal = MHD_HTTP_SERVICE_UNAVAILABLE;
			exchange->refusal_text = "out of memory";
		}
	}
	if (exchange->refusal)
		buffer_done(&request->body);
}

static enum MHD_Result
answer(struct exchange *exchange)
{
	struct http_server *server = exchange->server;
	struct http_reply reply;

	exchange->is_complete = true;
	if (exchange->has_early) {
		exchange->has_early = false;
		return send_reply(exchange, &exchange->early);
	}
	if (exchange->refusal)
		return refuse(exchange, exchange->refusal, exchange->refusal_text);
	http_peers_enter(&server->peers, exchange->connection, HTTP_PHASE_WORKING, 0);
	init_reply(server, &reply);
	server->handler->answer(server->handler->context, &exchange->request, &reply);
	buffer_done(&exchange->request.body);
	give_bulk_slot(exchange);
	return send_reply(exchange, &reply);
}

static enum MHD_Result
refuse(struct exchange *exchange, unsigned code, const char *detail)
{
	const struct http_handler *handler = exchange->server->handler;
	struct http_reply reply;

	init_reply(exchange->server, &reply);
	handler->refuse(handler->context, &exchange->request, code, detail, &reply);
	return send_early(exchange, &reply);
}

/* A client that is still sending does not read: a reply before the end of its body, and
 * the close behind it, would reach it as a broken pipe. So the body is thrown away first,
 * unless the client waits for a word (Expect) or the body is out of all proportion. */
static enum MHD_Result
send_early(struct exchange *exchange, struct http_reply *reply)
{
	const char *length = http_header(&exchange->request, "Content-Length");
	const uint64_t bytes = length ? strtoull(length, NULL, 10) : 0;
	const bool has_body =
		bytes > 0 || http_header(&exchange->request, "Transfer-Encoding");

	if (exchange->is_complete || exchange->must_close || !has_body
		|| bytes > DISCARD_MAX || http_header(&exchange->request, "Expect"))
		return send_reply(exchange, reply);
	exchange->early = *reply;
	exchange->has_early = true;
	http_peers_enter(
		&exchange->server->peers, exchange->connection, HTTP_PHASE_BODY, 0);
	return MHD_YES;
}

/* Gives the body away to the library and frees what is left of the reply. */
static enum MHD_Result
send_reply(struct exchange *exchange, struct http_reply *reply)
{
	const uint64_t size = reply->body.size;
	struct MHD_Response *response;
	enum MHD_Result queued;
	char seconds[16];

	buffer_flush(&reply->body);
	if (reply->body.status) {
		buffer_done(&reply->body);
		return MHD_NO; /* half a reply is worse than none */
	}
	if (reply->body.file >= 0)
		response = MHD_create_response_from_fd64(size, reply->body.file);
	else
		response = MHD_create_response_from_buffer(
			size, reply->body.data, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		buffer_done(&reply->body);
		return MHD_NO;
	}
	if (reply->body.file >= 0)
		reply->body.file = -1;
	else
		reply->body.data = NULL;
	buffer_done(&reply->body);
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
	http_peers_enter(
		&exchange->server->peers, exchange->connection, HTTP_PHASE_REPLY, size);
	queued = MHD_queue_response(exchange->mhd, reply->status, response);
	MHD_destroy_response(response);
	return queued;
}

static bool
take_bulk_slot(struct exchange *exchange)
{
	struct http_server *server = exchange->server;
	const uint64_t until_ms = clock_read_ms(CLOCK_MONOTONIC) + HTTP_BULK_WAIT_MS;
	const struct timespec until = {
		.tv_sec = (time_t)(until_ms / 1000),
		.tv_nsec = (long)(until_ms % 1000) * 1000000,
	};
	int status = 0;

	/* its body waits in the socket, which is no fault of the client */
	http_peers_enter(&server->peers, exchange->connection, HTTP_PHASE_WORKING, 0);
	pthread_mutex_lock(&server->bulk_lock);
	while (server->bulk_used == HTTP_BULK_SLOTS && status == 0
		&& !atomic_load(&server->is_stopping))
		status = pthread_cond_timedwait(
			&server->bulk_free, &server->bulk_lock, &until);
	exchange->has_bulk_slot = server->bulk_used < HTTP_BULK_SLOTS;
	if (exchange->has_bulk_slot)
		server->bulk_used++;
	pthread_mutex_unlock(&server->bulk_lock);
	http_peers_enter(&server->peers, exchange->connection, HTTP_PHASE_BODY, 0);
	return exchange->has_bulk_slot;
}

static void
give_bulk_slot(struct exchange *exchange)
{
	struct http_server *server = exchange->server;

	if (!exchange->has_bulk_slot)
		return;
	pthread_mutex_lock(&server->bulk_lock);
	server->bulk_used--;
	pthread_cond_signal(&server->bulk_free);
	pthread_mutex_unlock(&server->bulk_lock);
	exchange->has_bulk_slot = false;
}

static void
init_reply(const struct http_server *server, struct http_reply *reply)
{
	*reply = (struct http_reply){ .status = MHD_HTTP_OK };
	buffer_init(&reply->body, HTTP_REPLY_MEMORY, server->spool_dir);
}
