/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/serve.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <dlfcn.h>
#include <pcre2.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/serve/guard.h"
#include "lib/lookup/lookup.h"
#include "lib/dns/rule.h"

static struct serve serve;
static struct zones zones;
static struct lookup_memory memory[5];
static struct answer answer;

static const uint8_t a_rdata[] = { 0, 4, 10, 0, 0, 5 };
static const uint8_t soa_rdata[] = "\0\x16\0\0\0\0\0\x09\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\x1e";

static const struct node_rrset a_set = {
	.type = RRSET_A, .count = 1, .ttl = 5, .rdata = a_rdata, .rdata_len = 6
};

/* An RRset whose rdata is one name, in memory that put_name frees. */
static struct node_rrset
name_rrset(uint16_t type, const char *target)
{
	struct name name = unit_name(target);
	uint8_t *block = calloc(1, 2 + NAME_WIRE_MAX);

	block[1] = name.len;
	memcpy(block + 2, name.wire, name.len);
	return (struct node_rrset){ .type = type,
		.count = 1,
		.ttl = 9,
		.rdata = block,
		.rdata_len = 2u + name.len };
}

static void
put_name(const char *owner, uint16_t type, const char *target)
{
	struct node_rrset set = name_rrset(type, target);

	serve_put(&serve, owner, &set, 1);
	free((void *)(uintptr_t)set.rdata);
}

static void
put_cname(const char *owner, const char *target)
{
	put_name(owner, RRSET_CNAME, target);
}

/* A zone with wildcards, cuts and DNAMEs. */
static void
put_full_zone(const struct node_rrset *soa)
{
	struct node_rrset sets[2] = { name_rrset(RRSET_NS, "ns.sub.full"), a_set };

	sets[1].type = RRSET_DS;

	serve_put_flagged(&serve, "full", NODE_HAS_WILDCARDS | NODE_HAS_CUTS, soa, 1);
	serve_put(&serve, "*.full", &a_set, 1);
	serve_put(&serve, "host.full", &a_set, 1);
	serve_put(&serve, "a.ent.full", &a_set, 1);
	serve_put(&serve, "x.*.star.full", &a_set, 1);
	put_cname("*.alias.full", "host.full");
	serve_put(&serve, "sub.full", sets, 2);
	serve_put(&serve, "ns.sub.full", &a_set, 1);
	serve_put(&serve, "occluded.sub.full", &a_set, 1);
	put_name("old.full", RRSET_DNAME, "live");
	put_name("out.full", RRSET_DNAME, "example.com");
	put_name("grow.full", RRSET_DNAME,
		"abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz."
		"abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.live");
	free((void *)(uintptr_t)sets[0].rdata);
}

static int
setup(void **state)
{
	static const struct {
		const char *name;
		enum zone_on_miss on_miss;
	} rows[] = {
		{ "live", ZONE_MISS_NXDOMAIN },
		{ "other", ZONE_MISS_NXDOMAIN },
		{ "open", ZONE_MISS_RECURSE },
		{ "closed", ZONE_MISS_REFUSE },
		{ "full", ZONE_MISS_NXDOMAIN },
	};
	struct node_rrset soa = { .type = RRSET_SOA,
		.count = 1,
		.ttl = 300,
		.rdata = soa_rdata,
		.rdata_len = sizeof(soa_rdata) - 1 };
	struct node_rrset expiring[2];
	size_t i;
	char owner[16], target[16];

	(void)state;
	zones = (struct zones){ .zone = calloc(5, sizeof(struct zone)), .count = 5 };
	for (i = 0; i < 5; i++) {
		zones.zone[i].name = unit_name(rows[i].name);
		zones.zone[i].key = unit_key(rows[i].name);
		zones.zone[i].on_miss = rows[i].on_miss;
		zones.zone[i].negative_ttl = 11;
	}
	assert_int_equal(zones_finish(&zones, NULL), STATUS_OK);
	assert_int_equal(answer_init(&answer), STATUS_OK);
	serve_init(&serve);
	serve_put(&serve, "live", &soa, 1);
	serve_put(&serve, "www.live", &a_set, 1);
	serve_put(&serve, "deep.a.b.live", &a_set, 1);
	expiring[0] = expiring[1] = a_set;
	expiring[0].expires_ms = 1000;
	expiring[1].type = RRSET_AAAA;
	expiring[1].expires_ms = 2000;
	serve_put(&serve, "leased.live", expiring, 2);
	put_cname("alias.live", "www.live");
	put_cname("far.live", "www.other");
	serve_put(&serve, "www.other", &a_set, 1);
	put_cname("gone.live", "nothing.other");
	put_cname("out.live", "www.example.com");
	put_cname("toopen.live", "x.open");
	put_cname("toclosed.live", "x.closed");
	put_cname("self.live", "self.live");
	put_cname("ping.live", "pong.live");
	put_cname("pong.live", "ping.live");
	for (i = 0; i < 12; i++) {
		snprintf(owner, sizeof(owner), "c%zu.live", i);
		snprintf(target, sizeof(target), "c%zu.live", i + 1);
		put_cname(owner, target);
	}
	serve_put(&serve, "c12.live", &a_set, 1);
	put_full_zone(&soa);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	serve_done(&serve);
	answer_done(&answer);
	zones_done(&zones);
	return 0;
}

static void
ask_at(const char *dotted, uint16_t type, uint64_t now_ms)
{
	struct name name = unit_name(dotted);
	struct name_key key = unit_key(dotted);
	struct lookup_query query = { .name = name.wire,
		.type = type,
		.now_ms = now_ms,
		.wants_additional = type == RRSET_SRV,
		.memory = memory };

	lookup_answer(&zones, zones_match(&zones, &key), &key, &query, serve.txn, &answer);
}

static void
ask(const char *dotted, uint16_t type)
{
	ask_at(dotted, type, 1);
}

static struct zone *
zone_of(const char *apex)
{
	struct name_key key = unit_key(apex);

	return (struct zone *)(uintptr_t)zones_find(&zones, &key);
}

static void
assert_soa(size_t index, const char *zone, uint32_t ttl)
{
	assert_int_equal(answer.rrset_count, index + 1);
	assert_int_equal(answer.rrset[index].section, ANSWER_AUTHORITY);
	assert_int_equal(answer.rrset[index].type, RRSET_SOA);
	assert_int_equal(answer.rrset[index].ttl, ttl);
	assert_true(name_equal(answer.rrset[index].owner, unit_name(zone).wire));
}

static void
an_exact_name_answers_in_the_clients_case(void **state)
{
	(void)state;
	ask("wWw.LiVe", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, 1);
	assert_int_equal(answer.rrset[0].section, ANSWER_ANSWER);
	assert_int_equal(answer.rrset[0].ttl, 5);
	assert_memory_equal(answer.rrset[0].rdata, a_rdata, sizeof(a_rdata));
	assert_memory_equal(answer.rrset[0].owner, unit_name("wWw.LiVe").wire, 10);
}

