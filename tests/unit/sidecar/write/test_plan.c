/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/changes.h"
#include "tests/unit/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/status.h"
#include "lib/serve/node.h"
#include "sidecar/write/plan.h"

#define NOW UINT64_C(1000000)

static char root[64], dir[80];
static struct zone zone_rows[3];
static struct zones zones = { .zone = zone_rows, .count = 3 };
static struct state *store;
static struct state_txn *txn;
static struct plan plan;
static struct change_result result;
static struct reason reason;

static const uint8_t one[] = { 0, 4, 10, 0, 0, 1 };
static const uint8_t two[] = { 0, 4, 10, 0, 0, 2 };
static const uint8_t host[] = { 0, 1, 0 };

/* One write transaction, in which a test stores what it needs. */
static int
setup(void **state)
{
	static const char *const names[] = { "live", "other", "sub.live" };

	(void)state;
	memset(zone_rows, 0, sizeof(zone_rows));
	for (size_t i = 0; i < 3; i++) {
		zone_rows[i].name = unit_name(names[i]);
		zone_rows[i].key = unit_key(names[i]);
	}
	if (zones_finish(&zones, &reason) != STATUS_OK)
		return -1;
	strcpy(root, "/tmp/livezone-plan-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(dir, sizeof(dir), "%s/state", root);
	if (mkdir(dir, 0700) != 0 || state_open(dir, 16 << 20, &store, &reason) != STATUS_OK)
		return -1;
	return state_begin_write(store, &txn, &reason);
}

static int
teardown(void **state)
{
	(void)state;
	plan_done(&plan);
	state_abort(txn);
	state_close(store);
	return unit_remove(root);
}

/* Puts an RRset into state. `left_ms` of its lease; 0: it has none. */
static void
serve_put(const char *owner, uint16_t type, const char *source, int64_t left_ms)
{
	struct state_record record = record_of(owner, type, source, 7);
	const struct zone *zone = zones_match(&zones, &record.rrset.owner);

	record.rrset.rdata = one;
	record.lease_ms = left_ms ? 30000 : 0;
	record.expires_ms = left_ms ? (uint64_t)((int64_t)NOW + left_ms) : 0;
	assert_int_equal(state_put(txn, zone ? &zone->key : NULL, &record, &reason), STATUS_OK);
}

/* Without the dot at the end. */
static void
write_dotted(const struct name_key *key, char out[256])
{
	struct name name;
	size_t at = 0;

	assert_int_equal(name_from_key(key->bytes, key->len, &name), STATUS_OK);
	while (name.wire[at] != 0) {
		memcpy(out + at, name.wire + at + 1, name.wire[at]);
		at += name.wire[at] + 1u;
		out[at - 1] = '.';
	}
	out[at ? at - 1 : 0] = '\0';
}

/* Plans and frees the change; `text` is what the steps must be: "+www.live/1 -a.live/1". */
static void
assert_plan(struct change *change, int status, const char *text)
{
	static const char signs[] = {
		[PLAN_PUT] = '+', [PLAN_RENEW] = '~', [PLAN_DELETE] = '-', [PLAN_END] = '!'
	};
	char steps[512] = "";
	size_t used = 0;

	plan_done(&plan);
	result = (struct change_result){ .item = 0 };
	if (change->count > 0)
		assert_int_equal(change_check(change, &zones, &result), STATUS_OK);
	assert_int_equal(plan_make(&plan, change, txn, &zones, NOW, &result), status);
	for (size_t i = 0; status == STATUS_OK && i < plan.count; i++) {
		const struct plan_step *step = &plan.step[i];
		char dotted[256];

		write_dotted(step->owner, dotted);
		used += (size_t)snprintf(steps + used, sizeof(steps) - used, "%s%c%s/%u",
			i > 0 ? " " : "", signs[step->verb], dotted, (unsigned)step->type);
	}
	assert_string_equal(steps, text);
	change_free(change);
}

static void
assert_refused(struct change *change, enum change_outcome outcome, const char *text)
{
	assert_plan(change, STATUS_INVALID, "");
	assert_int_equal(result.outcome, outcome);
	if (!strstr(result.reason.text, text))
		fail_msg("\"%s\", not \"%s\"", result.reason.text, text);
}

static void
puts_and_deletes_become_steps(void **state)
{
	struct change *change = changes_of(CHANGE_ITEMS, NULL);

	(void)state;
	serve_put("same.live", 1, "api", 0);
	serve_put("old.live", 1, "api", 0);
	serve_put("leased.live", 1, "api", 5000);
	changes_add(change, "new.live", 1, one);
	changes_add(change, "same.live", 1, one);
	changes_add(change, "old.live", 1, two);
	changes_add(change, "old.live", 28, NULL); /* not there: nothing to do */
	changes_add(change, "leased.live", 1, one)->lease_ms = 30000;
	assert_plan(change, STATUS_OK, "+new.live/1 +old.live/1 ~leased.live/1");
	assert_int_equal(plan.writes, 2);
	assert_int_equal(result.added, 1);
	assert_int_equal(result.changed, 1);
	assert_int_equal(result.unchanged, 2);
	assert_int_equal(result.renewed, 1);
	assert_int_equal(result.removed, 0);
}

static void
preconditions_are_of_what_stands(void **state)
{
	struct change *change;

	(void)state;
	serve_put("www.live", 1, "api", 0);
	serve_put("over.live", 1, "api", -1);
	change = changes_of(CHANGE_ITEMS, NULL);
	changes_add(change, "www.live", 1, two)->if_absent = true;
	assert_refused(change, CHANGE_STALE, "it exists already");
	change = changes_of(CHANGE_ITEMS, NULL);
	changes_add(change, "new.live", 1, two)->if_present = true;
	assert_refused(change, CHANGE_STALE, "it does not exist");
	change = changes_of(CHANGE_ITEMS, NULL);
	changes_add(change, "www.live", 1, two)->has_if_revision = true;
	change->items[0].if_revision = 6;
	assert_refused(change, CHANGE_STALE, "its revision is another one");
	assert_int_equal(result.rrset_revision, 7);
	change = changes_of(CHANGE_ITEMS, NULL);
	changes_add(change, "www.live", 1, two)->has_if_revision = true;
	change->items[0].if_revision = 7;
	assert_plan(change, STATUS_OK, "+www.live/1");
	change = changes_of(CHANGE_ITEMS, NULL);
	changes_add(change, "gone.live", 1, NULL);
	assert_refused(change, CHANGE_NOT_FOUND, "no such RRset");
	/* a lease that ran out leaves nothing that counts */
	change = changes_of(CHANGE_ITEMS, NULL);
	changes_add(change, "over.live", 1, one)->if_absent = true;
	assert_plan(change, STATUS_OK, "+over.live/1");
	assert_int_equal(result.added, 1);
	change = changes_of(CHANGE_ITEMS, NULL);
	changes_add(change, "over.live", 1, one)->if_present = true;
	assert_refused(change, CHANGE_STALE, "it does not exist");
}

static void
a_cname_is_alone(void **state)
{
	struct change *change;

	(void)state;
	serve_put("www.live", 1, "api", 0);
	serve_put("over.live", 1, "api", -1);
	change = changes_of(CHANGE_ITEMS, NULL);
	changes_add(change, "www.live", RRSET_CNAME, host);
	assert_refused(change, CHANGE_INVALID, "cannot stand beside A");
	change = changes_of(CHANGE_ITEMS, NULL);
	changes_add(change, "www.live", RRSET_CNAME, host);
	changes_add(change, "www.live", 1, NULL);
	assert_plan(change, STATUS_OK, "-www.live/1 +www.live/5");
	change = changes_of(CHANGE_ITEMS, NULL);
	changes_add(change, "new.live", RRSET_CNAME, host);
	changes_add(change, "new.live", 28, one);
	assert_refused(change, CHANGE_INVALID, "cannot stand beside");
	/* what is over goes by itself */
	change = changes_of(CHANGE_ITEMS, NULL);
	changes_add(change, "over.live", RRSET_CNAME, host);
	assert_plan(change, STATUS_OK, "+over.live/5 -over.live/1");
}

static void
a_source_has_what_it_names_and_no_more(void **state)
{
	struct change *change;
	char owner[16];

	(void)state;
	serve_put("a.live", 1, "ci", 0);
	serve_put("b.other", 1, "ci", 0);
	serve_put("c.live", 1, "hand", 0);
	change = changes_of(CHANGE_SOURCE, "ci");
	changes_add(change, "a.live", 1, two);
	changes_add(change, "d.live", 1, one);
	assert_plan(change, STATUS_OK, "+a.live/1 +d.live/1 -b.other/1");
	assert_int_equal(result.diff_count, 3);
	change = changes_of(CHANGE_SOURCE, "ci");
	changes_add(change, "c.live", 1, one);
	assert_refused(change, CHANGE_CONFLICT, "belongs to source \"hand\"");
	assert_string_equal(result.owner, "hand");
	/* not nearly all of it by accident */
	for (int i = 0; i < 20; i++) {
		snprintf(owner, sizeof(owner), "n%d.live", i);
		serve_put(owner, 1, "many", 0);
	}
	change = changes_of(CHANGE_SOURCE, "many");
	change->max_delete_percent = 50;
	changes_add(change, "n0.live", 1, one);
	assert_refused(change, CHANGE_CONFLICT, "would delete 19 of the source's 20");
	change = changes_of(CHANGE_SOURCE, "many");
	change->max_delete_percent = 50;
	change->force = true;
	changes_add(change, "n0.live", 1, one);
	plan_done(&plan);
	assert_int_equal(change_check(change, &zones, &result), STATUS_OK);
	result = (struct change_result){ .item = 0 };
	assert_int_equal(plan_make(&plan, change, txn, &zones, NOW, &result), STATUS_OK);
	assert_int_equal(result.removed, 19);
	change_free(change);
}

static void
a_small_source_may_lose_all_it_has(void **state)
{
	char owner[16];

	(void)state;
	for (int i = 0; i < 11; i++) {
		snprintf(owner, sizeof(owner), "n%d.live", i);
		serve_put(owner, 1, "eleven", 0);
		if (i < 10) {
			snprintf(owner, sizeof(owner), "m%d.live", i);
			serve_put(owner, 1, "ten", 0);
		}
	}
	assert_refused(changes_of(CHANGE_SOURCE, "eleven"), CHANGE_CONFLICT,
		"would delete 11 of the source's 11 RRsets, more than max-delete 50 %: pass "
		"force=true");
	assert_plan(changes_of(CHANGE_SOURCE, "ten"), STATUS_OK,
		"-m0.live/1 -m1.live/1 -m2.live/1 -m3.live/1 -m4.live/1 -m5.live/1 -m6.live/1 "
		"-m7.live/1 -m8.live/1 -m9.live/1");
}

/* The plan of so many types at one name, the last with `last_len` bytes more than the others. */
static int
plan_types(const char *owner, size_t count, size_t len, size_t last_len)
{
	static uint8_t block[RRSET_RDATA_MAX];
	struct change *change = changes_of(CHANGE_ITEMS, "big");
	int status;

	for (size_t i = 0; i < count; i++) {
		struct change_item *item =
			changes_add(change, owner, (uint16_t)(1000 + i), one);

		item->rrset.rdata = block;
		item->rrset.rdata_len = (uint32_t)(i + 1 == count ? last_len : len);
	}
	plan_done(&plan);
	result = (struct change_result){ .item = 0 };
	assert_int_equal(change_check(change, &zones, &result), STATUS_OK);
	status = plan_make(&plan, change, txn, &zones, NOW, &result);
	change_free(change);
	return status;
}

static void
a_name_has_room_for_so_many_types(void **state)
{
	(void)state;
	assert_int_equal(plan_types("a.live", NODE_RRSETS_MAX, 6, 6), STATUS_OK);
	assert_int_equal(plan_types("a.live", NODE_RRSETS_MAX + 1, 6, 6), STATUS_INVALID);
	assert_non_null(strstr(result.reason.text, "types at one name"));
	/* an SOA and an NS RRset come to an apex by themselves */
	assert_int_equal(plan_types("live", NODE_RRSETS_MAX - 2, 6, 6), STATUS_OK);
	assert_int_equal(plan_types("live", NODE_RRSETS_MAX - 1, 6, 6), STATUS_INVALID);
}

static void
a_name_has_room_for_so_many_bytes(void **state)
{
	enum { LEN = 32768, FULL = NODE_SIZE_MAX / (LEN + 24) };
	const size_t rest = NODE_SIZE_MAX - 512 - (FULL - 1) * (LEN + 24) - 24;

	(void)state;
	assert_true(rest <= RRSET_RDATA_MAX);
	assert_int_equal(plan_types("a.live", FULL, LEN, rest), STATUS_OK);
	assert_int_equal(plan_types("a.live", FULL, LEN, rest + 1), STATUS_INVALID);
	assert_non_null(strstr(result.reason.text, "bytes at one name"));
}

/* The serial moves with the data, not with a lease. */
static void
a_heartbeat_leaves_the_apexes_alone(void **state)
{
	struct change *change = changes_of(CHANGE_HEARTBEAT, "ci");
	struct touched touched = { 0 };
	bool is_clean;

	(void)state;
	serve_put("a.live", 1, "ci", 20000);
	result = (struct change_result){ .item = 0 };
	assert_int_equal(plan_make(&plan, change, txn, &zones, NOW, &result), STATUS_OK);
	assert_int_equal(plan.count, 1);
	assert_int_equal(plan_apply(&plan, change, txn, &zones, 8, NOW, &touched, &is_clean,
				 &reason),
		STATUS_OK);
	assert_int_equal(touched.names.count, 1);
	assert_int_equal(touched.apexes.count, 0);
	touched_done(&touched);
	change_free(change);
}

/* --- rights --- */

static struct name_key right_zone;
static char *right_sources[] = { "ci" };
static struct credential right = { .id = "t",
	.verbs = CREDENTIALS_READ | CREDENTIALS_WRITE,
	.zone = &right_zone,
	.zone_count = 1,
	.source = right_sources,
	.source_count = 1 };

static struct change *
by_token(enum change_kind kind, const char *source)
{
	struct change *change = changes_of(kind, source);

	right_zone = unit_key("live");
	change->caller.token = &right;
	return change;
}

static void
what_a_change_does_not_name_needs_a_right_too(void **state)
{
	struct change *change;

	(void)state;
	/* an empty zone, too */
	change = by_token(CHANGE_ZONE, NULL);
	change->zone = unit_key("other");
	assert_refused(change, CHANGE_FORBIDDEN, "other. is in no zone");
	serve_put("a.live", 1, "ci", 20000);
	serve_put("b.other", 1, "ci", 20000);
	assert_refused(by_token(CHANGE_SOURCE, "ci"), CHANGE_FORBIDDEN, "b.other. is in no zone");
	assert_refused(
		by_token(CHANGE_HEARTBEAT, "ci"), CHANGE_FORBIDDEN, "b.other. is in no zone");
	assert_refused(by_token(CHANGE_HEARTBEAT, "hand"), CHANGE_FORBIDDEN,
		"may not write as source \"hand\"");
	serve_put("c.live", RRSET_CNAME, "hand", 0);
	change = by_token(CHANGE_ZONE, NULL);
	change->zone = unit_key("live");
	assert_refused(change, CHANGE_FORBIDDEN, "lacks the verb \"redirect\"");
	change = by_token(CHANGE_ITEMS, "hand");
	changes_add(change, "d.live", 1, one);
	assert_refused(change, CHANGE_FORBIDDEN, "may not write as source \"hand\"");
	change = by_token(CHANGE_ITEMS, "ci");
	changes_add(change, "d.live", 1, one);
	assert_plan(change, STATUS_OK, "+d.live/1");
	assert_refused(by_token(CHANGE_RESTORE, NULL), CHANGE_FORBIDDEN, "lacks the verb \"admin\"");
}

static void
a_zone_ends_where_another_begins(void **state)
{
	struct change *change = changes_of(CHANGE_ZONE, NULL);

	(void)state;
	serve_put("a.live", 1, "api", 0);
	serve_put("b.sub.live", 1, "api", 0);
	serve_put("c.other", 1, "api", 0);
	change->zone = unit_key("live");
	assert_plan(change, STATUS_OK, "-a.live/1");
	change = changes_of(CHANGE_RESTORE, NULL);
	assert_plan(change, STATUS_OK, "-a.live/1 -b.sub.live/1 -c.other/1");
}

static void
leases_end_or_are_renewed(void **state)
{
	struct rrset set = { .owner = unit_key("kept.live"), .type = 28 };
	struct change *change;

	(void)state;
	serve_put("over.live", 1, "ci", -1);
	serve_put("ends.live", 1, "ci", 0);
	serve_put("lives.live", 1, "ci", 1);
	serve_put("kept.live", 1, "ci", -5);
	serve_put("long.live", 1, "ci", 30001);
	assert_plan(
		changes_of(CHANGE_EXPIRE, NULL), STATUS_OK, "-kept.live/1 -over.live/1");
	/* a heartbeat renews what lives, and has a lease */
	assert_plan(changes_of(CHANGE_HEARTBEAT, "ci"), STATUS_OK,
		"~long.live/1 ~lives.live/1");
	assert_int_equal(plan.writes, 0);
	assert_refused(changes_of(CHANGE_HEARTBEAT, "nobody"), CHANGE_NOT_FOUND,
		"no RRset belongs");
	/* the pass after a boot cuts what has more left than its length */
	change = changes_of(CHANGE_EXPIRE, NULL);
	change->force = true;
	assert_plan(change, STATUS_OK, "-kept.live/1 -over.live/1 ~long.live/1");
	/* fallback records are held back */
	for (size_t i = 0; i < zones.count; i++) {
		if (zones.zone[i].key.len != unit_key("live").len)
			continue;
		zones.zone[i].on_expiry = ZONE_EXPIRY_REMOVE;
		zones.zone[i].fallback = &set;
		zones.zone[i].fallback_count = 1;
	}
	assert_plan(
		changes_of(CHANGE_EXPIRE, NULL), STATUS_OK, "!kept.live/1 -over.live/1");
	assert_int_equal(plan.writes, 2);
}

static void
a_pass_ends_so_many_leases_and_no_more(void **state)
{
	struct change *change;
	char owner[16];

	(void)state;
	for (int i = 0; i < PLAN_EXPIRE_MAX + 10; i++) {
		snprintf(owner, sizeof(owner), "n%d.live", i);
		serve_put(owner, 1, "ci", -1);
	}
	result = (struct change_result){ .item = 0 };
	change = changes_of(CHANGE_EXPIRE, NULL);
	assert_int_equal(plan_make(&plan, change, txn, &zones, NOW, &result), STATUS_OK);
	assert_int_equal(plan.count, PLAN_EXPIRE_MAX);
	assert_int_equal(result.removed, PLAN_EXPIRE_MAX);
	change_free(change);
}

/* What was and will be, as the journal keeps it. */
static void
a_step_knows_what_was_before_and_is_after(void **state)
{
	struct change *change = changes_of(CHANGE_ITEMS, "new");
	struct state_record before, after;

	(void)state;
	serve_put("a.live", 1, "old", 20000);
	serve_put("b.live", 1, "old", 0);
	changes_add(change, "a.live", 1, two)->lease_ms = 9000;
	changes_add(change, "b.live", 1, NULL);
	changes_add(change, "c.live", 1, two);
	result = (struct change_result){ .item = 0 };
	assert_int_equal(change_check(change, &zones, &result), STATUS_OK);
	assert_int_equal(plan_make(&plan, change, txn, &zones, NOW, &result), STATUS_OK);
	assert_int_equal(plan.count, 3);
	assert_true(plan_read_before(&plan.step[0], &before));
	assert_memory_equal(before.rrset.rdata, one, sizeof(one));
	assert_int_equal(before.rrset.count, 1);
	assert_int_equal(before.expires_ms, NOW + 20000);
	assert_int_equal(before.lease_ms, 30000);
	assert_memory_equal(before.source, "old", before.source_len);
	assert_true(plan_read_after(&plan.step[0], change, NOW, &after));
	assert_memory_equal(after.rrset.rdata, two, sizeof(two));
	assert_int_equal(after.expires_ms, NOW + 9000);
	assert_memory_equal(after.source, "new", after.source_len);
	assert_true(plan_read_before(&plan.step[1], &before));
	assert_false(plan_read_after(&plan.step[1], change, NOW, &after));
	assert_false(plan_read_before(&plan.step[2], &before));
	assert_true(plan_read_after(&plan.step[2], change, NOW, &after));
	assert_int_equal(after.expires_ms, 0);
	change_free(change);
}

static int
prepare_two(struct change *change, struct state_txn *in, const struct zones *live,
	struct change_result *out)
{
	(void)in;
	changes_add(change, "a.live", 1, two);
	changes_add(change, "b.live", 1, NULL);
	return change_check(change, live, out);
}

static void
items_may_be_found_when_the_plan_is_made(void **state)
{
	struct change *change = changes_of(CHANGE_ROLLBACK, "api");

	(void)state;
	serve_put("a.live", 1, "old", 0);
	serve_put("b.live", 1, "old", 0);
	change->prepare = prepare_two;
	assert_plan(change, STATUS_OK, "+a.live/1 -b.live/1");
	assert_int_equal(result.diff_count, 2);
}

static void
names_are_sorted_and_single(void **state)
{
	const struct name_key keys[] = { unit_key("b.live"), unit_key("a.live"),
		unit_key("b.live"), unit_key("live") };
	struct touched_names names = { 0 };

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(keys); i++)
		assert_int_equal(touched_add(&names, &keys[i]), STATUS_OK);
	touched_sort(&names);
	assert_int_equal(names.count, 3);
	assert_int_equal(names.name[0]->len, keys[3].len);
	assert_ptr_equal(names.name[1], &keys[1]);
	free(names.name);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(puts_and_deletes_become_steps),
		TEST(preconditions_are_of_what_stands),
		TEST(a_cname_is_alone),
		TEST(a_source_has_what_it_names_and_no_more),
		TEST(a_small_source_may_lose_all_it_has),
		TEST(a_name_has_room_for_so_many_types),
		TEST(a_name_has_room_for_so_many_bytes),
		TEST(a_heartbeat_leaves_the_apexes_alone),
		TEST(what_a_change_does_not_name_needs_a_right_too),
		TEST(a_zone_ends_where_another_begins),
		TEST(leases_end_or_are_renewed),
		TEST(a_pass_ends_so_many_leases_and_no_more),
		TEST(a_step_knows_what_was_before_and_is_after),
		TEST(items_may_be_found_when_the_plan_is_made),
		cmocka_unit_test(names_are_sorted_and_single),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
