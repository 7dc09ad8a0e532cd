/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The server on libmicrohttpd. One thread of ours accepts, ends what is late and wakes the long
 * polls; the library gets each connection by MHD_add_connection and serves it on one of its
 * epoll threads (http_exchange.c); workers answer what takes long. What the library leaves open
 * (two Content-Lengths, decoded paths, slow bodies) is closed there and in http_peers.c.
 */
#include "sidecar/http/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"

#define TICK_MS 250
#define REST_MS 20 /* when no descriptor is to be had at all */
#define WAKE_MAX 64 /* long polls that are resumed at a time, so that others come between ... */
#define WAKE_REST_MS 1 /* ... them */
#define STACK_SIZE (1024 * 1024) /* frames hold an rdata block and some names */

static const char busy_reply[] =
	"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
	"Content-Type: application/problem+json\r\nContent-Length: 127\r\n\r\n"
	"{\"type\":\"urn:livezone:unavailable\",\"title\":\"Unavailable\",\"status\":503,"
	"\"detail\":\"too many connections are open; try again soon\"}";

static void raise_descriptors(void);
static int open_listeners(struct http_server *server,
	const struct http_settings *settings, struct reason *reason);
static int start_daemon(struct http_server *server, struct reason *reason);
static int start_threads(struct http_server *server, struct reason *reason);
static void begin_stop(struct http_server *server);
static void end_threads(struct http_server *server);
static void close_all(struct http_server *server);
static void *work(void *context);
static void *run(void *context);
static void tick(struct http_server *server);
static bool wake_waits(struct http_server *server);
static void drain(int eventfd);
static bool accept_all(struct http_server *server, int listener, bool is_local);
static bool accept_in_reserve(struct http_server *server, int listener);
static void turn_away(int fd);
static void on_connection(void *context, struct MHD_Connection *mhd,
	void **inout_connection, enum MHD_ConnectionNotificationCode code);

int
http_start(const struct http_settings *settings, const struct http_handler *handler,
	struct http_server **out, struct reason *reason)
{
	struct http_server *server = calloc(1, sizeof(*server));
	int status;

	if (!server)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	raise_descriptors();
	server->handler = handler;
	server->unix_fd = server->tcp_fd = -1;
	server->budget.limit = settings->memory;
	server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	http_peers_init(&server->peers);
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->has_work, NULL);
	TAILQ_INIT(&server->waits);
	TAILQ_INIT(&server->work);
	if (server->reserve_fd < 0 || server->wake_fd < 0)
		status = reason_set(reason, STATUS_NO_MEMORY, "out of descriptors");
	else
		status = open_listeners(server, settings, reason);
	if (!status)
		status = start_daemon(server, reason);
	if (!status)
		status = start_threads(server, reason);
	if (status) {
		end_threads(server);
		http_free(server);
		return status;
	}
	*out = server;
	return 0;
}

void
http_stop(struct http_server *server)
{
	const uint64_t until_ms = clock_read_ms(CLOCK_MONOTONIC) + HTTP_STOP_MS;

	if (!server)
		return;
	begin_stop(server);
	/* the library would cut the connections at work off from their replies, and cannot stop
	 * while one is suspended: not even one that was shut down meanwhile */
	while (atomic_load(&server->requests) > 0) {
		const uint64_t now_ms = clock_read_ms(CLOCK_MONOTONIC);

		if (now_ms >= until_ms) {
			http_peers_reap(
				&server->peers, now_ms, HTTP_PHASE_BODY, HTTP_PHASE_BODY);
			http_peers_reap(
				&server->peers, now_ms, HTTP_PHASE_REPLY, HTTP_PHASE_REPLY);
		}
		poll(NULL, 0, 5);
	}
	end_threads(server);
}

/* The threads have ended. */
void
http_free(struct http_server *server)
{
	if (!server)
		return;
	if (server->wake_fd >= 0)
		close(server->wake_fd);
	pthread_cond_destroy(&server->has_work);
	pthread_mutex_destroy(&server->lock);
	http_peers_done(&server->peers);
	free(server->unix_path);
	free(server);
}

