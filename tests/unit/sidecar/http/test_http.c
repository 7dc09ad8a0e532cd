/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* The server as a whole, with a handler of our own: /public, /take (a body) and /suspend. */
#include "tests/unit/unit.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "lib/base/clock.h"
#include "sidecar/http/http_server.h"

#define MEMORY (256 * 1024)
#define WAIT_MS 10000

static struct http_server *server;
static _Atomic(struct http_request *) suspended;
static atomic_bool has_ended, is_resumed;

static bool
begin(void *context, struct http_request *request, struct http_reply *reply)
{
	(void)context, (void)reply;
	request->is_public = strcmp(request->path, "/public") == 0;
	request->body_limit = SIZE_MAX;
	if (!request->is_public)
		snprintf(request->caller, sizeof(request->caller), "token");
	return true;
}

static enum http_progress
answer(void *context, struct http_request *request, struct http_reply *reply)
{
	(void)context;
	if (strcmp(request->path, "/suspend") == 0 && !atomic_load(&is_resumed)) {
		http_suspend(request);
		atomic_store(&suspended, request);
		return HTTP_SUSPENDED;
	}
	buffer_add_text(&reply->body, "hello");
	return HTTP_REPLIED;
}

static void
refuse(void *context, struct http_request *request, unsigned code, const char *detail,
	struct http_reply *reply)
{
	(void)context, (void)request, (void)detail;
	reply->status = code;
}

static void
end(void *context, struct http_request *request)
{
	(void)context, (void)request;
}

static const struct http_handler handler = { begin, answer, refuse, end, NULL };

static int
start(void **state)
{
	const struct http_settings settings = { .tcp = "127.0.0.1:0", .memory = MEMORY };

	(void)state;
	atomic_store(&suspended, NULL);
	atomic_store(&is_resumed, false);
	atomic_store(&has_ended, false);
	return http_start(&settings, &handler, &server, NULL);
}

static int
stop(void **state)
{
	(void)state;
	http_stop(server);
	http_free(server);
	return 0;
}

static int
send_request(const char *path, size_t length, size_t sent)
{
	const struct timeval patience = { .tv_sec = WAIT_MS / 1000 };
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)http_tcp_port(server)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char *body = calloc(1, sent + 1);

	assert_non_null(body);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	dprintf(fd, "PUT %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", path, length);
	assert_int_equal(send(fd, body, sent, MSG_NOSIGNAL), sent);
	free(body);
	return fd;
}

static unsigned
read_status(int fd)
{
	char text[512] = "";
	unsigned status = 0;

	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_int_equal(sscanf(text, "HTTP/1.1 %u", &status), 1);
	close(fd);
	return status;
}

static void
wait_until(bool (*is_so)(void))
{
	const uint64_t until_ms = clock_read_ms(CLOCK_MONOTONIC) + WAIT_MS;

	while (!is_so()) {
		assert_true(clock_read_ms(CLOCK_MONOTONIC) < until_ms);
		poll(NULL, 0, 1);
	}
}

static void
health_needs_no_memory_of_the_budget(void **state)
{
	(void)state;
	atomic_store(&server->budget.used, MEMORY);
	assert_int_equal(read_status(send_request("/public", 0, 0)), 200);
	atomic_store(&server->budget.used, 0);
}

static bool
has_taken(void)
{
	return atomic_load(&server->budget.used) >= MEMORY / 8 * 3;
}

/* One token has half of the memory, in bodies of any size. */
static void
small_bodies_are_counted(void **state)
{
	int slow;

	(void)state;
	slow = send_request("/take", 96 * 1024, 80 * 1024);
	wait_until(has_taken);
	assert_int_equal(read_status(send_request("/take", 48 * 1024, 48 * 1024)), 503);
	close(slow);
}

static bool
has_suspended(void)
{
	return atomic_load(&suspended) != NULL;
}

static void *
stop_server(void *context)
{
	http_stop(server);
	atomic_store(&has_ended, true);
	return context;
}

static bool
is_stopping(void)
{
	return atomic_load(&server->is_stopping);
}

/* A connection that was closed for another one while its request was read: libmicrohttpd
 * aborts when it is stopped while the request is suspended. */
static void
the_end_waits_for_a_request_whose_connection_was_closed(void **state)
{
	uint64_t until_ms;
	pthread_t thread;
	int fd;

	(void)state;
	fd = send_request("/suspend", 0, 0);
	wait_until(has_suspended);
	http_peers_reap(&server->peers, 0, HTTP_PHASE_WORKING, HTTP_PHASE_WORKING);
	assert_int_equal(pthread_create(&thread, NULL, stop_server, NULL), 0);
	wait_until(is_stopping);
	until_ms = clock_read_ms(CLOCK_MONOTONIC) + 100;
	while (clock_read_ms(CLOCK_MONOTONIC) < until_ms) {
		assert_false(atomic_load(&server->is_done));
		poll(NULL, 0, 1);
	}
	atomic_store(&is_resumed, true);
	http_resume(atomic_load(&suspended));
	pthread_join(thread, NULL);
	close(fd);
}

static int
free_server(void **state)
{
	(void)state;
	http_free(server);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			health_needs_no_memory_of_the_budget, start, stop),
		cmocka_unit_test_setup_teardown(small_bodies_are_counted, start, stop),
		cmocka_unit_test_setup_teardown(
			the_end_waits_for_a_request_whose_connection_was_closed, start,
			free_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
