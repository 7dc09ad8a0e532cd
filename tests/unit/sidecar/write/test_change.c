/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/status.h"
#include "sidecar/write/change.h"

static struct zone zone[2];
static struct zones zones = { .zone = zone, .count = 2 };
static uint8_t rdata[70000];

static int
set_up(void **state)
{
	struct reason reason;

	(void)state;
	zone[0] = (struct zone){ .name = unit_name("live"), .key = unit_key("live") };
	zone[1] = (struct zone){ .name = unit_name("sub.live"), .key = unit_key("sub.live") };
	return zones_finish(&zones, &reason);
}

static struct change_item *
add(struct change *change, const char *owner, uint16_t type)
{
	struct change_item *item = change_add(change);

	assert_non_null(item);
	*item = (struct change_item){
		.source = "api",
		.source_len = 3,
	};
	assert_int_equal(change_take_rrset(change, item,
				 &(struct rrset){ .owner = unit_key(owner),
					 .type = type,
					 .count = 1,
					 .ttl = 5,
					 .rdata_len = 6,
					 .rdata = rdata }),
		STATUS_OK);
	return item;
}

static void
assert_fault(struct change *change, size_t item, const char *field, const char *text)
{
	struct change_result result = { .outcome = CHANGE_DONE };

	assert_int_equal(change_check(change, &zones, &result), STATUS_INVALID);
	assert_int_equal(result.outcome, CHANGE_INVALID);
	assert_int_equal(result.item, item);
	if (field)
		assert_string_equal(result.field, field);
	else
		assert_null(result.field);
	if (!strstr(result.reason.text, text))
		fail_msg("\"%s\" lacks \"%s\"", result.reason.text, text);
	change_free(change);
}

static void
test_items_are_ordered_by_owner_and_type(void **state)
{
	static const char *const owner[] = { "b.live", "a.live", "x.a.live", "live",
		"aa.live", "b.live" };
	static const uint32_t order[] = { 3, 1, 2, 5, 0, 4 };
	struct change *change = change_new(CHANGE_ITEMS);
	struct change_result result;
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(owner); i++)
		add(change, owner[i], i == 0 ? 28 : 1);
	assert_int_equal(change_check(change, &zones, &result), STATUS_OK);
	for (i = 0; i < UNIT_COUNT(order); i++)
		assert_int_equal(change->order[i], order[i]);
	change_free(change);
}

static void
test_many_items_are_ordered_as_the_store_orders_them(void **state)
{
	struct change *change = change_new(CHANGE_ITEMS);
	struct change_result result;
	unsigned seed = 3;
	size_t i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		char owner[64];

		snprintf(owner, sizeof(owner), "n%zu.h%d.group%d.live", i,
			rand_r(&seed) % 9, rand_r(&seed) % 300);
		add(change, owner, (uint16_t)(1 + rand_r(&seed) % 3));
	}
	assert_int_equal(change_check(change, &zones, &result), STATUS_OK);
	for (i = 1; i < change->count; i++) {
		const struct change_item *item = &change->items[change->order[i]];

		assert_true(change_compare(&change->items[change->order[i - 1]],
				    item->rrset.owner, item->rrset.type)
			< 0);
	}
	change_free(change);
}

static void
test_a_name_must_lie_in_a_live_zone_and_in_the_zone_replaced(void **state)
{
	struct change *change = change_new(CHANGE_ITEMS);

	(void)state;
	add(change, "www.live", 1);
	add(change, "www.other", 1);
	assert_fault(change, 1, "name", "www.other. A: the name is in no live zone");
	change = change_new(CHANGE_ZONE);
	change->zone = unit_key("live");
	add(change, "www.live", 1);
	add(change, "www.sub.live", 1);
	assert_fault(change, 1, "name", "not in this zone");
	change = change_new(CHANGE_ITEMS);
	add(change, "other", 1)->is_delete = true;
	assert_fault(change, 0, "name", "in no live zone");
}

