/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What a rollback asks of others: of the writer's thread no wait for the journal's disk, and of
 * memory no more than one has. What it brings back is tested with livezoned
 * (tests/integration/test_history.py).
 */
#include <stdatomic.h>

#include "lib/base/clock.h"
#include "sidecar/journal/history.h"
#include "tests/unit/restorable.h"

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);

static struct restorable all;
static struct journal *journal;
static const struct caller caller = { .name = "uid 0" };
static atomic_bool disk_hangs;

/* Of the journal only: state is written through its map. */
ssize_t
__wrap_write(int fd, const void *bytes, size_t len)
{
	struct stat stat;

	while (disk_hangs && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode))
		usleep(1000);
	return __real_write(fd, bytes, len);
}

static void
ignore_alarm(void *context, const char *text)
{
	(void)context;
	(void)text;
}

static int
set_up(void **context)
{
	static const struct journal_settings settings = { 1 << 20, 3600000 };
	struct state_txn *txn;
	struct state_meta meta;

	(void)context;
	restorable_init(&all);
	restorable_open(&all);
	assert_int_equal(state_begin_read(all.state, &txn, NULL), STATUS_OK);
	assert_int_equal(state_read_meta(txn, &meta, NULL), STATUS_OK);
	state_abort(txn);
	return journal_open(all.at.dir, meta.instance, 0, &settings, ignore_alarm, NULL, &journal,
		NULL);
}

static int
tear_down(void **context)
{
	(void)context;
	disk_hangs = false;
	journal_close(journal);
	return restorable_done(&all);
}

static void
put(const char *owner, uint64_t revision)
{
	const struct state_record record = record_of(owner, RRSET_A, "api", revision);
	const struct journal_head head = { revision - 1, revision, JOURNAL_ITEMS, "uid 0" };

	restorable_write(&all, owner, revision, false, &all.zone.key);
	journal_begin(journal, &head);
	journal_add(journal, &record.rrset.owner, RRSET_A, NULL, &record);
	journal_end(journal);
}

static int
begin(struct rollback **out, struct reason *reason)
{
	const struct rollback_settings settings = { .state_dir = all.at.dir,
		.journal = journal,
		.caller = &caller };

	return history_rollback_new(&settings, out, reason);
}

static int
prepare(struct rollback *rollback, struct change_result *out)
{
	struct change *change = change_new(CHANGE_ROLLBACK);
	struct state_txn *txn;
	int status;

	*out = (struct change_result){ .outcome = CHANGE_UNCHANGED };
	history_rollback_attach(rollback, change);
	assert_int_equal(state_begin_read(all.state, &txn, NULL), STATUS_OK);
	status = change->prepare(change, txn, &all.config.zones, out);
	state_abort(txn);
	change_free(change);
	return status;
}

static void
a_journal_whose_disk_hangs_holds_no_write_up(void **context)
{
	struct rollback *rollback = NULL;
	struct change_result result;
	struct reason reason = { "" };
	uint64_t begin_ms;

	(void)context;
	put("a.live", 1);
	assert_int_equal(begin(&rollback, &reason), STATUS_OK);
	disk_hangs = true;
	put("b.live", 2);
	begin_ms = clock_boot_ms();
	for (int i = 0; i < 20; i++) {
		assert_int_equal(prepare(rollback, &result), STATUS_INVALID);
		assert_int_equal(result.outcome, CHANGE_BUSY);
	}
	assert_in_range(clock_boot_ms() - begin_ms, 0, 1500);
	disk_hangs = false;
	assert_true(journal_flush(journal, 20000));
	assert_int_equal(prepare(rollback, &result), STATUS_OK);
	history_rollback_free(rollback);
}

static void
there_is_one_at_a_time(void **context)
{
	struct rollback *first = NULL, *second = NULL;
	struct reason reason = { "" };

	(void)context;
	put("a.live", 1);
	assert_int_equal(begin(&first, &reason), STATUS_OK);
	assert_int_equal(begin(&second, &reason), STATUS_UNAVAILABLE);
	assert_non_null(strstr(reason.text, "another rollback"));
	history_rollback_free(first);
	assert_int_equal(begin(&second, &reason), STATUS_OK);
	history_rollback_free(second);
}

int
main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_journal_whose_disk_hangs_holds_no_write_up),
		TEST(there_is_one_at_a_time),
	};

	if (argc == 3 && strcmp(argv[1], "--check-state") == 0)
		return state_dir_check(argv[2]);
	return cmocka_run_group_tests_name("rollback", tests, NULL, NULL);
}
