/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "lib/base/status.h"

static void
key_has_labels_root_first_in_lower_case(void **state)
{
	struct name_key key = unit_key("WWW.Example.com");
	static const uint8_t want[] = "\3com\7example\3www";

	(void)state;
	assert_int_equal(key.len, sizeof(want) - 1);
	assert_memory_equal(key.bytes, want, key.len);
}

static void
key_of_the_root_is_empty(void **state)
{
	(void)state;
	assert_int_equal(unit_key("").len, 0);
}

static void
key_and_name_convert_both_ways(void **state)
{
	static const char *const rows[] = { "", "a", "a.b", "mail.example.org",
		"x.y.z.service.internal" };
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(rows); i++) {
		struct name name = unit_name(rows[i]), back;
		struct name_key key = unit_key(rows[i]);

		assert_int_equal(name_from_key(key.bytes, key.len, &back), STATUS_OK);
		assert_int_equal(back.len, name.len);
		assert_memory_equal(back.wire, name.wire, name.len);
	}
}

static void
longest_names_convert(void **state)
{
	uint8_t deep[NAME_WIRE_MAX], wide[NAME_WIRE_MAX];
	struct name_key key;
	struct name back;
	size_t i;

	(void)state;
	for (i = 0; i < 127; i++) {
		deep[2 * i] = 1;
		deep[2 * i + 1] = (uint8_t)i;
	}
	deep[254] = 0;
	memset(wide, 0xff, sizeof(wide));
	wide[0] = wide[64] = wide[128] = 63;
	wide[192] = 61;
	wide[254] = 0;
	assert_int_equal(name_wire_length(deep, sizeof(deep)), 255);
	assert_int_equal(name_wire_length(wide, sizeof(wide)), 255);
	name_to_key(deep, &key);
	assert_int_equal(key.len, 254);
	assert_int_equal(name_from_key(key.bytes, key.len, &back), STATUS_OK);
	assert_true(name_equal(back.wire, deep));
	name_to_key(wide, &key);
	assert_int_equal(name_from_key(key.bytes, key.len, &back), STATUS_OK);
	assert_true(name_equal(back.wire, wide));
}

static void
bad_wire_names_are_refused(void **state)
{
	static const struct {
		const char *what;
		uint8_t wire[300];
		size_t len;
	} rows[] = {
		{ "empty", "", 0 },
		{ "no root", "\3www", 4 },
		{ "label beyond the end", "\5www", 4 },
		{ "compression pointer", "\300\014", 2 },
		{ "label of 64", "\100x", 2 },
	};
	struct name name;
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(rows); i++)
		assert_int_equal(name_from_wire(rows[i].wire, rows[i].len, &name),
			STATUS_INVALID);
}

static void
name_of_256_octets_is_refused(void **state)
{
	uint8_t wire[256];
	size_t i;

	(void)state;
	for (i = 0; i < 255; i += 3) {
		wire[i] = 2;
		wire[i + 1] = wire[i + 2] = 'a';
	}
	wire[255] = 0;
	assert_int_equal(name_wire_length(wire, sizeof(wire)), 0);
}

static void
bad_keys_are_refused(void **state)
{
	struct name name;

	(void)state;
	assert_int_equal(name_from_key((const uint8_t *)"\0", 1, &name), STATUS_CORRUPT);
	assert_int_equal(name_from_key((const uint8_t *)"\4abc", 4, &name), STATUS_CORRUPT);
	assert_int_equal(name_from_key((const uint8_t *)"\100abc", 4, &name),
		STATUS_CORRUPT);
}

