/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The table of connections and its deadlines. A socket that is given up is only shut down: the
 * library finds that out and closes it.
 */
#include "sidecar/http/http_peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/clock.h"

static struct http_caller *find_caller(struct http_peers *peers, const char *name);
static void take_caller(struct http_connection *connection, struct http_caller *caller);
static void leave_caller(struct http_connection *connection);
static unsigned share_of(const struct http_caller *caller);
static bool make_room(struct http_peers *peers, const struct http_caller *caller);
static bool evict(struct http_peers *peers, const struct http_caller *caller);
static bool waits_for_request(const struct http_connection *connection);
static void shut_down(struct http_peers *peers, struct http_connection *connection);
static void drop(struct http_peers *peers, struct http_connection *connection);
static bool is_late(struct http_connection *connection, uint64_t now_ms);
static uint64_t allowed_ms(uint64_t bytes);

void
http_peers_init(struct http_peers *peers)
{
	memset(peers, 0, sizeof(*peers));
	pthread_mutex_init(&peers->lock, NULL);
}

void
http_peers_done(struct http_peers *peers)
{
	while (peers->callers) {
		struct http_caller *next = peers->callers->next;

		free(peers->callers);
		peers->callers = next;
	}
	pthread_mutex_destroy(&peers->lock);
}

struct http_connection *
http_peers_add(struct http_peers *peers, int fd, const struct http_peer *peer)
{
	struct http_connection *connection;
	struct http_caller *caller;
	char name[HTTP_CALLER_MAX] = "";

	if (fd >= HTTP_DESCRIPTORS_MAX)
		return NULL;
	if (peer->is_local)
		snprintf(name, sizeof(name), "uid %u", (unsigned)peer->uid);
	connection = &peers->connection[fd];
	pthread_mutex_lock(&peers->lock);
	drop(peers, connection); /* the library closed it without a word */
	caller = find_caller(peers, name);
	if (!caller || !make_room(peers, caller)) {
		connection = NULL;
	} else {
		*connection = (struct http_connection){
			.peer = *peer,
			.phase = HTTP_PHASE_HEADER,
			.since_ms = clock_read_ms(CLOCK_MONOTONIC),
		};
		take_caller(connection, caller);
		peers->count++;
	}
	pthread_mutex_unlock(&peers->lock);
	return connection;
}

void
http_peers_remove(struct http_peers *peers, struct http_connection *connection)
{
	pthread_mutex_lock(&peers->lock);
	drop(peers, connection);
	pthread_mutex_unlock(&peers->lock);
}

struct http_connection *
http_peers_find(struct http_peers *peers, int fd)
{
	struct http_connection *found = NULL;

	pthread_mutex_lock(&peers->lock);
	if (fd >= 0 && fd < HTTP_DESCRIPTORS_MAX
		&& peers->connection[fd].phase != HTTP_PHASE_FREE)
		found = &peers->connection[fd];
	pthread_mutex_unlock(&peers->lock);
	return found;
}

int
http_peers_fd(const struct http_peers *peers, const struct http_connection *connection)
{
	return (int)(connection - peers->connection);
}

bool
http_peers_admit(
	struct http_peers *peers, struct http_connection *connection, const char *name)
{
	struct http_caller *caller;
	bool is_within;

	pthread_mutex_lock(&peers->lock);
	caller = connection->caller;
	if (name[0] && strcmp(caller->name, name) != 0
		&& connection->phase != HTTP_PHASE_CLOSING) {
		caller = find_caller(peers, name);
		if (caller) {
			leave_caller(connection);
			if (caller->connections >= share_of(caller))
				evict(peers, caller);
			take_caller(connection, caller);
		}
	}
	is_within = caller && caller->connections <= share_of(caller)
		    && peers->count <= HTTP_CONNECTIONS_MAX - HTTP_SPARE;
	pthread_mutex_unlock(&peers->lock);
	return is_within;
}

void
http_peers_enter(struct http_peers *peers, struct http_connection *connection,
	enum http_phase phase, uint64_t bytes)
{
	pthread_mutex_lock(&peers->lock);
	if (connection->phase != HTTP_PHASE_CLOSING)
		connection->phase = phase;
	connection->since_ms = clock_read_ms(CLOCK_MONOTONIC);
	connection->bytes = bytes;
	connection->received = 0;
	pthread_mutex_unlock(&peers->lock);
}

void
http_peers_progress(
	struct http_peers *peers, struct http_connection *connection, uint64_t bytes)
{
	pthread_mutex_lock(&peers->lock);
	connection->bytes += bytes;
	connection->received += bytes;
	pthread_mutex_unlock(&peers->lock);
}

bool
http_peers_hold(struct http_peers *peers, struct http_connection *connection, size_t bytes,
	size_t limit)
{
	struct http_caller *caller;
	bool has_room;

	pthread_mutex_lock(&peers->lock);
	caller = connection->caller;
	has_room = bytes <= connection->held
		   || caller->bytes - connection->held + bytes <= limit;
	if (has_room) {
		caller->bytes += bytes - connection->held;
		connection->held = bytes;
	}
	pthread_mutex_unlock(&peers->lock);
	return has_room;
}

size_t
http_peers_reap(struct http_peers *peers, uint64_t now_ms, enum http_phase from,
	enum http_phase to)
{
	size_t reaped = 0;

