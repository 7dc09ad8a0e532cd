/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The table of connections and its deadlines. A reaped socket is only shut down: its
 * thread finds that out, and the library closes it.
 */
#include "sidecar/http/http_peers.h"

#include <string.h>
#include <sys/socket.h>

#include "lib/base/clock.h"

static bool is_same_peer(const struct http_peer *a, const struct http_peer *b);
static bool is_late(struct http_connection *connection, uint64_t now_ms);

void
http_peers_init(struct http_peers *peers)
{
	memset(peers, 0, sizeof(*peers));
	pthread_mutex_init(&peers->lock, NULL);
}

void
http_peers_done(struct http_peers *peers)
{
	pthread_mutex_destroy(&peers->lock);
}

struct http_connection *
http_peers_add(struct http_peers *peers, int fd, const struct http_peer *peer)
{
	struct http_connection *free_one = NULL;
	size_t of_peer = 0;

	pthread_mutex_lock(&peers->lock);
	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		struct http_connection *connection = &peers->connection[i];

		if (connection->phase == HTTP_PHASE_FREE)
			free_one = free_one ? free_one : connection;
		else if (is_same_peer(&connection->peer, peer))
			of_peer++;
	}
	if (of_peer >= HTTP_CONNECTIONS_PER_PEER)
		free_one = NULL;
	if (free_one) {
		*free_one = (struct http_connection){
			.fd = fd,
			.peer = *peer,
			.phase = HTTP_PHASE_HEADER,
			.since_ms = clock_read_ms(CLOCK_MONOTONIC),
		};
		peers->count++;
	}
	pthread_mutex_unlock(&peers->lock);
	return free_one;
}

void
http_peers_remove(struct http_peers *peers, struct http_connection *connection)
{
	pthread_mutex_lock(&peers->lock);
	connection->phase = HTTP_PHASE_FREE;
	connection->fd = -1;
	peers->count--;
	pthread_mutex_unlock(&peers->lock);
}

struct http_connection *
http_peers_find(struct http_peers *peers, int fd)
{
	struct http_connection *found = NULL;

	pthread_mutex_lock(&peers->lock);
	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX && !found; i++)
		if (peers->connection[i].phase != HTTP_PHASE_FREE
			&& peers->connection[i].fd == fd)
			found = &peers->connection[i];
	pthread_mutex_unlock(&peers->lock);
	return found;
}

void
http_peers_enter(struct http_peers *peers, struct http_connection *connection,
	enum http_phase phase, uint64_t bytes)
{
	pthread_mutex_lock(&peers->lock);
	connection->phase = phase;
	connection->since_ms = clock_read_ms(CLOCK_MONOTONIC);
	connection->bytes = bytes;
	pthread_mutex_unlock(&peers->lock);
}

void
http_peers_progress(
	struct http_peers *peers, struct http_connection *connection, uint64_t bytes)
{
	pthread_mutex_lock(&peers->lock);
	connection->bytes += bytes;
	pthread_mutex_unlock(&peers->lock);
}

size_t
http_peers_reap(struct http_peers *peers, uint64_t now_ms, bool idle_too)
{
	size_t reaped = 0;

	pthread_mutex_lock(&peers->lock);
	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		struct http_connection *connection = &peers->connection[i];
		const bool is_idle = connection->phase == HTTP_PHASE_IDLE
				     || connection->phase == HTTP_PHASE_HEADER;

		if (!is_late(connection, now_ms) && !(idle_too && is_idle))
			continue;
		shutdown(connection->fd, SHUT_RDWR);
		reaped++;
	}
	pthread_mutex_unlock(&peers->lock);
	return reaped;
}

size_t
http_peers_busy(struct http_peers *peers)
{
	size_t busy = 0;

	pthread_mutex_lock(&peers->lock);
	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		busy += peers->connection[i].phase >= HTTP_PHASE_BODY;
	pthread_mutex_unlock(&peers->lock);
	return busy;
}

static bool
is_same_peer(const struct http_peer *a, const struct http_peer *b)
{
	return a->is_local == b->is_local && (!a->is_local || a->uid == b->uid);
}

static bool
is_late(struct http_connection *connection, uint64_t now_ms)
{
	const uint64_t spent =
		now_ms > connection->since_ms ? now_ms - connection->since_ms : 0;

	switch (connection->phase) {
	case HTTP_PHASE_FREE:
	case HTTP_PHASE_WORKING:
		return false;
	case HTTP_PHASE_HEADER:
		return spent > HTTP_HEADER_DEADLINE_MS;
	case HTTP_PHASE_IDLE:
		return spent > HTTP_IDLE_S * 1000 + HTTP_HEADER_DEADLINE_MS;
	case HTTP_PHASE_BODY:
		if (spent <= HTTP_BODY_WINDOW_MS)
			return false;
		if (connection->bytes * 1000 < HTTP_BODY_RATE * spent)
			return true;
		connection->since_ms = now_ms;
		connection->bytes = 0;
		return false;
	case HTTP_PHASE_REPLY:
		return spent
		       > HTTP_BODY_WINDOW_MS + connection->bytes * 1000 / HTTP_BODY_RATE;
	}
	return false;
}
