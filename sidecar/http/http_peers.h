/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The connections that are open: whose they are, what each is at, and until when. The
 * accept loop adds and reaps, connection threads report their progress; one lock. The
 * library's own timeout is an idle timeout, which one byte a second keeps off for ever.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "sidecar/http/http.h"

enum http_phase {
	HTTP_PHASE_FREE,
	HTTP_PHASE_HEADER,  /* the first request's; deadline */
	HTTP_PHASE_IDLE,    /* between requests, next header included; deadline */
	HTTP_PHASE_BODY,    /* a rate, window by window */
	HTTP_PHASE_WORKING, /* ours: no deadline */
	HTTP_PHASE_REPLY,   /* deadline from the reply's size */
};

struct http_connection {
	int fd;
	struct http_peer peer;
	enum http_phase phase;
	uint64_t since_ms; /* monotonic: begin of the phase or window */
	uint64_t bytes;    /* of body received in the window, or of the reply */
};

struct http_peers {
	pthread_mutex_t lock;
	struct http_connection connection[HTTP_CONNECTIONS_MAX];
	size_t count;
};

void http_peers_init(struct http_peers *peers);
void http_peers_done(struct http_peers *peers);

/* Registers an accepted socket; NULL when the whole or the peer's share is used up. */
struct http_connection *
http_peers_add(struct http_peers *peers, int fd, const struct http_peer *peer);

/* Forgets it, before its descriptor is closed. */
void http_peers_remove(struct http_peers *peers, struct http_connection *connection);

struct http_connection *http_peers_find(struct http_peers *peers, int fd);

void http_peers_enter(struct http_peers *peers, struct http_connection *connection,
	enum http_phase phase, uint64_t bytes);

/* More of the body has come. */
void http_peers_progress(
	struct http_peers *peers, struct http_connection *connection, uint64_t bytes);

/* Shuts down what is past its deadline; with `idle_too`, whatever waits for a request.
 * Returns how many. */
size_t http_peers_reap(struct http_peers *peers, uint64_t now_ms, bool idle_too);

/* Connections with a request in them. */
size_t http_peers_busy(struct http_peers *peers);