static void
a_missing_type_is_nodata_with_the_soa(void **state)
{
	(void)state;
	ask("www.live", RRSET_AAAA);
	assert_int_equal(answer.kind, ANSWER_NODATA);
	assert_soa(0, "live", 30);
}

static void
a_missing_name_is_nxdomain_with_the_soa(void **state)
{
	(void)state;
	ask("nothing.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_NXDOMAIN);
	assert_soa(0, "live", 30);
}

static void
an_empty_non_terminal_is_nodata(void **state)
{
	(void)state;
	ask("a.b.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_NODATA);
	ask("b.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_NODATA);
	ask("x.b.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_NXDOMAIN);
}

static void
a_zone_without_anything_has_a_made_soa(void **state)
{
	(void)state;
	ask("x.other", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_NXDOMAIN);
	assert_soa(0, "other", 11);
	ask("closed", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_NODATA);
	assert_soa(0, "closed", 11);
}

static void
a_cname_is_followed_into_other_live_zones(void **state)
{
	(void)state;
	ask("alias.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, 2);
	assert_int_equal(answer.rrset[0].type, RRSET_CNAME);
	assert_true(name_equal(answer.rrset[1].owner, unit_name("www.live").wire));
	ask("far.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, 2);
	ask("gone.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_NXDOMAIN);
	assert_soa(1, "other", 11);
}

static void
a_cname_itself_can_be_asked_for(void **state)
{
	(void)state;
	ask("alias.live", RRSET_CNAME);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, 1);
}

static void
a_cname_out_of_the_live_zones_names_its_target(void **state)
{
	(void)state;
	ask("out.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_ELSEWHERE);
	assert_int_equal(answer.rrset_count, 1);
	assert_true(name_equal(answer.target.wire, unit_name("www.example.com").wire));
}

static void
loops_and_long_chains_end_with_what_there_is(void **state)
{
	(void)state;
	ask("self.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, 1);
	ask("ping.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, 2);
	ask("c4.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, LOOKUP_CHAIN_MAX + 1);
	assert_int_equal(answer.rrset[LOOKUP_CHAIN_MAX].type, RRSET_A);
	ask("c3.live", RRSET_A);
	assert_int_equal(answer.rrset_count, LOOKUP_CHAIN_MAX + 1);
	assert_int_equal(answer.rrset[LOOKUP_CHAIN_MAX].type, RRSET_CNAME);
}

static void
on_miss_decides_for_missing_names_only(void **state)
{
	(void)state;
	ask("x.open", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_ELSEWHERE);
	assert_int_equal(answer.rrset_count, 0);
	ask("toopen.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_ELSEWHERE);
	assert_int_equal(answer.rrset_count, 1);
	ask("open", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_NODATA);
	ask("x.closed", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_REFUSED);
	ask("toclosed.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_NXDOMAIN);
}

static void
a_lease_that_ran_out_takes_the_rrset_away(void **state)
{
	(void)state;
	ask_at("leased.live", RRSET_A, 999);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	ask_at("leased.live", RRSET_A, 1000);
	assert_int_equal(answer.kind, ANSWER_NODATA);
	ask_at("leased.live", RRSET_AAAA, 2000);
	assert_int_equal(answer.kind, ANSWER_NXDOMAIN);
}

static void
no_answer_is_kept_longer_than_its_lease(void **state)
{
	static const uint8_t srv[] = { 0, 17, 0, 0, 0, 0, 0, 53, 4, 'h', 'e', 'l', 'd', 4, 'l', 'i',
		'v', 'e', 0 };
	struct node_rrset set = a_set, service = { .type = RRSET_SRV, .count = 1, .ttl = 9,
		.rdata = srv, .rdata_len = sizeof(srv) };

	(void)state;
	set.ttl = 9;
	set.expires_ms = 10000;
	serve_put(&serve, "held.live", &set, 1);
	serve_put(&serve, "*.held.full", &set, 1);
	ask_at("held.live", RRSET_A, 0);
	assert_int_equal(answer.rrset[0].ttl, 9);
	ask_at("held.live", RRSET_A, 7500);
	assert_int_equal(answer.rrset[0].ttl, 2);
	ask_at("held.live", RRSET_ANY, 7500);
	assert_int_equal(answer.rrset[0].ttl, 2);
	ask_at("held.live", RRSET_A, 9999);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset[0].ttl, 0);
	ask_at("x.held.full", RRSET_A, 5001);
	assert_int_equal(answer.rrset[0].ttl, 4);
	zone_of("live")->any = ZONE_ANY_FULL;
	ask_at("held.live", RRSET_ANY, 3001);
	assert_int_equal(answer.rrset[0].ttl, 6);
	zone_of("live")->any = ZONE_ANY_MINIMAL;
	/* an address that comes along */
	serve_put(&serve, "srv.live", &service, 1);
	ask_at("srv.live", RRSET_SRV, 8001);
	assert_int_equal(answer.rrset_count, 2);
	assert_int_equal(answer.rrset[0].ttl, 9);
	assert_int_equal(answer.rrset[1].ttl, 1);
	/* what is not there is told for as long as ever */
	ask_at("held.live", RRSET_MX, 9999);
	assert_int_equal(answer.kind, ANSWER_NODATA);
	assert_int_equal(answer.rrset[0].ttl, 30);
}

static void
a_name_that_is_over_stays_for_the_names_below_it(void **state)
{
	(void)state;
	serve_put(&serve, "below.leased.live", &a_set, 1);
	ask_at("leased.live", RRSET_A, 5000);
	assert_int_equal(answer.kind, ANSWER_NODATA);
	ask_at("below.leased.live", RRSET_A, 5000);
	assert_int_equal(answer.kind, ANSWER_FOUND);
}

/* Then "*" is an empty non-terminal: what matches it has no data, but is there. */
static void
a_wildcard_whose_lease_ran_out_stays_for_the_names_below_it(void **state)
{
	struct node_rrset set = a_set;

	(void)state;
	set.expires_ms = 1000;
	serve_put(&serve, "*.w.full", &set, 1);
	ask_at("q.w.full", RRSET_A, 999);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	ask_at("q.w.full", RRSET_A, 1000);
	assert_int_equal(answer.kind, ANSWER_NXDOMAIN);
	serve_put(&serve, "x.*.w.full", &a_set, 1);
	ask_at("q.w.full", RRSET_A, 1000);
	assert_int_equal(answer.kind, ANSWER_NODATA);
}

static void
a_name_that_is_over_blocks_no_wildcard(void **state)
{
	static const struct {
		const char *name;
		uint64_t now_ms;
		enum answer_kind kind;
	} rows[] = {
		{ "x.over.full", 999, ANSWER_NXDOMAIN },
		{ "x.over.full", 1000, ANSWER_FOUND },
		{ "x.y.over.full", 1000, ANSWER_FOUND },
		{ "over.full", 1000, ANSWER_FOUND },
		/* "kept.full" has names below it: it exists without anything */
		{ "x.kept.full", 1000, ANSWER_NXDOMAIN },
		{ "a.kept.full", 1000, ANSWER_FOUND },
		/* the other type lives on */
		{ "x.half.full", 1000, ANSWER_NXDOMAIN },
		{ "x.half.full", 2000, ANSWER_FOUND },
	};
	struct node_rrset sets[2] = { a_set, a_set };

	(void)state;
	sets[0].expires_ms = 1000;
	sets[1].type = RRSET_AAAA;
	sets[1].expires_ms = 2000;
	serve_put(&serve, "over.full", sets, 1);
	serve_put(&serve, "kept.full", sets, 1);
	serve_put(&serve, "a.kept.full", &a_set, 1);
	serve_put(&serve, "half.full", sets, 2);
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		ask_at(rows[i].name, RRSET_A, rows[i].now_ms);
		if (answer.kind != rows[i].kind)
			print_message("# %s %d\n", rows[i].name, (int)rows[i].now_ms);
		assert_int_equal(answer.kind, rows[i].kind);
	}
}

static void
any_gives_one_rrset(void **state)
{
	(void)state;
	ask("leased.live", RRSET_ANY);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, 1);
	ask("alias.live", RRSET_ANY);
	assert_int_equal(answer.rrset[0].type, RRSET_CNAME);
}

static void
any_gives_all_rrsets_where_the_zone_says_so(void **state)
{
	struct zone *zone = zone_of("live");

	(void)state;
	zone->any = ZONE_ANY_FULL;
	ask_at("leased.live", RRSET_ANY, 1);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, 2);
	ask_at("leased.live", RRSET_ANY, 1500);
	assert_int_equal(answer.rrset_count, 1);
	assert_int_equal(answer.rrset[0].type, RRSET_AAAA);
	ask_at("leased.live", RRSET_ANY, 2000);
	assert_int_equal(answer.kind, ANSWER_NXDOMAIN);
	ask("alias.live", RRSET_ANY);
	assert_int_equal(answer.rrset_count, 1);
	assert_int_equal(answer.rrset[0].type, RRSET_CNAME);
	ask("a.b.live", RRSET_ANY);
	assert_int_equal(answer.kind, ANSWER_NODATA);
	zone->any = ZONE_ANY_MINIMAL;
}

static void
any_is_no_longer_than_a_message(void **state)
{
	static uint8_t rdata[RRSET_RECORDS_MAX * 6];
	struct node_rrset sets[9];

	(void)state;
	for (size_t i = 0; i < RRSET_RECORDS_MAX; i++) {
		const uint8_t one[] = { 0, 4, 10, 0, (uint8_t)(i >> 8), (uint8_t)i };

		memcpy(rdata + i * sizeof(one), one, sizeof(one));
	}
	for (size_t i = 0; i < UNIT_COUNT(sets); i++)
		sets[i] = (struct node_rrset){ .type = (uint16_t)(65280 + i),
			.count = RRSET_RECORDS_MAX, .ttl = 5, .rdata = rdata,
			.rdata_len = sizeof(rdata) };
	serve_put(&serve, "many.full", sets, UNIT_COUNT(sets));
	zone_of("full")->any = ZONE_ANY_FULL;
	ask("many.full", RRSET_ANY);
	zone_of("full")->any = ZONE_ANY_MINIMAL;
	assert_int_equal(answer.kind, ANSWER_FOUND);
	/* each takes 512 * 16 of 65,535 octets, and there is a header */
	assert_int_equal(answer.rrset_count, 7);
}

static void
no_store_is_a_failure(void **state)
{
	struct name name = unit_name("www.live");
	struct name_key key = unit_key("www.live");
	struct lookup_query query = { .name = name.wire, .type = RRSET_A };

	(void)state;
	lookup_answer(&zones, zones_match(&zones, &key), &key, &query, NULL, &answer);
	assert_int_equal(answer.kind, ANSWER_FAILED);
	assert_int_equal(answer.failure, STATUS_UNAVAILABLE);
	assert_int_equal(answer.rrset_count, 0);
}

static void
a_damaged_value_is_a_failure(void **state)
{
	struct name_key key = unit_key("damaged.live");
	uint8_t *value;

	(void)state;
	assert_int_equal(serve_writer_reserve(serve.txn, &key, 64, &value, NULL), STATUS_OK);
	memset(value, 0x5a, 64);
	ask("damaged.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FAILED);
	assert_int_equal(answer.failure, STATUS_CORRUPT);
	ask("www.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FOUND);
}

/* --- wildcards (RFC 4592) --- */

static void
a_wildcard_answers_under_the_name_asked_for(void **state)
{
	(void)state;
	ask("What.ever.full", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_memory_equal(answer.rrset[0].owner, unit_name("What.ever.full").wire, 16);
	ask("whatever.full", RRSET_AAAA);
	assert_int_equal(answer.kind, ANSWER_NODATA);
	assert_soa(0, "full", 30);
}

static void
a_wildcard_is_blocked_by_what_exists(void **state)
{
	static const struct {
		const char *name;
		enum answer_kind kind;
	} rows[] = {
		{ "host.full", ANSWER_FOUND },
		{ "below.host.full", ANSWER_NXDOMAIN },
		{ "ent.full", ANSWER_NODATA },
		{ "other.ent.full", ANSWER_NXDOMAIN },
		{ "y.star.full", ANSWER_NODATA }, /* "*.star" is an empty non-terminal */
		{ "*.star.full", ANSWER_NODATA },
		{ "x.*.star.full", ANSWER_FOUND },
		{ "y.*.star.full", ANSWER_NXDOMAIN },
		{ "*.full", ANSWER_FOUND },
		{ "x.*.full", ANSWER_NXDOMAIN }, /* "*" matches no name below itself */
	};
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(rows); i++) {
		ask(rows[i].name, RRSET_A);
		if (answer.kind != rows[i].kind)
			print_message("# %s\n", rows[i].name);
		assert_int_equal(answer.kind, rows[i].kind);
	}
}

static void
a_wildcard_cname_is_followed(void **state)
{
	(void)state;
	ask("x.alias.full", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, 2);
	assert_true(name_equal(answer.rrset[0].owner, unit_name("x.alias.full").wire));
	assert_true(name_equal(answer.rrset[1].owner, unit_name("host.full").wire));
}

static void
the_deepest_name_costs_few_steps_and_is_right(void **state)
{
	struct name name = { .len = 254 };
	struct name_key key;
	struct lookup_query query = { .name = name.wire, .type = RRSET_A };
	size_t i;

	(void)state;
	for (i = 0; i < 124; i++) {
		name.wire[2 * i] = 1;
		name.wire[2 * i + 1] = 'd';
	}
	memcpy(name.wire + 248, "\4full", 6);
	name_to_key(name.wire, &key);
	lookup_answer(&zones, zones_match(&zones, &key), &key, &query, serve.txn, &answer);
	assert_int_equal(answer.kind, ANSWER_FOUND);
}

/* --- zone cuts --- */

static void
a_cut_refers_with_glue(void **state)
{
	static const char *const names[] = { "sub.full", "x.sub.full", "occluded.sub.full",
		"ns.sub.full" };
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(names); i++) {
		ask(names[i], RRSET_A);
		assert_int_equal(answer.kind, ANSWER_REFERRAL);
		assert_int_equal(answer.rrset_count, 2);
		assert_int_equal(answer.rrset[0].section, ANSWER_AUTHORITY);
		assert_int_equal(answer.rrset[0].type, RRSET_NS);
		assert_true(name_equal(answer.rrset[0].owner, unit_name("sub.full").wire));
		assert_int_equal(answer.rrset[1].section, ANSWER_ADDITIONAL);
		assert_int_equal(answer.rrset[1].type, RRSET_A);
	}
}

/* They are another zone's to give. */
static void
addresses_of_another_zone_are_no_glue(void **state)
{
	(void)state;
	put_name("cut.full", RRSET_NS, "www.other");
	ask("x.cut.full", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_REFERRAL);
	assert_int_equal(answer.rrset_count, 1);
}

/* A referral without its glue leads nowhere; the snapshot may have it. */
static void
damaged_glue_is_a_failure(void **state)
{
	struct name_key key = unit_key("ns.cut.full");
	struct node_rrset ns = name_rrset(RRSET_NS, "ns.cut.full");
	uint8_t *value;

	(void)state;
	serve_put(&serve, "cut.full", &ns, 1);
	free((void *)(uintptr_t)ns.rdata);
	ask("x.cut.full", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_REFERRAL);
	assert_int_equal(serve_writer_reserve(serve.txn, &key, 64, &value, NULL), STATUS_OK);
	memset(value, 0x5a, 64);
	ask("x.cut.full", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FAILED);
	assert_int_equal(answer.failure, STATUS_CORRUPT);
	assert_int_equal(answer.rrset_count, 0);
}

static void
ds_at_a_cut_is_the_parents_own(void **state)
{
	(void)state;
	ask("sub.full", RRSET_DS);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	ask("x.sub.full", RRSET_DS);
	assert_int_equal(answer.kind, ANSWER_REFERRAL);
}

static void
a_cut_can_be_left_to_the_resolver(void **state)
{
	struct zone *zone = &zones.zone[0];

	(void)state;
	assert_true(name_equal(zone->name.wire, unit_name("full").wire));
	zone->delegation = ZONE_DELEGATION_RECURSE;
	ask("x.sub.full", RRSET_A);
	zone->delegation = ZONE_DELEGATION_REFER;
	assert_int_equal(answer.kind, ANSWER_ELSEWHERE);
	assert_int_equal(answer.rrset_count, 0);
}

/* --- DNAME (RFC 6672) --- */

static void
a_dname_redirects_what_is_below_it(void **state)
{
	(void)state;
	ask("WWW.old.full", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, 3);
	assert_int_equal(answer.rrset[0].type, RRSET_DNAME);
	assert_int_equal(answer.rrset[1].type, RRSET_CNAME);
	assert_int_equal(answer.rrset[1].ttl, answer.rrset[0].ttl);
	assert_memory_equal(answer.rrset[1].owner, unit_name("WWW.old.full").wire, 14);
	assert_true(name_equal(answer.rrset[2].owner, unit_name("www.live").wire));
	ask("x.out.full", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_ELSEWHERE);
	assert_true(name_equal(answer.target.wire, unit_name("x.example.com").wire));
	ask("www.old.full", RRSET_CNAME);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, 2);
}

static void
a_dname_leaves_its_owner_alone(void **state)
{
	(void)state;
	ask("old.full", RRSET_DNAME);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, 1);
	ask("old.full", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_NODATA);
}

static void
a_name_that_grows_too_long_is_yxdomain(void **state)
{
	struct name name = { .len = 191 };
	struct name_key key;
	struct lookup_query query = { .name = name.wire, .type = RRSET_A };
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		name.wire[i * 60] = 59;
		memset(name.wire + i * 60 + 1, 'x', 59);
	}
	memcpy(name.wire + 180, "\4grow\4full", 11);
	name_to_key(name.wire, &key);
	lookup_answer(&zones, zones_match(&zones, &key), &key, &query, serve.txn, &answer);
	assert_int_equal(answer.kind, ANSWER_YXDOMAIN);
	assert_int_equal(answer.rrset_count, 1);
	assert_int_equal(answer.rrset[0].type, RRSET_DNAME);
}

/* The longest name that there is, and one octet more (RFC 6672 section 2.2). */
static void
a_name_of_255_octets_is_not_too_long(void **state)
{
	struct node_rrset dname = name_rrset(RRSET_DNAME,
		"abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz."
		"abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.live");
	const size_t target_len = dname.rdata_len - 2;

	(void)state;
	free((void *)(uintptr_t)dname.rdata);
	for (size_t more = 0; more < 2; more++) {
		const size_t kept = NAME_WIRE_MAX - target_len + more, last = kept - 2 * 60 - 1;
		struct name name = { .len = (uint8_t)(kept + 11) };
		struct lookup_query query = { .name = name.wire, .type = RRSET_A };
		struct name_key key;

		name.wire[0] = name.wire[60] = 59;
		name.wire[120] = (uint8_t)last;
		memset(name.wire + 1, 'x', 59);
		memset(name.wire + 61, 'x', 59);
		memset(name.wire + 121, 'x', last);
		memcpy(name.wire + kept, "\4grow\4full", 11);
		name_to_key(name.wire, &key);
		lookup_answer(&zones, zones_match(&zones, &key), &key, &query, serve.txn,
			&answer);
		assert_int_equal(answer.kind, more ? ANSWER_YXDOMAIN : ANSWER_NXDOMAIN);
	}
}

/* --- rules --- */

static void
set_rules(struct zone *zone, const struct rule_text *texts, size_t count)
{
	const char *key;

	zone->rule = calloc(count, sizeof(*zone->rule));
	zone->rule_count = count;
	for (size_t i = 0; i < count; i++)
		assert_int_equal(rule_new(&texts[i], &zone->rule[i], &key, NULL), STATUS_OK);
}

static void
drop_rules(struct zone *zone)
{
	for (size_t i = 0; i < zone->rule_count; i++)
		rule_free(zone->rule[i]);
	free(zone->rule);
	zone->rule = NULL;
	zone->rule_count = 0;
}

static void
a_rule_answers_for_names_that_are_not_there(void **state)
{
	static const struct rule_text texts[] = {
		{ "ip-(?<a>[^.]+)\\.(live|full|open)\\.", "A", "10.0.0.${a}", 60 },
		{ "(www|a\\.b|deep\\.a\\.b|ip-7)\\.(live|full)\\.", "A", "10.0.0.7", 61 },
		{ "(ip-.+|leased)\\.(live|full|open)\\.", "TXT", "x", 62 },
		{ "to-(?<a>.+)\\.live\\.", "CNAME", "${a}.live.", 63 },
		{ ".*\\.sub\\.full\\.", "A", "10.0.0.8", 64 },
	};
	static const struct {
		const char *name;
		uint16_t type;
		enum answer_kind kind;
		size_t rrsets;
		uint32_t ttl; /* of the last */
	} rows[] = {
		{ "IP-1.live", RRSET_A, ANSWER_FOUND, 1, 60 },
		{ "ip-7.live", RRSET_A, ANSWER_FOUND, 1, 60 }, /* the first that matches */
		{ "ip-1.live", 16, ANSWER_FOUND, 1, 62 },
		{ "ip-1.live", RRSET_AAAA, ANSWER_NODATA, 1, 30 },
		{ "ip-999.live", RRSET_A, ANSWER_NODATA, 1, 30 }, /* TXT matches */
		{ "ip-999.live", 16, ANSWER_FOUND, 1, 62 },
		{ "ipx.live", RRSET_A, ANSWER_NXDOMAIN, 1, 30 },
		{ "www.live", RRSET_A, ANSWER_FOUND, 1, 5 },
		{ "www.live", 16, ANSWER_NODATA, 1, 30 },
		{ "a.b.live", RRSET_A, ANSWER_NODATA, 1, 30 }, /* an empty non-terminal */
		{ "to-www.live", RRSET_A, ANSWER_FOUND, 2, 5 },
		{ "to-ip-1.live", RRSET_A, ANSWER_FOUND, 2, 60 },
		{ "to-to-www.live", RRSET_A, ANSWER_FOUND, 3, 5 },
		{ "to-www.live", RRSET_CNAME, ANSWER_FOUND, 1, 63 },
		{ "to-x.live", RRSET_A, ANSWER_NXDOMAIN, 2, 30 },
		{ "ip-1.live", RRSET_ANY, ANSWER_FOUND, 1, 60 },
		{ "leased.live", 16, ANSWER_FOUND, 1, 62 }, /* its leases have run out */
		/* "*.full" has an A of its own */
		{ "ip-1.full", RRSET_A, ANSWER_FOUND, 1, 60 },
		{ "ip-1.full", RRSET_AAAA, ANSWER_NODATA, 1, 30 },
		{ "other.full", RRSET_A, ANSWER_FOUND, 1, 5 },
		{ "x.sub.full", RRSET_A, ANSWER_REFERRAL, 2, 5 },
		{ "ip-1.open", RRSET_A, ANSWER_FOUND, 1, 60 },
		{ "ipx.open", RRSET_A, ANSWER_ELSEWHERE, 0, 0 },
	};
	static const char *const apexes[] = { "live", "full", "open" };

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(apexes); i++)
		set_rules(zone_of(apexes[i]), texts, UNIT_COUNT(texts));
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		ask_at(rows[i].name, rows[i].type, 3000);
		if (answer.kind != rows[i].kind || answer.rrset_count != rows[i].rrsets)
			print_message("# %s %u\n", rows[i].name, rows[i].type);
		assert_int_equal(answer.kind, rows[i].kind);
		assert_int_equal(answer.rrset_count, rows[i].rrsets);
		if (rows[i].rrsets > 0 && answer.kind != ANSWER_REFERRAL)
			assert_int_equal(answer.rrset[rows[i].rrsets - 1].ttl, rows[i].ttl);
	}
	ask("IP-1.live", RRSET_A);
	assert_memory_equal(answer.rrset[0].owner, unit_name("IP-1.live").wire, 10);
	assert_memory_equal(answer.rrset[0].rdata, "\0\4\12\0\0\1", 6);
	zone_of("live")->any = ZONE_ANY_FULL;
	ask("ip-1.live", RRSET_ANY);
	assert_int_equal(answer.rrset_count, 2);
	ask("ip-7.live", RRSET_ANY);
	assert_int_equal(answer.rrset_count, 2);
	zone_of("live")->any = ZONE_ANY_MINIMAL;
	for (size_t i = 0; i < UNIT_COUNT(apexes); i++)
		drop_rules(zone_of(apexes[i]));
}

/* Rules of more types than an answer has room for: nothing is damaged. */
static void
a_limit_of_the_answer_is_no_damage(void **state)
{
	struct rule_text texts[ANSWER_RRSETS_MAX + 1];
	char types[UNIT_COUNT(texts)][16];
	struct zone *zone = zone_of("live");

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		snprintf(types[i], sizeof(types[i]), "TYPE%zu", 65280 + i);
		texts[i] = (struct rule_text){ "many\\.live\\.", types[i], "\\# 1 00", 60 };
	}
	set_rules(zone, texts, UNIT_COUNT(texts));
	zone->any = ZONE_ANY_FULL;
	ask("many.live", RRSET_ANY);
	zone->any = ZONE_ANY_MINIMAL;
	drop_rules(zone);
	assert_int_equal(answer.kind, ANSWER_FAILED);
	assert_int_equal(answer.failure, STATUS_TOO_LARGE);
}

static bool has_no_memory;

/* In place of the library's. */
int
pcre2_match_8(const pcre2_code *code, PCRE2_SPTR text, PCRE2_SIZE len, PCRE2_SIZE from,
	uint32_t options, pcre2_match_data *data, pcre2_match_context *context)
{
	static int (*match)(const pcre2_code *, PCRE2_SPTR, PCRE2_SIZE, PCRE2_SIZE, uint32_t,
		pcre2_match_data *, pcre2_match_context *);

	if (!match)
		*(void **)&match = dlsym(RTLD_NEXT, "pcre2_match_8");
	return has_no_memory ? PCRE2_ERROR_NOMEMORY
			     : match(code, text, len, from, options, data, context);
}

/* What a rule would say is not known: the name must not be denied. */
static void
a_rule_without_memory_denies_no_name(void **state)
{
	static const struct rule_text text = { "ip-1\\.live\\.", "A", "10.0.0.1", 60 };
	struct zone *zone = zone_of("live");

	(void)state;
	set_rules(zone, &text, 1);
	has_no_memory = true;
	ask("ip-1.live", RRSET_A);
	has_no_memory = false;
	assert_int_equal(answer.kind, ANSWER_FAILED);
	assert_int_equal(answer.failure, STATUS_NO_MEMORY);
	ask("ip-1.live", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	drop_rules(zone);
}

static void
ask_for_a_rule(void *unused)
{
	(void)unused;
	ask("ip-1.live", RRSET_A);
}

/* It is no fault of the store, which would be given up for it. */
static void
a_fault_in_a_rule_is_not_the_stores(void **state)
{
	const struct rlimit no_core = { 0, 0 };
	struct zone *zone = zone_of("live");
	void *forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rule *rule[] = { forbidden };
	int outcome = 0;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGSEGV, SIG_DFL);
		guard_install();
		zone->rule = rule;
		zone->rule_count = 1;
		_exit(guard_run(&ask_for_a_rule, NULL) == GUARD_SIGSEGV);
	}
	assert_int_equal(waitpid(child, &outcome, 0), child);
	assert_true(WIFSIGNALED(outcome) && WTERMSIG(outcome) == SIGSEGV);
	munmap(forbidden, 4096);
}

/* --- memory of a zone's flags --- */

/* Fallback records of two zones, in the order of their keys; the zones own them. */
static void
set_fallback(void)
{
	static const struct {
		const char *zone, *owner, *target; /* NULL: an address */
	} rows[] = {
		{ "live", "old.live", NULL },
		{ "live", "www.live", NULL },
		{ "live", "below.some.live", NULL },
		{ "live", "turn.live", "first.live" },
		{ "live", "first.live", NULL },
		{ "open", "host.open", NULL },
	};

	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct zone *zone = zone_of(rows[i].zone);
		struct node_rrset set = a_set;
		uint8_t *rdata;

		if (rows[i].target)
			set = name_rrset(RRSET_CNAME, rows[i].target);
		rdata = malloc(set.rdata_len);
		memcpy(rdata, set.rdata, set.rdata_len);
		zone->fallback = realloc(zone->fallback,
			(zone->fallback_count + 1) * sizeof(*zone->fallback));
		zone->fallback[zone->fallback_count++] = (struct rrset){
			.owner = unit_key(rows[i].owner),
			.type = set.type,
			.count = 1,
			.ttl = 77,
			.rdata = rdata,
			.rdata_len = set.rdata_len,
		};
		if (rows[i].target)
			free((void *)(uintptr_t)set.rdata);
	}
}

static void
fallback_records_stand_in_where_the_data_has_nothing(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		enum answer_kind kind;
		size_t rrsets;
		uint32_t ttl; /* of the last RRset */
		bool is_fallback;
		enum answer_kind kind_without_store;
	} rows[] = {
		{ "first.live", RRSET_A, ANSWER_FOUND, 1, 77, true, ANSWER_FOUND },
		{ "first.live", RRSET_ANY, ANSWER_FOUND, 1, 77, true, ANSWER_FOUND },
		{ "turn.live", RRSET_A, ANSWER_FOUND, 2, 77, true, ANSWER_FOUND },
		{ "turn.live", RRSET_CNAME, ANSWER_FOUND, 1, 77, true, ANSWER_FOUND },
		/* the live data comes first */
		{ "www.live", RRSET_A, ANSWER_FOUND, 1, 5, false, ANSWER_FOUND },
		/* a name of the fallback exists, and so does what is above it */
		{ "first.live", RRSET_AAAA, ANSWER_NODATA, 1, 30, true, ANSWER_FAILED },
		{ "some.live", RRSET_A, ANSWER_NODATA, 1, 30, true, ANSWER_FAILED },
		{ "nothing.live", RRSET_A, ANSWER_NXDOMAIN, 1, 30, false, ANSWER_FAILED },
		{ "www.live", RRSET_AAAA, ANSWER_NODATA, 1, 30, false, ANSWER_FAILED },
		/* before the next module, which may know the other types */
		{ "host.open", RRSET_A, ANSWER_FOUND, 1, 77, true, ANSWER_FOUND },
		{ "host.open", RRSET_AAAA, ANSWER_ELSEWHERE, 0, 0, false, ANSWER_FAILED },
	};

	(void)state;
	set_fallback();
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct name name = unit_name(rows[i].name);
		struct name_key key = unit_key(rows[i].name);
		struct lookup_query query = { .name = name.wire, .type = rows[i].type };

		ask(rows[i].name, rows[i].type);
		assert_int_equal(answer.kind, rows[i].kind);
		assert_int_equal(answer.rrset_count, rows[i].rrsets);
		assert_int_equal(answer.is_fallback, rows[i].is_fallback);
		if (rows[i].rrsets > 0)
			assert_int_equal(answer.rrset[rows[i].rrsets - 1].ttl, rows[i].ttl);
		lookup_answer(&zones, zones_match(&zones, &key), &key, &query, NULL,
			&answer);
		assert_int_equal(answer.kind, rows[i].kind_without_store);
		assert_int_equal(answer.is_fallback, answer.kind == ANSWER_FOUND);
	}
}

