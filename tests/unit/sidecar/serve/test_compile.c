/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "sidecar/serve/compile.h"

#define WALL_OFFSET 1700000000000u

static char dir[64];
static struct state *truth;
static struct zone zone[2];
static struct zones zones = { .zone = zone, .count = 2 };
static struct compile compile;
static struct reason reason;

static int
set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/livezone-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(state_open(dir, 4 << 20, &truth, &reason), STATUS_OK);
	zone[0] = (struct zone){ .name = unit_name("live"),
		.key = unit_key("live"),
		.ttl = 60,
		.negative_ttl = 7,
		.ns = { unit_name("ns1.live"), unit_name("ns2.live") },
		.ns_count = 2 };
	zone[1] = (struct zone){ .name = unit_name("fixed"),
		.key = unit_key("fixed"),
		.soa_serial = ZONE_SERIAL_STORED };
	compile = (struct compile){ .zones = &zones, .wall_offset_ms = WALL_OFFSET };
	return zones_finish(&zones, &reason);
}

static int
tear_down(void **state)
{
	(void)state;
	state_close(truth);
	return unit_remove(dir);
}

static const uint8_t address[] = { 0, 4, 10, 0, 0, 5 };
static const uint8_t soa[] = { 0, 22, 0, 0, 0, 0, 0, 77, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1,
	0, 0, 0, 9 };

static struct state_txn *
begin(void)
{
	struct state_txn *txn;

	assert_int_equal(state_begin_write(truth, &txn, &reason), STATUS_OK);
	return txn;
}

static void
put(struct state_txn *txn, const char *apex, const char *owner, uint16_t type,
	const uint8_t *rdata, uint64_t revision, uint64_t expires_ms)
{
	struct name_key zone_apex = unit_key(apex);
	struct state_record record = {
		.rrset = { .owner = unit_key(owner),
			.type = type,
			.count = 1,
			.ttl = 5,
			.rdata_len = 2u + rdata[1],
			.rdata = rdata },
		.revision = revision,
		.expires_ms = expires_ms,
		.lease_ms = expires_ms ? 30000 : 0,
		.source = "api",
		.source_len = 3,
	};

	assert_int_equal(state_put(txn, &zone_apex, &record, &reason), STATUS_OK);
}

static void
compile_owner(struct state_txn *txn, const char *owner)
{
	struct name_key key = unit_key(owner);

	assert_int_equal(compile_name(&compile, txn, &key, &reason), STATUS_OK);
}

static uint32_t
serial(const struct node_rrset *rrset)
{
	uint32_t big;

	memcpy(&big, rrset->rdata + rrset->rdata_len - 20, sizeof(big));
	return be32toh(big);
}

static void
test_a_node_holds_what_stands_at_its_name_only(void **state)
{
	struct state_txn *txn = begin();

	(void)state;
	put(txn, "live", "www.live", 28, address, 3, 0);
	put(txn, "live", "www.live", 1, address, 4, 0);
	put(txn, "live", "x.www.live", 1, address, 9, 0);
	compile_owner(txn, "www.live");
	assert_int_equal(compile.count, 2);
	assert_int_equal(compile.rrset[0].type, 1);
	assert_int_equal(compile.rrset[1].type, 28);
	assert_int_equal(compile.revision, 4);
	assert_memory_equal(compile.rrset[0].rdata, address, sizeof(address));
	compile_owner(txn, "none.live");
	assert_int_equal(compile.count, 0);
	state_abort(txn);
}

static void
test_an_apex_gets_soa_and_ns_in_the_order_of_types(void **state)
{
	struct state_txn *txn = begin();

	(void)state;
	put(txn, "live", "live", 1, address, 5, 0);
	put(txn, "live", "live", 16, address, 6, 0);
	put(txn, "live", "www.live", 1, address, 8, 0);
	compile_owner(txn, "live");
	assert_int_equal(compile.count, 4);
	assert_int_equal(compile.rrset[0].type, RRSET_A);
	assert_int_equal(compile.rrset[1].type, RRSET_NS);
	assert_int_equal(compile.rrset[1].count, 2);
	assert_int_equal(compile.rrset[1].ttl, 60);
	assert_int_equal(compile.rrset[2].type, RRSET_SOA);
	assert_int_equal(compile.rrset[2].ttl, 7);
	assert_int_equal(serial(&compile.rrset[2]), 8);
	assert_int_equal(compile.rrset[3].type, 16);
	assert_int_equal(compile.revision, 8);
	state_abort(txn);
}

static void
test_a_stored_soa_keeps_all_but_the_serial(void **state)
{
	struct state_txn *txn = begin();

	(void)state;
	put(txn, "live", "live", RRSET_SOA, soa, 5, 0);
	put(txn, "fixed", "fixed", RRSET_SOA, soa, 6, 0);
	compile_owner(txn, "live");
	assert_int_equal(compile.rrset[1].ttl, 5);
	assert_int_equal(serial(&compile.rrset[1]), 5);
	assert_memory_equal(compile.rrset[1].rdata + 8, soa + 8, sizeof(soa) - 8);
	compile_owner(txn, "fixed");
	assert_int_equal(serial(&compile.rrset[0]), 77);
	state_abort(txn);
}

static void
test_leases_end_on_the_boot_clock(void **state)
{
	uint64_t now = clock_boot_ms();
	struct state_txn *txn = begin();

	(void)state;
	put(txn, "live", "a.live", 1, address, 1, WALL_OFFSET + now + 20000);
	compile_owner(txn, "a.live");
	assert_int_equal(compile.rrset[0].expires_ms, now + 20000);
	/* written while the wall clock was ahead: at most its own length is left */
	put(txn, "live", "b.live", 1, address, 1, WALL_OFFSET + now + 9000000);
	compile_owner(txn, "b.live");
	assert_in_range(compile.rrset[0].expires_ms, now + 30000, clock_boot_ms() + 30000);
	/* long over */
	put(txn, "live", "c.live", 1, address, 1, 1000);
	compile_owner(txn, "c.live");
	assert_int_equal(compile.rrset[0].expires_ms, 1);
	state_abort(txn);
}

/* Its numbers mean nothing. */
static void
test_a_zone_that_could_not_be_counted_may_have_anything(void **state)
{
	const unsigned both = NODE_HAS_WILDCARDS | NODE_HAS_CUTS;
	struct state_txn *txn = begin();

	(void)state;
	put(txn, "live", "www.live", 1, address, 8, 0);
	compile_owner(txn, "live");
	assert_int_equal(compile.flags & both, 0);
	state_doubt_counts(truth);
	compile_owner(txn, "live");
	assert_int_equal(compile.flags & both, both);
	state_abort(txn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_node_holds_what_stands_at_its_name_only),
		TEST(test_an_apex_gets_soa_and_ns_in_the_order_of_types),
		TEST(test_a_stored_soa_keeps_all_but_the_serial),
		TEST(test_leases_end_on_the_boot_clock),
		TEST(test_a_zone_that_could_not_be_counted_may_have_anything),
	};

	return cmocka_run_group_tests_name("compile", tests, NULL, NULL);
}
