/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/serve.h"

#include <lmdb.h>

#include "lib/serve/layout.h"

#define NAMES 200
#define ROUNDS 40 /* LIVEZONE_TEST_LONG: 10,000 */
#define STEPS 300

static struct serve serve;
static bool is_there[NAMES];
static uint64_t seed;

/* Knuth, TAOCP volume 2, section 3.3.4, line 26. */
static uint32_t
next_random(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33);
}

static const char *
name_of(unsigned number)
{
	static char text[64];

	snprintf(text, sizeof(text), "n%u.s%u.live", number / 2, number % 3);
	return text;
}

static void
put(unsigned number)
{
	static uint8_t rdata[2 + 6000];
	/* now and then one on overflow pages */
	size_t len = next_random() % 16 == 0 ? 6000 : 4;
	struct node_rrset set = { .type = RRSET_A, .count = 1, .ttl = 5, .rdata = rdata };

	rdata[0] = (uint8_t)(len >> 8);
	rdata[1] = (uint8_t)len;
	set.rdata_len = (uint32_t)(2 + len);
	serve_put(&serve, name_of(number), &set, 1);
	is_there[number] = true;
}

static void
take_away(unsigned number)
{
	struct name_key key = unit_key(name_of(number));

	assert_int_equal(serve_writer_delete(serve.txn, &key, NULL), STATUS_OK);
	is_there[number] = false;
}

static size_t
entries(void)
{
	MDB_stat stat;

	mdb_stat(serve.txn->txn, serve.txn->dbi, &stat);
	return stat.ms_entries;
}

static void
check_all(void)
{
	size_t expected = 1; /* the meta record */
	struct node node;

	for (unsigned i = 0; i < NAMES; i++) {
		struct name_key key = unit_key(name_of(i));

		expected += is_there[i];
		assert_int_equal(serve_find(serve.txn, &key, &node),
			is_there[i] ? SERVE_EXACT : SERVE_NONE);
	}
	assert_int_equal(entries(), expected);
}

static int
setup(void **state)
{
	(void)state;
	memset(is_there, 0, sizeof(is_there));
	serve_init(&serve);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	serve_done(&serve);
	return 0;
}

static void
an_empty_store_has_no_name(void **state)
{
	struct name_key root = { 0 };
	struct node node;

	(void)state;
	check_all();
	assert_int_equal(serve_find(serve.txn, &root, &node), SERVE_NONE);
	assert_int_equal(serve_find_below(serve.txn, &root), SERVE_NONE);
}

static void
puts_and_deletes_in_any_order_are_found(void **state)
{
	size_t rounds = getenv("LIVEZONE_TEST_LONG") ? 10000 : ROUNDS;

	(void)state;
	for (size_t round = 1; round <= rounds; round++) {
		seed = round;
		for (size_t i = 0; i < STEPS; i++) {
			unsigned number = next_random() % NAMES;

			if (next_random() % 5 < 2)
				take_away(number);
			else
				put(number);
		}
		check_all();
		assert_int_equal(serve_writer_commit(serve.txn, NULL), STATUS_OK);
		assert_int_equal(
			serve_writer_begin(serve.writer, &serve.txn, NULL), STATUS_OK);
	}
}

/* Half-full pages would be twice the memory, of serve and of each copy. */
static void
a_bulk_in_order_fills_its_pages(void **state)
{
	struct node_rrset set = { .type = RRSET_A, .count = 1, .ttl = 5,
		.rdata = (const uint8_t *)"\0\4\12\0\0\1", .rdata_len = 6 };
	size_t bytes = 0, names = 20000;
	MDB_stat stat;

	(void)state;
	for (unsigned i = 0; i < names; i++) {
		char text[64];

		snprintf(text, sizeof(text), "h%07u.bench.live", i);
		serve_put(&serve, text, &set, 1);
		/* of LMDB 8 and 2 for each entry */
		bytes += 1u + unit_key(text).len + node_size(&set, 1) + 8 + 2;
	}
	mdb_stat(serve.txn->txn, serve.txn->dbi, &stat);
	assert_int_equal(stat.ms_entries, names + 1);
	assert_true(stat.ms_leaf_pages * stat.ms_psize < bytes * 11 / 10);
}

static void
the_schema_before_is_foreign(void **state)
{
	uint8_t meta[SERVE_META_SIZE] = { 0, 0, 0, 0, 'L', 'Z', 'S', '2' };
	MDB_val key = { 1, SERVE_META_KEY }, value = { sizeof(meta), meta };
	struct serve_meta out;
	struct reason reason;

	(void)state;
	assert_int_equal(mdb_put(serve.txn->txn, serve.txn->dbi, &key, &value, 0), 0);
	assert_int_equal(serve_read_meta(serve.txn, &out, &reason), STATUS_FOREIGN);
	assert_non_null(strstr(reason.text, "LZS2"));
	assert_non_null(strstr(reason.text, "LZS3"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_store_has_no_name),
		TEST(puts_and_deletes_in_any_order_are_found),
		TEST(a_bulk_in_order_fills_its_pages),
		TEST(the_schema_before_is_foreign),
	};

	return cmocka_run_group_tests_name("serve_writer", tests, NULL, NULL);
}