static void
below_is_a_prefix_at_a_label(void **state)
{
	static const struct {
		const char *name, *apex;
		bool within;
	} rows[] = {
		{ "a.example", "example", true },
		{ "example", "example", true },
		{ "EXAMPLE", "example", true },
		{ "example", "a.example", false },
		{ "aexample", "example", false },
		{ "example2", "example", false },
		{ "anything", "", true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(rows); i++) {
		struct name_key key = unit_key(rows[i].name);
		struct name_key apex = unit_key(rows[i].apex);

		assert_int_equal(name_key_is_within(key.bytes, key.len, &apex),
			rows[i].within);
	}
}

static void
every_octet_is_lowered_as_ascii_says(void **state)
{
	uint8_t wire[] = { 1, 0, 0 };
	struct name_key key;
	unsigned octet;

	(void)state;
	for (octet = 0; octet < 256; octet++) {
		wire[1] = (uint8_t)octet;
		name_to_key(wire, &key);
		assert_int_equal(key.len, 2);
		assert_int_equal(key.bytes[1],
			octet >= 'A' && octet <= 'Z' ? octet + 32 : octet);
	}
}

static void
names_compare_without_case(void **state)
{
	struct name a = unit_name("Host.Example"), b = unit_name("hOST.eXAMPLE");
	struct name c = unit_name("host.example.x");

	(void)state;
	assert_true(name_equal(a.wire, b.wire));
	assert_false(name_equal(a.wire, c.wire));
	assert_false(name_equal(c.wire, a.wire));
	name_lower(&a);
	assert_memory_equal(a.wire, unit_name("host.example").wire, a.len);
}

/* A small generator, so that a failure can be repeated. */
static uint32_t
next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

/* Few octets, with those next to a length, a dot and the letters' ends among them, so that
 * labels are prefixes of each other. */
static struct name
random_name(uint32_t *seed)
{
	static const uint8_t octets[] = { 0, 1, 2, '.', '*', 'a', 'Z', 0xff };
	struct name name = { 0 };
	uint8_t used = 0;

	for (uint32_t labels = next(seed) % 5; labels > 0; labels--) {
		uint8_t len = (uint8_t)(1 + next(seed) % 3);

		name.wire[used++] = len;
		for (; len > 0; len--)
			name.wire[used++] = octets[next(seed) % UNIT_COUNT(octets)];
	}
	name.wire[used] = 0;
	name.len = (uint8_t)(used + 1);
	return name;
}

static int
compare_keys(const void *left, const void *right)
{
	const struct name_key *a = left, *b = right;
	int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

	return order != 0 ? order : a->len - b->len;
}

/* By the definition: some end of the name, cut at a label, is the apex. */
static bool
is_below_by_labels(const struct name_key *key, const struct name_key *apex)
{
	struct name name, top;

	assert_int_equal(name_from_key(key->bytes, key->len, &name), STATUS_OK);
	assert_int_equal(name_from_key(apex->bytes, apex->len, &top), STATUS_OK);
	for (size_t at = 0;; at += 1u + name.wire[at]) {
		if (name_equal(name.wire + at, top.wire))
			return true;
		if (name.wire[at] == 0)
			return false;
	}
}

static void
every_subtree_is_one_range_that_begins_with_its_top(void **state)
{
	static struct name_key keys[600];
	uint32_t seed = 4592;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(keys); i++) {
		struct name name = random_name(&seed);

		name_to_key(name.wire, &keys[i]);
	}
	qsort(keys, UNIT_COUNT(keys), sizeof(keys[0]), compare_keys);
	for (size_t top = 0; top < UNIT_COUNT(keys); top++) {
		size_t i = top;

		if (top > 0 && compare_keys(&keys[top - 1], &keys[top]) == 0)
			continue;
		while (i < UNIT_COUNT(keys) && is_below_by_labels(&keys[i], &keys[top]))
			i++;
		for (size_t j = 0; j < UNIT_COUNT(keys); j++) {
			bool is_in_range = j >= top && j < i;

			assert_int_equal(is_below_by_labels(&keys[j], &keys[top]),
				is_in_range);
			assert_int_equal(name_key_is_within(keys[j].bytes, keys[j].len,
						 &keys[top]),
				is_in_range);
		}
	}
}

static void
only_a_label_of_one_asterisk_makes_a_wildcard(void **state)
{
	static const struct name_key wildcard = { 7, "\4live\1*" }, other = { 9, "\4live\3x\1*" };
	static const struct name_key root;

	(void)state;
	assert_true(name_key_is_wildcard(&wildcard));
	assert_false(name_key_is_wildcard(&other));
	assert_false(name_key_is_wildcard(&root));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_has_labels_root_first_in_lower_case),
		cmocka_unit_test(key_of_the_root_is_empty),
		cmocka_unit_test(key_and_name_convert_both_ways),
		cmocka_unit_test(longest_names_convert),
		cmocka_unit_test(bad_wire_names_are_refused),
		cmocka_unit_test(name_of_256_octets_is_refused),
		cmocka_unit_test(bad_keys_are_refused),
		cmocka_unit_test(below_is_a_prefix_at_a_label),
		cmocka_unit_test(every_octet_is_lowered_as_ascii_says),
		cmocka_unit_test(names_compare_without_case),
		cmocka_unit_test(only_a_label_of_one_asterisk_makes_a_wildcard),
		cmocka_unit_test(every_subtree_is_one_range_that_begins_with_its_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
