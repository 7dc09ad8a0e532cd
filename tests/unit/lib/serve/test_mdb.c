/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/serve/mdb.h"
#include "lib/base/status.h"

#define PAGE 4096

static char root[64], dir[80];
static struct reason reason;

/* "<dir>/<name>", good until the next call. */
static const char *
path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* An environment of two commits, closed. */
static int
setup(void **state)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	(void)state;
	strcpy(root, "/tmp/livezone-mdb-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(dir, sizeof(dir), "%s/env", root);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
	for (unsigned i = 0; i < 2; i++) {
		MDB_val value = { sizeof(i), &i };

		assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
		assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
		assert_int_equal(mdb_put(txn, dbi, &value, &value, 0), 0);
		assert_int_equal(mdb_txn_commit(txn), 0);
	}
	mdb_env_close(env);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return unit_remove(root);
}

static void
make_empty(const char *name)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void
patch(off_t at, const void *bytes, size_t len)
{
	int fd = open(path_of("data.mdb"), O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
	close(fd);
}

static void
assert_says(const char *text)
{
	if (!strstr(reason.text, text))
		fail_msg("\"%s\", not \"%s\"", reason.text, text);
}

static void
codes_are_translated(void **state)
{
	static const struct {
		int code, status;
	} rows[] = {
		{ 0, STATUS_OK },
		{ MDB_NOTFOUND, STATUS_NOT_FOUND },
		{ ENOENT, STATUS_NOT_FOUND },
		{ MDB_MAP_FULL, STATUS_FULL },
		{ MDB_TXN_FULL, STATUS_FULL },
		{ ENOSPC, STATUS_FULL },
		{ EDQUOT, STATUS_FULL },
		{ MDB_INVALID, STATUS_FOREIGN },
		{ MDB_VERSION_MISMATCH, STATUS_FOREIGN },
		{ MDB_CORRUPTED, STATUS_CORRUPT },
		{ MDB_PAGE_NOTFOUND, STATUS_CORRUPT },
		{ MDB_BAD_VALSIZE, STATUS_CORRUPT },
		{ MDB_READERS_FULL, STATUS_UNAVAILABLE },
		{ MDB_MAP_RESIZED, STATUS_UNAVAILABLE },
		{ EAGAIN, STATUS_UNAVAILABLE },
		{ ENOMEM, STATUS_NO_MEMORY },
		{ EIO, STATUS_IO },
		{ EACCES, STATUS_IO },
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++)
		assert_int_equal(status_from_mdb(rows[i].code), rows[i].status);
	assert_int_equal(status_from_mdb_reason(MDB_MAP_FULL, "here", &reason), STATUS_FULL);
	assert_says("here: MDB_MAP_FULL");
}

static void
another_file_is_told_from_a_shorter_one(void **state)
{
	struct mdb_files before, now;
	char moved[128];

	(void)state;
	assert_int_equal(mdb_files_stat(dir, &before, &reason), STATUS_OK);
	assert_int_equal(before.data_size % PAGE, 0);
	assert_int_equal(mdb_files_compare(&before, &before, &reason), STATUS_OK);
	now = before;
	now.data_size += PAGE;
	assert_int_equal(mdb_files_compare(&before, &now, &reason), STATUS_OK);
	assert_int_equal(mdb_files_compare(&now, &before, &reason), STATUS_CORRUPT);
	assert_says("data.mdb was truncated");
	now = before;
	now.lock_size -= 64;
	assert_int_equal(mdb_files_compare(&before, &now, &reason), STATUS_CORRUPT);
	assert_says("lock.mdb was truncated");
	/* the lock alone, then the data too */
	snprintf(moved, sizeof(moved), "%s/moved", root);
	assert_int_equal(rename(path_of("lock.mdb"), moved), 0);
	assert_int_equal(mdb_files_stat(dir, &now, &reason), STATUS_NOT_FOUND);
	make_empty("lock.mdb");
	assert_int_equal(mdb_files_stat(dir, &now, &reason), STATUS_OK);
	assert_int_equal(mdb_files_compare(&before, &now, &reason), STATUS_CORRUPT);
	assert_says("lock.mdb was replaced");
	assert_int_equal(rename(path_of("data.mdb"), moved), 0);
	make_empty("data.mdb");
	assert_int_equal(mdb_files_stat(dir, &now, &reason), STATUS_OK);
	assert_int_equal(mdb_files_compare(&before, &now, &reason), STATUS_FOREIGN);
	assert_says("data.mdb was replaced");
}

static void
only_regular_files_are_looked_at(void **state)
{
	struct mdb_files files;

	(void)state;
	assert_int_equal(mdb_files_check(dir, &reason), STATUS_OK);
	assert_int_equal(unlink(path_of("data.mdb")), 0);
	assert_int_equal(mdb_files_check(dir, &reason), STATUS_NOT_FOUND);
	/* a FIFO would be waited for */
	assert_int_equal(mkfifo(path_of("data.mdb"), 0600), 0);
	assert_int_equal(mdb_files_check(dir, &reason), STATUS_FOREIGN);
	assert_int_equal(mdb_files_stat(dir, &files, &reason), STATUS_FOREIGN);
	assert_says("not a regular file");
	assert_int_equal(unlink(path_of("data.mdb")), 0);
	assert_int_equal(mkdir(path_of("data.mdb"), 0700), 0);
	assert_int_equal(mdb_files_check(dir, &reason), STATUS_FOREIGN);
}

/* In a process of its own: LMDB must not have one environment open twice in a process. */
static int
grow_in_many_commits(void)
{
	static uint8_t page[PAGE];
	MDB_val value = { sizeof(page), page };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	if (mdb_env_create(&env) != 0 || mdb_env_set_mapsize(env, 64 << 20) != 0
		|| mdb_env_open(env, dir, MDB_NOSYNC, 0600) != 0)
		return 1;
	for (unsigned i = 0; i < 4000; i++) {
		MDB_val key = { sizeof(i), &i };

		if (mdb_txn_begin(env, NULL, 0, &txn) != 0
			|| mdb_dbi_open(txn, NULL, 0, &dbi) != 0
			|| mdb_put(txn, dbi, &key, &value, 0) != 0 || mdb_txn_commit(txn) != 0)
			return 1;
	}
	return 0;
}

static void
a_file_that_grows_is_in_order(void **state)
{
	int outcome = 0;
	unsigned looks = 0;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(grow_in_many_commits());
	while (waitpid(child, &outcome, WNOHANG) == 0) {
		int status = mdb_files_check(dir, &reason);

		if (status != STATUS_OK)
			fail_msg("look %u: %s", looks, reason.text);
		looks++;
	}
	assert_int_equal(outcome, 0);
	assert_true(looks > 0);
}

#define PASSING 500

/* Puts many beside those that stay, and deletes them from behind, in one commit: LMDB does not
 * write the pages that it took for them at the end. */
static void
leave_free_pages_at_the_end(void)
{
	static uint8_t bytes[345];
	struct stat file;
	MDB_envinfo info;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
	for (unsigned commits = 0; commits < 4; commits++) {
		bool is_last = commits == 3;

		assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
		assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
		for (unsigned i = 0; i < PASSING; i++) {
			uint32_t number = htobe32(is_last ? 2 * PASSING + i : PASSING + i);
			MDB_val key = { sizeof(number), &number }, value = { sizeof(bytes), bytes };

			assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
		}
		for (unsigned i = PASSING; is_last && i-- > 0;) {
			uint32_t number = htobe32(2 * PASSING + i);
			MDB_val key = { sizeof(number), &number };

			assert_int_equal(mdb_del(txn, dbi, &key, NULL), 0);
		}
		assert_int_equal(mdb_txn_commit(txn), 0);
	}
	assert_int_equal(mdb_env_info(env, &info), 0);
	mdb_env_close(env);
	assert_int_equal(stat(path_of("data.mdb"), &file), 0);
	assert_true((uint64_t)file.st_size < (info.me_last_pgno + 1) * PAGE);
}

static char copy[128]; /* the file that open_both makes */

static void
open_both(int mode, int *out_from, int *out_to)
{
	snprintf(copy, sizeof(copy), "%s/copy", root);
	*out_from = open(path_of("data.mdb"), mode);
	*out_to = open(copy, O_RDWR | O_CREAT | O_EXCL, 0600);
}

static uint64_t
newest_commit(void)
{
	MDB_envinfo info;
	MDB_env *env;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, dir, MDB_RDONLY, 0), 0);
	assert_int_equal(mdb_env_info(env, &info), 0);
	mdb_env_close(env);
	return info.me_last_txnid;
}