/* With the fallback records of the test before. */
static void
a_lease_that_ran_out_keeps_fallback_records_back(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		uint64_t now_ms;
		enum answer_kind kind;
		uint32_t ttl; /* of the first RRset; 77: a fallback record's */
	} rows[] = {
		{ "first.live", RRSET_A, 0, ANSWER_FOUND, 1 },
		{ "first.live", RRSET_A, 1000, ANSWER_NXDOMAIN, 30 },
		{ "first.live", RRSET_ANY, 1000, ANSWER_NXDOMAIN, 30 },
		/* not of that type, but of that name */
		{ "old.live", RRSET_A, 1000, ANSWER_FOUND, 77 },
		{ "old.live", RRSET_ANY, 1000, ANSWER_FOUND, 77 },
		{ "old.live", RRSET_AAAA, 1000, ANSWER_NODATA, 30 },
		/* neither does a CNAME answer for it, nor anything for a CNAME */
		{ "turn.live", RRSET_A, 1000, ANSWER_NODATA, 30 },
		{ "turn.live", RRSET_CNAME, 1000, ANSWER_FOUND, 77 },
		{ "below.some.live", RRSET_A, 1000, ANSWER_NXDOMAIN, 30 },
		{ "host.open", RRSET_A, 1000, ANSWER_ELSEWHERE, 0 },
	};
	static const char *const names[] = { "live", "open" };
	struct node_rrset set = a_set, cname = name_rrset(RRSET_CNAME, "www.live");

	(void)state;
	set.expires_ms = cname.expires_ms = 1000;
	for (size_t i = 0; i < UNIT_COUNT(names); i++)
		zone_of(names[i])->on_expiry = ZONE_EXPIRY_REMOVE;
	serve_put(&serve, "first.live", &set, 1);
	serve_put(&serve, "turn.live", &set, 1);
	serve_put(&serve, "host.open", &set, 1);
	serve_put(&serve, "below.some.live", &cname, 1);
	set.type = RRSET_AAAA;
	serve_put(&serve, "old.live", &set, 1);
	free((void *)(uintptr_t)cname.rdata);
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		ask_at(rows[i].name, rows[i].type, rows[i].now_ms);
		assert_int_equal(answer.kind, rows[i].kind);
		if (rows[i].kind != ANSWER_ELSEWHERE)
			assert_int_equal(answer.rrset[0].ttl, rows[i].ttl);
		/* NODATA because of another fallback record is due to it */
		assert_int_equal(answer.is_fallback,
			rows[i].ttl == 77 || rows[i].kind == ANSWER_NODATA);
	}
	zone_of("live")->on_expiry = ZONE_EXPIRY_FALLBACK;
	ask_at("first.live", RRSET_A, 1000);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset[0].ttl, 77);
	assert_true(answer.is_fallback);
}

