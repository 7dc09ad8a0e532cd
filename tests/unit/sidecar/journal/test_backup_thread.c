/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "sidecar/state/state.h"
#include "lib/base/status.h"
#include "sidecar/journal/backup.h"

#define INTERVAL_MS 100
#define DEADLINE_MS 30000
#define READERS_MAX 10000 /* more than the table of state has */

static char root[] = "/tmp/livezone-unit-XXXXXX";
static char backups[64];
static struct state *store;
static struct backup_thread *thread;
static struct reason reason;

static void
write_revision(uint64_t revision)
{
	struct state_txn *txn;

	assert_int_equal(state_begin_write(store, &txn, &reason), STATUS_OK);
	assert_int_equal(state_set_revision(txn, revision, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
}

static int
set_up(void **context)
{
	static struct config config;
	char path[64];

	(void)context;
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/state", root);
	snprintf(backups, sizeof(backups), "%s/backups", root);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(state_open(path, 16 << 20, &store, &reason), STATUS_OK);
	config.backup.directory = backups;
	config.backup.interval_ms = INTERVAL_MS;
	config.backup.count = 2;
	assert_int_equal(backup_thread_start(store, NULL, &config, &thread, &reason), 0);
	return 0;
}

static int
tear_down(void **context)
{
	(void)context;
	backup_thread_stop(thread);
	state_close(store);
	return unit_remove(root);
}

static void
wait_for(bool is_failing, uint64_t made)
{
	const uint64_t deadline = clock_boot_ms() + DEADLINE_MS;
	struct backup_thread_status status;

	for (;;) {
		backup_thread_read_status(thread, &status);
		if ((status.error[0] != '\0') == is_failing && status.made >= made)
			break;
		if (clock_boot_ms() > deadline)
			fail_msg("%llu made, error \"%s\"", (unsigned long long)status.made,
				status.error);
		usleep(1000);
	}
	assert_true(status.failed > 0 || !is_failing);
}

/* A reader's table that is full is a state that is not to be had just now, and for long. */
static void
test_one_that_always_gives_way_says_so(void **context)
{
	static struct state_txn *reader[READERS_MAX];
	unsigned count = 0;

	(void)context;
	write_revision(1);
	wait_for(false, 1);
	while (count < READERS_MAX
		&& state_begin_read(store, &reader[count], &reason) == STATUS_OK)
		count++;
	assert_in_range(count, 1, READERS_MAX - 1);
	write_revision(2);
	wait_for(true, 1);
	while (count > 0)
		state_abort(reader[--count]);
	wait_for(false, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_one_that_always_gives_way_says_so, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
