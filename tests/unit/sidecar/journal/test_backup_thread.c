/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/record.h"

#include <stdatomic.h>
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

static char root[64];
static char backups[80];
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
	char path[80];

	(void)context;
	strcpy(root, "/tmp/livezone-unit-XXXXXX");
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
	thread = NULL;
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

static void
count_alarm(void *context, const char *text)
{
	(void)text;
	++*(atomic_uint *)context;
}

/* Each part is of one RRset of 60 kB. */
static void
fill_journal(struct journal *journal)
{
	static uint8_t rdata[2 + 60000] = { 60000 >> 8, 60000 & 255 };
	struct state_record record = record_of("a.live", 16, "api", 1);
	const struct journal_head head = { 0, 1, JOURNAL_ITEMS, "uid 0" };

	record.rrset.rdata = rdata;
	record.rrset.rdata_len = sizeof(rdata);
	journal_begin(journal, &head);
	for (int i = 0; i < 50; i++)
		journal_add(journal, &record.rrset.owner, 16, NULL, &record);
	journal_end(journal);
	assert_true(journal_flush(journal, DEADLINE_MS));
}

/* Long before the interval has passed; and an alarm when it fails. */
static void
test_a_large_journal_makes_a_backup_due(void **context)
{
	const struct journal_settings settings = { 1 << 20, 0 };
	struct config config = { .backup = { .directory = backups,
					 .interval_ms = 3600000, .count = 2 } };
	static atomic_uint alarms;
	const uint64_t deadline = clock_boot_ms() + DEADLINE_MS;
	struct journal *journal;
	char path[80];

	(void)context;
	backup_thread_stop(thread);
	thread = NULL;
	snprintf(path, sizeof(path), "%s/state", root);
	assert_int_equal(journal_open(path, (const uint8_t[STATE_INSTANCE_SIZE]){ 1 }, 0,
				 &settings, count_alarm, &alarms, &journal, &reason),
		STATUS_OK);
	write_revision(1);
	fill_journal(journal);
	assert_int_equal(backup_thread_start(store, journal, &config, &thread, &reason), 0);
	wait_for(false, 1);
	write_revision(2);
	config.backup.directory = "/proc/none";
	backup_thread_stop(thread);
	assert_int_equal(backup_thread_start(store, journal, &config, &thread, &reason), 0);
	wait_for(true, 0);
	while (alarms == 0 && clock_boot_ms() < deadline)
		usleep(1000);
	assert_int_equal(alarms, 1);
	backup_thread_stop(thread);
	thread = NULL;
	journal_close(journal);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_one_that_always_gives_way_says_so, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_large_journal_makes_a_backup_due, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
