/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What a start makes of the files that it finds. All starts are in one second: time() stands
 * still.
 */
#include "tests/unit/damage.h"
#include "tests/unit/restorable.h"

#include <time.h>

#include "lib/base/clock.h"
#include "sidecar/journal/journal.h"
#include "sidecar/journal/recover.h"

#define BYTES_MAX (1 << 20)
#define VERSION_AT 20 /* of LMDB's data format, in a meta page */

time_t __wrap_time(time_t *out);

static struct restorable all;
static bool is_restored;
static struct journal *journal;
static struct reason reason;

/* data.mdb as it was. */
static struct {
	uint8_t bytes[BYTES_MAX];
	size_t size;
	ino_t inode;
} before;

time_t
__wrap_time(time_t *out)
{
	const time_t now = 1700000000;

	if (out)
		*out = now;
	return now;
}

static int
set_up(void **context)
{
	(void)context;
	restorable_init(&all);
	return 0;
}

static int
tear_down(void **context)
{
	(void)context;
	return restorable_done(&all);
}

/* --- before the start --- */

static void
put(const char *owner, uint64_t revision)
{
	restorable_write(&all, owner, revision, false, &all.zone.key);
}

static void
make_state_with_backup(void)
{
	restorable_open(&all);
	put("a.live", 1);
	restorable_back_up(&all);
	restorable_close(&all);
}

static void
ignore_alarm(void *context, const char *text)
{
	(void)context;
	(void)text;
}

/* Of the open state, from here on. */
static void
open_journal(void)
{
	static const struct journal_settings settings = { 1 << 20, 3600000 };
	struct state_txn *txn;
	struct state_meta meta;

	assert_int_equal(state_begin_read(all.state, &txn, &reason), STATUS_OK);
	assert_int_equal(state_read_meta(txn, &meta, &reason), STATUS_OK);
	state_abort(txn);
	assert_int_equal(journal_open(all.at.dir, meta.instance, meta.revision, &settings,
				 ignore_alarm, NULL, &journal, &reason),
		STATUS_OK);
}

static void
append(const char *owner, uint64_t revision, bool deleted)
{
	const struct state_record record = record_of(owner, RRSET_A, "ci", revision);
	const struct journal_head head = { revision - 1, revision, JOURNAL_ITEMS, "uid 0" };

	journal_begin(journal, &head);
	journal_add(journal, &record.rrset.owner, RRSET_A, deleted ? &record : NULL,
		deleted ? NULL : &record);
	journal_end(journal);
}

static void
put_in_both(const char *owner, uint64_t revision)
{
	put(owner, revision);
	append(owner, revision, false);
}

static void
delete_in_both(const char *owner, uint64_t revision)
{
	restorable_write(&all, owner, revision, true, &all.zone.key);
	append(owner, revision, true);
}

static void
close_all(void)
{
	journal_close(journal);
	journal = NULL;
	restorable_close(&all);
}

static void
damage(void)
{
	damage_value(all.at.dir, "R\4live\1a\0\0\1", 11);
}

static bool
exists(const char *name)
{
	return state_dir_inode(&all.at, name) != 0;
}

static void
remember(void)
{
	before.size = state_dir_read(&all.at, "state/data.mdb", before.bytes, BYTES_MAX);
	before.inode = state_dir_inode(&all.at, "state/data.mdb");
	assert_in_range(before.size, 1, BYTES_MAX - 2);
}

/* --- after it --- */

/* The very file, not a copy. */
static void
assert_kept(const char *name)
{
	static uint8_t now[BYTES_MAX];

	assert_int_equal(state_dir_inode(&all.at, name), before.inode);
	assert_int_equal(state_dir_read(&all.at, name, now, BYTES_MAX), before.size);
	assert_memory_equal(now, before.bytes, before.size);
}

static void
assert_untouched(void)
{
	assert_kept("state/data.mdb");
	assert_false(exists("state/quarantine"));
	assert_false(exists("state/new"));
}

static void
assert_reason(const char *text)
{
	if (!strstr(reason.text, text))
		fail_msg("no \"%s\" in: %s", text, reason.text);
}