/* The only one of its zone. */
static void
set_one_fallback(const char *apex, const char *owner, const struct node_rrset *set)
{
	struct zone *zone = zone_of(apex);
	uint8_t *rdata = malloc(set->rdata_len);

	memcpy(rdata, set->rdata, set->rdata_len);
	if (zone->fallback_count == 0)
		zone->fallback = malloc(sizeof(*zone->fallback));
	else
		free((void *)(uintptr_t)zone->fallback[0].rdata);
	zone->fallback_count = 1;
	zone->fallback[0] = (struct rrset){ .owner = unit_key(owner), .type = set->type,
		.count = 1, .ttl = 77, .rdata = rdata, .rdata_len = set->rdata_len };
}

/* Addresses of targets are looked for in the store, and there is none. */
static void
fallback_records_with_targets_need_no_store(void **state)
{
	struct name name = unit_name("srv.closed");
	struct name_key key = unit_key("srv.closed");
	struct lookup_query query = { .name = name.wire, .type = RRSET_NS,
		.wants_additional = true };
	struct node_rrset set = name_rrset(RRSET_NS, "www.closed");

	(void)state;
	set_one_fallback("closed", "srv.closed", &set);
	free((void *)(uintptr_t)set.rdata);
	lookup_answer(&zones, zones_match(&zones, &key), &key, &query, NULL, &answer);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(answer.rrset_count, 1);
}

