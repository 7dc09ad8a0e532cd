/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include "lib/status.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