static void
recover(int expected)
{
	int status;

	reason.text[0] = '\0'; /* no text of before passes */
	status = recover_state(&all.config, &is_restored, &reason);
	if (status != expected)
		fail_msg("%d: %s", status, reason.text);
	assert_false(exists("state/new"));
}

static bool
has(const char *owner)
{
	return restorable_has(&all, owner);
}

/* It can be opened, and says by an alarm and in the log what was done. */
static void
assert_restored(const char *what)
{
	char alarm[STATE_ALARM_TEXT_MAX + 1];

	assert_true(is_restored);
	restorable_open(&all);
	restorable_read_alarm(&all, alarm);
	if (!strstr(alarm, what))
		fail_msg("no \"%s\" in: %s", what, alarm);
	assert_int_not_equal(state_dir_said(&all.at, what), 0);
	assert_int_not_equal(
		state_dir_said(&all.at, "livezonectl acknowledge " RECOVER_ALARM), 0);
}

/* --- the tests --- */

static void
nothing_at_all_is_a_first_start(void **context)
{
	(void)context;
	recover(STATUS_OK);
	assert_false(is_restored);
	assert_false(exists("state/data.mdb"));
	assert_int_equal(state_dir_said(&all.at, "state"), 0);
}

static void
what_is_whole_stays_as_it_is(void **context)
{
	(void)context;
	make_state_with_backup();
	remember();
	recover(STATUS_OK);
	assert_false(is_restored);
	assert_untouched();
	assert_int_equal(
		state_dir_said(&all.at, "state: revision 1, 1 RRsets, checked"), 1);
}

static void
a_missing_state_is_made_from_the_newest_backup(void **context)
{
	char path[96];

	(void)context;
	restorable_open(&all);
	put("a.live", 1);
	restorable_back_up(&all);
	put("b.live", 2);
	restorable_write(&all, "a.live", 3, true, &all.zone.key);
	restorable_back_up(&all);
	restorable_close(&all);
	state_dir_data(&all.at, path);
	assert_int_equal(unlink(path), 0);
	recover(STATUS_OK);
	assert_restored("restored from backup livezone-00000002-r3.jsonl: 1 RRsets of revision 3, "
			"now at revision 1000003; writes after revision 3 may be missing");
	assert_true(!has("a.live") && has("b.live"));
	assert_false(exists("state/quarantine"));
}

static void
serve_alone_shows_that_there_was_a_state_and_cannot_make_one(void **context)
{
	(void)context;
	restorable_serve(&all, 7);
	recover(STATUS_CORRUPT);
	assert_false(exists("state/data.mdb"));
	assert_reason("state was missing");
	assert_reason(all.backup_dir);
}

static void
a_journal_from_the_beginning_is_enough(void **context)
{
	char path[96];

	(void)context;
	restorable_open(&all);
	open_journal();
	put_in_both("a.live", 1);
	put_in_both("b.live", 2);
	put_in_both("c.live", 3);
	delete_in_both("b.live", 4);
	close_all();
	state_dir_data(&all.at, path);
	assert_int_equal(unlink(path), 0);
	recover(STATUS_OK);
	assert_restored("state was missing; restored from the journal: 2 RRsets of revision 4, "
			"now at revision 1000004; writes after revision 4 may be missing");
	assert_true(has("a.live") && !has("b.live") && has("c.live"));
}

static void
the_journal_goes_on_where_the_backup_ends(void **context)
{
	(void)context;
	restorable_open(&all);
	put("a.live", 1);
	put("b.live", 2);
	restorable_back_up(&all);
	open_journal();
	put_in_both("c.live", 3);
	delete_in_both("a.live", 4);
	close_all();
	damage_value(all.at.dir, "R\4live\1c\0\0\1", 11);
	recover(STATUS_OK);
	assert_restored("restored from backup livezone-00000001-r2.jsonl and the journal: 2 "
			"RRsets of revision 4, now at revision 1000004; no write is missing");
	assert_true(!has("a.live") && has("b.live") && has("c.live"));
}

