/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* When state is checked, what each verdict leads to, and that there is room for it. */
#include "tests/unit/damage.h"
#include "tests/unit/state_dir.h"
#include "tests/unit/still_clock.h"

#include <errno.h>
#include <linux/falloc.h>
#include <stdatomic.h>
#include <sys/statvfs.h>

#include "sidecar/state/state_txn.h"
#include "sidecar/journal/examiner.h"

#define SIZE (64u << 20)

/* What a test tells the child, how it ends, and what that makes of the check. */
struct outcome {
	const char *child;
	int status;
	const char *said;
};

static struct state_dir at;
static struct state *state;
static struct examiner *examiner;
static struct reason reason;
static atomic_uint told;
static void *_Atomic told_context;

static void
take_damaged(void *context)
{
	told_context = context;
	told++;
}

static void
open_state(uint64_t size_limit)
{
	if (state_open(at.dir, size_limit, &state, &reason) != STATUS_OK)
		fail_msg("%s", reason.text);
}

static void
start(void)
{
	if (examiner_start(state, at.dir, take_damaged, &at, &examiner, &reason)
		!= STATUS_OK)
		fail_msg("%s", reason.text);
}

static int
set_up(void **context)
{
	const struct state_record record = record_of("a.live", RRSET_A, "ci", 1);
	const struct name_key zone = unit_key("live");
	struct state_txn *txn;

	(void)context;
	state_dir_init(&at);
	told = 0;
	open_state(SIZE);
	assert_int_equal(state_begin_write(state, &txn, &reason), STATUS_OK);
	assert_int_equal(state_put(txn, &zone, &record, &reason), STATUS_OK);
	assert_int_equal(state_set_revision(txn, 1, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	return 0;
}

static void
stop(void)
{
	examiner_stop(examiner);
	examiner = NULL;
}

static int
tear_down(void **context)
{
	(void)context;
	stop();
	state_close(state);
	return state_dir_done(&at);
}

/* Before the examiner is started. */
static void
damage(void)
{
	static const char record[] = "R\4live\1a\0\0\1"; /* no end byte is part of it */

	state_close(state);
	damage_value(at.dir, record, sizeof(record) - 1);
	open_state(SIZE);
}

static void
wait_told(void)
{
	const uint64_t deadline = clock_boot_ms() + STATE_DIR_WAIT_MS;

	while (told == 0) {
		if (clock_boot_ms() > deadline)
			fail_msg("nobody was told");
		usleep(1000);
	}
}

static unsigned
count_checks(void)
{
	pid_t last;

	return state_dir_checks(&at, &last);
}

/* As after an I/O error: what the next transaction gets. */
static int
begin_after_error(void)
{
	struct state_txn *txn;
	int status = state_enter(state, &reason);

	if (status != STATUS_OK)
		return status;
	state_leave(state, STATE_EXAMINE);
	status = state_begin_read(state, &txn, &reason);
	if (status == STATUS_OK)
		state_abort(txn);
	return status;
}

/* --- checks --- */

static void
a_doubt_has_state_checked(void **context)
{
	struct state_txn *txn;

	(void)context;
	start();
	still_clock_wait_turn();
	assert_int_equal(count_checks(), 0);
	state_suspect(state);
	state_dir_wait_said(&at, "state: revision 1, 1 RRsets, checked");
	state_dir_wait_said(&at, ", after a doubt");
	assert_int_equal(told, 0);
	assert_int_equal(state_begin_read(state, &txn, &reason), STATUS_OK);
	state_abort(txn);
}

static void
damage_is_told_once(void **context)
{
	(void)context;
	damage();
	start();
	state_suspect(state);
	wait_told();
	assert_ptr_equal(told_context, &at);
	assert_int_equal(state_dir_said(&at, "livezoned starts anew to restore it"), 1);
	assert_int_equal(begin_after_error(), STATUS_CORRUPT);
	assert_int_equal(told, 1);
	assert_int_equal(state_dir_said(&at, "livezoned starts anew to restore it"), 1);
}

static void
damage_found_after_an_io_error_closes_state(void **context)
{
	struct state_txn *txn;

	(void)context;
	damage();
	start();
	assert_int_equal(begin_after_error(), STATUS_CORRUPT);
	assert_int_equal(told, 1);
	assert_ptr_equal(told_context, &at);
	assert_non_null(strstr(reason.text, "state is damaged: "));
	assert_int_equal(state_dir_said(&at, "state is damaged ("), 1);
	assert_int_equal(state_begin_write(state, &txn, &reason), STATUS_CORRUPT);
	assert_int_equal(count_checks(), 1);
}

static void
what_is_not_found_damaged_is_opened_anew_after_an_io_error(void **context)
{
	static const struct outcome rows[] = {
		{ NULL, STATUS_OK,
			"opened anew after an I/O error: revision 1, 1 RRsets" },
		{ "5", STATUS_OK, ", at the next start" }, /* the counts are wrong */
		{ "4", STATUS_OK, "state was not checked: " },
		{ "3", STATUS_OK, "state was not checked: " }, /* not ours */
		{ "killed", STATUS_OK,
			"state was not checked: the check ended by signal 9" },
		{ "1", STATUS_CORRUPT, "livezoned starts anew" },
	};
	size_t i;

	(void)context;
	start();
	for (i = 0; i < UNIT_COUNT(rows); i++) {
		const unsigned said = state_dir_said(&at, rows[i].said);
		int status;

		if (rows[i].child)
			setenv(STATE_DIR_CHECK, rows[i].child, 1);
		status = begin_after_error();
		if (status != rows[i].status
			|| state_dir_said(&at, rows[i].said) != said + 1)
			fail_msg("row %zu: status %d", i, status);
		assert_int_equal(count_checks(), i + 1);
		assert_int_equal(told, status != STATUS_OK);
		if (status == STATUS_OK)
			assert_int_equal(state_reopens(state), i + 1);
	}
}

static void
doubts_are_checked_at_most_so_often(void **context)
{
	(void)context;
	start();
	state_suspect(state);
	state_dir_wait_said(&at, ", after a doubt");
	still_clock_wait_turn();
	state_suspect(state);
	still_clock_s += EXAMINER_DOUBT_MS / 1000 - 1;
	still_clock_wait_turn();
	assert_int_equal(count_checks(), 1);
	still_clock_s += 1;
	state_dir_wait_checks(&at, 2); /* it is not forgotten */
}

static void
each_hour_state_is_checked_without_a_doubt(void **context)
{
	(void)context;
	start();
	still_clock_s += EXAMINER_INTERVAL_S - 1;
	still_clock_wait_turn();
	assert_int_equal(count_checks(), 0);
	still_clock_s += 1;
	state_dir_wait_checks(&at, 1);
	state_dir_wait_said(&at, "state: revision 1, 1 RRsets, checked");
	still_clock_wait_turn();
	assert_int_equal(count_checks(), 1);
	still_clock_s += EXAMINER_INTERVAL_S;
	state_dir_wait_checks(&at, 2);
	assert_int_equal(state_dir_said(&at, "after a doubt"), 0);
}

/* --- the end --- */

static void
who_stops_waits_for_no_check(void **context)
{
	const uint64_t deadline = clock_boot_ms() + STATE_DIR_WAIT_MS;
	pid_t child;

	(void)context;
	setenv(STATE_DIR_CHECK, "hang", 1);
	start();
	state_suspect(state);
	child = state_dir_wait_checks(&at, 1);
	examiner_give_up(examiner);
	while (kill(child, 0) == 0 || errno != ESRCH) {
		if (clock_boot_ms() > deadline)
			fail_msg("the check runs on");
		usleep(1000);
	}
	/* nor for one to come: state is not opened unchecked for that */
	assert_int_equal(begin_after_error(), STATUS_UNAVAILABLE);
	assert_non_null(strstr(reason.text, "livezoned is stopping"));
	stop();
	assert_int_equal(told, 0);
	assert_int_equal(state_dir_said(&at, "state was not checked"), 0);
}

static void
after_the_stop_nobody_checks(void **context)
{
	(void)context;
	start();
	stop();
	assert_int_equal(begin_after_error(), STATUS_OK);
	assert_int_equal(count_checks(), 0);
	examiner_give_up(NULL);
	examiner_stop(NULL);
}

/* --- room --- */

static uint64_t
data_bytes(off_t *out_size)
{
	struct stat file;
	char path[96];

	state_dir_data(&at, path);
	assert_int_equal(stat(path, &file), 0);
	*out_size = file.st_size;
	return (uint64_t)file.st_blocks * 512;
}

/* Some file systems cannot. */
static void
require_reservation(void)
{
	char path[96];
	int fd, outcome;

	snprintf(path, sizeof(path), "%s/probe", at.root);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	outcome = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, STATE_RESERVE_LEAST);
	close(fd);
	unlink(path);
	if (outcome != 0)
		skip();
}

static void
room_is_taken_at_the_start(void **context)
{
	off_t before, after;

	(void)context;
	require_reservation();
	assert_true(data_bytes(&before) < STATE_RESERVE_LEAST);
	start();
	assert_true(data_bytes(&after) >= STATE_RESERVE_LEAST);
	assert_int_equal(after, before);
}

static void
a_disk_without_room_is_said_once_and_looked_at_each_minute(void **context)
{
	struct statvfs disk;
	char path[96];
	off_t size;

	(void)context;
	require_reservation();
	data_bytes(&size);
	/* holes all over: a quarter more than that is more than half of what is free */
	assert_int_equal(statvfs(at.dir, &disk), 0);
	state_close(state);
	open_state((uint64_t)disk.f_bavail * disk.f_frsize);
	state_dir_data(&at, path);
	assert_int_equal(truncate(path, (off_t)(disk.f_bavail / 2 * disk.f_frsize)), 0);
	start();
	assert_int_equal(
		state_dir_said(&at, "MiB are free: no room is reserved for state"), 1);
	assert_int_not_equal(state_dir_said(&at, at.dir), 0);
	assert_int_not_equal(state_dir_said(&at, "by store.size-limit"), 0);
	still_clock_s += EXAMINER_RESERVE_S;
	still_clock_wait_turn();
	assert_int_equal(state_dir_said(&at, "no room is reserved for state"), 1);
	assert_int_equal(truncate(path, size), 0);
	still_clock_wait_turn();
	assert_true(data_bytes(&size) < STATE_RESERVE_LEAST);
	still_clock_s += EXAMINER_RESERVE_S;
	still_clock_wait_turn();
	assert_true(data_bytes(&size) >= STATE_RESERVE_LEAST);
}

int
main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_doubt_has_state_checked),
		TEST(damage_is_told_once),
		TEST(damage_found_after_an_io_error_closes_state),
		TEST(what_is_not_found_damaged_is_opened_anew_after_an_io_error),
		TEST(doubts_are_checked_at_most_so_often),
		TEST(each_hour_state_is_checked_without_a_doubt),
		TEST(who_stops_waits_for_no_check),
		TEST(after_the_stop_nobody_checks),
		TEST(room_is_taken_at_the_start),
		TEST(a_disk_without_room_is_said_once_and_looked_at_each_minute),
	};

	if (argc == 3 && strcmp(argv[1], "--check-state") == 0)
		return state_dir_check(argv[2]);
	return cmocka_run_group_tests_name("examiner", tests, NULL, NULL);
}