	pthread_mutex_lock(&peers->lock);
	for (size_t i = 0; i < HTTP_DESCRIPTORS_MAX; i++) {
		struct http_connection *connection = &peers->connection[i];
		const bool is_meant = connection->phase >= from && connection->phase <= to;

		if (connection->phase <= HTTP_PHASE_CLOSING
			|| (!is_late(connection, now_ms) && !is_meant))
			continue;
		shut_down(peers, connection);
		reaped++;
	}
	pthread_mutex_unlock(&peers->lock);
	return reaped;
}

size_t
http_peers_count(struct http_peers *peers)
{
	size_t count;

	pthread_mutex_lock(&peers->lock);
	count = peers->count;
	pthread_mutex_unlock(&peers->lock);
	return count;
}

/* --- with the lock held --- */

/* One that has no connection left is used again. NULL: out of memory. */
static struct http_caller *
find_caller(struct http_peers *peers, const char *name)
{
	struct http_caller *unused = NULL;

	for (struct http_caller *caller = peers->callers; caller; caller = caller->next) {
		if (strcmp(caller->name, name) == 0)
			return caller;
		if (caller->references == 0)
			unused = caller;
	}
	if (!unused) {
		unused = calloc(1, sizeof(*unused));
		if (!unused)
			return NULL;
		unused->next = peers->callers;
		peers->callers = unused;
	}
	snprintf(unused->name, sizeof(unused->name), "%s", name);
	return unused;
}

static void
take_caller(struct http_connection *connection, struct http_caller *caller)
{
	connection->caller = caller;
	caller->references++;
	caller->connections++;
	caller->bytes += connection->held;
}

/* Of one that is not closing. */
static void
leave_caller(struct http_connection *connection)
{
	connection->caller->references--;
	connection->caller->connections--;
	connection->caller->bytes -= connection->held;
}

static unsigned
share_of(const struct http_caller *caller)
{
	return caller->name[0] ? HTTP_CONNECTIONS_PER_CALLER : HTTP_CONNECTIONS_STRANGERS;
}

/* For one more of the caller. */
static bool
make_room(struct http_peers *peers, const struct http_caller *caller)
{
	const unsigned share = share_of(caller);

	if (caller->connections >= share && !evict(peers, caller)
		&& caller->connections >= share + HTTP_SPARE)
		return false;
	return peers->count < HTTP_CONNECTIONS_MAX - HTTP_SPARE || evict(peers, NULL)
	       || peers->count < HTTP_CONNECTIONS_MAX;
}

/* Closes the connection, of the caller or (NULL) of anybody, that has waited longest for a
 * request; of strangers any that is not at work. */
static bool
evict(struct http_peers *peers, const struct http_caller *caller)
{
	struct http_connection *oldest = NULL;

	for (size_t i = 0; i < HTTP_DESCRIPTORS_MAX; i++) {
		struct http_connection *connection = &peers->connection[i];

		if (waits_for_request(connection)
			&& (!caller || connection->caller == caller)
			&& (!oldest || connection->since_ms < oldest->since_ms))
			oldest = connection;
	}
	if (oldest)
		shut_down(peers, oldest);
	return oldest != NULL;
}

static bool
waits_for_request(const struct http_connection *connection)
{
	switch (connection->phase) {
	case HTTP_PHASE_HEADER:
	case HTTP_PHASE_IDLE:
		return true;
	case HTTP_PHASE_BODY:
	case HTTP_PHASE_REPLY:
		return !connection->caller->name[0];
	default:
		return false;
	}
}

static void
shut_down(struct http_peers *peers, struct http_connection *connection)
{
	shutdown(http_peers_fd(peers, connection), SHUT_RDWR);
	connection->phase = HTTP_PHASE_CLOSING;
	connection->caller->connections--;
	peers->count--;
}

static void
drop(struct http_peers *peers, struct http_connection *connection)
{
	if (connection->phase == HTTP_PHASE_FREE)
		return;
	if (connection->phase != HTTP_PHASE_CLOSING) {
		connection->caller->connections--;
		peers->count--;
	}
	connection->caller->references--;
	connection->caller->bytes -= connection->held;
	connection->phase = HTTP_PHASE_FREE;
	connection->held = 0;
}

static bool
is_late(struct http_connection *connection, uint64_t now_ms)
{
	const uint64_t spent =
		now_ms > connection->since_ms ? now_ms - connection->since_ms : 0;
	uint64_t rate;

	switch (connection->phase) {
	case HTTP_PHASE_FREE:
	case HTTP_PHASE_CLOSING:
	case HTTP_PHASE_WORKING:
		return false;
	case HTTP_PHASE_HEADER:
		return spent > HTTP_HEADER_DEADLINE_MS;
	case HTTP_PHASE_IDLE:
		return spent > HTTP_IDLE_S * 1000 + HTTP_HEADER_DEADLINE_MS;
	case HTTP_PHASE_BODY:
		if (spent <= HTTP_BODY_WINDOW_MS)
			return false;
		rate = connection->received > HTTP_BODY_SMALL ? HTTP_BULK_RATE : HTTP_BODY_RATE;
		if (connection->bytes * 1000 < rate * spent)
			return true;
		connection->since_ms = now_ms;
		connection->bytes = 0;
		return false;
	case HTTP_PHASE_REPLY:
		return spent > HTTP_BODY_WINDOW_MS + allowed_ms(connection->bytes);
	}
	return false;
}

/* A long reply, as a long body, holds memory that others need: its reader has to be faster. */
static uint64_t
allowed_ms(uint64_t bytes)
{
	const uint64_t small = bytes < HTTP_BODY_SMALL ? bytes : HTTP_BODY_SMALL;

	return small * 1000 / HTTP_BODY_RATE + (bytes - small) * 1000 / HTTP_BULK_RATE;
}
