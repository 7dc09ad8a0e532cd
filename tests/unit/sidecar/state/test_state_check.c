/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/record.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/serve/mdb_image.h"
#include "sidecar/state/state.h"
#include "sidecar/state/state_check.h"
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

static int
check(struct state_check *out)
{
	struct mdb_image image;
	int status = mdb_image_open(file, size, 0, &image, &reason);

	return status == STATUS_OK ? state_check_image(&image, out, &reason) : status;
}

static void
test_a_state_is_whole(void **context)
{
	struct state_check found;

	(void)context;
	assert_int_equal(check(&found), STATUS_OK);
	assert_int_equal(found.revision, NAMES);
	assert_int_equal(found.rrsets, NAMES - NAMES / 7);
	assert_int_equal(state_check_directory(dir, &found, &reason), STATUS_OK);
	assert_int_equal(found.revision, NAMES);
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

/* The C library's, with a commit in between: the size of the file is known, its meta pages
 * are not read yet. */
static unsigned commits_to_come;

int
madvise(void *bytes, size_t len, int advice)
{
	pid_t child;

	(void)bytes, (void)len, (void)advice;
	if (commits_to_come == 0)
		return 0;
	commits_to_come--;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		write_more();
		_exit(EXIT_SUCCESS);
	}
	unit_wait_child(child);
	return 0;
}

static void
test_a_file_that_grows_meanwhile_is_whole(void **context)
{
	struct state_check found;
	int status;

	(void)context;
	commits_to_come = 1;
	status = state_check_directory(dir, &found, &reason);
	if (status != STATUS_OK)
		fail_msg("%s", reason.text);
	assert_int_equal(commits_to_come, 0);
	assert_int_equal(found.revision, NAMES + 1);
}

static void
test_a_file_that_is_cut_is_damaged(void **context)
{
	struct state_check found;
	char path[96];

	(void)context;
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	assert_int_equal(truncate(path, (off_t)size / 2), 0);
	assert_int_equal(state_check_directory(dir, &found, &reason), STATUS_CORRUPT);
}

/* Is the byte in a page of the tree, below its header and above its free space? */
static size_t
changed_and_found(size_t *out_changed)
{
	size_t found = 0;
	unsigned seed;

	*out_changed = 0;
	for (seed = 0; seed < SEEDS; seed++) {
		struct state_check result;
		size_t at;
		uint8_t old;

		srand(seed);
		at = 2 * 4096 + (size_t)rand() % (size - 2 * 4096);
		old = file[at];
		file[at] ^= (uint8_t)(1 << rand() % 8);
		++*out_changed;
		found += check(&result) != STATUS_OK;
		file[at] = old;
	}
	return found;
}

/* LMDB's answers with and without a changed byte: equal, or the check has found it. */
static void
test_a_changed_byte_is_found_or_changes_nothing(void **context)
{
	size_t changed, found = changed_and_found(&changed);

	(void)context;
	/* the file has free space and old pages, where a change is none */
	assert_in_range(found, changed / 10, changed);
	test_a_state_is_whole(context);
}

/* Every byte of what is stored: the RRset's key and value, and each of its index entries. */
static void
test_every_byte_of_a_record_is_covered(void **context)
{
	static const uint8_t label[] = { 4, 'n', '2', '8', '5' }; /* leased, of source "api" */
	struct state_check result;
	size_t at, i, places = 0;

	(void)context;
	for (at = 2 * 4096; at + sizeof(label) <= size; at++) {
		if (memcmp(file + at, label, sizeof(label)) != 0)
			continue;
		/* old pages have it, too: only those count in which the first byte does */
		file[at] ^= 1;
		if (check(&result) == STATUS_OK) {
			file[at] ^= 1;
			continue;
		}
		file[at] ^= 1;
		places++;
		for (i = 0; i < sizeof(label); i++) {
			file[at + i] ^= 0x20;
			assert_int_equal(check(&result), STATUS_CORRUPT);
			file[at + i] ^= 0x20;
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
	assert_int_equal(check(&result), STATUS_CORRUPT);
	assert_non_null(strstr(reason.text, "RRsets"));
	change_entry(owner, sizeof(owner) - 1, "", 0);
	assert_int_equal(check(&result), STATUS_OK);
	change_entry(foreign, 1, foreign, 1);
	assert_int_equal(check(&result), STATUS_CORRUPT);
	assert_non_null(strstr(reason.text, "of no table"));
}

static void
test_a_zone_that_counts_wrong_is_counted_anew(void **context)
{
	struct state_check result;
	struct state_txn *txn;
	struct state *state;
	const struct name_key owner = unit_key("n1.live");

	(void)context;
	assert_int_equal(state_open(dir, SIZE, &state, &reason), STATUS_OK);
	assert_int_equal(state_begin_write(state, &txn, &reason), STATUS_OK);
	/* deleted without its zone, as a change of zones does that had no room to be counted */
	assert_int_equal(state_delete(txn, NULL, &owner, RRSET_A, NAMES, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	state_close(state);
	free(file);
	read_file();
	assert_int_equal(check(&result), STATUS_OK);
	assert_true(result.must_recount);
}

static void
test_a_file_that_is_no_state_is_left_alone(void **context)
{
	struct state_check result;

	(void)context;
	change_entry("M", 1, NULL, 0);
	assert_int_equal(check(&result), STATUS_FOREIGN);
	memset(file, 0, 4096);
	assert_int_equal(check(&result), STATUS_CORRUPT);
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
	struct mdb_image image;
	struct state *state;
	struct state_txn *txn;
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
	assert_int_equal(mdb_image_open(file, size, 0, &image, &reason), STATUS_OK);
	assert_true(image.pages <= image.last_page);
	if (state_check_directory(dir, &check, &reason) != STATUS_OK)
		fail_msg("%s", reason.text);
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
			test_every_byte_of_a_record_is_covered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_an_index_that_does_not_agree_is_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_zone_that_counts_wrong_is_counted_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_file_that_is_no_state_is_left_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
