/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "sidecar/http/http_peers.h"

#define STRANGER (&(const struct http_peer){ .is_local = false })
#define USER (&(const struct http_peer){ .is_local = true, .uid = 7 })

static struct http_peers *peers;
static int other_end[HTTP_DESCRIPTORS_MAX]; /* by descriptor */

static int
make_peers(void **state)
{
	const struct rlimit descriptors = { HTTP_DESCRIPTORS_MAX, HTTP_DESCRIPTORS_MAX };

	(void)state;
	peers = calloc(1, sizeof(*peers));
	if (!peers || setrlimit(RLIMIT_NOFILE, &descriptors) != 0)
		return -1;
	http_peers_init(peers);
	return 0;
}

static int
free_peers(void **state)
{
	(void)state;
	for (int fd = 0; fd < HTTP_DESCRIPTORS_MAX; fd++) {
		if (peers->connection[fd].phase == HTTP_PHASE_FREE)
			continue;
		http_peers_remove(peers, &peers->connection[fd]);
		close(fd);
		close(other_end[fd]);
	}
	http_peers_done(peers);
	free(peers);
	return 0;
}

static struct http_connection *
add(const struct http_peer *peer)
{
	struct http_connection *connection;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	connection = http_peers_add(peers, pair[0], peer);
	if (!connection) {
		close(pair[0]);
		close(pair[1]);
		return NULL;
	}
	other_end[pair[0]] = pair[1];
	return connection;
}

static bool
is_shut(const struct http_connection *connection)
{
	char byte;

	return recv(other_end[http_peers_fd(peers, connection)], &byte, 1, MSG_DONTWAIT) == 0;
}

/* A fresh connection in this phase is shut down after `late_ms`, and not before. */
static const struct {
	enum http_phase phase;
	uint64_t bytes;
	uint64_t late_ms; /* 0: never */
} deadlines[] = {
	{ HTTP_PHASE_HEADER, 0, HTTP_HEADER_DEADLINE_MS },
	{ HTTP_PHASE_IDLE, 0, HTTP_IDLE_S * 1000 + HTTP_HEADER_DEADLINE_MS },
	{ HTTP_PHASE_BODY, 0, HTTP_BODY_WINDOW_MS },
	{ HTTP_PHASE_BODY, HTTP_BODY_RATE * HTTP_BODY_WINDOW_MS / 1000 - 1, HTTP_BODY_WINDOW_MS },
	{ HTTP_PHASE_WORKING, 0, 0 },
	{ HTTP_PHASE_REPLY, 0, HTTP_BODY_WINDOW_MS },
	{ HTTP_PHASE_REPLY, 100 * HTTP_BODY_RATE, HTTP_BODY_WINDOW_MS + 100000 },
	{ HTTP_PHASE_REPLY, HTTP_BODY_SMALL + 100 * HTTP_BULK_RATE,
		HTTP_BODY_WINDOW_MS + HTTP_BODY_SMALL / HTTP_BODY_RATE * 1000 + 100000 },
};

static void
each_phase_has_its_deadline(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
		struct http_connection *connection = add(USER);
		uint64_t since;

		http_peers_enter(
			peers, connection, deadlines[i].phase, deadlines[i].bytes);
		since = connection->since_ms;
		if (deadlines[i].late_ms == 0) {
			assert_int_equal(http_peers_reap(peers, since + 3600000,
						 HTTP_PHASE_FREE, HTTP_PHASE_FREE),
				0);
			continue;
		}
		assert_int_equal(http_peers_reap(peers, since + deadlines[i].late_ms,
					 HTTP_PHASE_FREE, HTTP_PHASE_FREE),
			0);
		assert_false(is_shut(connection));
		assert_int_equal(http_peers_reap(peers, since + deadlines[i].late_ms + 1,
					 HTTP_PHASE_FREE, HTTP_PHASE_FREE),
			1);
		assert_true(is_shut(connection));
	}
}

static void
a_body_is_judged_window_by_window(void **state)
{
	struct http_connection *connection = add(USER);
	uint64_t now;

	(void)state;
	http_peers_enter(peers, connection, HTTP_PHASE_BODY, 0);
	now = connection->since_ms + HTTP_BODY_WINDOW_MS + 1;
	http_peers_progress(peers, connection, 1000000); /* far more than one window's */
	assert_int_equal(http_peers_reap(peers, now, HTTP_PHASE_FREE, HTTP_PHASE_FREE), 0);
	now += HTTP_BODY_WINDOW_MS + 1;
	assert_int_equal(http_peers_reap(peers, now, HTTP_PHASE_FREE, HTTP_PHASE_FREE), 1);
}

