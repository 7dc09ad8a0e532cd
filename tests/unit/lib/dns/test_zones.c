/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "lib/base/status.h"
#include "lib/dns/zones.h"

static struct zones
make_zones(const char *const *names, size_t count)
{
	struct zones zones = { .zone = calloc(count, sizeof(struct zone)), .count = count };
	size_t i;

	for (i = 0; i < count; i++) {
		zones.zone[i].name = unit_name(names[i]);
		zones.zone[i].key = unit_key(names[i]);
	}
	return zones;
}

static void
the_longest_zone_owns_a_name(void **state)
{
	static const char *const names[] = { "service.internal", "internal",
		"a.b.service.internal", "arpa", "zz.internal" };
	static const struct {
		const char *name, *zone; /* NULL: none */
	} rows[] = {
		{ "service.internal", "service.internal" },
		{ "x.service.internal", "service.internal" },
		{ "b.service.internal", "service.internal" },
		{ "x.a.b.service.internal", "a.b.service.internal" },
		{ "xa.b.service.internal", "service.internal" },
		{ "zservice.internal", "internal" },
		{ "zzz.internal", "internal" },
		{ "y.zz.internal", "zz.internal" },
		{ "internal", "internal" },
		{ "com", NULL },
		{ "internal.com", NULL },
		{ "zz", NULL },
		{ "", NULL },
	};
	struct zones zones = make_zones(names, UNIT_COUNT(names));
	size_t i;

	(void)state;
	assert_int_equal(zones_finish(&zones, NULL), STATUS_OK);
	for (i = 0; i < UNIT_COUNT(rows); i++) {
		struct name_key key = unit_key(rows[i].name);
		const struct zone *zone = zones_match(&zones, &key);

		if (!rows[i].zone) {
			assert_null(zone);
			continue;
		}
		assert_non_null(zone);
		assert_true(name_equal(zone->name.wire, unit_name(rows[i].zone).wire));
	}
	zones_done(&zones);
}

static void
the_root_can_be_a_zone(void **state)
{
	static const char *const names[] = { "", "example" };
	struct zones zones = make_zones(names, 2);
	struct name_key key = unit_key("a.com"), apex = unit_key("example");

	(void)state;
	assert_int_equal(zones_finish(&zones, NULL), STATUS_OK);
	assert_int_equal(zones_match(&zones, &key)->name.len, 1);
	assert_ptr_equal(zones_find(&zones, &apex), &zones.zone[1]);
	assert_null(zones_find(&zones, &key));
	zones_done(&zones);
}

static void
no_zones_own_nothing(void **state)
{
	struct zones zones = { 0 };
	struct name_key key = unit_key("a");

	(void)state;
	assert_int_equal(zones_finish(&zones, NULL), STATUS_OK);
	assert_null(zones_match(&zones, &key));
}

static void
a_zone_given_twice_is_named(void **state)
{
	static const char *const names[] = { "a.example", "b", "a.example" };
	struct zones zones = make_zones(names, 3);
	struct reason reason;

	(void)state;
	assert_int_equal(zones_finish(&zones, &reason), STATUS_INVALID);
	assert_non_null(strstr(reason.text, "a.example."));
	zones_done(&zones);
}

static void
a_made_soa_names_its_parts(void **state)
{
	static const uint8_t want[] = "\0\x39"
				      "\2ns\1z\0"
				      "\012hostmaster\1z\0"
				      "\0\0\0\7\0\0\x0e\x10\0\0\2\x58\0\x09\x3a\x80\0\0\0\5";
	struct zone zone = { .name = unit_name("z"), .negative_ttl = 5, .ns_count = 1 };
	uint8_t block[ZONE_SOA_MAX];
	size_t len;

	(void)state;
	zone.ns[0] = unit_name("ns.z");
	len = zone_make_soa(&zone, 7, block);
	assert_int_equal(len, sizeof(want) - 1);
	assert_int_equal(block[1], len - 2);
	assert_memory_equal(block + 2, want + 2, len - 2);
}

/* 11 octets more than the name: 244 is the longest zone that has a hostmaster of its own. */
static void
a_long_zone_is_its_own_contact(void **state)
{
	(void)state;
	for (uint8_t len = 243; len <= 246; len++) {
		struct zone zone = { .name = { .len = len } };
		uint8_t block[ZONE_SOA_MAX];
		size_t at = 0;

		for (uint8_t label; at + 1 < len; at += label + 1u) {
			label = len - at - 2 < 60 ? (uint8_t)(len - at - 2) : 60;
			zone.name.wire[at] = label;
			memset(zone.name.wire + at + 1, 'a', label);
		}
		assert_int_equal(at, len - 1);
		zone_make_soa(&zone, 1, block);
		/* the server's name first: the zone's own, when it has none */
		if (len <= 244)
			assert_memory_equal(block + 2 + len, "\012hostmaster", 11);
		else
			assert_memory_equal(block + 2 + len, zone.name.wire, len);
	}
}

static void
a_made_ns_rrset_has_all_servers(void **state)
{
	struct zone zone = { .ns_count = 2 };
	uint8_t block[2 * (2 + NAME_WIRE_MAX)];

	(void)state;
	zone.ns[0] = unit_name("a");
	zone.ns[1] = unit_name("b");
	assert_int_equal(zone_make_ns(&zone, block), 10);
	assert_memory_equal(block, "\0\3\1a\0\0\3\1b\0", 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_zone_owns_a_name),
		cmocka_unit_test(the_root_can_be_a_zone),
		cmocka_unit_test(no_zones_own_nothing),
		cmocka_unit_test(a_zone_given_twice_is_named),
		cmocka_unit_test(a_made_soa_names_its_parts),
		cmocka_unit_test(a_made_ns_rrset_has_all_servers),
		cmocka_unit_test(a_long_zone_is_its_own_contact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
