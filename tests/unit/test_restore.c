/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* Restores from files that were prepared: each test damages what set_up and itself wrote. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/state.h"
#include "lib/state_check.h"
#include "lib/state_file.h"
#include "lib/status.h"
#include "lib/store_writer.h"
#include "sidecar/backup_make.h"
#include "sidecar/recover.h"
#include "sidecar/restore.h"

#define SIZE (16u << 20)
#define PAGE 4096

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
	char command[96];

	(void)context;
	state_close(state);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

/* --- before the damage --- */

static const uint8_t rdata[] = { 0, 4, 10, 0, 0, 5 };

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
put(const char *owner, uint64_t revision)
{
	struct state_record record = {
		.rrset = { .owner = unit_key(owner),
			.type = RRSET_A,
			.count = 1,
			.ttl = 5,
			.rdata_len = sizeof(rdata),
			.rdata = rdata },
		.revision = revision,
		.source_len = 2,
		.source = "ci",
	};
	struct state_txn *txn;

	assert_int_equal(state_begin_write(state, &txn, &reason), STATUS_OK);
	assert_int_equal(state_put(txn, &zone.key, &record, &reason), STATUS_OK);
	end_write(txn, revision, false, owner);
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

/* --- the damage --- */

/* One value, while state is closed: another last byte. */
static void
damage_value(const void *name, size_t len)
{
	uint8_t bytes[512];
	MDB_val key = { len, (void *)(uintptr_t)name }, value;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_mapsize(env, SIZE), 0);
	assert_int_equal(mdb_env_open(env, state_dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	assert_int_equal(mdb_get(txn, dbi, &key, &value), 0);
	assert_in_range(value.mv_size, 1, sizeof(bytes));
	memcpy(bytes, value.mv_data, value.mv_size);
	bytes[value.mv_size - 1] ^= 0x20;
	value.mv_data = bytes;
	assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
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
	damage_value("M", 1);
	restore();
	assert_true(result.revision > 5000);
	assert_true(has("a.live") && has("b.live"));
	assert_said("restored from the backup livezone-00000001-r3.jsonl", true);
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
	damage_value("M", 1);
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
		TEST(a_shortage_chooses_no_poorer_source),
	};

	return cmocka_run_group_tests_name("restore", tests, NULL, NULL);
}
