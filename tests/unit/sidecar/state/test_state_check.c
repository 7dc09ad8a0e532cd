/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/record.h"

#include <fcntl.h>
#include <signal.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/checksum.h"
#include "sidecar/state/state.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"

#define SIZE (16u << 20)
#define NAMES 300
#define SEEDS 1000
#define MORE_NAMES 2000

static char dir[64];
static uint8_t *file;
static size_t size;
static struct reason reason;

static void
put(struct state_txn *txn, const char *owner, uint16_t type, const char *source,
	uint64_t revision, bool has_lease)
{
	struct name_key zone = unit_key("live");
	struct state_record record = record_of(owner, type, source, revision);

	record.expires_ms = has_lease ? 1000000 + revision : 0;
	record.lease_ms = has_lease ? 1000 : 0;
	assert_int_equal(state_put(txn, &zone, &record, &reason), STATUS_OK);
}

/* Names of three sources, leases, wildcards, a log, an alarm; some went again. */
static void
fill(struct state *state)
{
	static const char *const sources[] = { "api", "nomad", "a" };
	struct state_log_item item = { .type = RRSET_A };
	struct state_txn *txn;
	unsigned i;

	for (i = 1; i <= NAMES; i++) {
		char owner[32];

		snprintf(owner, sizeof(owner), i % 50 == 0 ? "*.n%u.live" : "n%u.live", i);
		item.owner = unit_key(owner);
		item.deleted = i % 7 == 0;
		assert_int_equal(state_begin_write(state, &txn, &reason), STATUS_OK);
		put(txn, owner, RRSET_A, sources[i % 3], i, i % 5 == 0);
		if (i % 7 == 0)
			assert_int_equal(state_delete(txn, &(struct name_key){ 0 },
						 &item.owner, RRSET_A, i, &reason),
				STATUS_OK);
		assert_int_equal(state_log_append(txn, i, &item, 1, &reason), STATUS_OK);
		assert_int_equal(state_set_revision(txn, i, &reason), STATUS_OK);
		if (i == NAMES)
			assert_int_equal(
				state_raise_alarm(txn, "test", "a text", &reason), STATUS_OK);
		assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	}
}

static void
read_file(void)
{
	char path[96];
	struct stat stat;
	int fd;

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	fd = open(path, O_RDONLY);
	assert_int_equal(fstat(fd, &stat), 0);
	size = (size_t)stat.st_size;
	file = malloc(size);
	assert_int_equal(read(fd, file, size), size);
	close(fd);
}

static int
set_up(void **context)
{
	struct state *state;

	(void)context;
	strcpy(dir, "/tmp/livezone-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(state_open(dir, SIZE, &state, &reason), STATUS_OK);
	fill(state);
	state_close(state);
	read_file();
	return 0;
}

static int
tear_down(void **context)
{
	(void)context;
	free(file);
	return unit_remove(dir);
}

static void
write_file(size_t at, const void *bytes, size_t len)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, bytes, len, (off_t)at), len);
	close(fd);
}

static int
check(struct state_check *out)
{
	int status = state_check_begin(dir, out, &reason);

	if (status == STATUS_OK)
		status = state_check_run(out, &reason);
	return status;
}

static int
check_and_close(struct state_check *out)
{
	int status = check(out);

	state_check_end(out);
	return status;
}

/* A checksum over all that LMDB reads, or the end of the process. */
static uint32_t
read_all(const struct state_check *opened)
{
	uint32_t sum = 0xffffffffu;
	MDB_val key, value;
	MDB_cursor *cursor;

	if (mdb_cursor_open(opened->txn, opened->dbi, &cursor) != 0)
		_exit(EXIT_FAILURE);
	while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
		sum = checksum_crc32c_more(sum, key.mv_data, key.mv_size);
		sum = checksum_crc32c_more(sum, value.mv_data, value.mv_size);
	}
	mdb_cursor_close(cursor);
	return sum;
}

enum found {
	FOUND_DAMAGE,
	FOUND_NOTHING, /* and all reads as before */
	FOUND_WRONG,   /* called whole, and reads otherwise */
};

/* In a child, which the damage may crash. */
static enum found
check_in_child(uint32_t expected)
{
	const struct rlimit no_core = { 0, 0 };
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		static const int fatal[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV };
		struct state_check result;

		for (size_t i = 0; i < UNIT_COUNT(fatal); i++)
			signal(fatal[i], SIG_DFL); /* cmocka's would go on with the tests */
		setrlimit(RLIMIT_CORE, &no_core);
		alarm(20);
		if (check(&result) != STATUS_OK)
			_exit(FOUND_DAMAGE);
		_exit(read_all(&result) == expected ? FOUND_NOTHING : FOUND_WRONG);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? (enum found)WEXITSTATUS(status) : FOUND_DAMAGE;
}

