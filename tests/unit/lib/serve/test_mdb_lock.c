/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/serve/mdb_lock.h"
#include "lib/base/status.h"

static char dir[] = "/tmp/livezone-unit-XXXXXX";
static char path[64];
static struct mdb_lock lock;

/* As LMDB itself makes it; the file is not open any more, so that it may be written to. */
static int
setup(void **state)
{
	MDB_env *env;

	(void)state;
	strcpy(dir, "/tmp/livezone-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, dir, MDB_NOSYNC, 0600), 0);
	mdb_env_close(env);
	assert_int_equal(mdb_lock_open(dir, &lock, NULL), STATUS_OK);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	mdb_lock_close(&lock);
	return unit_remove(dir);
}

static void
overwrite(off_t at, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
	close(fd);
}

static void
what_lmdb_writes_is_no_damage(void **state)
{
	static const uint8_t held[8] = { 1, 0, 0, 0, 0, 0, 0, 0 }, txn_id[8] = { 77 };
	static const uint8_t slot[64] = { 9, 9, 9 };

	(void)state;
	assert_int_equal(mdb_lock_check(&lock, NULL), STATUS_OK);
	overwrite(8, held, sizeof(held));
	overwrite(64, held, sizeof(held));
	overwrite(48, txn_id, sizeof(txn_id));
	overwrite(128, slot, sizeof(slot));
	assert_int_equal(mdb_lock_check(&lock, NULL), STATUS_OK);
}

static void
a_shorter_file_is_damaged(void **state)
{
	struct reason reason;

	(void)state;
	assert_int_equal(truncate(path, lock.size - 1), 0);
	assert_int_equal(mdb_lock_check(&lock, &reason), STATUS_CORRUPT);
	assert_string_equal(reason.text, "lock.mdb was truncated");
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(mdb_lock_check(&lock, NULL), STATUS_CORRUPT);
}

static void
an_overwritten_head_is_damaged(void **state)
{
	static const off_t places[] = { 0, 4, 24, 80 };
	static const uint8_t garbage[4] = { 0xaa, 0xaa, 0xaa, 0xaa };
	struct reason reason;
	uint8_t before[128];
	int fd = open(path, O_RDONLY);

	(void)state;
	assert_int_equal(read(fd, before, sizeof(before)), sizeof(before));
	close(fd);
	for (size_t i = 0; i < UNIT_COUNT(places); i++) {
		overwrite(places[i], garbage, sizeof(garbage));
		assert_int_equal(mdb_lock_check(&lock, &reason), STATUS_CORRUPT);
		assert_string_equal(reason.text, "lock.mdb was overwritten");
		overwrite(0, before, sizeof(before));
		assert_int_equal(mdb_lock_check(&lock, NULL), STATUS_OK);
	}
}

static void
one_that_is_not_watched_is_fine(void **state)
{
	const struct mdb_lock none = { .fd = -1 };

	(void)state;
	assert_int_equal(mdb_lock_check(&none, NULL), STATUS_OK);
	assert_int_equal(mdb_lock_open("/nonexistent", &(struct mdb_lock){ 0 }, NULL), STATUS_IO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_lmdb_writes_is_no_damage),
		TEST(a_shorter_file_is_damaged),
		TEST(an_overwritten_head_is_damaged),
		TEST(one_that_is_not_watched_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