static void
a_file_without_its_last_free_pages_is_in_order(void **state)
{
	struct mdb_commit commit;
	int from, to;

	(void)state;
	leave_free_pages_at_the_end();
	if (mdb_files_check(dir, &reason) != STATUS_OK)
		fail_msg("%s", reason.text);
	open_both(O_RDWR, &from, &to);
	assert_int_equal(mdb_commit_read(from, newest_commit(), &commit, &reason), STATUS_OK);
	assert_int_equal(mdb_commit_write_meta(&commit, to, &reason), STATUS_OK);
	assert_int_equal(mdb_commit_copy(&commit, from, to, NULL, &reason), STATUS_OK);
	close(from);
	close(to);
}

static void
what_lmdb_must_not_open_is_refused(void **state)
{
	static const uint32_t magic = 0xbeefc0de, version = 999, odd = 4095;
	static const struct {
		off_t size;
		const char *says;
	} cuts[] = {
		{ 0, "shorter than a page" },
		{ 100, "shorter than a page" },
		{ PAGE, "shorter than two pages" },
		{ 2 * PAGE, "is in use" },
	};

	(void)state;
	/* offsets of MDB_meta behind a page header of 16 bytes */
	patch(20, &version, sizeof(version));
	patch(4096 + 20, &version, sizeof(version));
	assert_int_equal(mdb_files_check(dir, &reason), STATUS_FOREIGN);
	assert_says("LMDB data format 999");
	patch(20, "\1\0\0\0", 4);
	patch(4096 + 20, "\1\0\0\0", 4);
	assert_int_equal(mdb_files_check(dir, &reason), STATUS_OK);
	patch(16, "none", 4);
	assert_int_equal(mdb_files_check(dir, &reason), STATUS_CORRUPT);
	assert_says("not an LMDB file");
	patch(16, &magic, sizeof(magic));
	patch(40, &odd, sizeof(odd));
	assert_int_equal(mdb_files_check(dir, &reason), STATUS_CORRUPT);
	assert_says("page size 4095");
	patch(40, "\0\x10\0\0", 4);
	for (size_t i = UNIT_COUNT(cuts); i-- > 0;) {
		assert_int_equal(truncate(path_of("data.mdb"), cuts[i].size), 0);
		assert_int_equal(mdb_files_check(dir, &reason), STATUS_CORRUPT);
		assert_says(cuts[i].says);
	}
}