static void
what_the_journal_lacks_is_named(void **context)
{
	(void)context;
	restorable_open(&all);
	put("a.live", 1);
	restorable_back_up(&all);
	put("b.live", 2);
	put("c.live", 3);
	open_journal();
	put_in_both("d.live", 4);
	journal_close(journal);
	journal = NULL;
	put("e.live", 5);
	close_all();
	damage();
	recover(STATUS_OK);
	assert_restored("writes of revisions 2 to 3 may be missing; writes of revisions 5 to 5 "
			"may be missing");
	assert_true(has("a.live") && !has("b.live") && has("d.live") && !has("e.live"));
}

static void
a_journal_without_its_beginning_restores_nothing(void **context)
{
	(void)context;
	restorable_open(&all);
	put("a.live", 1);
	open_journal();
	put_in_both("b.live", 2);
	close_all();
	damage();
	remember();
	recover(STATUS_CORRUPT);
	assert_untouched();
	assert_reason("the journal begins at revision 1");
}

/* Left by a state that was moved away, or copied here. */
static void
a_backup_of_another_state_is_passed_over(void **context)
{
	char path[96];

	(void)context;
	make_state_with_backup();
	restorable_open(&all);
	open_journal();
	put_in_both("b.live", 2);
	close_all();
	state_dir_data(&all.at, path);
	assert_int_equal(unlink(path), 0);
	restorable_open(&all);
	put("foreign.live", 9);
	restorable_back_up(&all);
	restorable_close(&all);
	assert_int_equal(unlink(path), 0);
	recover(STATUS_OK);
	assert_restored("restored from backup livezone-00000001-r1.jsonl and the journal: 2 RRsets "
			"of revision 2");
	assert_true(has("a.live") && has("b.live") && !has("foreign.live"));
	assert_int_equal(
		state_dir_said(&all.at, "livezone-00000002-r9.jsonl is not of this state"), 1);
}

/* A whole file, and an old one: of revision 1, and the journal of 2. */
static void
make_old_copy(void)
{
	static uint8_t old[BYTES_MAX];
	char path[96];
	size_t size;

	restorable_open(&all);
	open_journal();
	put_in_both("a.live", 1);
	size = state_dir_read(&all.at, "state/data.mdb", old, BYTES_MAX);
	put_in_both("b.live", 2);
	close_all();
	state_dir_data(&all.at, path);
	damage_bytes(all.at.dir, 0, old, size);
	assert_int_equal(truncate(path, (off_t)size), 0);
	remember();
}

static void
an_old_copy_of_state_is_made_new_again(void **context)
{
	char kept[300] = "";

	(void)context;
	make_old_copy();
	recover(STATUS_OK);
	assert_restored("state was an old copy: it is at revision 1, and the journal at 2; "
			"restored from the journal: 2 RRsets of revision 2, now at revision "
			"1000002; writes after revision 2 may be missing");
	assert_true(has("a.live") && has("b.live"));
	assert_int_equal(state_dir_quarantined(&all.at, before.inode, kept), 1);
}

static void
a_lease_begins_again_and_one_that_had_ended_stays_so(void **context)
{
	const uint64_t now_ms = clock_wall_ms();
	struct state_record record = record_of("a.live", RRSET_A, "ci", 1), found;
	const struct journal_head head = { 0, 1, JOURNAL_ITEMS, "uid 0" };
	struct name_key key;
	struct state_txn *txn;
	char path[96];

	(void)context;
	restorable_open(&all);
	open_journal();
	journal_begin(journal, &head);
	record.lease_ms = 60000;
	record.expires_ms = 5; /* long ago: heartbeats are not in the journal */
	journal_add(journal, &record.rrset.owner, RRSET_A, NULL, &record);
	record = record_of("b.live", RRSET_A, "ci", 1);
	record.lease_ms = 60000;
	record.expires_ms = STATE_LEASE_OVER;
	journal_add(journal, &record.rrset.owner, RRSET_A, NULL, &record);
	journal_end(journal);
	close_all();
	state_dir_data(&all.at, path);
	assert_int_equal(unlink(path), 0);
	recover(STATUS_OK);
	restorable_open(&all);
	assert_int_equal(state_begin_read(all.state, &txn, NULL), STATUS_OK);
	key = unit_key("a.live");
	assert_int_equal(state_get(txn, &key, RRSET_A, &found, NULL), STATUS_OK);
	assert_in_range(found.expires_ms, now_ms + 50000, now_ms + 3600000);
	key = unit_key("b.live");
	assert_int_equal(state_get(txn, &key, RRSET_A, &found, NULL), STATUS_OK);
	assert_int_equal(found.expires_ms, STATE_LEASE_OVER);
	state_abort(txn);
}

