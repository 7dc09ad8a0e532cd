/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/serve.h"

#include "lib/serve/chain.h"
#include "lib/serve/walk.h"

#define NAMES 200
#define ROUNDS 40 /* LIVEZONE_TEST_LONG: 10,000 */
#define STEPS 300

static struct serve serve;
static bool is_there[NAMES];
static size_t walked;
static uint64_t seed;

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

static int
count_node(void *context, const struct name_key *key, const struct node *node)
{
	(void)context, (void)key, (void)node;
	walked++;
	return STATUS_OK;
}

static void
check_all(void)
{
	size_t expected = 0;
	struct node node;

	for (unsigned i = 0; i < NAMES; i++) {
		struct name_key key = unit_key(name_of(i));

		expected += is_there[i];
		assert_int_equal(serve_find(serve.txn, &key, &node),
			is_there[i] ? SERVE_EXACT : SERVE_NONE);
	}
	walked = 0;
	assert_int_equal(serve_walk(serve.txn, &count_node, NULL, NULL), STATUS_OK);
	assert_int_equal(walked, expected);
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
an_empty_store_proves_that_nothing_is_there(void **state)
{
	struct name_key root = { 0 };
	struct node node;

	(void)state;
	check_all();
	assert_int_equal(serve_find(serve.txn, &root, &node), SERVE_NONE);
}

static void
puts_and_deletes_in_any_order_keep_the_chain(void **state)
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

static void
a_bulk_in_order_makes_the_same_chain(void **state)
{
	struct name_key key;

	(void)state;
	/* in the order of the keys, as a rebuild writes them */
	for (unsigned s = 0; s < 3; s++)
		for (char first = 'a'; first <= 'z'; first++) {
			char text[] = "x.s0.live";
			uint8_t rdata[] = { 0, 4, 10, 0, 0, 1 };
			struct node_rrset set = { .type = RRSET_A, .count = 1, .ttl = 5,
				.rdata = rdata, .rdata_len = sizeof(rdata) };

			text[0] = first;
			text[3] = (char)('0' + s);
			serve_put(&serve, text, &set, 1);
		}
	walked = 0;
	assert_int_equal(serve_walk(serve.txn, &count_node, NULL, NULL), STATUS_OK);
	assert_int_equal(walked, 3 * 26);
	/* and a delete in the middle of it, right behind a put */
	key = unit_key("m.s1.live");
	assert_int_equal(serve_writer_delete(serve.txn, &key, NULL), STATUS_OK);
	assert_int_equal(serve_walk(serve.txn, &count_node, NULL, NULL), STATUS_OK);
}

/* Changes the bytes of an entry behind the writer's back. */
static void
overwrite(const void *key, size_t key_len, const void *value, size_t len)
{
	MDB_val at = { .mv_data = (void *)(uintptr_t)key, .mv_size = key_len };
	MDB_val data = { .mv_data = (void *)(uintptr_t)value, .mv_size = len };

	assert_int_equal(mdb_put(serve.txn->txn, serve.txn->dbi, &at, &data, 0), 0);
	serve.txn->tail->link = NULL;
}

static void
a_broken_chain_is_noticed_by_whoever_comes_there(void **state)
{
	struct name_key before = unit_key("a.live"), after = unit_key("c.live");
	struct name_key between = unit_key("b.live");
	uint8_t rdata[] = { 0, 4, 10, 0, 0, 1 }, *value;
	struct node_rrset set = { .type = RRSET_A, .count = 1, .ttl = 5, .rdata = rdata,
		.rdata_len = sizeof(rdata) };
	struct node node;

	(void)state;
	serve_put(&serve, "a.live", &set, 1);
	serve_put(&serve, "c.live", &set, 1);
	overwrite("M~", 2, "\1\2\3\4", 4);
	assert_int_equal(serve_find(serve.txn, &between, &node), SERVE_NONE);
	before.bytes[before.len - 1] = 'Z'; /* less than "a" */
	assert_int_equal(serve_find(serve.txn, &before, &node), STATUS_CORRUPT);
	assert_int_equal(serve_writer_delete(serve.txn, &before, NULL), STATUS_CORRUPT);
	assert_int_equal(
		serve_writer_reserve(serve.txn, &before, 20, &value, NULL), STATUS_CORRUPT);
	assert_int_equal(serve_walk(serve.txn, &count_node, NULL, NULL), STATUS_CORRUPT);
	/* the entry that is there is found all the same */
	assert_int_equal(serve_find(serve.txn, &after, &node), SERVE_EXACT);
}

static void
a_name_that_was_lost_is_not_absent(void **state)
{
	struct name_key lost = unit_key("b.live");
	uint8_t bytes[SERVE_KEY_MAX], rdata[] = { 0, 4, 10, 0, 0, 1 };
	struct node_rrset set = { .type = RRSET_A, .count = 1, .ttl = 5, .rdata = rdata,
		.rdata_len = sizeof(rdata) };
	MDB_val at = { .mv_data = bytes, .mv_size = serve_node_key(&lost, bytes) };
	struct node node;

	(void)state;
	serve_put(&serve, "a.live", &set, 1);
	serve_put(&serve, "b.live", &set, 1);
	serve_put(&serve, "c.live", &set, 1);
	assert_int_equal(mdb_del(serve.txn->txn, serve.txn->dbi, &at, NULL), 0);
	assert_int_equal(serve_find(serve.txn, &lost, &node), STATUS_CORRUPT);
	assert_int_equal(serve_writer_delete(serve.txn, &lost, NULL), STATUS_CORRUPT);
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
		/* of LMDB 8 and 2 for each entry, of the link 4 */
		bytes += 1u + unit_key(text).len + 4 + node_size(&set, 1) + 8 + 2;
	}
	walked = 0;
	assert_int_equal(serve_walk(serve.txn, &count_node, NULL, NULL), STATUS_OK);
	assert_int_equal(walked, names);
	mdb_stat(serve.txn->txn, serve.txn->dbi, &stat);
	assert_true(stat.ms_leaf_pages * stat.ms_psize < bytes * 11 / 10);
}

