/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/record.h"

#include <stdio.h>

#include "lib/base/status.h"
#include "sidecar/journal/known.h"

#define MANY 5000

static struct known known;
static struct reason reason;

static void
add(const char *owner, uint16_t type, const char *source, uint64_t revision)
{
	struct state_record record = record_of(owner, type, source, revision);

	record.expires_ms = 7;
	record.lease_ms = 8;
	assert_int_equal(known_add(&known, &record, &reason), STATUS_OK);
}

static int
tear_down(void **state)
{
	(void)state;
	known_done(&known);
	return 0;
}

static void
test_a_record_is_found_as_it_was_added(void **state)
{
	const struct name_key owner = unit_key("a.live"), other = unit_key("b.live");
	struct state_record found;

	(void)state;
	assert_false(known_find(&known, &owner, RRSET_A, &found));
	add("a.live", RRSET_A, "nomad", 3);
	assert_true(known_find(&known, &owner, RRSET_A, &found));
	assert_int_equal(found.rrset.owner.len, owner.len);
	assert_memory_equal(found.rrset.owner.bytes, owner.bytes, owner.len);
	assert_int_equal(found.rrset.rdata_len, 6);
	assert_int_equal(found.rrset.rdata[5], 5);
	assert_int_equal(found.source_len, 5);
	assert_memory_equal(found.source, "nomad", 5);
	assert_int_equal(found.expires_ms, 7);
	assert_int_equal(found.lease_ms, 8);
	assert_false(known_find(&known, &owner, RRSET_AAAA, &found));
	assert_false(known_find(&known, &other, RRSET_A, &found));
}

static void
test_of_two_the_later_one_stays(void **state)
{
	const struct name_key owner = unit_key("a.live");
	struct state_record found;

	(void)state;
	add("a.live", RRSET_A, "first", 3);
	add("a.live", RRSET_A, "later", 4);
	add("a.live", RRSET_A, "older", 2);
	assert_true(known_find(&known, &owner, RRSET_A, &found));
	assert_memory_equal(found.source, "later", 5);
	assert_int_equal(known.count, 1);
}

static int
count(void *context, const struct state_record *record, struct reason *why)
{
	uint64_t *sum = context;

	(void)why;
	*sum += record->revision;
	return STATUS_OK;
}

static void
test_many_are_found_and_walked(void **state)
{
	struct state_record found;
	uint64_t sum = 0;
	char name[32];
	unsigned i;

	(void)state;
	for (i = 1; i <= MANY; i++) {
		snprintf(name, sizeof(name), "n%u.live", i);
		add(name, RRSET_A, "api", i);
	}
	for (i = 1; i <= MANY; i++) {
		struct name_key owner;

		snprintf(name, sizeof(name), "n%u.live", i);
		owner = unit_key(name);
		assert_true(known_find(&known, &owner, RRSET_A, &found));
		assert_int_equal(found.revision, i);
	}
	assert_int_equal(known_walk(&known, count, &sum, &reason), STATUS_OK);
	assert_int_equal(sum, (uint64_t)MANY * (MANY + 1) / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a_record_is_found_as_it_was_added, tear_down),
		cmocka_unit_test_teardown(test_of_two_the_later_one_stays, tear_down),
		cmocka_unit_test_teardown(test_many_are_found_and_walked, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