/* Nobody has seen its serial yet. */
static void
serials_go_on_above_all_that_was_seen(void **context)
{
	struct state_zone zone;
	struct state_txn *txn;

	(void)context;
	make_state_with_backup();
	damage();
	recover(STATUS_OK);
	restorable_open(&all);
	assert_int_equal(state_begin_read(all.state, &txn, NULL), STATUS_OK);
	assert_int_equal(state_get_zone(txn, &all.zone.key, &zone, NULL), STATUS_OK);
	assert_int_equal(zone.revision, 1 + RECOVER_REVISION_GAP);
	state_abort(txn);
}

static void
serve_of_a_first_start_shows_nothing(void **context)
{
	(void)context;
	restorable_serve(&all, 0);
	recover(STATUS_OK);
	assert_false(is_restored);
	assert_false(exists("state/data.mdb"));
}

static void
a_damaged_state_is_kept_and_another_takes_its_place(void **context)
{
	char kept[300] = "", said[400];

	(void)context;
	make_state_with_backup();
	damage();
	remember();
	recover(STATUS_OK);
	assert_restored("state was damaged (");
	assert_true(has("a.live"));
	assert_int_not_equal(state_dir_inode(&all.at, "state/data.mdb"), before.inode);
	assert_int_equal(state_dir_quarantined(&all.at, before.inode, kept), 1);
	assert_kept(kept);
	snprintf(said, sizeof(said), "the damaged file is kept as %s/%s", all.at.root,
		kept);
	assert_int_equal(state_dir_said(&all.at, said), 1);
}

static void
two_of_one_second_are_both_kept(void **context)
{
	char kept[2][300] = { "", "" };
	ino_t first;

	(void)context;
	make_state_with_backup();
	damage();
	first = state_dir_inode(&all.at, "state/data.mdb");
	recover(STATUS_OK);
	damage();
	remember();
	recover(STATUS_OK);
	assert_int_equal(state_dir_quarantined(&all.at, first, kept[0]), 2);
	assert_int_equal(state_dir_quarantined(&all.at, before.inode, kept[1]), 2);
	assert_string_not_equal(kept[0], kept[1]);
	assert_string_not_equal(kept[0], "");
	assert_kept(kept[1]);
	assert_restored("state was damaged (");
}

static void
the_next_start_does_what_a_killed_one_did_not(void **context)
{
	char path[PATH_MAX], kept[300] = "";

	(void)context;
	make_state_with_backup();
	damage();
	remember();
	/* killed between the two names of the damaged file, another one half made */
	assert_int_equal(state_file_make_new(all.at.dir, path, &reason), STATUS_OK);
	strcat(path, "/data.mdb");
	assert_int_equal(fclose(fopen(path, "w")), 0);
	assert_int_equal(state_file_quarantine(all.at.dir, path, &reason), STATUS_OK);
	recover(STATUS_OK);
	assert_restored("state was damaged (");
	assert_true(has("a.live"));
	assert_int_equal(state_dir_quarantined(&all.at, before.inode, kept), 2); /* under both names */
	assert_kept(kept);
}

static void
what_cannot_be_kept_is_not_replaced(void **context)
{
	char path[96];

	(void)context;
	make_state_with_backup();
	damage();
	remember();
	snprintf(path, sizeof(path), "%s/quarantine", all.at.dir);
	assert_int_equal(fclose(fopen(path, "w")), 0); /* where the directory is to be */
	recover(STATUS_IO);
	assert_false(is_restored);
	assert_kept("state/data.mdb");
	assert_reason(path);
	assert_reason("it cannot be restored");
}