static void
a_commit_can_be_copied_and_opened(void **state)
{
	struct mdb_commit commit;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	unsigned key = 1;
	MDB_val wanted = { sizeof(key), &key }, value;
	int from, to;

	(void)state;
	open_both(O_RDONLY, &from, &to);
	/* a commit that is no longer, or not yet, the newest */
	assert_int_equal(mdb_commit_read(from, 1, &commit, &reason), STATUS_UNAVAILABLE);
	assert_int_equal(mdb_commit_read(from, 4, &commit, &reason), STATUS_UNAVAILABLE);
	assert_int_equal(mdb_commit_read(from, 2, &commit, &reason), STATUS_OK);
	assert_int_equal(commit.page_size, PAGE);
	assert_int_equal(mdb_commit_write_meta(&commit, to, &reason), STATUS_OK);
	assert_int_equal(mdb_commit_copy(&commit, from, to, NULL, &reason), STATUS_OK);
	close(from);
	close(to);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, copy, MDB_RDONLY | MDB_NOSUBDIR | MDB_NOLOCK, 0), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	assert_int_equal(mdb_get(txn, dbi, &wanted, &value), 0);
	assert_memory_equal(value.mv_data, &key, sizeof(key));
	mdb_txn_abort(txn);
	mdb_env_close(env);
}

static void
a_file_that_shrinks_is_no_copy(void **state)
{
	struct mdb_commit commit;
	int from, to;

	(void)state;
	open_both(O_RDWR, &from, &to);
	assert_int_equal(mdb_commit_read(from, 2, &commit, &reason), STATUS_OK);
	assert_int_equal(ftruncate(from, 2 * PAGE), 0);
	assert_int_equal(mdb_commit_write_meta(&commit, to, &reason), STATUS_OK);
	assert_int_equal(mdb_commit_copy(&commit, from, to, NULL, &reason), STATUS_CORRUPT);
	close(from);
	close(to);
}

static bool
yes(void)
{
	return true;
}

static void
a_copy_can_be_given_up(void **state)
{
	struct mdb_commit commit;
	int from, to;

	(void)state;
	open_both(O_RDONLY, &from, &to);
	assert_int_equal(mdb_commit_read(from, 2, &commit, &reason), STATUS_OK);
	assert_int_equal(
		mdb_commit_copy(&commit, from, to, &yes, &reason), STATUS_UNAVAILABLE);
	close(from);
	close(to);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_translated),
		TEST(another_file_is_told_from_a_shorter_one),
		TEST(only_regular_files_are_looked_at),
		TEST(a_file_that_grows_is_in_order),
		TEST(a_file_without_its_last_free_pages_is_in_order),
		TEST(what_lmdb_must_not_open_is_refused),
		TEST(a_commit_can_be_copied_and_opened),
		TEST(a_file_that_shrinks_is_no_copy),
		TEST(a_copy_can_be_given_up),
	};

	return cmocka_run_group_tests_name("mdb", tests, NULL, NULL);
}
