/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "lib/serve/node.h"
#include "lib/base/status.h"

static const uint8_t one_a[] = { 0, 4, 10, 0, 0, 5 };
static const uint8_t two_txt[] = { 0, 2, 1, 'x', 0, 3, 2, 'y', 'z' };
static const struct node_rrset two_sets[] = {
	{ .type = 1, .count = 1, .ttl = 5, .rdata = one_a, .rdata_len = sizeof(one_a) },
	{ .type = 16,
		.count = 2,
		.ttl = 60,
		.expires_ms = 1000,
		.rdata = two_txt,
		.rdata_len = sizeof(two_txt) },
};

/* The value in an allocation of its exact size, so that ASan sees every step outside. */
static uint8_t *
encode(const struct name_key *key, size_t *out_len)
{
	uint8_t *value;

	*out_len = node_size(two_sets, 2);
	value = malloc(*out_len);
	node_encode(key, 42, 0, two_sets, 2, value);
	return value;
}

static void
what_was_encoded_is_found(void **state)
{
	struct name_key key = unit_key("valkey.service.internal");
	struct node_rrset rrset;
	struct node node;
	size_t len;
	uint8_t *value = encode(&key, &len);

	(void)state;
	assert_int_equal(node_open(value, len, &key, &node), STATUS_OK);
	assert_int_equal(node.revision, 42);
	assert_int_equal(node.count, 2);
	assert_int_equal(node_find(&node, 1, 0, &rrset), STATUS_OK);
	assert_int_equal(rrset.ttl, 5);
	assert_int_equal(rrset.rdata_len, sizeof(one_a));
	assert_memory_equal(rrset.rdata, one_a, sizeof(one_a));
	assert_int_equal(node_find(&node, 16, 0, &rrset), STATUS_OK);
	assert_int_equal(rrset.count, 2);
	assert_int_equal(node_find(&node, 28, 0, &rrset), STATUS_NOT_FOUND);
	free(value);
}

static void
an_address_costs_few_bytes(void **state)
{
	(void)state;
	assert_int_equal(node_size(two_sets, 1), 36);
}

static void
an_rrset_ends_with_its_lease(void **state)
{
	struct name_key key = unit_key("a.b");
	struct node_rrset rrset;
	struct node node;
	size_t len;
	uint8_t *value = encode(&key, &len);

	(void)state;
	assert_int_equal(node_open(value, len, &key, &node), STATUS_OK);
	assert_int_equal(node_find(&node, 16, 999, &rrset), STATUS_OK);
	assert_int_equal(rrset.ttl, 0);
	assert_int_equal(node_find(&node, 16, 1000, &rrset), STATUS_NOT_FOUND);
	free(value);
}

static void
no_ttl_is_longer_than_the_lease_left(void **state)
{
	static const struct {
		uint64_t expires_ms, now_ms;
		bool lives;
		uint32_t ttl;
	} rows[] = {
		{ 0, 5000, true, 60 },
		{ 100000, 0, true, 60 },
		{ 100000, 39000, true, 60 },
		{ 100000, 40000, true, 60 },
		{ 100000, 40001, true, 59 },
		{ 100000, 98999, true, 1 },
		{ 100000, 99000, true, 1 },
		{ 100000, 99001, true, 0 },
		{ 100000, 99999, true, 0 },
		{ 100000, 100000, false, 60 },
		{ 1, UINT64_MAX, false, 60 },
		{ UINT64_MAX, 0, true, 60 },
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct node_rrset rrset = { .ttl = 60, .expires_ms = rows[i].expires_ms };

		assert_int_equal(node_rrset_lives(&rrset, rows[i].now_ms), rows[i].lives);
		assert_int_equal(rrset.ttl, rows[i].ttl);
	}
}

static void
equal_input_gives_equal_bytes(void **state)
{
	struct name_key key = unit_key("a.b");
	size_t len, other_len;
	uint8_t *value = encode(&key, &len), *other = encode(&key, &other_len);

	(void)state;
	assert_int_equal(len, other_len);
	assert_memory_equal(value, other, len);
	free(value);
	free(other);
}

static void
every_changed_byte_is_found_out(void **state)
{
	struct name_key key = unit_key("valkey.service.internal");
	struct node node;
	size_t len, i;
	uint8_t *value = encode(&key, &len);

	(void)state;
	for (i = 0; i < len; i++) {
		value[i] ^= 0x10;
		assert_int_not_equal(node_open(value, len, &key, &node), STATUS_OK);
		value[i] ^= 0x10;
	}
	free(value);
}

static void
every_shorter_value_is_refused(void **state)
{
	struct name_key key = unit_key("valkey.service.internal");
	struct node node;
	size_t len, cut;
	uint8_t *value = encode(&key, &len);

	(void)state;
	for (cut = 0; cut < len; cut++) {
		uint8_t *part = malloc(cut + 1);

		memcpy(part, value, cut);
		assert_int_not_equal(node_open(part, cut, &key, &node), STATUS_OK);
		free(part);
	}
	free(value);
}

static void
a_value_under_another_key_is_refused(void **state)
{
	struct name_key key = unit_key("a.b"), other = unit_key("c.b");
	struct node node;
	size_t len;
	uint8_t *value = encode(&key, &len);

	(void)state;
	assert_int_equal(node_open(value, len, &other, &node), STATUS_CORRUPT);
	free(value);
}

static void
another_version_is_foreign(void **state)
{
	struct name_key key = unit_key("a.b");
	struct node node;
	size_t len;
	uint8_t *value = encode(&key, &len);

	(void)state;
	value[5] = 2;
	assert_int_equal(node_open(value, len, &key, &node), STATUS_FOREIGN);
	free(value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_encoded_is_found),
		cmocka_unit_test(an_address_costs_few_bytes),
		cmocka_unit_test(an_rrset_ends_with_its_lease),
		cmocka_unit_test(no_ttl_is_longer_than_the_lease_left),
		cmocka_unit_test(equal_input_gives_equal_bytes),
		cmocka_unit_test(every_changed_byte_is_found_out),
		cmocka_unit_test(every_shorter_value_is_refused),
		cmocka_unit_test(a_value_under_another_key_is_refused),
		cmocka_unit_test(another_version_is_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
