/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What http.c (threads, connections, waits), http_exchange.c (requests), http_listen.c and
 * http_uri.c share. For these only, and all that knows microhttpd.h.
 */
#pragma once

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "sidecar/http/http.h"
#include "sidecar/http/http_peers.h"

/* One request on its way through. One thread at a time has it: the epoll thread of its
 * connection, or a worker while that is suspended. */
struct http_exchange {
	struct http_request request; /* first: the handler gives it back */
	struct http_server *server;
	struct MHD_Connection *mhd;
	struct http_connection *connection;
	char *target;
	struct reason target_reason;
	int target_status;
	struct http_reply reply;
	bool has_begun;
	bool must_close;
	bool is_complete;  /* the whole body has come */
	bool is_answered;  /* reply is made: it is sent when the body has come */
	bool is_on_worker; /* its connection is suspended meanwhile */
	/* under server->lock */
	TAILQ_ENTRY(http_exchange) link; /* of waits or work */
	uint64_t wait_above, wait_until_ms;
};

TAILQ_HEAD(http_exchanges, http_exchange);

struct http_server {
	const struct http_handler *handler;
	struct MHD_Daemon *daemon;
	struct http_peers peers;
	struct buffer_budget budget;
	char *unix_path;
	struct stat unix_stat; /* whose file to remove at the end */
	int unix_fd, tcp_fd;   /* -1: off; the accept thread's */
	int wake_fd;
	int reserve_fd; /* closed for a moment when descriptors run out */
	pthread_t thread;
	bool has_thread;
	pthread_t worker[HTTP_WORKERS];
	size_t workers;
	atomic_size_t requests; /* from the request line until the reply is sent */
	atomic_bool is_stopping;
	atomic_bool is_done;
	/* under the lock: */
	pthread_mutex_t lock;
	pthread_cond_t has_work;
	uint64_t announced;
	struct http_exchanges waits; /* long polls */
	struct http_exchanges work;  /* for the workers */
	size_t work_count;
};

/* http.c: gives an exchange to the workers. False: too many of its caller, or at all. */
bool http_queue_work(struct http_exchange *exchange, bool is_resumed);

/* http_exchange.c, for libmicrohttpd. Begins one with the target as it was sent; becomes the
 * request's context. NULL: out of memory, and the connection is closed. */
void *http_exchange_new(void *context, const char *target, struct MHD_Connection *mhd);

/* The header is complete; then for each piece of the body; then with *size 0, and again after
 * each resumption. */
enum MHD_Result http_exchange_advance(void *context, struct MHD_Connection *mhd,
	const char *url, const char *method, const char *version, const char *data,
	size_t *size, void **inout_exchange);

/* Ends it, whatever became of it. */
void http_exchange_free(void *context, struct MHD_Connection *mhd, void **inout_exchange,
	enum MHD_RequestTerminationCode code);

/* Answers on the worker's thread. */
void http_exchange_work(struct http_exchange *exchange);

/* http_listen.c: a listening, non-blocking socket, or a negative status. The unix socket is
 * open to root, our user and the group "livezone"; a dead process's is replaced, one that
 * answers and any other file is refused. TCP is for loopback only. */
int http_listen_unix(const char *path, struct reason *reason);
int http_listen_tcp(const char *text, struct reason *reason);

/* http_uri.c: splits and checks a raw target into request->path and request->parameter, in
 * place: the request keeps pointers into `target`. No library has decoded it: "%2f" must not
 * become a slash nor "%00" an end (security: one meaning for every byte of a path). A path with
 * '%', '\\', "//", ".." or a control or non-ASCII byte is STATUS_INVALID, as are a bad
 * percent-encoding, a parameter that is given twice and more than HTTP_PARAMETERS_MAX of them. */
int http_uri_split(char *target, struct http_request *request, struct reason *reason);
