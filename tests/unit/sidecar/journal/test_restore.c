/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* Restores from files that were prepared: each test damages what set_up and itself wrote. */
#include "tests/unit/damage.h"
#include "tests/unit/record.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/state/state.h"
#include "sidecar/state/state_check.h"
#include "sidecar/state/state_file.h"
#include "lib/base/status.h"
#include "lib/serve/writer.h"
#include "sidecar/journal/backup_make.h"
#include "sidecar/journal/recover.h"
#include "sidecar/journal/restore.h"

#define SIZE (16u << 20)

static char root[64], state_dir[80], serve_dir[80], backup_dir[80];
static struct zone zone;
static struct config config;
static struct state *state;
static struct state_meta meta;
static struct restore_result result;
static struct reason reason;

static int
set_up(void **context)
{
	(void)context;
	strcpy(root, "/tmp/livezone-unit-XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(state_dir, sizeof(state_dir), "%s/state", root);
	snprintf(serve_dir, sizeof(serve_dir), "%s/serve", root);
	snprintf(backup_dir, sizeof(backup_dir), "%s/backups", root);
	assert_int_equal(mkdir(state_dir, 0700), 0);
	zone.key = unit_key("live");
	config = (struct config){
		.store = { .state = state_dir, .serve = serve_dir, .size_limit = SIZE },
		.backup = { .directory = backup_dir, .count = 9 },
		.zones = { .zone = &zone, .count = 1 },
	};
	assert_int_equal(state_open(state_dir, SIZE, &state, &reason), STATUS_OK);
	return 0;
}

static int
tear_down(void **context)
{
	(void)context;
	state_close(state);
	return unit_remove(root);
}

/* --- before the damage --- */

static const uint8_t rdata[] = { 0, 4, 10, 0, 0, 5 };

static struct state_txn *
begin_write(void)
{
	struct state_txn *txn;

	assert_int_equal(state_begin_write(state, &txn, &reason), STATUS_OK);
	return txn;
}

static void
end_write(struct state_txn *txn, uint64_t revision, bool deleted, const char *owner)
{
	struct state_log_item item = { deleted, RRSET_A, unit_key(owner) };

	assert_int_equal(state_log_append(txn, revision, &item, 1, &reason), STATUS_OK);
	assert_int_equal(state_set_revision(txn, revision, &reason), STATUS_OK);
	assert_int_equal(state_read_meta(txn, &meta, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
}

static void
make_backup(void)
{
	static const atomic_bool is_over;
	const struct backup_order order = { state, backup_dir, 9, &is_over };
	struct backup_verdict verdict;
	struct backup_file file;

	assert_int_equal(backup_make(&order, &file, &verdict, &reason), STATUS_OK);
}

/* `expires_ms` of its lease; 0: it has none. */
static void
put_leased(const char *owner, uint64_t revision, uint64_t expires_ms)
{
	struct state_record record = record_of(owner, RRSET_A, "ci", revision);
	struct state_txn *txn = begin_write();

	record.expires_ms = expires_ms;
	record.lease_ms = expires_ms ? 60000 : 0;
	assert_int_equal(state_put(txn, &zone.key, &record, &reason), STATUS_OK);
	end_write(txn, revision, false, owner);
}

static void
put(const char *owner, uint64_t revision)
{
	put_leased(owner, revision, 0);
}

/* As the end of a lease is written in a zone with on-expiry: remove. */
static void
end_lease(const char *owner, uint64_t revision)
{
	struct name_key key = unit_key(owner);
	struct state_txn *txn = begin_write();

	assert_int_equal(
		state_renew(txn, &key, RRSET_A, STATE_LEASE_OVER, &reason), STATUS_OK);
	end_write(txn, revision, true, owner);
}

static void
drop(const char *owner, uint64_t revision)
{
	struct name_key key = unit_key(owner);
	struct state_txn *txn = begin_write();

	assert_int_equal(
		state_delete(txn, &zone.key, &key, RRSET_A, revision, &reason), STATUS_OK);
	end_write(txn, revision, true, owner);
}

/* Serve of what state was at its last revision. */
static void
make_serve(const char *const *owners, size_t count)
{
	struct serve_meta served = { .revision = meta.revision };
	struct node_rrset rrset = { .type = RRSET_A,
		.count = 1,
		.ttl = 5,
		.rdata_len = sizeof(rdata),
		.rdata = rdata };
	struct serve_writer *writer;
	struct serve_txn *txn;
	uint8_t *value;
	size_t i;

	memcpy(served.instance, meta.instance, sizeof(served.instance));
	assert_int_equal(serve_writer_create(serve_dir, SIZE, &writer, &reason), STATUS_OK);
	assert_int_equal(serve_writer_begin(writer, &txn, &reason), STATUS_OK);
	assert_int_equal(serve_writer_put_meta(txn, &served, &reason), STATUS_OK);
	for (i = 0; i < count; i++) {
		struct name_key key = unit_key(owners[i]);

		assert_int_equal(serve_writer_reserve(
					 txn, &key, node_size(&rrset, 1), &value, &reason),
			STATUS_OK);
		node_encode(&key, meta.revision, 0, &rrset, 1, value);
	}
	assert_int_equal(serve_writer_commit(txn, &reason), STATUS_OK);
	assert_int_equal(serve_writer_publish(writer, &reason), STATUS_OK);
	serve_writer_close(writer);
}

/* --- the damage --- */

/* The meta page of the last commit, while state is closed. */
static void
damage_last_meta(void)
{
	uint64_t txn_id[2];
	char path[96];
	int file, page;

	snprintf(path, sizeof(path), "%s/data.mdb", state_dir);
	file = open(path, O_RDWR);
	for (page = 0; page < 2; page++)
		assert_int_equal(pread(file, &txn_id[page], 8, page * DAMAGE_PAGE + 144), 8);
	close(file);
	damage_meta(state_dir, txn_id[1] > txn_id[0]);
}

static void
close_state(void)
{
	state_close(state);
	state = NULL;
}

/* --- after it --- */

/* Restores, and opens what was made, which must be whole. */
static void
restore(void)
{
	struct state_check found;

	assert_int_equal(state_check_directory(state_dir, &found, &reason), STATUS_CORRUPT);
	if (restore_make(&config, "why", &result, &reason) != STATUS_OK)
		fail_msg("%s", reason.text);
	assert_int_equal(state_file_adopt(state_dir, &reason), STATUS_OK);
	if (state_check_directory(state_dir, &found, &reason) != STATUS_OK)
		fail_msg("%s", reason.text);
	assert_int_equal(found.revision, result.revision);
	assert_int_equal(state_open(state_dir, SIZE, &state, &reason), STATUS_OK);
}

static bool
has(const char *owner)
{
	struct name_key key = unit_key(owner);
	struct state_record record;
	struct state_txn *txn;
	int status;

	assert_int_equal(state_begin_read(state, &txn, &reason), STATUS_OK);
	status = state_get(txn, &key, RRSET_A, &record, &reason);
	state_abort(txn);
	return status == STATUS_OK;
}

static uint64_t
expires_of(const char *owner)
{
	struct name_key key = unit_key(owner);
	struct state_record record;
	struct state_txn *txn;

	assert_int_equal(state_begin_read(state, &txn, &reason), STATUS_OK);
	assert_int_equal(state_get(txn, &key, RRSET_A, &record, &reason), STATUS_OK);
	state_abort(txn);
	return record.expires_ms;
}

static void
assert_said(const char *text, bool expected)
{
	if ((strstr(result.what, text) != NULL) != expected)
		fail_msg("%s", result.what);
}

static void
the_revision_is_above_all_that_is_found(void **context)
{
	(void)context;
	put("a.live", 3);
	make_backup();
	put("b.live", 5000);
	close_state();
	damage_value(state_dir, "M", 1);
	restore();
	assert_true(result.revision > 5000);
	assert_true(has("a.live") && has("b.live"));
	assert_said("restored from the backup livezone-00000001-r3.jsonl", true);
}

static void
the_commit_before_the_last_is_not_all(void **context)
{
	(void)context;
	put("a.live", 1);
	make_backup();
	put("b.live", 2);
	close_state();
	damage_last_meta();
	restore();
	assert_said("restored from its own records", true);
	assert_said("no write is missing", false);
	assert_said("writes of one commit after revision 1 may be missing", true);
	assert_true(has("a.live") && result.revision > 2);
}

static void
a_backup_of_the_last_commit_is_better_than_the_one_before(void **context)
{
	(void)context;
	put("a.live", 1);
	put("b.live", 2);
	make_backup();
	close_state();
	damage_last_meta();
	restore();
	assert_true(has("a.live") && has("b.live"));
	assert_said("restored from the backup", true);
	assert_said("no write is missing", true);
}

static void
whole_records_are_better_than_an_older_serve(void **context)
{
	static const char *const owners[] = { "a.live", "b.live" };
	const uint8_t entry[9] = { 'C', [8] = 3 };
	struct state_meta before, after;
	struct state_txn *txn;

	(void)context;
	put("a.live", 1);
	put("b.live", 2);
	make_serve(owners, 2);
	drop("a.live", 3);
	before = meta;
	close_state();
	damage_value(state_dir, entry, sizeof(entry));
	restore();
	assert_false(has("a.live"));
	assert_true(has("b.live"));
	assert_said("no write is missing", true);
	assert_int_equal(state_begin_read(state, &txn, &reason), STATUS_OK);
	assert_int_equal(state_read_meta(txn, &after, &reason), STATUS_OK);
	state_abort(txn);
	assert_memory_equal(after.instance, before.instance, sizeof(before.instance));
}

static void
deletes_that_nobody_knows_of_are_said(void **context)
{
	static const char *const owners[] = { "a.live", "b.live", "c.live" };
	const uint8_t entry[9] = { 'C', [8] = 4 };
	const char record[] = "R\4live\1c\0\0\1"; /* no end byte is part of it */

	(void)context;
	put("a.live", 1);
	put("b.live", 2);
	put("c.live", 3);
	make_serve(owners, 3);
	drop("a.live", 4);
	drop("b.live", 5);
	close_state();
	damage_value(state_dir, record, sizeof(record) - 1);
	damage_value(state_dir, entry, sizeof(entry));
	restore();
	assert_said("restored from serve", true);
	assert_said("deleted RRsets may be back", true);
	assert_true(has("a.live") && !has("b.live") && has("c.live"));
}

static void
deletes_that_the_log_names_are_done(void **context)
{
	static const char *const owners[] = { "a.live", "b.live" };
	const char record[] = "R\4live\1b\0\0\1";

	(void)context;
	put("a.live", 1);
	put("b.live", 2);
	make_serve(owners, 2);
	drop("a.live", 3);
	close_state();
	damage_value(state_dir, record, sizeof(record) - 1);
	restore();
	assert_said("restored from serve", true);
	assert_said("may be back", false);
	assert_true(!has("a.live") && has("b.live"));
}

static int
take_alarm(void *context, const char *name, size_t name_len, const char *text, size_t text_len,
	uint64_t raised_ms, struct reason *why)
{
	char *found = context;

	(void)why;
	assert_true(raised_ms > 0);
	sprintf(found + strlen(found), "%.*s=%.*s\n", (int)name_len, name, (int)text_len, text);
	return 0;
}

static void
alarms_stand_on(void **context)
{
	char found[2048] = "";
	struct state_txn *txn;

	(void)context;
	put("a.live", 1);
	make_backup();
	txn = begin_write();
	assert_int_equal(state_raise_alarm(txn, "other", "a text", &reason), STATUS_OK);
	assert_int_equal(
		state_raise_alarm(txn, RESTORE_ALARM, "the last time", &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	close_state();
	damage_value(state_dir, "M", 1);
	restore();
	assert_int_equal(state_begin_read(state, &txn, &reason), STATUS_OK);
	assert_int_equal(state_walk_alarms(txn, take_alarm, found, &reason), STATUS_OK);
	state_abort(txn);
	if (!strstr(found, "other=a text\n") || !strstr(found, RESTORE_ALARM "=why; restored")
		|| !strstr(found, "; and before that: the last time\n"))
		fail_msg("%s", found);
}

static void
a_lease_that_is_over_stays_over(void **context)
{
	const uint64_t later = 4102444800000;

	(void)context;
	put_leased("before.live", 1, later);
	put_leased("behind.live", 2, later);
	put_leased("gone.live", 3, later);
	put_leased("live.live", 4, later);
	end_lease("before.live", 5);
	end_lease("gone.live", 6);
	make_backup();
	end_lease("behind.live", 7);
	drop("gone.live", 8);
	close_state();
	damage_value(state_dir, "M", 1);
	restore();
	assert_int_equal(expires_of("before.live"), STATE_LEASE_OVER);
	assert_int_equal(expires_of("behind.live"), STATE_LEASE_OVER);
	assert_true(expires_of("live.live") > STATE_LEASE_OVER);
	assert_false(has("gone.live"));
}

/* Serve is there, but not the memory for it. */
static void
make_serve_too_large(struct rlimit *out_before)
{
	const off_t size = 1 << 30;
	unsigned long pages;
	struct rlimit limit;
	char path[96];
	FILE *file;

	assert_int_equal(mkdir(serve_dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/data.mdb", serve_dir);
	assert_int_equal(fclose(fopen(path, "w")), 0);
	assert_int_equal(truncate(path, size), 0);
	file = fopen("/proc/self/statm", "r");
	assert_int_equal(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	assert_int_equal(getrlimit(RLIMIT_AS, out_before), 0);
	limit = *out_before;
	limit.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + (rlim_t)size / 2;
	assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
}

static void
a_shortage_chooses_no_poorer_source(void **context)
{
	struct recover_result recovered;
	struct rlimit before;
	int restored, missing;
	char path[96];

	(void)context;
	put("a.live", 3);
	make_backup();
	close_state();
	damage_value(state_dir, "M", 1);
	make_serve_too_large(&before);
	restored = restore_make(&config, "why", &result, &reason);
	/* nor is a state that is missing a first start for that */
	snprintf(path, sizeof(path), "%s/data.mdb", state_dir);
	assert_int_equal(unlink(path), 0);
	config.backup.directory = root;
	missing = recover_state(&config, &recovered, &reason);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	assert_int_equal(restored, STATUS_NO_MEMORY);
	assert_int_equal(missing, STATUS_NO_MEMORY);
	snprintf(path, sizeof(path), "%s/new/data.mdb", state_dir);
	assert_int_not_equal(access(path, F_OK), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_revision_is_above_all_that_is_found),
		TEST(the_commit_before_the_last_is_not_all),
		TEST(a_backup_of_the_last_commit_is_better_than_the_one_before),
		TEST(whole_records_are_better_than_an_older_serve),
		TEST(deletes_that_nobody_knows_of_are_said),
		TEST(deletes_that_the_log_names_are_done),
		TEST(alarms_stand_on),
		TEST(a_lease_that_is_over_stays_over),
		TEST(a_shortage_chooses_no_poorer_source),
	};

	return cmocka_run_group_tests_name("restore", tests, NULL, NULL);
}