/* A lease that ran out at a name holds back what the fallback has there, not what it has below. */
static void
fallback_records_below_an_expired_name_are_not_held_back(void **state)
{
	struct node_rrset set = a_set;

	(void)state;
	set_one_fallback("closed", "x.y.closed", &a_set);
	zone_of("closed")->on_expiry = ZONE_EXPIRY_REMOVE;
	zone_of("closed")->on_miss = ZONE_MISS_NXDOMAIN;
	set.expires_ms = 1000;
	serve_put(&serve, "y.closed", &set, 1);
	ask_at("y.closed", RRSET_A, 1000);
	assert_int_equal(answer.kind, ANSWER_NODATA);
	assert_true(answer.is_fallback);
}

/* Asked for itself, a CNAME is an answer and no way to another. */
static void
a_fallback_cname_is_followed_for_other_types_only(void **state)
{
	static const struct {
		uint16_t type;
		size_t rrsets;
	} rows[] = { { RRSET_A, 2 }, { RRSET_CNAME, 1 }, { RRSET_ANY, 1 } };
	struct node_rrset cname = name_rrset(RRSET_CNAME, "www.live");

	(void)state;
	set_one_fallback("closed", "alias.closed", &cname);
	free((void *)(uintptr_t)cname.rdata);
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		ask("alias.closed", rows[i].type);
		assert_int_equal(answer.kind, ANSWER_FOUND);
		assert_int_equal(answer.rrset_count, rows[i].rrsets);
	}
}

