/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdbool.h>

#include "sidecar/state/state.h"
#include "lib/base/status.h"
#include "lib/dns/zones.h"

static void
an_address_has_its_reverse_name(void **state)
{
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0xfe };
	static const struct {
		uint16_t type;
		const uint8_t *address;
		size_t len;
		const char *name;
	} rows[] = {
		{ RRSET_A, (const uint8_t *)"\0\0\0\0", 4, "0.0.0.0.in-addr.arpa" },
		{ RRSET_A, (const uint8_t *)"\12\0\5\377", 4, "255.5.0.10.in-addr.arpa" },
		{ RRSET_AAAA, v6, 16,
			"e.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" },
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct name_key expected = unit_key(rows[i].name), key;

		assert_int_equal(
			state_reverse_key(rows[i].type, rows[i].address, rows[i].len, &key), STATUS_OK);
		assert_int_equal(key.len, expected.len);
		assert_memory_equal(key.bytes, expected.bytes, key.len);
		assert_true(state_reverse_is_below(&key));
		assert_int_equal(state_reverse_key(rows[i].type, rows[i].address, 5, &key),
			STATUS_INVALID);
	}
}

static void
hosts_of_zones_with_auto_ptr_point_back(void **state)
{
	static const struct zone with = { .auto_ptr = true }, without = { .auto_ptr = false };
	static const struct {
		const struct zone *zone;
		const char *owner;
		uint16_t type;
		bool is_wanted;
	} rows[] = {
		{ &with, "a.live", RRSET_A, true },
		{ &with, "a.live", RRSET_AAAA, true },
		{ &with, "live", RRSET_A, true },
		{ &with, "a.*.live", RRSET_A, true },
		{ &with, "a.live", RRSET_MX, false },
		{ &with, "*.live", RRSET_A, false },
		{ &with, "*.a.live", RRSET_AAAA, false },
		{ &without, "a.live", RRSET_A, false },
		{ NULL, "a.live", RRSET_A, false },
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct name_key owner = unit_key(rows[i].owner);

		if (state_reverse_is_wanted(rows[i].zone, &owner, rows[i].type) != rows[i].is_wanted)
			fail_msg("%s %u", rows[i].owner, rows[i].type);
	}
}

static void
other_names_are_no_reverse_names(void **state)
{
	struct name_key arpa = unit_key("x.arpa"), other = unit_key("in-addr.arpa.example");

	(void)state;
	assert_false(state_reverse_is_below(&arpa));
	assert_false(state_reverse_is_below(&other));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_has_its_reverse_name),
		cmocka_unit_test(hosts_of_zones_with_auto_ptr_point_back),
		cmocka_unit_test(other_names_are_no_reverse_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