unsigned
http_tcp_port(const struct http_server *server)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof(address);

	if (server->tcp_fd < 0
		|| getsockname(server->tcp_fd, (struct sockaddr *)&address, &len) != 0)
		return 0;
	/* the port of both families is at the same place */
	return ntohs(((const struct sockaddr_in *)&address)->sin_port);
}

size_t
http_connections(struct http_server *server)
{
	return http_peers_count(&server->peers);
}

bool
http_wait(struct http_request *request, uint64_t above, uint64_t until_ms)
{
	struct http_exchange *exchange = request->connection;
	struct http_server *server = exchange->server;
	bool is_waiting;

	pthread_mutex_lock(&server->lock);
	is_waiting = server->announced <= above && !atomic_load(&server->is_stopping);
	if (is_waiting) {
		http_suspend(request);
		exchange->wait_above = above;
		exchange->wait_until_ms = until_ms;
		TAILQ_INSERT_TAIL(&server->waits, exchange, link);
	}
	pthread_mutex_unlock(&server->lock);
	return is_waiting;
}

void
http_announce(struct http_server *server, uint64_t number)
{
	bool has_waits;

	pthread_mutex_lock(&server->lock);
	if (number > server->announced)
		server->announced = number;
	has_waits = !TAILQ_EMPTY(&server->waits);
	pthread_mutex_unlock(&server->lock);
	if (has_waits)
		(void)!eventfd_write(server->wake_fd, 1); /* full: it is awake */
}

bool
http_queue_work(struct http_exchange *exchange, bool is_resumed)
{
	struct http_server *server = exchange->server;
	const struct http_caller *caller = exchange->connection->caller;
	struct http_exchange *other;
	size_t of_caller = 0;
	bool has_room;

	pthread_mutex_lock(&server->lock);
	TAILQ_FOREACH(other, &server->work, link)
		of_caller += other->connection->caller == caller;
	has_room = is_resumed
		   || (server->work_count < HTTP_WORK_MAX
			   && of_caller < HTTP_WORK_PER_CALLER);
	if (has_room) {
		TAILQ_INSERT_TAIL(&server->work, exchange, link);
		server->work_count++;
		pthread_cond_signal(&server->has_work);
	}
	pthread_mutex_unlock(&server->lock);
	return has_room;
}

/* Each connection is a descriptor. */
static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= HTTP_DESCRIPTORS_MAX)
		return;
	limit.rlim_cur = limit.rlim_max < HTTP_DESCRIPTORS_MAX ? limit.rlim_max
							       : HTTP_DESCRIPTORS_MAX;
	setrlimit(RLIMIT_NOFILE, &limit); /* else there are fewer */
}

static int
open_listeners(struct http_server *server, const struct http_settings *settings,
	struct reason *reason)
{
	if (settings->unix_path) {
		server->unix_fd = http_listen_unix(settings->unix_path, reason);
		if (server->unix_fd < 0)
			return server->unix_fd;
		server->unix_path = strdup(settings->unix_path);
		if (!server->unix_path
			|| lstat(server->unix_path, &server->unix_stat) != 0)
			return reason_set(reason, STATUS_IO, "%s: %s",
				settings->unix_path, strerror(errno));
	}
	if (settings->tcp) {
		server->tcp_fd = http_listen_tcp(settings->tcp, reason);
		if (server->tcp_fd < 0)
			return server->tcp_fd;
	}
	return 0;
}

static int
start_daemon(struct http_server *server, struct reason *reason)
{
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC
			| MHD_ALLOW_SUSPEND_RESUME,
		0, NULL, NULL, http_exchange_advance, server, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, server, MHD_OPTION_URI_LOG_CALLBACK, http_exchange_new, server,
		MHD_OPTION_NOTIFY_COMPLETED, http_exchange_free, server,
		MHD_OPTION_THREAD_POOL_SIZE, (unsigned)HTTP_THREADS,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_DESCRIPTORS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_HEADER_MEMORY,
		MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_SIZE,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_END);
	if (!server->daemon)
		return reason_set(reason, STATUS_IO,
			"the HTTP library does not start: %s", strerror(errno));
	return 0;
}