static void
without_anything_left_the_damaged_one_stays(void **context)
{
	(void)context;
	restorable_open(&all);
	put("a.live", 1);
	restorable_close(&all);
	damage();
	remember();
	recover(STATUS_CORRUPT);
	assert_false(is_restored);
	assert_untouched();
	/* which one, what is wrong, where a backup is looked for */
	assert_reason(all.at.dir);
	assert_reason("was damaged (");
	assert_reason("it cannot be restored");
	assert_reason(all.backup_dir);
}

static void
what_is_not_ours_is_not_touched(void **context)
{
	static const uint32_t version = 2;

	(void)context;
	make_state_with_backup();
	damage_bytes(all.at.dir, VERSION_AT, &version, sizeof(version));
	damage_bytes(all.at.dir, DAMAGE_PAGE + VERSION_AT, &version, sizeof(version));
	remember();
	recover(STATUS_FOREIGN);
	assert_untouched();
	assert_reason(all.at.dir);
	assert_reason("LMDB data format 2");
}

static void
what_cannot_be_checked_is_opened(void **context)
{
	(void)context;
	make_state_with_backup();
	remember();
	setenv(STATE_DIR_CHECK, "killed", 1);
	recover(STATUS_OK);
	assert_false(is_restored);
	assert_untouched();
	assert_int_equal(state_dir_said(&all.at,
				 "state was not checked: the check ended by signal 9"),
		1);
}

/* It was read, and only the rest of the check is missing. */
static void
an_old_copy_that_cannot_be_checked_is_found(void **context)
{
	(void)context;
	make_old_copy();
	setenv(STATE_DIR_CHECK, "killed late", 1);
	recover(STATUS_OK);
	assert_restored("state was an old copy: it is at revision 1, and the journal at 2");
	assert_true(has("a.live") && has("b.live"));
}

/* Of state, a backup is left. Unbound's user can write to serve: what is out of all reason is
 * not believed. */
static void
serials_go_on_above_what_was_served(void **context)
{
	static const struct {
		uint64_t served;
		const char *says;
	} rows[] = {
		{ 5000000, "now at revision 6000000" },
		{ UINT64_MAX - 5, "now at revision 1000001" },
	};
	char path[96];

	(void)context;
	make_state_with_backup();
	state_dir_data(&all.at, path);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(unlink(path), 0);
		restorable_serve(&all, rows[i].served);
		recover(STATUS_OK);
		assert_restored(rows[i].says);
		restorable_close(&all);
	}
}

int
main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(nothing_at_all_is_a_first_start),
		TEST(what_is_whole_stays_as_it_is),
		TEST(a_missing_state_is_made_from_the_newest_backup),
		TEST(serve_alone_shows_that_there_was_a_state_and_cannot_make_one),
		TEST(a_journal_from_the_beginning_is_enough),
		TEST(the_journal_goes_on_where_the_backup_ends),
		TEST(what_the_journal_lacks_is_named),
		TEST(a_journal_without_its_beginning_restores_nothing),
		TEST(a_backup_of_another_state_is_passed_over),
		TEST(an_old_copy_of_state_is_made_new_again),
		TEST(a_lease_begins_again_and_one_that_had_ended_stays_so),
		TEST(serials_go_on_above_all_that_was_seen),
		TEST(serve_of_a_first_start_shows_nothing),
		TEST(a_damaged_state_is_kept_and_another_takes_its_place),
		TEST(two_of_one_second_are_both_kept),
		TEST(the_next_start_does_what_a_killed_one_did_not),
		TEST(what_cannot_be_kept_is_not_replaced),
		TEST(without_anything_left_the_damaged_one_stays),
		TEST(what_is_not_ours_is_not_touched),
		TEST(what_cannot_be_checked_is_opened),
		TEST(an_old_copy_that_cannot_be_checked_is_found),
		TEST(serials_go_on_above_what_was_served),
	};

	if (argc == 3 && strcmp(argv[1], "--check-state") == 0)
		return state_dir_check(argv[2]);
	return cmocka_run_group_tests_name("recover", tests, NULL, NULL);
}
