/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The HTTP server: libmicrohttpd with a thread per connection behind our own accept loop,
 * which knows who the peer is, counts connections by user and ends slow ones. What a
 * request means is not known here: it goes to two functions of the caller (routes.c).
 *
 *	accept ─► peer, limits ─► [header] begin() ─► [body] ─► answer() ─► reply
 *
 * http.c and http_exchange.c are all that knows microhttpd.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/reason.h"
#include "sidecar/json/buffer.h"

#define HTTP_CONNECTIONS_MAX 256
#define HTTP_CONNECTIONS_PER_PEER 64   /* one user, or all of TCP */
#define HTTP_HEADER_MEMORY (10 * 1024) /* request line and headers together */
#define HTTP_HEADER_FIELDS_MAX 64
#define HTTP_HEADER_DEADLINE_MS 5000
#define HTTP_BODY_WINDOW_MS 10000 /* over each such window a body makes at least ... */
#define HTTP_BODY_RATE 1024 /* ... bytes per second; a reply's reader on the whole */
#define HTTP_IDLE_S 30
#define HTTP_STOP_MS 5000 /* what requests at work get at the end */
#define HTTP_PARAMETERS_MAX 16
#define HTTP_BODY_SMALL (1024 * 1024)       /* a longer body is a bulk body: */
#define HTTP_BULK_SLOTS 2                   /* so many at a time, the next waits ... */
#define HTTP_BULK_WAIT_MS 20000             /* ... so long */
#define HTTP_BODY_MEMORY (64 * 1024 * 1024) /* a longer body goes to a file */
#define HTTP_REPLY_MEMORY (1024 * 1024)     /* a longer reply too */

/* Who is at the other end. */
struct http_peer {
	bool is_local; /* the unix socket; else TCP */
	uid_t uid;     /* of a local peer, from the kernel */
	pid_t pid;
};

enum http_method {
	HTTP_GET, /* HEAD too */
	HTTP_PUT,
	HTTP_POST,
	HTTP_DELETE,
	HTTP_OTHER,
};

struct http_parameter {
	char *key;
	char *value; /* percent-decoded, no control bytes; "" without '=' */
};

struct http_request {
	const struct http_peer *peer;
	enum http_method method;
	char *path; /* as sent, without the query; checked by http_uri_split */
	struct http_parameter parameter[HTTP_PARAMETERS_MAX];
	size_t parameter_count;
	uint64_t body_limit; /* set by begin(); 0: no body is taken */
	struct buffer body;
	void *user;       /* the caller's, from begin() to end() */
	void *connection; /* http_exchange.c's own */
};

struct http_reply {
	unsigned status;
	const char *type;     /* media type, static */
	char etag[32];        /* with its quotes; "" = none */
	char allow[48];       /* "" = none */
	unsigned retry_after; /* seconds; 0 = none */
	bool wants_token;     /* WWW-Authenticate: Bearer */
	struct buffer body;
};

struct http_handler {
	/* The header is complete, no byte of the body is read. True: go on, with
	 * body_limit set; false: *reply is the answer. Thread of the connection, like the
	 * others. */
	bool (*begin)(
		void *context, struct http_request *request, struct http_reply *reply);
	/* The body is complete. */
	void (*answer)(
		void *context, struct http_request *request, struct http_reply *reply);
	/* Words a refusal of the server's own: 400, 413, 500, 503, 507. begin() may not
	 * have been called. */
	void (*refuse)(void *context, struct http_request *request, unsigned code,
		const char *detail, struct http_reply *reply);
	/* Last of all, whatever became of the request; begin() may not have been called.
	 */
	void (*end)(void *context, struct http_request *request);
	void *context;
};

struct http_settings {
	const char *unix_path; /* NULL = off */
	const char *tcp;       /* "127.0.0.1:5380", "[::1]:5380"; NULL = off */
	const char *spool_dir; /* for long bodies and replies */
};

struct http_server;

/* Opens the listeners and starts to serve. Settings are copied, the handler borrowed. */
int http_start(const struct http_settings *settings, const struct http_handler *handler,
	struct http_server **out, struct reason *reason);

/* Takes no more connections and requests, waits until the requests at work are answered
 * (HTTP_STOP_MS at most), frees all and removes the unix socket. NULL is allowed. */
void http_stop(struct http_server *server);

/* The TCP port that is listened at; 0 when TCP is off. */
unsigned http_tcp_port(const struct http_server *server);

/* Connections now, for the log. */
size_t http_connections(struct http_server *server);

/* A header's value, or NULL. Borrowed for the life of the request. */
const char *http_header(const struct http_request *request, const char *name);

/* Has the client gone away, or is the server about to end? For long polls. */
bool http_is_over(const struct http_request *request);