static void
remembered_flags_end_with_the_transaction(void **state)
{
	(void)state;
	ask("x.full", RRSET_A);
	assert_int_equal(memory[0].txn_id, serve_txn_id(serve.txn));
	/* another commit: what is remembered no longer counts */
	memory[0] = (struct lookup_memory){ .txn_id = serve_txn_id(serve.txn) + 1 };
	ask("x.full", RRSET_A);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(memory[0].flags, NODE_HAS_WILDCARDS | NODE_HAS_CUTS);
}

/* --- the trace --- */

static const struct trace_row {
	const char *name;
	uint16_t type;
	enum lookup_event event[12]; /* in order; the first LOOKUP_ZONE is left out */
	size_t at;                   /* of these, one that is looked at closely: */
	const char *owner;
	uint16_t rrset;
} trace_rows[] = {
	{ "www.live", RRSET_A, { LOOKUP_NODE, LOOKUP_RRSET }, 1, "www.live", RRSET_A },
	{ "www.live", RRSET_AAAA, { LOOKUP_NODE, LOOKUP_NO_RRSET, LOOKUP_SOA }, 1, "www.live",
		RRSET_AAAA },
	{ "b.live", RRSET_A, { LOOKUP_EMPTY, LOOKUP_SOA }, 1, "live", RRSET_SOA },
	/* no wildcards in the zone: the encloser is found for the trace alone */
	{ "q.a.b.live", RRSET_A,
		{ LOOKUP_ABSENT, LOOKUP_ENCLOSER, LOOKUP_MISSING, LOOKUP_SOA }, 1, "a.b.live",
		0 },
	{ "leased.live", RRSET_A,
		{ LOOKUP_EXPIRED, LOOKUP_ENCLOSER, LOOKUP_MISSING, LOOKUP_SOA }, 0,
		"leased.live", 0 },
	{ "far.live", RRSET_A,
		{ LOOKUP_NODE, LOOKUP_CNAME, LOOKUP_ZONE, LOOKUP_NODE, LOOKUP_RRSET }, 1,
		"far.live", RRSET_CNAME },
	{ "out.live", RRSET_A, { LOOKUP_NODE, LOOKUP_CNAME, LOOKUP_OUTSIDE }, 2,
		"www.example.com", 0 },
	{ "self.live", RRSET_A, { LOOKUP_NODE, LOOKUP_CNAME, LOOKUP_LOOP }, 2, "self.live", 0 },
	{ "x.full", RRSET_A, { LOOKUP_ABSENT, LOOKUP_ENCLOSER, LOOKUP_WILDCARD, LOOKUP_RRSET },
		3, "*.full", RRSET_A },
	{ "x.host.full", RRSET_A,
		{ LOOKUP_ABSENT, LOOKUP_ENCLOSER, LOOKUP_NO_WILDCARD, LOOKUP_MISSING,
			LOOKUP_SOA },
		2, "*.host.full", 0 },
	{ "y.star.full", RRSET_A, { LOOKUP_ABSENT, LOOKUP_ENCLOSER, LOOKUP_EMPTY, LOOKUP_SOA },
		2, "*.star.full", 0 },
	{ "x.sub.full", RRSET_A, { LOOKUP_NODE, LOOKUP_CUT }, 1, "sub.full", RRSET_NS },
	{ "www.old.full", RRSET_A,
		{ LOOKUP_NODE, LOOKUP_DNAME, LOOKUP_MADE, LOOKUP_CNAME, LOOKUP_ZONE,
			LOOKUP_NODE, LOOKUP_RRSET },
		3, "www.old.full", RRSET_CNAME },
	{ "x.open", RRSET_A, { LOOKUP_ABSENT, LOOKUP_ENCLOSER, LOOKUP_MISSING }, 2, "x.open", 0 },
	{ "alias.live", RRSET_ANY, { LOOKUP_NODE, LOOKUP_RRSET }, 1, "alias.live",
		RRSET_CNAME },
};

