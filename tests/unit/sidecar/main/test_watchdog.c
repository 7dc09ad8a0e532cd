/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "sidecar/main/watchdog.h"

#define LIMIT_S 60
#define LIMIT_MS 60000

/* One look: what the writer did since the one before, and what is to be said of it. */
struct look {
	uint64_t after_ms; /* since the last look */
	bool beats;
	uint64_t allowed_ms;
	enum watchdog_verdict verdict;
};

static void
judge_all(const struct look *looks, size_t count)
{
	struct watchdog watchdog;
	struct writer_beat beat = { 0 };
	uint64_t now_ms;
	size_t i;

	unsetenv("WATCHDOG_USEC");
	watchdog_init(&watchdog, LIMIT_S, &beat);
	now_ms = watchdog.looked_ms;
	for (i = 0; i < count; i++) {
		enum watchdog_verdict verdict;

		now_ms += looks[i].after_ms;
		beat.turns += looks[i].beats;
		beat.allowed_ms = looks[i].allowed_ms;
		verdict = watchdog_judge(&watchdog, &beat, now_ms);
		if (verdict != looks[i].verdict)
			fail_msg("look %zu: verdict %d, not %d", i, (int)verdict,
				(int)looks[i].verdict);
	}
}

static void
test_a_writer_that_beats_moves(void **state)
{
	static const struct look looks[] = {
		{ 15000, true, 0, WATCHDOG_MOVES },
		{ 15000, true, 0, WATCHDOG_MOVES },
		{ 15000, true, 0, WATCHDOG_MOVES },
		{ 15000, true, 0, WATCHDOG_MOVES },
		{ 15000, true, 0, WATCHDOG_MOVES },
	};

	(void)state;
	judge_all(looks, UNIT_COUNT(looks));
}

static void
test_a_writer_without_a_beat_is_still_at_once_and_stuck_at_the_limit(void **state)
{
	static const struct look looks[] = {
		{ 15000, true, 0, WATCHDOG_MOVES },
		{ 15000, false, 0, WATCHDOG_STILL },
		{ 15000, false, 0, WATCHDOG_STILL },
		{ 15000, false, 0, WATCHDOG_STILL },
		{ 14999, false, 0, WATCHDOG_STILL },
		{ 1, false, 0, WATCHDOG_STUCK },
	};

	(void)state;
	judge_all(looks, UNIT_COUNT(looks));
}

static void
test_one_turn_begins_the_time_again(void **state)
{
	static const struct look looks[] = {
		{ 30000, false, 0, WATCHDOG_STILL },
		{ 29000, false, 0, WATCHDOG_STILL },
		{ 15000, true, 0, WATCHDOG_MOVES },
		{ 30000, false, 0, WATCHDOG_STILL },
		{ 29000, false, 0, WATCHDOG_STILL },
	};

	(void)state;
	judge_all(looks, UNIT_COUNT(looks));
}

static void
test_a_big_commit_moves_for_as_long_as_it_may_take_and_no_longer(void **state)
{
	static const struct look looks[] = {
		{ 15000, true, 40000, WATCHDOG_MOVES },
		{ 15000, false, 40000, WATCHDOG_MOVES },
		{ 15000, false, 40000, WATCHDOG_MOVES },
		{ 15000, false, 40000, WATCHDOG_STILL },
		{ 30000, false, 40000, WATCHDOG_STILL },
		{ 24999, false, 40000, WATCHDOG_STILL },
		{ 1, false, 40000, WATCHDOG_STUCK },
	};

	(void)state;
	judge_all(looks, UNIT_COUNT(looks));
}

static void
test_time_in_which_this_thread_was_stopped_as_well_does_not_count(void **state)
{
	static const struct look looks[] = {
		{ 15000, true, 0, WATCHDOG_MOVES },
		{ 600000, false, 0, WATCHDOG_STILL }, /* a look and a look missed: 30 s */
		{ 15000, true, 0, WATCHDOG_MOVES },
	};

	(void)state;
	judge_all(looks, UNIT_COUNT(looks));
}

/* --- what it does about it --- */

static char socket_path[64];

static int
listen_as_systemd(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	snprintf(socket_path, sizeof(socket_path), "/tmp/livezone-unit-%ld.notify",
		(long)getpid());
	unlink(socket_path);
	strcpy(address.sun_path, socket_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", socket_path, 1);
	return fd;
}

static void
leave_systemd(int fd)
{
	close(fd);
	unlink(socket_path);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
}

/* What was sent, "" for nothing. */
static const char *
heard(int fd)
{
	static char text[256];
	ssize_t len = recv(fd, text, sizeof(text) - 1, 0);

	assert_true(len >= 0 || errno == EAGAIN);
	text[len < 0 ? 0 : len] = '\0';
	return text;
}

static void
test_systemd_is_pinged_after_a_turn_and_not_without_one(void **state)
{
	struct watchdog watchdog;
	struct writer_beat beat = { 0 };
	int fd = listen_as_systemd();

	(void)state;
	setenv("WATCHDOG_USEC", "60000000", 1);
	watchdog_init(&watchdog, 1, &beat);
	assert_true(watchdog.is_systemd);
	assert_int_equal(watchdog.limit_ms, LIMIT_MS);
	watchdog_look(&watchdog, &beat);
	assert_string_equal(heard(fd), "");
	beat.turns++;
	watchdog_look(&watchdog, &beat);
	assert_string_equal(heard(fd), "WATCHDOG=1");
	watchdog_look(&watchdog, &beat);
	assert_string_equal(heard(fd), "");
	beat.allowed_ms = 1000;
	watchdog_look(&watchdog, &beat);
	assert_string_equal(heard(fd), "WATCHDOG=1");
	leave_systemd(fd);
}

static void
test_a_long_start_asks_for_time_and_not_at_every_step(void **state)
{
	int fd = listen_as_systemd();

	(void)state;
	assert_int_equal(watchdog_extend_start(), WATCHDOG_START_MS);
	assert_string_equal(heard(fd), "EXTEND_TIMEOUT_USEC=60000000");
	leave_systemd(fd);
}

/* In a child, because the process ends: looks without a beat until then. */
static int
status_of_stuck_writer(uint64_t own_s)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		uint64_t deadline = clock_boot_ms() + 3000;
		const struct writer_beat beat = { 0 };
		struct watchdog watchdog;

		watchdog_init(&watchdog, own_s, &beat);
		while (clock_boot_ms() < deadline) {
			watchdog_look(&watchdog, &beat);
			nanosleep(&pause, NULL);
		}
		_exit(42);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_without_systemd_a_stuck_writer_ends_the_process_unless_that_is_off(void **state)
{
	(void)state;
	assert_int_equal(status_of_stuck_writer(1), EXIT_FAILURE);
	assert_int_equal(status_of_stuck_writer(0), 42);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_writer_that_beats_moves),
		cmocka_unit_test(
			test_a_writer_without_a_beat_is_still_at_once_and_stuck_at_the_limit),
		cmocka_unit_test(test_one_turn_begins_the_time_again),
		cmocka_unit_test(
			test_a_big_commit_moves_for_as_long_as_it_may_take_and_no_longer),
		cmocka_unit_test(
			test_time_in_which_this_thread_was_stopped_as_well_does_not_count),
		cmocka_unit_test(test_systemd_is_pinged_after_a_turn_and_not_without_one),
		cmocka_unit_test(test_a_long_start_asks_for_time_and_not_at_every_step),
		cmocka_unit_test(
			test_without_systemd_a_stuck_writer_ends_the_process_unless_that_is_off),
	};

	return cmocka_run_group_tests_name("watchdog", tests, NULL, NULL);
}