static void
test_soa_and_cname_and_dname_have_their_places(void **state)
{
	struct change *change = change_new(CHANGE_ITEMS);
	struct change_result result;

	(void)state;
	add(change, "live", RRSET_SOA);
	add(change, "sub.live", RRSET_SOA);
	add(change, "www.live", RRSET_CNAME);
	assert_int_equal(change_check(change, &zones, &result), STATUS_OK);
	add(change, "xxx.live", RRSET_SOA);
	assert_fault(change, 3, "type", "xxx.live. SOA: an SOA stands at the apex");
	change = change_new(CHANGE_ITEMS);
	add(change, "live", RRSET_CNAME);
	assert_fault(change, 0, "type", "no CNAME can stand");
	change = change_new(CHANGE_ITEMS);
	add(change, "www.live", RRSET_CNAME)->rrset.count = 2;
	assert_fault(change, 0, "records", "one record");
	change = change_new(CHANGE_ITEMS);
	add(change, "www.live", RRSET_DNAME)->rrset.count = 2;
	assert_fault(change, 0, "records", "one record");
}

static void
test_limits_hold_at_their_edges(void **state)
{
	struct change *change = change_new(CHANGE_ITEMS);
	struct change_item *item = add(change, "www.live", 16);
	struct change_result result;

	(void)state;
	item->rrset.ttl = RRSET_TTL_MAX;
	item->rrset.count = RRSET_RECORDS_MAX;
	item->rrset.rdata_len = RRSET_MESSAGE_MAX - 27 - 10 - RRSET_RECORDS_MAX * 10;
	assert_int_equal(change_check(change, &zones, &result), STATUS_OK);
	item->rrset.ttl++;
	assert_fault(change, 0, "ttl", "TTL 86401 is out of range: 0 to 86400");
	change = change_new(CHANGE_ITEMS);
	add(change, "www.live", 16)->rrset.count = RRSET_RECORDS_MAX + 1;
	assert_fault(change, 0, "records", "513 records, at most 512");
	change = change_new(CHANGE_ITEMS);
	add(change, "www.live", 16)->rrset.rdata_len = RRSET_RDATA_MAX + 1;
	assert_fault(change, 0, "records", "65536 bytes");
	change = change_new(CHANGE_ITEMS);
	item = add(change, "www.live", 16);
	item->rrset.count = RRSET_RECORDS_MAX;
	item->rrset.rdata_len = RRSET_MESSAGE_MAX - 27 - 10 - RRSET_RECORDS_MAX * 10 + 1;
	assert_fault(change, 0, "records", "65536 octets, a DNS message has at most 65535");
	change = change_new(CHANGE_ITEMS);
	add(change, "www.live", 16)->rrset.count = 0;
	assert_fault(change, 0, "records", "at least one record");
	change = change_new(CHANGE_ITEMS);
	add(change, "www.live", 16)->source_len = STATE_SOURCE_MAX + 1;
	assert_fault(change, 0, "source", "1 to 64");
}

static void
test_an_owner_and_type_stand_once(void **state)
{
	struct change *change = change_new(CHANGE_ITEMS);

	(void)state;
	add(change, "b.live", 1);
	add(change, "a.live", 1);
	add(change, "b.live", 1)->is_delete = true;
	assert_fault(change, 2, NULL, "b.live. A is given twice");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items_are_ordered_by_owner_and_type),
		cmocka_unit_test(test_many_items_are_ordered_as_the_store_orders_them),
		cmocka_unit_test(test_a_name_must_lie_in_a_live_zone_and_in_the_zone_replaced),
		cmocka_unit_test(test_soa_and_cname_and_dname_have_their_places),
		cmocka_unit_test(test_limits_hold_at_their_edges),
		cmocka_unit_test(test_an_owner_and_type_stand_once),
	};

	return cmocka_run_group_tests_name("change", tests, set_up, NULL);
}