/* What holds much memory has to come faster. */
static void
a_long_body_has_a_higher_rate(void **state)
{
	struct http_connection *connection = add(USER);
	uint64_t now;

	(void)state;
	http_peers_enter(peers, connection, HTTP_PHASE_BODY, 0);
	http_peers_progress(peers, connection, HTTP_BODY_SMALL + 1);
	now = connection->since_ms + HTTP_BODY_WINDOW_MS + 1;
	assert_int_equal(http_peers_reap(peers, now, HTTP_PHASE_FREE, HTTP_PHASE_FREE), 0);
	http_peers_progress(peers, connection, (HTTP_BODY_WINDOW_MS + 1000) / 1000 * HTTP_BULK_RATE);
	now += HTTP_BODY_WINDOW_MS + 1;
	assert_int_equal(http_peers_reap(peers, now, HTTP_PHASE_FREE, HTTP_PHASE_FREE), 0);
	http_peers_progress(peers, connection, HTTP_BODY_WINDOW_MS / 1000 * HTTP_BULK_RATE / 2);
	now += HTTP_BODY_WINDOW_MS + 1;
	assert_int_equal(http_peers_reap(peers, now, HTTP_PHASE_FREE, HTTP_PHASE_FREE), 1);
}

static void
a_full_share_costs_the_one_that_has_waited_longest(void **state)
{
	struct http_connection *first = add(USER), *second = add(USER);

	(void)state;
	first->since_ms -= 2;
	second->since_ms -= 1;
	while (second->caller->connections < HTTP_CONNECTIONS_PER_CALLER)
		assert_non_null(add(USER));
	http_peers_enter(peers, first, HTTP_PHASE_WORKING, 0);
	assert_non_null(add(USER));
	assert_false(is_shut(first));
	assert_true(is_shut(second));
	assert_int_equal(first->caller->connections, HTTP_CONNECTIONS_PER_CALLER);
	/* others have their own */
	assert_true(http_peers_admit(peers, add(STRANGER), ""));
}

static void
a_share_that_is_at_work_has_some_more_for_health(void **state)
{
	struct http_connection *last = NULL;

	(void)state;
	for (unsigned i = 0; i < HTTP_CONNECTIONS_PER_CALLER + HTTP_SPARE; i++) {
		last = add(USER);
		assert_non_null(last);
		assert_int_equal(http_peers_admit(peers, last, "uid 7"),
			i < HTTP_CONNECTIONS_PER_CALLER);
		http_peers_enter(peers, last, HTTP_PHASE_WORKING, 0);
	}
	assert_null(add(USER));
	assert_non_null(add(STRANGER));
}

static void
a_stranger_that_shows_a_token_leaves_the_strangers(void **state)
{
	struct http_connection *known = add(STRANGER), *slow = add(STRANGER);

	(void)state;
	assert_true(http_peers_admit(peers, known, "token a"));
	assert_string_equal(known->caller->name, "token a");
	known->since_ms -= 2;
	http_peers_enter(peers, slow, HTTP_PHASE_BODY, 0); /* no protection for a stranger */
	slow->since_ms -= 1;
	while (slow->caller->connections < HTTP_CONNECTIONS_STRANGERS)
		assert_non_null(add(STRANGER));
	assert_non_null(add(STRANGER));
	assert_true(is_shut(slow));
	assert_false(is_shut(known));
}

static void
what_connections_hold_is_counted_by_caller(void **state)
{
	struct http_connection *first = add(USER), *second = add(USER), *other = add(STRANGER);

	(void)state;
	assert_true(http_peers_hold(peers, first, 60, 100));
	assert_false(http_peers_hold(peers, second, 41, 100));
	assert_true(http_peers_hold(peers, second, 40, 100));
	assert_true(http_peers_hold(peers, other, 100, 100));
	assert_true(http_peers_hold(peers, first, 10, 0)); /* less is always good */
	http_peers_remove(peers, second);
	assert_int_equal(first->caller->bytes, 10);
}

/* The library may close a descriptor without a word; the next connection gets its number. */
static void
a_descriptor_that_comes_again_is_another_connection(void **state)
{
	struct http_connection *connection = add(USER);

	(void)state;
	http_peers_hold(peers, connection, 5, 10);
	assert_ptr_equal(
		http_peers_add(peers, http_peers_fd(peers, connection), STRANGER), connection);
	assert_int_equal(http_peers_count(peers), 1);
	assert_string_equal(connection->caller->name, "");
	assert_int_equal(connection->caller->bytes, 0);
	assert_null(http_peers_add(peers, HTTP_DESCRIPTORS_MAX, USER));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_phase_has_its_deadline, make_peers, free_peers),
		cmocka_unit_test_setup_teardown(
			a_body_is_judged_window_by_window, make_peers, free_peers),
		cmocka_unit_test_setup_teardown(
			a_long_body_has_a_higher_rate, make_peers, free_peers),
		cmocka_unit_test_setup_teardown(a_full_share_costs_the_one_that_has_waited_longest,
			make_peers, free_peers),
		cmocka_unit_test_setup_teardown(a_share_that_is_at_work_has_some_more_for_health,
			make_peers, free_peers),
		cmocka_unit_test_setup_teardown(a_stranger_that_shows_a_token_leaves_the_strangers,
			make_peers, free_peers),
		cmocka_unit_test_setup_teardown(
			what_connections_hold_is_counted_by_caller, make_peers, free_peers),
		cmocka_unit_test_setup_teardown(a_descriptor_that_comes_again_is_another_connection,
			make_peers, free_peers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
