/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The HTTP server: libmicrohttpd's epoll threads behind our own accept loop, which knows who
 * the peer is, counts connections by caller and ends slow ones. A client that is idle or waits
 * costs no thread: a request that waits is suspended. What a request means is not known here:
 * it goes to the functions of the caller (routes.c).
 *
 *	accept ─► peer, share ─► [header] begin() ─► [body] ─► answer() ─► reply
 *	                                                       │      ▲
 *	                                           http_suspend ─► http_resume
 *
 * A request that is_long or has a long body is answered on one of HTTP_WORKERS threads, which may
 * block, and so is one from http_work on; all others on an epoll thread, which must not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/reason.h"
#include "sidecar/json/buffer.h"

#define HTTP_CONNECTIONS_MAX 2048
#define HTTP_CONNECTIONS_PER_CALLER 1280 /* a user or a token: long polls are connections */
#define HTTP_CONNECTIONS_STRANGERS 256   /* all of TCP that has shown no token */
#define HTTP_SPARE 64                    /* beyond a share, for health only */
#define HTTP_DESCRIPTORS_MAX 4096        /* above HTTP_CONNECTIONS_MAX and what else is open */
#define HTTP_THREADS 4                   /* of libmicrohttpd */
#define HTTP_WORKERS 4                   /* long requests at work at a time ... */
#define HTTP_WORK_MAX 64                 /* ... and waiting */
#define HTTP_WORK_PER_CALLER 32          /* of them */
#define HTTP_HEADER_MEMORY (10 * 1024)   /* request line and headers together */
#define HTTP_HEADER_FIELDS_MAX 64
#define HTTP_HEADER_DEADLINE_MS 5000
#define HTTP_BODY_WINDOW_MS 10000 /* over each such window a body makes at least ... */
#define HTTP_BODY_RATE 1024       /* ... bytes per second; a reply's reader on the whole; ... */
#define HTTP_BODY_QUICK (128 * 1024) /* a request with a longer body is_long */
#define HTTP_BODY_SMALL (1024 * 1024)
#define HTTP_BULK_RATE (64 * 1024) /* ... both are faster with what is above that */
#define HTTP_IDLE_S 30
#define HTTP_STOP_MS 5000 /* what senders and readers get at the end */
#define HTTP_PARAMETERS_MAX 16
#define HTTP_CALLER_MAX 96          /* bytes of a caller's name, with its NUL */
#define HTTP_PROBLEM_MAX (16 * 1024) /* a refusal, or health: small, outside the budget */

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
	/* set by begin(): */
	uint64_t body_limit;          /* 0: no body is taken */
	char caller[HTTP_CALLER_MAX]; /* whose share of connections and memory; "" a stranger */
	bool is_public;               /* answered even when connections or memory are used up */
	bool is_long;                 /* answered on a thread that may block */

	struct buffer body;
	void *user;       /* the handler's, from begin() to end() */
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

enum http_progress {
	HTTP_REPLIED,   /* *reply is the answer */
	HTTP_SUSPENDED, /* after http_suspend or http_wait */
};

struct http_handler {
	/* The header is complete, no byte of the body is read. True: go on, with the fields
	 * above set; false: *reply is the answer. Epoll thread. */
	bool (*begin)(
		void *context, struct http_request *request, struct http_reply *reply);
	/* The body is complete; and again after each resumption. Epoll thread, or a worker
	 * when the request is_long. */
	enum http_progress (*answer)(
		void *context, struct http_request *request, struct http_reply *reply);
	/* Words a refusal of the server's own: 400, 413, 503. begin() may not have been
	 * called. */
	void (*refuse)(void *context, struct http_request *request, unsigned code,
		const char *detail, struct http_reply *reply);
	/* Last of all, whatever became of the request; begin() may not have been called, and a
	 * resumption may have come to nothing because the client has gone. */
	void (*end)(void *context, struct http_request *request);
	void *context;
};

struct http_settings {
	const char *unix_path; /* NULL = off */
	const char *tcp;       /* "127.0.0.1:5380", "[::1]:5380"; NULL = off */
	size_t memory;         /* of all bodies and replies together */
};

struct http_server;

/* Opens the listeners and starts to serve. Settings are copied, the handler borrowed. */
int http_start(const struct http_settings *settings, const struct http_handler *handler,
	struct http_server **out, struct reason *reason);

/* Takes no more connections and requests, ends waits, waits until the requests at work are
 * answered and removes the unix socket. Suspended requests have to be resumed by those who do
 * so at other times; http_announce may be called until http_free. NULL is allowed. */
void http_stop(struct http_server *server);
void http_free(struct http_server *server); /* NULL is allowed */

/* The TCP port that is listened at; 0 when TCP is off. */
unsigned http_tcp_port(const struct http_server *server);

/* Connections now, for the log. */
size_t http_connections(struct http_server *server);

/* A header's value, or NULL. Borrowed for the life of the request. */
const char *http_header(const struct http_request *request, const char *name);

/* A query parameter's value, or NULL. */
const char *http_uri_parameter(const struct http_request *request, const char *key);

/* In answer(): the reply comes later. Called before whatever will lead to the one
 * http_resume; after that the request is not touched until answer() is called again. */
void http_suspend(struct http_request *request);

/* Any thread. */
void http_resume(struct http_request *request);

/* In answer(): a worker goes on with the request, which is not touched any more after that.
 * False: this is a worker, and nothing is done. */
bool http_work(struct http_request *request);

/* In answer(), for a long poll: suspends until http_announce has said a greater number than
 * `above`, until `until_ms` (monotonic), until the client has gone or the server ends. False:
 * greater already, and nothing is suspended. */
bool http_wait(struct http_request *request, uint64_t above, uint64_t until_ms);

/* Any thread; does not wait. */
void http_announce(struct http_server *server, uint64_t number);

/* Has the client gone away, or is the server about to end? For long polls. */
bool http_must_end(const struct http_request *request);