/* The end of the chain is out of the way then. */
static void
a_bulk_at_the_end_may_be_left_at_any_time(void **state)
{
	static const unsigned order[] = { 10, 20, 30, 40, 15, 16, 17, 50, 60, 70, 5, 80, 90 };

	(void)state;
	for (unsigned leave = 0; leave < 4; leave++) {
		for (size_t i = 0; i < UNIT_COUNT(order); i++) {
			put(order[i]);
			if (i % 4 == leave)
				check_all();
		}
		take_away(90);
		put(91);
		put(92);
		take_away(10);
		check_all();
		for (unsigned i = 0; i < NAMES; i++)
			if (is_there[i])
				take_away(i);
		check_all();
	}
}

static void
the_schema_before_is_foreign(void **state)
{
	uint8_t meta[SERVE_META_SIZE] = { 0, 0, 0, 0, 'L', 'Z', 'S', '1' };
	struct serve_meta out;
	struct reason reason;

	(void)state;
	overwrite("M", 1, meta, sizeof(meta));
	assert_int_equal(serve_read_meta(serve.txn, &out, &reason), STATUS_FOREIGN);
	assert_non_null(strstr(reason.text, "LZS1"));
	assert_non_null(strstr(reason.text, "LZS2"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_store_proves_that_nothing_is_there),
		TEST(puts_and_deletes_in_any_order_keep_the_chain),
		TEST(a_bulk_in_order_makes_the_same_chain),
		TEST(a_broken_chain_is_noticed_by_whoever_comes_there),
		TEST(a_name_that_was_lost_is_not_absent),
		TEST(a_bulk_in_order_fills_its_pages),
		TEST(a_bulk_at_the_end_may_be_left_at_any_time),
		TEST(the_schema_before_is_foreign),
	};

	return cmocka_run_group_tests_name("serve_chain", tests, NULL, NULL);
}