static int
start_threads(struct http_server *server, struct reason *reason)
{
	int error = pthread_create(&server->thread, NULL, run, server);

	server->has_thread = error == 0;
	while (!error && server->workers < HTTP_WORKERS) {
		error = pthread_create(&server->worker[server->workers], NULL, work, server);
		server->workers += error == 0;
	}
	return error ? reason_set(reason, STATUS_NO_MEMORY, "cannot start a thread") : 0;
}

/* From now on a request is answered with 503, and a long poll ends. */
static void
begin_stop(struct http_server *server)
{
	pthread_mutex_lock(&server->lock);
	atomic_store(&server->is_stopping, true);
	pthread_mutex_unlock(&server->lock);
	(void)!eventfd_write(server->wake_fd, 1); /* full: it is awake */
}

static void
end_threads(struct http_server *server)
{
	pthread_mutex_lock(&server->lock);
	atomic_store(&server->is_done, true);
	pthread_cond_broadcast(&server->has_work);
	pthread_mutex_unlock(&server->lock);
	while (server->workers > 0)
		pthread_join(server->worker[--server->workers], NULL);
	(void)!eventfd_write(server->wake_fd, 1);
	if (server->has_thread)
		pthread_join(server->thread, NULL);
	close_all(server);
}

/* The library's threads end here. */
static void
close_all(struct http_server *server)
{
	struct stat now;

	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	if (server->unix_fd >= 0)
		close(server->unix_fd);
	if (server->tcp_fd >= 0)
		close(server->tcp_fd);
	if (server->reserve_fd >= 0)
		close(server->reserve_fd);
	if (server->unix_path && lstat(server->unix_path, &now) == 0
		&& now.st_ino == server->unix_stat.st_ino
		&& now.st_dev == server->unix_stat.st_dev)
		unlink(server->unix_path);
}

