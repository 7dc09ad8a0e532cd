/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include "lib/dns/rrset.h"

static void
blocks_must_be_filled_exactly(void **state)
{
	static const struct {
		const char *what;
		uint8_t block[8];
		size_t len, count;
		bool good;
	} rows[] = {
		{ "none", { 0 }, 0, 0, true },
		{ "one empty", { 0, 0 }, 2, 1, true },
		{ "one", { 0, 1, 'a' }, 3, 1, true },
		{ "two", { 0, 1, 'a', 0, 2, 'b', 'c' }, 7, 2, true },
		{ "count too small", { 0, 1, 'a', 0, 1, 'b' }, 6, 1, false },
		{ "count too big", { 0, 1, 'a' }, 3, 2, false },
		{ "length beyond", { 0, 2, 'a' }, 3, 1, false },
		{ "half a length", { 0 }, 1, 1, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(rows); i++)
		assert_int_equal(rrset_is_well_formed(rows[i].block, rows[i].len,
					 rows[i].count),
			rows[i].good);
}

static void
canonical_blocks_are_sorted_without_doubles(void **state)
{
	uint8_t block[] = { 0, 1, 'b', 0, 2, 'a', 'b', 0, 1, 'a', 0, 1, 'b' };
	static const uint8_t want[] = { 0, 1, 'a', 0, 2, 'a', 'b', 0, 1, 'b' };
	uint8_t scratch[sizeof(block)];
	size_t len = sizeof(block);

	(void)state;
	assert_int_equal(rrset_canonicalize(block, &len, 4, scratch), 3);
	assert_int_equal(len, sizeof(want));
	assert_memory_equal(block, want, len);
}

static void
same_data_means_ttl_and_records(void **state)
{
	static const uint8_t block[] = { 0, 1, 'a' }, other[] = { 0, 1, 'b' };
	struct rrset a = { .count = 1, .ttl = 5, .rdata = block, .rdata_len = 3 };
	struct rrset b = a;

	(void)state;
	assert_true(rrset_has_same_data(&a, &b));
	b.ttl = 6;
	assert_false(rrset_has_same_data(&a, &b));
	b.ttl = 5;
	b.rdata = other;
	assert_false(rrset_has_same_data(&a, &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_must_be_filled_exactly),
		cmocka_unit_test(canonical_blocks_are_sorted_without_doubles),
		cmocka_unit_test(same_data_means_ttl_and_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
