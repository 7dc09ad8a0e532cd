/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The connections that are open: whose they are, what each is at, and until when; and what each
 * caller has of them. One lock. Each caller has a share. Where that is used up, a connection
 * that waits for a request is closed for the new one; where none is to be closed, the new one
 * is taken all the same, as far as HTTP_SPARE goes, but is answered health only.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/http/http.h"

enum http_phase {
	HTTP_PHASE_FREE,
	HTTP_PHASE_CLOSING, /* shut down by us: the library has yet to close it */
	HTTP_PHASE_HEADER,  /* the first request's; deadline */
	HTTP_PHASE_IDLE,    /* between requests, next header included; deadline */
	HTTP_PHASE_BODY,    /* a rate, window by window */
	HTTP_PHASE_WORKING, /* ours: no deadline */
	HTTP_PHASE_REPLY,   /* deadline from the reply's size */
};

/* A user of the unix socket, a token, or all of TCP that has shown none. */
struct http_caller {
	char name[HTTP_CALLER_MAX];
	unsigned connections; /* without those that are closing */
	unsigned references;  /* with them; 0: may be used for another name */
	size_t bytes;         /* of bodies and replies */
	struct http_caller *next;
};

struct http_connection {
	struct http_peer peer;
	struct http_caller *caller;
	enum http_phase phase;
	uint64_t since_ms; /* monotonic: begin of the phase or window */
	uint64_t bytes;    /* of body received in the window, or of the reply */
	uint64_t received; /* of the body on the whole */
	size_t held;       /* of caller->bytes */
};

struct http_peers {
	pthread_mutex_t lock;
	struct http_connection connection[HTTP_DESCRIPTORS_MAX]; /* by descriptor */
	struct http_caller *callers;
	size_t count; /* open, without those that are closing */
};

void http_peers_init(struct http_peers *peers);
void http_peers_done(struct http_peers *peers);

/* Registers an accepted socket, at the cost of one that waits for a request if need be. NULL
 * when no connection can be closed for it, or for want of memory. */
struct http_connection *
http_peers_add(struct http_peers *peers, int fd, const struct http_peer *peer);

/* Before the descriptor is closed. */
void http_peers_remove(struct http_peers *peers, struct http_connection *connection);

/* The registered connection of a descriptor, or NULL. */
struct http_connection *http_peers_find(struct http_peers *peers, int fd);
int http_peers_fd(const struct http_peers *peers, const struct http_connection *connection);

/* The caller is known now ("" or the same: nothing changes). False: their share is used up, and
 * nothing but health is answered. */
bool http_peers_admit(
	struct http_peers *peers, struct http_connection *connection, const char *caller);

void http_peers_enter(struct http_peers *peers, struct http_connection *connection,
	enum http_phase phase, uint64_t bytes);

/* More of the body has come. */
void http_peers_progress(
	struct http_peers *peers, struct http_connection *connection, uint64_t bytes);

/* Sets what the connection holds of memory. False, and nothing is changed: its caller would
 * have more than `limit`. */
bool http_peers_hold(struct http_peers *peers, struct http_connection *connection,
	size_t bytes, size_t limit);

/* Shuts down what is past its deadline and, from the phase `from` on to the phase `to`,
 * everything (FREE, FREE: nothing). Returns how many. */
size_t http_peers_reap(struct http_peers *peers, uint64_t now_ms, enum http_phase from,
	enum http_phase to);

/* Connections that are open. */
size_t http_peers_count(struct http_peers *peers);