static struct lookup_trace trace;

/* Asks with and without a trace: the answers are the same. */
static void
ask_traced(const char *dotted, uint16_t type)
{
	static struct answer plain;
	struct name name = unit_name(dotted);
	struct name_key key = unit_key(dotted);
	struct lookup_query query = { .name = name.wire,
		.type = type,
		.now_ms = 3000,
		.trace = &trace };
	size_t i;

	ask_at(dotted, type, 3000);
	plain = answer;
	trace.count = 0;
	lookup_answer(&zones, zones_match(&zones, &key), &key, &query, serve.txn, &answer);
	assert_int_equal(answer.kind, plain.kind);
	assert_int_equal(answer.rrset_count, plain.rrset_count);
	for (i = 0; i < plain.rrset_count; i++)
		assert_int_equal(answer.rrset[i].type, plain.rrset[i].type);
}

static void
a_trace_tells_each_step(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < UNIT_COUNT(trace_rows); i++) {
		const struct trace_row *row = &trace_rows[i];
		const struct lookup_step *step = &trace.step[row->at + 1];
		struct name_key owner = unit_key(row->owner);

		ask_traced(row->name, row->type);
		for (k = 1; k < trace.count && trace.step[k].event == row->event[k - 1]; k++)
			;
		if (k < trace.count || row->event[k - 1] != LOOKUP_ZONE)
			fail_msg("%s: step %zu of %zu", row->name, k, trace.count);
		assert_int_equal(trace.step[0].event, LOOKUP_ZONE);
		assert_ptr_equal(trace.step[0].zone->name.wire,
			zones_match(&zones, &trace.step[0].name)->name.wire);
		assert_int_equal(step->type, row->rrset);
		assert_int_equal(step->name.len, owner.len);
		assert_memory_equal(step->name.bytes, owner.bytes, owner.len);
	}
}