static void *
work(void *context)
{
	struct http_server *server = context;
	struct http_exchange *exchange;

	pthread_setname_np(pthread_self(), "http-work");
	pthread_mutex_lock(&server->lock);
	while (!atomic_load(&server->is_done)) {
		exchange = TAILQ_FIRST(&server->work);
		if (!exchange) {
			pthread_cond_wait(&server->has_work, &server->lock);
			continue;
		}
		TAILQ_REMOVE(&server->work, exchange, link);
		server->work_count--;
		pthread_mutex_unlock(&server->lock);
		http_exchange_work(exchange);
		pthread_mutex_lock(&server->lock);
	}
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

/* Accepts, and ends what is late or was waited for. While stopping it does not accept. */
static void *
run(void *context)
{
	struct http_server *server = context;
	uint64_t ticked_ms = 0;
	bool has_more = false;

	pthread_setname_np(pthread_self(), "http-accept");
	while (!atomic_load(&server->is_done)) {
		const bool is_stopping = atomic_load(&server->is_stopping);
		bool can_accept = true;
		struct pollfd ready[3] = {
			{ .fd = server->wake_fd, .events = POLLIN },
			{ .fd = is_stopping ? -1 : server->unix_fd, .events = POLLIN },
			{ .fd = is_stopping ? -1 : server->tcp_fd, .events = POLLIN },
		};

		poll(ready, 3, has_more ? WAKE_REST_MS : is_stopping ? 10 : TICK_MS);
		if (ready[0].revents)
			drain(server->wake_fd);
		if (ready[1].revents)
			can_accept = accept_all(server, server->unix_fd, true);
		if (ready[2].revents)
			can_accept = accept_all(server, server->tcp_fd, false) && can_accept;
		/* what waits in the queue would wake poll at once */
		if (!can_accept)
			poll(NULL, 0, REST_MS);
		has_more = wake_waits(server);
		if (is_stopping || clock_read_ms(CLOCK_MONOTONIC) - ticked_ms >= TICK_MS) {
			tick(server);
			ticked_ms = clock_read_ms(CLOCK_MONOTONIC);
		}
	}
	return NULL;
}

static void
drain(int eventfd)
{
	eventfd_t count;

	(void)!eventfd_read(eventfd, &count);
}

/* Deadlines, and long polls whose client has gone. */
static void
tick(struct http_server *server)
{
	const uint64_t now_ms = clock_read_ms(CLOCK_MONOTONIC);
	struct http_exchange *exchange;

	pthread_mutex_lock(&server->lock);
	TAILQ_FOREACH(exchange, &server->waits, link)
		if (http_must_end(&exchange->request))
			exchange->wait_until_ms = now_ms;
	pthread_mutex_unlock(&server->lock);
	if (atomic_load(&server->is_stopping))
		http_peers_reap(&server->peers, now_ms, HTTP_PHASE_HEADER, HTTP_PHASE_IDLE);
	else
		http_peers_reap(&server->peers, now_ms, HTTP_PHASE_FREE, HTTP_PHASE_FREE);
}

/* Resumes the long polls that have waited for long enough, or for what has come. True: there
 * are more of them. */
static bool
wake_waits(struct http_server *server)
{
	const uint64_t now_ms = clock_read_ms(CLOCK_MONOTONIC);
	struct http_exchanges due = TAILQ_HEAD_INITIALIZER(due);
	struct http_exchange *exchange, *next;
	size_t count = 0;

	pthread_mutex_lock(&server->lock);
	for (exchange = TAILQ_FIRST(&server->waits); exchange && count < WAKE_MAX;
		exchange = next) {
		next = TAILQ_NEXT(exchange, link);
		if (server->announced <= exchange->wait_above
			&& now_ms < exchange->wait_until_ms
			&& !atomic_load(&server->is_stopping))
			continue;
		TAILQ_REMOVE(&server->waits, exchange, link);
		TAILQ_INSERT_TAIL(&due, exchange, link);
		count++;
	}
	pthread_mutex_unlock(&server->lock);
	while ((exchange = TAILQ_FIRST(&due))) {
		TAILQ_REMOVE(&due, exchange, link);
		http_resume(&exchange->request);
	}
	return count == WAKE_MAX;
}

/* False when it failed for want of something that will not be there at once. */
static bool
accept_all(struct http_server *server, int listener, bool is_local)
{
	for (;;) {
		struct sockaddr_storage address = { 0 };
		socklen_t address_len = sizeof(address), credentials_len;
		struct http_peer peer = { .is_local = is_local };
		struct http_connection *connection;
		struct ucred credentials = { 0 };
		int fd = accept4(listener, (struct sockaddr *)&address, &address_len,
			SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0 && (errno == EMFILE || errno == ENFILE))
			return accept_in_reserve(server, listener);
		if (fd < 0)
			return errno == EAGAIN;
		credentials_len = sizeof(credentials);
		if (is_local
			&& getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials,
				   &credentials_len)
				   != 0) {
			close(fd);
			continue;
		}
		peer.uid = credentials.uid;
		peer.pid = credentials.pid;
		connection = http_peers_add(&server->peers, fd, &peer);
		if (!connection) {
			turn_away(fd);
			continue;
		}
		/* closes the descriptor when it fails */
		if (MHD_add_connection(server->daemon, fd,
			    (const struct sockaddr *)&address, address_len)
				!= MHD_YES
			&& http_peers_find(&server->peers, fd) == connection)
			http_peers_remove(&server->peers, connection);
	}
}

/* No descriptor is left: the reserve takes one client after the other off the queue,
 * which would keep poll awake for ever, and tells it. */
static bool
accept_in_reserve(struct http_server *server, int listener)
{
	int fd;

	if (server->reserve_fd >= 0)
		close(server->reserve_fd);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		turn_away(fd);
	server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd >= 0;
}

static void
turn_away(int fd)
{
	send(fd, busy_reply, sizeof(busy_reply) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(fd, SHUT_WR);
	close(fd);
}

static void
on_connection(void *context, struct MHD_Connection *mhd, void **inout_connection,
	enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = context;
	const union MHD_ConnectionInfo *info;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*inout_connection)
			http_peers_remove(&server->peers, *inout_connection);
		*inout_connection = NULL;
		return;
	}
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	*inout_connection = http_peers_find(&server->peers, info->connect_fd);
}