static uint32_t
read_whole(void)
{
	struct state_check result;
	uint32_t sum;

	assert_int_equal(check(&result), STATUS_OK);
	sum = read_all(&result);
	state_check_end(&result);
	return sum;
}

static void
test_a_state_is_whole(void **context)
{
	struct state_check found;

	(void)context;
	if (check_and_close(&found) != STATUS_OK)
		fail_msg("%s", reason.text);
	assert_int_equal(found.meta.revision, NAMES);
	assert_int_equal(found.rrsets, NAMES - NAMES / 7);
}

/* livezoned, of which the checker is a child. */
static void
write_more(void)
{
	struct state_txn *txn;
	struct state *state;
	unsigned i;

	assert_int_equal(state_open(dir, SIZE, &state, &reason), STATUS_OK);
	assert_int_equal(state_begin_write(state, &txn, &reason), STATUS_OK);
	for (i = 1; i <= MORE_NAMES; i++) {
		char owner[32];

		snprintf(owner, sizeof(owner), "more%u.live", i);
		put(txn, owner, RRSET_A, "api", NAMES + 1, false);
	}
	assert_int_equal(state_set_revision(txn, NAMES + 1, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	state_close(state);
}

/* The commit that was there when it began is what is checked. */
static void
test_a_file_that_grows_meanwhile_is_whole(void **context)
{
	struct state_check found;
	pid_t child;

	(void)context;
	assert_int_equal(state_check_begin(dir, &found, &reason), STATUS_OK);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		write_more();
		_exit(EXIT_SUCCESS);
	}
	unit_wait_child(child);
	if (state_check_run(&found, &reason) != STATUS_OK)
		fail_msg("%s", reason.text);
	assert_int_equal(found.meta.revision, NAMES);
	state_check_end(&found);
	assert_int_equal(check_and_close(&found), STATUS_OK);
	assert_int_equal(found.meta.revision, NAMES + 1);
}

static void
test_a_file_that_is_cut_is_damaged(void **context)
{
	char path[96];

	(void)context;
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	assert_int_equal(truncate(path, (off_t)size / 2), 0);
	assert_int_equal(check_in_child(0), FOUND_DAMAGE);
}

static void
test_a_changed_byte_is_found_or_changes_nothing(void **context)
{
	const uint32_t expected = read_whole();
	size_t found = 0;
	unsigned seed;

	(void)context;
	for (seed = 0; seed < SEEDS; seed++) {
		size_t at;
		uint8_t changed;
		enum found what;

		srand(seed);
		at = 2 * 4096 + (size_t)rand() % (size - 2 * 4096);
		changed = file[at] ^ (uint8_t)(1 << rand() % 8);
		write_file(at, &changed, 1);
		what = check_in_child(expected);
		if (what == FOUND_WRONG)
			fail_msg("seed %u, byte %zu of page %zu", seed, at % 4096, at / 4096);
		found += what == FOUND_DAMAGE;
		write_file(at, &file[at], 1);
	}
	/* the file has free space and old pages, where a change is none */
	assert_in_range(found, SEEDS / 10, SEEDS);
	test_a_state_is_whole(context);
}

/* A page that was whole once, in the place of what it is now. */
static void
test_an_old_page_is_found_or_changes_nothing(void **context)
{
	uint8_t *old = file;
	size_t old_size = size, page, found = 0;
	struct state_txn *txn;
	struct state *state;
	uint32_t expected;

	(void)context;
	/* the data of each third name changes, and nothing that is counted */
	assert_int_equal(state_open(dir, SIZE, &state, &reason), STATUS_OK);
	for (unsigned i = 1; i <= NAMES; i += 3) {
		struct state_log_item item = { .type = RRSET_A };
		char owner[32];

		if (i % 7 == 0 || i % 50 == 0 || i % 5 == 0)
			continue;
		snprintf(owner, sizeof(owner), "n%u.live", i);
		item.owner = unit_key(owner);
		assert_int_equal(state_begin_write(state, &txn, &reason), STATUS_OK);
		put(txn, owner, RRSET_A, i % 3 == 1 ? "nomad" : "a", NAMES + i, false);
		assert_int_equal(
			state_log_append(txn, NAMES + i, &item, 1, &reason), STATUS_OK);
		assert_int_equal(state_set_revision(txn, NAMES + i, &reason), STATUS_OK);
		assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	}
	state_close(state);
	read_file();
	expected = read_whole();
	for (page = 2; page < old_size / 4096; page++) {
		enum found what;

		write_file(page * 4096, old + page * 4096, 4096);
		what = check_in_child(expected);
		if (what == FOUND_WRONG)
			fail_msg("page %zu", page);
		found += what == FOUND_DAMAGE;
		write_file(page * 4096, file + page * 4096, 4096);
	}
	assert_in_range(found, 3, old_size / 4096);
	free(old);
}

/* Every byte of what is stored: the RRset's key and value, and each of its index entries. */
static void
test_every_byte_of_a_record_is_covered(void **context)
{
	static const uint8_t label[] = { 4, 'n', '2', '8', '5' }; /* leased, of source "api" */
	const uint32_t expected = read_whole();
	size_t at, i, places = 0;

	(void)context;
	for (at = 2 * 4096; at + sizeof(label) <= size; at++) {
		uint8_t changed = file[at] ^ 1;
		bool is_live;

		if (memcmp(file + at, label, sizeof(label)) != 0)
			continue;
		/* old pages have it, too: only those count in which the first byte does */
		write_file(at, &changed, 1);
		is_live = check_in_child(expected) == FOUND_DAMAGE;
		write_file(at, &file[at], 1);
		if (!is_live)
			continue;
		places++;
		for (i = 0; i < sizeof(label); i++) {
			changed = file[at + i] ^ 0x20;
			write_file(at + i, &changed, 1);
			assert_int_equal(check_in_child(expected), FOUND_DAMAGE);
			write_file(at + i, &file[at + i], 1);
		}
	}
	assert_int_equal(places, 4); /* tables C, L, O, R */
	test_a_state_is_whole(context);
}

/* Through LMDB, as a fault of ours would do it. */
static void
change_entry(const void *key_bytes, size_t key_len, const void *value_bytes, size_t value_len)
{
	MDB_val key = { key_len, (void *)(uintptr_t)key_bytes };
	MDB_val value = { value_len, (void *)(uintptr_t)value_bytes };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_mapsize(env, SIZE), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	if (value_bytes)
		assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
	else
		assert_int_equal(mdb_del(txn, dbi, &key, NULL), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	free(file);
	read_file();
}

static void
test_an_index_that_does_not_agree_is_found(void **context)
{
	static const uint8_t owner[] = "O\3api\4live\4n285\0\0\1";
	static const uint8_t foreign[] = "x";
	struct state_check result;

	(void)context;
	change_entry(owner, sizeof(owner) - 1, NULL, 0);
	assert_int_equal(check_and_close(&result), STATUS_CORRUPT);
	assert_non_null(strstr(reason.text, "not those that were written"));
	change_entry(owner, sizeof(owner) - 1, "", 0);
	assert_int_equal(check_and_close(&result), STATUS_OK);
	change_entry(foreign, 1, foreign, 1);
	assert_int_equal(check_and_close(&result), STATUS_CORRUPT);
	assert_non_null(strstr(reason.text, "table ?"));
}

static void
test_a_file_that_is_no_state_is_left_alone(void **context)
{
	struct state_check result;

	(void)context;
	change_entry("M", 1, NULL, 0);
	assert_int_equal(check_and_close(&result), STATUS_NOT_FOUND);
	memset(file, 0, 4096);
	write_file(0, file, 4096);
	assert_int_equal(check_and_close(&result), STATUS_CORRUPT);
}

static void
delete(struct state_txn *txn, const char *owner)
{
	struct name_key live = unit_key("live"), key = unit_key(owner);

	assert_int_equal(state_delete(txn, &live, &key, RRSET_A, NAMES, &reason), STATUS_OK);
}

/* Many names that came and went in one commit: LMDB writes none of their pages. */
static void
test_a_state_without_its_last_free_pages_is_in_order(void **context)
{
	struct state_check check;
	struct state *state;
	struct state_txn *txn;
	MDB_envinfo info;
	char owner[32];

	(void)context;
	assert_int_equal(state_open(dir, SIZE, &state, &reason), STATUS_OK);
	assert_int_equal(state_begin_write(state, &txn, &reason), STATUS_OK);
	for (unsigned i = 0; i < MORE_NAMES; i++) {
		snprintf(owner, sizeof(owner), "more%07u.live", i);
		put(txn, owner, RRSET_A, "api", NAMES, false);
	}
	for (unsigned i = MORE_NAMES; i-- > 0;) {
		snprintf(owner, sizeof(owner), "more%07u.live", i);
		delete(txn, owner);
	}
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	state_close(state);
	free(file);
	read_file();
	assert_int_equal(state_check_begin(dir, &check, &reason), STATUS_OK);
	assert_int_equal(mdb_env_info(check.env, &info), 0);
	assert_true(size / 4096 <= info.me_last_pgno);
	if (state_check_run(&check, &reason) != STATUS_OK)
		fail_msg("%s", reason.text);
	state_check_end(&check);
	assert_int_equal(state_open(dir, SIZE, &state, &reason), STATUS_OK);
	state_close(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_state_is_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_file_that_grows_meanwhile_is_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_state_without_its_last_free_pages_is_in_order, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_file_that_is_cut_is_damaged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_changed_byte_is_found_or_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_an_old_page_is_found_or_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_every_byte_of_a_record_is_covered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_an_index_that_does_not_agree_is_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_file_that_is_no_state_is_left_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