static void
a_full_trace_takes_no_more_steps(void **state)
{
	struct name name = unit_name("www.live");
	struct name_key key = unit_key("www.live");
	struct lookup_query query = { .name = name.wire, .type = RRSET_A, .trace = &trace };

	(void)state;
	trace.count = LOOKUP_STEPS_MAX;
	lookup_answer(&zones, zones_match(&zones, &key), &key, &query, serve.txn, &answer);
	assert_int_equal(answer.kind, ANSWER_FOUND);
	assert_int_equal(trace.count, LOOKUP_STEPS_MAX);
}

static void
the_longest_chain_fits_a_trace(void **state)
{
	(void)state;
	ask_traced("c3.live", RRSET_A);
	assert_int_equal(trace.count, 3 * (LOOKUP_CHAIN_MAX + 1) + 1);
	assert_int_equal(trace.step[trace.count - 1].event, LOOKUP_CAP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exact_name_answers_in_the_clients_case),
		cmocka_unit_test(a_missing_type_is_nodata_with_the_soa),
		cmocka_unit_test(a_missing_name_is_nxdomain_with_the_soa),
		cmocka_unit_test(an_empty_non_terminal_is_nodata),
		cmocka_unit_test(a_zone_without_anything_has_a_made_soa),
		cmocka_unit_test(a_cname_is_followed_into_other_live_zones),
		cmocka_unit_test(a_cname_itself_can_be_asked_for),
		cmocka_unit_test(a_cname_out_of_the_live_zones_names_its_target),
		cmocka_unit_test(loops_and_long_chains_end_with_what_there_is),
		cmocka_unit_test(on_miss_decides_for_missing_names_only),
		cmocka_unit_test(a_lease_that_ran_out_takes_the_rrset_away),
		cmocka_unit_test(any_gives_one_rrset),
		cmocka_unit_test(any_gives_all_rrsets_where_the_zone_says_so),
		cmocka_unit_test(any_is_no_longer_than_a_message),
		cmocka_unit_test(no_store_is_a_failure),
		cmocka_unit_test(a_damaged_value_is_a_failure),
		cmocka_unit_test(a_wildcard_answers_under_the_name_asked_for),
		cmocka_unit_test(a_wildcard_is_blocked_by_what_exists),
		cmocka_unit_test(a_wildcard_cname_is_followed),
		cmocka_unit_test(the_deepest_name_costs_few_steps_and_is_right),
		cmocka_unit_test(a_cut_refers_with_glue),
		cmocka_unit_test(addresses_of_another_zone_are_no_glue),
		cmocka_unit_test(damaged_glue_is_a_failure),
		cmocka_unit_test(ds_at_a_cut_is_the_parents_own),
		cmocka_unit_test(a_cut_can_be_left_to_the_resolver),
		cmocka_unit_test(a_dname_redirects_what_is_below_it),
		cmocka_unit_test(a_dname_leaves_its_owner_alone),
		cmocka_unit_test(a_name_that_grows_too_long_is_yxdomain),
		cmocka_unit_test(a_name_of_255_octets_is_not_too_long),
		cmocka_unit_test(a_rule_answers_for_names_that_are_not_there),
		cmocka_unit_test(a_limit_of_the_answer_is_no_damage),
		cmocka_unit_test(a_rule_without_memory_denies_no_name),
		cmocka_unit_test(a_fault_in_a_rule_is_not_the_stores),
		cmocka_unit_test(a_trace_tells_each_step),
		cmocka_unit_test(a_full_trace_takes_no_more_steps),
		cmocka_unit_test(the_longest_chain_fits_a_trace),
		cmocka_unit_test(remembered_flags_end_with_the_transaction),
		/* these add to the store */
		cmocka_unit_test(no_answer_is_kept_longer_than_its_lease),
		cmocka_unit_test(a_name_that_is_over_stays_for_the_names_below_it),
		cmocka_unit_test(a_wildcard_whose_lease_ran_out_stays_for_the_names_below_it),
		cmocka_unit_test(a_name_that_is_over_blocks_no_wildcard),
		/* last: it changes the zones */
		cmocka_unit_test(fallback_records_stand_in_where_the_data_has_nothing),
		cmocka_unit_test(a_lease_that_ran_out_keeps_fallback_records_back),
		cmocka_unit_test(fallback_records_with_targets_need_no_store),
		cmocka_unit_test(fallback_records_below_an_expired_name_are_not_held_back),
		cmocka_unit_test(a_fallback_cname_is_followed_for_other_types_only),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
