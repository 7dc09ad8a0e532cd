/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/serve/mdb_image.h"
#include "lib/base/status.h"

#define ENTRIES 3000
#define BIG 10000 /* more than a page */
#define SEEDS 3000

static char dir[64];
static uint8_t *file;
static size_t size;
static struct reason reason;

static void
put(MDB_txn *txn, MDB_dbi dbi, unsigned number, size_t len)
{
	static char bytes[BIG];
	char name[16];
	MDB_val key = { (size_t)snprintf(name, sizeof(name), "%c%06u", number % 2 ? 'A' : 'Z',
				number),
		name };
	MDB_val value = { len, bytes };

	memset(bytes, (int)(number & 0x7f), len);
	assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
}

/* Three commits, so that there is a list of free pages; some values have pages of their own. */
static void
make_file(void)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	unsigned round, i;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_mapsize(env, 64 << 20), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
	for (round = 0; round < 3; round++) {
		assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
		assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
		for (i = round; i < ENTRIES; i += round + 1)
			put(txn, dbi, i, i % 100 == 0 ? BIG : 20 + i % 50);
		assert_int_equal(mdb_txn_commit(txn), 0);
	}
	mdb_env_close(env);
}

static int
set_up(void **state)
{
	char path[96];
	FILE *stream;

	(void)state;
	strcpy(dir, "/tmp/livezone-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	make_file();
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	stream = fopen(path, "r");
	assert_non_null(stream);
	fseek(stream, 0, SEEK_END);
	size = (size_t)ftell(stream);
	rewind(stream);
	file = malloc(size);
	assert_int_equal(fread(file, 1, size, stream), size);
	fclose(stream);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	free(file);
	return unit_remove(dir);
}

struct seen {
	size_t count;
	uint8_t first, last;
};

static int
see(void *context, const struct mdb_image_text *key, const struct mdb_image_text *value,
	struct reason *why)
{
	struct seen *seen = context;

	(void)why;
	if (seen->count++ == 0)
		seen->first = key->at[0];
	seen->last = key->at[0];
	/* every byte that is given out must be there */
	return value->len > 0 && value->at[0] + value->at[value->len - 1] > 1000
		? STATUS_INVALID
		: STATUS_OK;
}

static int
verify(struct seen *seen)
{
	struct mdb_image image;
	int status = mdb_image_open(file, size, 0, &image, &reason);

	*seen = (struct seen){ 0 };
	return status == STATUS_OK ? mdb_image_verify(&image, see, seen, &reason) : status;
}

static void
test_what_lmdb_wrote_is_whole_and_is_read_in_order(void **state)
{
	struct seen seen;

	(void)state;
	assert_int_equal(verify(&seen), STATUS_OK);
	assert_int_equal(seen.count, ENTRIES);
	assert_int_equal(seen.first, 'A');
	assert_int_equal(seen.last, 'Z');
}

static void
test_a_range_of_tables_is_walked_alone(void **state)
{
	struct seen seen = { 0 };
	struct mdb_image image;

	(void)state;
	assert_int_equal(mdb_image_open(file, size, 0, &image, &reason), STATUS_OK);
	assert_int_equal(mdb_image_walk(&image, 'Z', 'Z', see, &seen, NULL, &reason), STATUS_OK);
	assert_int_equal(seen.count, ENTRIES / 2);
	assert_int_equal(seen.first, 'Z');
	seen = (struct seen){ 0 };
	assert_int_equal(mdb_image_walk(&image, 'B', 'Y', see, &seen, NULL, &reason), STATUS_OK);
	assert_int_equal(seen.count, 0);
}

/* The page whose header has this kind, from page 2 on. */
static uint8_t *
find_page(unsigned kind)
{
	size_t at;

	for (at = 2 * 4096; at + 4096 <= size; at += 4096)
		if (file[at + 10] == kind && file[at + 11] == 0)
			return file + at;
	return NULL;
}

static void
test_damage_of_the_structure_is_found(void **state)
{
	struct seen seen;
	struct mdb_image image;
	uint8_t *page;

	(void)state;
	assert_int_equal(mdb_image_open(file, size, 0, &image, &reason), STATUS_OK);
	page = file + image.tree[1].root * 4096;
	page[0] ^= 1;
	assert_int_equal(verify(&seen), STATUS_CORRUPT);
	assert_non_null(strstr(reason.text, "number of another page"));
	page[0] ^= 1;
	/* two children that are one */
	memcpy(page + (page[18] | page[19] << 8), page + (page[16] | page[17] << 8), 6);
	assert_int_equal(verify(&seen), STATUS_CORRUPT);
	assert_non_null(strstr(reason.text, "used twice"));
}

static void
test_a_file_that_is_cut_off_is_refused(void **state)
{
	size_t whole = size;
	struct seen seen;

	(void)state;
	for (size = 0; size < whole; size += 1000)
		assert_int_equal(verify(&seen), STATUS_CORRUPT);
	size = whole;
}

static void
test_nothing_is_left_of_less_than_a_page(void **state)
{
	struct mdb_image image;

	(void)state;
	/* so that page 0 is of a commit */
	assert_int_equal(mdb_image_open_damaged(file, 4096, &image, &reason), STATUS_OK);
	assert_int_equal(mdb_image_open_damaged(file, 4095, &image, &reason), STATUS_CORRUPT);
	assert_int_equal(mdb_image_open_damaged(file, 200, &image, &reason), STATUS_CORRUPT);
}

static void
test_what_is_left_of_a_damaged_file_is_walked(void **state)
{
	struct seen seen = { 0 };
	struct mdb_image image;
	uint64_t damaged;
	uint8_t *leaf;

	(void)state;
	assert_int_equal(mdb_image_open(file, size, 0, &image, &reason), STATUS_OK);
	for (leaf = find_page(2); leaf; leaf += 4096) {
		leaf[10] = 1;
		if (mdb_image_verify(&image, NULL, NULL, &reason) != STATUS_OK)
			break; /* one that is in use */
		leaf[10] = 2;
	}
	assert_non_null(leaf);
	assert_int_equal(
		mdb_image_walk(&image, 0, UINT8_MAX, see, &seen, &damaged, &reason), STATUS_OK);
	assert_int_equal(damaged, 1);
	assert_in_range(seen.count, ENTRIES - 200, ENTRIES - 1);
	assert_int_equal(
		mdb_image_walk(&image, 0, UINT8_MAX, see, &seen, NULL, &reason), STATUS_CORRUPT);
}

static int
stop(void *context, const struct mdb_image_text *key, const struct mdb_image_text *value,
	struct reason *why)
{
	unsigned *calls = context;

	(void)key, (void)value;
	++*calls;
	return reason_set(why, STATUS_CORRUPT, "of another file");
}

static void
test_a_walk_that_leaves_out_damage_ends_as_its_caller_says(void **state)
{
	struct mdb_image image;
	uint64_t damaged;
	unsigned calls = 0;

	(void)state;
	assert_int_equal(mdb_image_open(file, size, 0, &image, &reason), STATUS_OK);
	assert_int_equal(mdb_image_walk(&image, 0, UINT8_MAX, stop, &calls, &damaged, &reason),
		STATUS_CORRUPT);
	assert_int_equal(calls, 1);
	assert_int_equal(damaged, 0);
	assert_string_equal(reason.text, "of another file");
}

/* Nothing is read outside of the bytes that are there, whatever they say: for sanitizers. */
static void
test_any_bytes_can_be_walked(void **state)
{
	unsigned seed, i;

	(void)state;
	for (seed = 0; seed < SEEDS; seed++) {
		uint8_t old[8], *place[8];
		struct seen seen = { 0 };
		struct mdb_image image;
		uint64_t damaged;

		srand(seed);
		for (i = 0; i < 8; i++) {
			/* mostly where pages have their numbers */
			size_t page = (size_t)rand() % (size / 4096);

			place[i] = file + page * 4096
				+ (size_t)rand() % (seed % 4 == 0 ? 4096 : page < 2 ? 160 : 64);
			old[i] = *place[i];
			*place[i] = (uint8_t)rand();
		}
		if (mdb_image_open(file, size, 0, &image, &reason) == STATUS_OK) {
			mdb_image_verify(&image, see, &seen, &reason);
			mdb_image_walk(&image, 0, UINT8_MAX, see, &seen, &damaged, &reason);
		}
		for (i = 8; i-- > 0;)
			*place[i] = old[i];
	}
	test_what_lmdb_wrote_is_whole_and_is_read_in_order(state);
}

/* A commit overwrites bytes 32 to 152 of the older meta page; its number is the last of them.
 * The power failed after `words` of them: the page is of no commit, and nobody wants it. */
static void
test_a_meta_page_that_was_half_overwritten_does_not_hide_the_other_commit(void **state)
{
	struct mdb_image before, after;
	uint64_t beyond;
	size_t word;

	(void)state;
	assert_int_equal(mdb_image_open(file, size, 0, &before, &reason), STATUS_OK);
	assert_int_equal(before.txn_id % 2, 1); /* in page 1 */
	beyond = before.last_page + 7;
	for (word = 1; word < 14; word++) {
		memcpy(file + 32 + 8 * (word - 1), file + 4096 + 32 + 8 * (word - 1), 8);
		/* both roots are new pages, and the number of the last page is not there yet */
		if (word == 7 || word == 13)
			memcpy(file + 32 + 8 * (word - 1), &beyond, 8);
		assert_int_equal(mdb_image_open(file, size, 0, &after, &reason), STATUS_OK);
		assert_int_equal(after.txn_id, before.txn_id);
		assert_int_equal(
			mdb_image_verify(&after, NULL, NULL, &reason), STATUS_OK);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_what_lmdb_wrote_is_whole_and_is_read_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_range_of_tables_is_walked_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_damage_of_the_structure_is_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_file_that_is_cut_off_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_nothing_is_left_of_less_than_a_page, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_is_left_of_a_damaged_file_is_walked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_meta_page_that_was_half_overwritten_does_not_hide_the_other_commit,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_walk_that_leaves_out_damage_ends_as_its_caller_says, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_any_bytes_can_be_walked, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
