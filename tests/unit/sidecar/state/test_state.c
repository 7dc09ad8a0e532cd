/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/record.h"

#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/serve/mdb.h"
#include "sidecar/state/state.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"
#include "lib/dns/zones.h"

#define SIZE (4u << 20)
#define MANY_ENDED 5000

static char dir[64];
static struct state *truth;
static struct reason reason;

static int
set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/livezone-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(state_open(dir, SIZE, &truth, &reason), STATUS_OK);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	state_close(truth);
	truth = NULL;
	return unit_remove(dir);
}

static struct state_txn *
begin(void)
{
	struct state_txn *txn;

	assert_int_equal(state_begin_write(truth, &txn, &reason), STATUS_OK);
	return txn;
}

static struct state_txn *
look(void)
{
	struct state_txn *txn;

	assert_int_equal(state_begin_read(truth, &txn, &reason), STATUS_OK);
	return txn;
}

struct row {
	const char *owner;
	uint16_t type;
	const char *source;
	uint64_t revision;
	uint64_t expires_ms;
};

static int
put(struct state_txn *txn, const char *apex, const struct row *row)
{
	struct name_key zone = unit_key(apex);
	struct state_record record =
		record_of(row->owner, row->type, row->source, row->revision);

	record.expires_ms = row->expires_ms;
	record.lease_ms = row->expires_ms ? 1000 : 0;
	return state_put(txn, &zone, &record, &reason);
}

static void
put_all(const char *apex, const struct row *rows, size_t count)
{
	struct state_txn *txn = begin();
	size_t i;

	for (i = 0; i < count; i++)
		assert_int_equal(put(txn, apex, &rows[i]), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
}

/* The owners of a walk as "a.b/1 a/1 ", root first. */
static int
list_record(void *context, const struct state_record *record, struct reason *why)
{
	char *text = context;
	size_t at = 0;

	(void)why;
	while (at < record->rrset.owner.len) {
		size_t label = record->rrset.owner.bytes[at];

		strncat(text, (const char *)record->rrset.owner.bytes + at + 1, label);
		at += 1 + label;
		if (at < record->rrset.owner.len)
			strcat(text, ".");
	}
	sprintf(text + strlen(text), "/%u ", record->rrset.type);
	return STATUS_OK;
}

static void
assert_counts(const char *source, uint32_t in_source, const char *apex, uint32_t in_zone)
{
	struct state_txn *txn = look();
	struct name_key key = unit_key(apex);
	struct state_source found = { 0 };
	struct state_zone zone = { 0 };
	int status = state_get_source(txn, source, strlen(source), &found, &reason);

	assert_int_equal(status, in_source == 0 ? STATUS_NOT_FOUND : STATUS_OK);
	assert_int_equal(found.rrsets, in_source);
	assert_int_equal(state_get_zone(txn, &key, &zone, &reason), STATUS_OK);
	assert_int_equal(zone.rrsets, in_zone);
	state_abort(txn);
}

static void
test_a_zone_counts_what_look_ups_must_look_for(void **state)
{
	const struct row rows[] = {
		{ "live", RRSET_NS, "api", 1, 0 },
		{ "www.live", RRSET_A, "api", 1, 0 },
		{ "*.apps.live", RRSET_A, "api", 1, 0 },
		{ "x.*.apps.live", RRSET_A, "api", 1, 0 },
		{ "sub.live", RRSET_NS, "api", 1, 0 },
		{ "old.live", RRSET_DNAME, "api", 1, 0 },
	};
	struct name_key apex = unit_key("live"), sub = unit_key("sub.live");
	struct state_zone zone;
	struct state_txn *txn;

	(void)state;
	put_all("live", rows, sizeof(rows) / sizeof(rows[0]));
	txn = begin();
	assert_int_equal(state_get_zone(txn, &apex, &zone, &reason), STATUS_OK);
	assert_int_equal(zone.rrsets, 6);
	assert_int_equal(zone.wildcards, 2);
	assert_int_equal(zone.cuts, 2);
	assert_int_equal(state_delete(txn, &apex, &sub, RRSET_NS, 2, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	txn = look();
	assert_int_equal(state_get_zone(txn, &apex, &zone, &reason), STATUS_OK);
	assert_int_equal(zone.cuts, 1);
	state_abort(txn);
}

static void
test_an_rrset_reads_as_it_was_written_after_reopening(void **state)
{
	const struct row row = { "www.live", RRSET_A, "api", 7, 99 };
	struct name_key owner = unit_key("www.live");
	struct state_meta meta, again;
	struct state_record record;
	struct state_txn *txn;

	(void)state;
	txn = begin();
	assert_int_equal(put(txn, "live", &row), STATUS_OK);
	assert_int_equal(state_set_revision(txn, 7, &reason), STATUS_OK);
	assert_int_equal(state_read_meta(txn, &meta, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	state_close(truth);
	assert_int_equal(state_open(dir, SIZE, &truth, &reason), STATUS_OK);

	txn = look();
	assert_int_equal(state_read_meta(txn, &again, &reason), STATUS_OK);
	assert_int_equal(again.revision, 7);
	assert_memory_equal(again.instance, meta.instance, STATE_INSTANCE_SIZE);
	assert_int_equal(state_get(txn, &owner, RRSET_A, &record, &reason), STATUS_OK);
	assert_memory_equal(record.rrset.owner.bytes, owner.bytes, owner.len);
	assert_int_equal(record.rrset.type, RRSET_A);
	assert_int_equal(record.rrset.ttl, 5);
	assert_int_equal(record.rrset.count, 1);
	assert_memory_equal(record.rrset.rdata, "\0\4\n\0\0\5", 6);
	assert_int_equal(record.revision, 7);
	assert_int_equal(record.expires_ms, 99);
	assert_int_equal(record.lease_ms, 1000);
	assert_memory_equal(record.source, "api", 3);
	assert_int_equal(state_get(txn, &owner, RRSET_AAAA, &record, &reason),
		STATUS_NOT_FOUND);
	state_abort(txn);
}

static void
test_an_aborted_transaction_leaves_nothing(void **state)
{
	const struct row row = { "www.live", RRSET_A, "api", 1, 0 };
	struct name_key owner = unit_key("www.live");
	struct state_record record;
	struct state_txn *txn = begin();

	(void)state;
	assert_int_equal(put(txn, "live", &row), STATUS_OK);
	state_abort(txn);
	txn = look();
	assert_int_equal(state_get(txn, &owner, RRSET_A, &record, &reason),
		STATUS_NOT_FOUND);
	state_abort(txn);
}

static void
test_walks_go_in_key_order_and_stay_in_their_range(void **state)
{
	const struct row rows[] = {
		{ "b.live", 28, "api", 1, 0 },
		{ "b.live", 1, "k8s", 1, 30 },
		{ "x.b.live", 1, "api", 1, 20 },
		{ "bb.live", 1, "k8s", 1, 0 },
		{ "live", 2, "api", 1, 0 },
		{ "liver", 1, "api", 1, 0 },
		{ "", 2, "api", 1, 10 },
	};
	struct name_key live = unit_key("live"), b = unit_key("b.live"), root = unit_key("");
	struct state_txn *txn;
	char text[256];
	uint64_t next;

	(void)state;
	put_all("live", rows, UNIT_COUNT(rows));
	txn = look();
	text[0] = '\0';
	state_walk_below(txn, &live, list_record, text, &reason);
	assert_string_equal(text, "live/2 live.b/1 live.b/28 live.b.x/1 live.bb/1 ");
	text[0] = '\0';
	state_walk_below(txn, &root, list_record, text, &reason);
	assert_string_equal(text,
		"/2 live/2 live.b/1 live.b/28 live.b.x/1 live.bb/1 liver/1 ");
	text[0] = '\0';
	state_walk_name(txn, &b, list_record, text, &reason);
	assert_string_equal(text, "live.b/1 live.b/28 ");
	text[0] = '\0';
	state_walk_source(txn, "k8s", 3, list_record, text, &reason);
	assert_string_equal(text, "live.b/1 live.bb/1 ");
	text[0] = '\0';
	state_walk_expired(txn, 20, list_record, text, &reason);
	assert_string_equal(text, "/2 live.b.x/1 ");
	assert_int_equal(state_next_expiry(txn, &next, &reason), STATUS_OK);
	assert_int_equal(next, 10);
	state_abort(txn);
}

static void
test_counts_follow_puts_takeovers_and_deletes(void **state)
{
	const struct row rows[] = {
		{ "a.live", 1, "one", 1, 0 },
		{ "b.live", 1, "one", 2, 0 },
		{ "b.live", 1, "two", 3, 40 },
		{ "b.live", 1, "two", 4, 50 },
	};
	struct name_key live = unit_key("live"), a = unit_key("a.live");
	struct name_key b = unit_key("b.live");
	struct state_txn *txn;
	uint64_t next;

	(void)state;
	put_all("live", rows, 2);
	assert_counts("one", 2, "live", 2);
	put_all("live", rows + 2, 2);
	assert_counts("one", 1, "live", 2);
	assert_counts("two", 1, "live", 2);
	txn = begin();
	assert_int_equal(state_delete(txn, &live, &a, 1, 5, &reason), STATUS_OK);
	assert_int_equal(state_delete(txn, &live, &a, 1, 5, &reason), STATUS_NOT_FOUND);
	assert_int_equal(state_renew(txn, &b, 1, 60, &reason), STATUS_OK);
	assert_int_equal(state_renew(txn, &a, 1, 60, &reason), STATUS_NOT_FOUND);
	assert_int_equal(state_touch_source(txn, "two", 3, 1234, &reason), STATUS_OK);
	assert_int_equal(state_touch_source(txn, "one", 3, 1234, &reason), STATUS_NOT_FOUND);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	assert_counts("one", 0, "live", 1);
	txn = begin();
	assert_int_equal(state_next_expiry(txn, &next, &reason), STATUS_OK);
	assert_int_equal(next, 60);
	assert_int_equal(state_delete(txn, &live, &b, 1, 6, &reason), STATUS_OK);
	assert_int_equal(state_next_expiry(txn, &next, &reason), STATUS_OK);
	assert_int_equal(next, 0);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	assert_counts("two", 0, "live", 0);
}

static void
test_zones_are_counted_anew_when_their_set_changes(void **state)
{
	const struct row rows[] = {
		{ "a.live", 1, "api", 9, 0 },
		{ "a.sub.live", 1, "api", 9, 0 },
		{ "b.sub.live", 1, "api", 9, 0 },
	};
	struct zone zone[2] = {
		{ .name = unit_name("live"), .key = unit_key("live") },
		{ .name = unit_name("sub.live"), .key = unit_key("sub.live") },
	};
	struct zones zones = { .zone = zone, .count = 2 };
	const struct name_key last = unit_key("b.sub.live");
	struct state_txn *txn;
	bool changed;

	(void)state;
	put_all("live", rows, UNIT_COUNT(rows));
	assert_counts("api", 3, "live", 3);
	assert_int_equal(zones_finish(&zones, &reason), STATUS_OK);
	txn = begin();
	assert_int_equal(state_recount_zones(txn, &zones, &changed, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	assert_counts("api", 3, "live", 1);
	assert_counts("api", 3, "sub.live", 2);
	assert_true(changed);
	txn = begin();
	assert_int_equal(state_recount_zones(txn, &zones, &changed, &reason), STATUS_OK);
	assert_false(changed);
	state_abort(txn);
	zones.count = 1;
	txn = begin();
	assert_int_equal(state_recount_zones(txn, &zones, &changed, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	assert_counts("api", 3, "live", 3);
	assert_counts("api", 3, "sub.live", 0);

	/* the same zones, after a recount that failed: what was written since counts wrong */
	state_doubt_counts(truth);
	txn = begin();
	assert_false(state_has_counts(txn));
	assert_int_equal(state_delete(txn, NULL, &last, 1, 9, &reason), STATUS_OK);
	assert_int_equal(state_set_revision(txn, 9, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	assert_counts("api", 2, "live", 3);
	/* ... over a restart */
	state_close(truth);
	assert_int_equal(state_open(dir, SIZE, &truth, &reason), STATUS_OK);
	txn = begin();
	assert_int_equal(state_recount_zones(txn, &zones, &changed, &reason), STATUS_OK);
	assert_true(changed);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	assert_counts("api", 2, "live", 2);
}

/* An aborted recount is none. */
static void
test_counts_are_in_doubt_until_a_recount_is_committed(void **state)
{
	struct zone zone = { .name = unit_name("live"), .key = unit_key("live") };
	const struct zones zones = { .zone = &zone, .count = 1 };
	struct state_txn *txn;
	bool changed;

	(void)state;
	state_doubt_counts(truth);
	txn = begin();
	assert_int_equal(state_recount_zones(txn, &zones, &changed, &reason), STATUS_OK);
	state_abort(txn);
	txn = begin();
	assert_false(state_has_counts(txn));
	assert_int_equal(state_recount_zones(txn, &zones, &changed, &reason), STATUS_OK);
	assert_true(changed);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	txn = begin();
	assert_true(state_has_counts(txn));
	state_abort(txn);
}

static void
put_ended(unsigned count)
{
	struct state_txn *txn = begin();
	const struct name_key live = unit_key("live");

	for (unsigned i = 0; i < count; i++) {
		struct state_record record;
		char owner[32];

		snprintf(owner, sizeof(owner), "ended%u.live", i);
		record = record_of(owner, RRSET_A, "k8s", 1);
		record.lease_ms = 1000;
		record.expires_ms = STATE_LEASE_OVER;
		assert_int_equal(state_put(txn, &live, &record, &reason), STATUS_OK);
	}
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
}

/* CPU time of a number of walks that find nothing. */
static uint64_t
time_walks(void)
{
	struct state_txn *txn = look();
	struct timespec began, ended;
	char text[8] = "";

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
	for (int i = 0; i < 200; i++)
		assert_int_equal(
			state_walk_expired(txn, 20, list_record, text, &reason), STATUS_OK);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
	state_abort(txn);
	assert_string_equal(text, "");
	return (uint64_t)(ended.tv_sec - began.tv_sec) * 1000000000u
		+ (uint64_t)(ended.tv_nsec - began.tv_nsec);
}

/* A zone with on-expiry: remove keeps any number of them; a sweep must not step over each. */
static void
test_leases_that_had_ended_cost_a_walk_nothing(void **state)
{
	const struct row last[] = { { "z.live", 1, "k8s", 2, 50 } };
	struct state_txn *txn;
	uint64_t few_ns, many_ns;
	char text[256];

	(void)state;
	put_all("live", last, 1);
	few_ns = time_walks();
	put_ended(MANY_ENDED);
	many_ns = time_walks();
	txn = look();
	text[0] = '\0';
	assert_int_equal(state_walk_expired(txn, 50, list_record, text, &reason), STATUS_OK);
	assert_string_equal(text, "live.z/1 ");
	state_abort(txn);
	if (many_ns > 20 * few_ns)
		fail_msg("%llu ns, and %llu ns with ended ones", (unsigned long long)few_ns,
			(unsigned long long)many_ns);
}

static int
see_alarm(void *context, const char *name, size_t name_len, const char *text,
	size_t text_len, uint64_t raised_ms, struct reason *why)
{
	char *seen = context;

	(void)why;
	assert_true(raised_ms > 0);
	sprintf(seen + strlen(seen), "%.*s=%.*s ", (int)name_len, name, (int)text_len, text);
	return STATUS_OK;
}

static void
test_an_alarm_stands_until_it_is_acknowledged(void **state)
{
	char seen[256] = "";
	struct state_txn *txn = begin();

	(void)state;
	assert_int_equal(state_raise_alarm(txn, "b", "first", &reason), STATUS_OK);
	assert_int_equal(state_raise_alarm(txn, "a", "other", &reason), STATUS_OK);
	assert_int_equal(state_raise_alarm(txn, "b", "again", &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	state_close(truth);
	assert_int_equal(state_open(dir, SIZE, &truth, &reason), STATUS_OK);
	txn = begin();
	assert_int_equal(state_walk_alarms(txn, see_alarm, seen, &reason), STATUS_OK);
	assert_string_equal(seen, "a=other b=again ");
	assert_int_equal(state_clear_alarm(txn, "a", &reason), STATUS_OK);
	assert_int_equal(state_clear_alarm(txn, "a", &reason), STATUS_NOT_FOUND);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	seen[0] = '\0';
	txn = look();
	assert_int_equal(state_walk_alarms(txn, see_alarm, seen, &reason), STATUS_OK);
	assert_string_equal(seen, "b=again ");
	state_abort(txn);
}

/* What a commit does after EIO or MDB_PANIC; that it does is tried with strace (F35). */
static void
test_a_doubtful_environment_is_opened_again_before_the_next_transaction(void **state)
{
	(void)state;
	assert_int_equal(state_enter(truth, &reason), STATUS_OK);
	state_leave(truth, false);
	state_abort(look());
	assert_int_equal(state_reopens(truth), 0);
	assert_int_equal(state_enter(truth, &reason), STATUS_OK);
	state_leave(truth, true);
	state_abort(look());
	assert_int_equal(state_reopens(truth), 1);
}

/* Owners that an address points to, as list_record has them. */
static void
assert_pointers(struct state_txn *txn, const char *reverse, const char *expected)
{
	struct name_key key = unit_key(reverse);
	char text[256] = "";

	assert_int_equal(state_walk_pointers(txn, &key, list_record, text, &reason), STATUS_OK);
	assert_string_equal(text, expected);
}

static void
assert_pointer_counts(struct state_txn *txn, const char *apex, uint32_t pointers,
	uint32_t pointless)
{
	struct name_key key = unit_key(apex);
	struct state_zone zone = { 0 };

	state_get_zone(txn, &key, &zone, &reason);
	assert_int_equal(zone.pointers, pointers);
	assert_int_equal(zone.pointless, pointless);
}

static int
count_name(void *context, const struct name_key *name, struct reason *why)
{
	(void)name;
	(void)why;
	++*(size_t *)context;
	return STATUS_OK;
}

static void
test_addresses_are_indexed_for_zones_that_want_it(void **state)
{
	const struct row rows[] = {
		{ "a.live", 1, "api", 9, 0 },
		{ "a.sub.live", 1, "api", 9, 0 },
		{ "*.sub.live", 1, "api", 9, 0 },
		{ "b.sub.live", 1, "api", 9, 0 },
	};
	static const uint8_t other[] = { 0, 4, 10, 0, 0, 5, 0, 4, 10, 0, 0, 6, 0, 4, 11, 0, 0, 1 };
	struct zone zone[3] = {
		{ .name = unit_name("live"), .key = unit_key("live"), .auto_ptr = true },
		{ .name = unit_name("sub.live"), .key = unit_key("sub.live"), .auto_ptr = true },
		{ .name = unit_name("10.in-addr.arpa"), .key = unit_key("10.in-addr.arpa") },
	};
	struct zones zones = { .zone = zone, .count = 3 };
	struct rrset after = { .owner = unit_key("c.live"), .type = 1, .count = 3,
		.rdata = other, .rdata_len = sizeof(other) };
	struct rrset before = after;
	struct state_txn *txn;
	size_t names = 0;
	bool changed;

	(void)state;
	put_all("live", rows, 1);
	put_all("sub.live", rows + 1, 3);
	assert_int_equal(zones_finish(&zones, &reason), STATUS_OK);
	txn = begin();
	assert_int_equal(state_recount_zones(txn, &zones, &changed, &reason), STATUS_OK);
	assert_pointers(txn, "5.0.0.10.in-addr.arpa",
		"live.a/1 live.sub.a/1 live.sub.b/1 ");
	assert_pointer_counts(txn, "live", 1, 0);
	assert_pointer_counts(txn, "sub.live", 2, 0);
	/* an RRset comes, changes and goes; the index alone, so that its walk leaves it out */
	assert_int_equal(
		state_point(txn, &zones, NULL, &after, count_name, &names, &reason), STATUS_OK);
	assert_int_equal(names, 2);
	assert_pointer_counts(txn, "live", 3, 1);
	assert_pointers(txn, "6.0.0.10.in-addr.arpa", "");
	after.count = 1;
	after.rdata_len = 6;
	assert_int_equal(
		state_point(txn, &zones, &before, &after, count_name, &names, &reason), STATUS_OK);
	assert_int_equal(names, 4);
	assert_pointer_counts(txn, "live", 2, 0);
	assert_int_equal(
		state_point(txn, &zones, &after, NULL, count_name, &names, &reason), STATUS_OK);
	assert_pointer_counts(txn, "live", 1, 0);
	names = 0;
	assert_int_equal(state_walk_reverse_names(txn, count_name, &names, &reason), STATUS_OK);
	assert_int_equal(names, 1);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	/* a zone loses the policy, then the reverse zone goes */
	for (size_t i = 0; i < zones.count; i++)
		if (zone[i].key.len == unit_key("sub.live").len)
			zone[i].auto_ptr = false;
	txn = begin();
	assert_int_equal(state_recount_zones(txn, &zones, &changed, &reason), STATUS_OK);
	assert_true(changed);
	assert_pointers(txn, "5.0.0.10.in-addr.arpa", "live.a/1 ");
	assert_pointer_counts(txn, "sub.live", 0, 0);
	for (size_t i = 0; i < zones.count; i++)
		if (zone[i].key.bytes[1] == 'a')
			zone[i].key = unit_key("11.in-addr.arpa");
	assert_int_equal(state_recount_zones(txn, &zones, &changed, &reason), STATUS_OK);
	assert_pointers(txn, "5.0.0.10.in-addr.arpa", "");
	assert_pointer_counts(txn, "live", 0, 1);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
}

struct log_text {
	char text[512];
};

static int
list_log(void *context, uint64_t revision, bool reset, const struct state_log_item *items,
	size_t count, struct reason *why)
{
	struct log_text *log = context;
	char *end = log->text + strlen(log->text);
	size_t i;

	(void)why;
	end += sprintf(end, "%llu%s:", (unsigned long long)revision, reset ? "!" : "");
	for (i = 0; i < count && i < 4; i++)
		end += sprintf(end, "%c%u", items[i].deleted ? '-' : '+', items[i].type);
	sprintf(end, " ");
	return STATUS_OK;
}

static void
append_log(uint64_t revision, size_t count)
{
	struct state_log_item *items = calloc(count + 1, sizeof(*items));
	struct state_txn *txn = begin();
	size_t i;

	for (i = 0; i < count; i++)
		items[i] = (struct state_log_item){ i == 1, (uint16_t)(i + 1),
			unit_key("www.live") };
	assert_int_equal(state_set_revision(txn, revision, &reason), STATUS_OK);
	assert_int_equal(state_log_append(txn, revision, items, count, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	free(items);
}

static void
test_the_log_tells_what_changed_and_where_it_ends(void **state)
{
	struct log_text log = { "" };
	struct state_txn *txn;

	(void)state;
	append_log(1, 1);
	append_log(2, 2);
	append_log(3, STATE_LOG_ITEMS_MAX + 1);
	append_log(900000000, 1); /* a restore from ahead */
	txn = look();
	/* the jump is longer than what the log keeps */
	assert_int_equal(state_walk_log(txn, 2, 10, list_log, &log, &reason),
		STATUS_NOT_FOUND);
	assert_int_equal(state_walk_log(txn, 900000001, 10, list_log, &log, &reason),
		STATUS_NOT_FOUND);
	assert_int_equal(state_walk_log(txn, 900000000, 10, list_log, &log, &reason),
		STATUS_OK);
	assert_string_equal(log.text, "");
	/* the first entry says all to who has seen what was just before it, and to nobody else */
	assert_int_equal(state_walk_log(txn, 899999998, 10, list_log, &log, &reason),
		STATUS_NOT_FOUND);
	assert_int_equal(
		state_walk_log(txn, 899999999, 10, list_log, &log, &reason), STATUS_OK);
	assert_string_equal(log.text, "900000000:+1 ");
	log.text[0] = '\0';
	state_abort(txn);
	append_log(900000001, 2);
	append_log(900000002, STATE_LOG_ITEMS_MAX + 1);
	txn = look();
	assert_int_equal(state_walk_log(txn, 900000000, 10, list_log, &log, &reason),
		STATUS_OK);
	assert_string_equal(log.text, "900000001:+1-2 900000002!: ");
	log.text[0] = '\0';
	assert_int_equal(state_walk_log(txn, 900000000, 1, list_log, &log, &reason),
		STATUS_OK);
	assert_string_equal(log.text, "900000001:+1-2 ");
	state_abort(txn);
}

static void
test_puts_stop_at_their_quota_and_deletes_go_on(void **state)
{
	struct name_key live = unit_key("live");
	char owner[32];
	struct row row = { owner, 1, "api", 1, 0 };
	struct state_txn *txn = begin();
	uint64_t used, size;
	int i, status = STATUS_OK;

	(void)state;
	for (i = 0; status == STATUS_OK; i++) {
		snprintf(owner, sizeof(owner), "n%07d.live", i);
		status = put(txn, "live", &row);
	}
	assert_int_equal(status, STATUS_FULL);
	assert_non_null(strstr(reason.text, "store.size-limit"));
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	assert_int_equal(state_begin_read(truth, &txn, &reason), STATUS_OK);
	state_usage(txn, &used, &size);
	state_abort(txn);
	assert_int_equal(size, SIZE);
	assert_in_range(used, SIZE / 100 * 69, SIZE / 100 * 72);
	while (i > 1000) {
		int end = i - 1000;
		struct name_key key;

		txn = begin();
		for (i--; i > end; i--) {
			snprintf(owner, sizeof(owner), "n%07d.live", i - 1);
			key = unit_key(owner);
			assert_int_equal(state_delete(txn, &live, &key, 1, 2, &reason),
				STATUS_OK);
		}
		assert_int_equal(state_commit(txn, &reason), STATUS_OK);
	}
	txn = begin();
	assert_int_equal(put(txn, "live", &row), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
}

/* In a child: the lock is of the process. */
static void
test_a_second_livezoned_is_refused_with_the_pid_of_the_first(void **state)
{
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		struct state *second = NULL;
		char pid[32];

		snprintf(pid, sizeof(pid), "pid %ld", (long)getppid());
		_exit(state_open(dir, SIZE, &second, &reason) == STATUS_CONFLICT
					&& strstr(reason.text, pid) && !second
				? EXIT_SUCCESS
				: EXIT_FAILURE);
	}
	unit_wait_child(child);
}

/* livezoned that was killed while the child that checks state had not yet begun. */
static void
test_a_child_that_lives_on_does_not_hold_the_lock(void **state)
{
	int ends[2], lock_fd;
	pid_t parent, child;
	char byte;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	state_close(truth);
	truth = NULL;
	parent = fork();
	assert_true(parent >= 0);
	if (parent == 0) {
		if (state_lock(dir, &lock_fd, &reason) != STATUS_OK)
			_exit(EXIT_FAILURE);
		child = fork();
		if (child == 0) {
			close(ends[1]);
			(void)!read(ends[0], &byte, 1);
			_exit(0);
		}
		_exit(EXIT_SUCCESS);
	}
	unit_wait_child(parent);
	assert_int_equal(state_open(dir, SIZE, &truth, &reason), STATUS_OK);
	close(ends[1]);
	close(ends[0]);
}

static void
overwrite(off_t at, const void *bytes, size_t len)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
	close(fd);
}

static void
assert_refused(int status, const char *text)
{
	assert_int_equal(state_open(dir, SIZE, &truth, &reason), status);
	assert_null(truth);
	if (!strstr(reason.text, text))
		fail_msg("\"%s\" lacks \"%s\"", reason.text, text);
}

static void
test_another_lmdb_format_is_refused_untouched(void **state)
{
	const uint32_t version = 3, magic = 0x12345678;
	char path[96];

	(void)state;
	state_close(truth);
	truth = NULL;
	overwrite(20, &version, sizeof(version));
	assert_refused(STATUS_CORRUPT, "a meta page is damaged"); /* the other one is not */
	overwrite(4096 + 20, &version, sizeof(version));
	assert_refused(STATUS_FOREIGN, "LMDB data format 3");
	overwrite(16, &magic, sizeof(magic));
	assert_refused(STATUS_CORRUPT, "not an LMDB file");
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	assert_int_equal(truncate(path, 4096), 0);
	assert_refused(STATUS_CORRUPT, "data.mdb");
	assert_int_equal(truncate(path, 0), 0);
	assert_refused(STATUS_CORRUPT, "data.mdb");
}

static void
test_a_first_start_that_was_killed_is_begun_again(void **state)
{
	char command[256];

	(void)state;
	state_close(truth);
	truth = NULL;
	snprintf(command, sizeof(command),
		"cd %s && rm data.mdb lock.mdb && mkdir new && touch new/data.mdb new/lock.mdb",
		dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(state_open(dir, SIZE, &truth, &reason), STATUS_OK);
	snprintf(command, sizeof(command), "test ! -e %s/new", dir);
	assert_int_equal(system(command), 0);
}

static void
test_an_environment_of_another_program_is_refused(void **state)
{
	char command[256];
	MDB_env *env;

	(void)state;
	state_close(truth);
	truth = NULL;
	snprintf(command, sizeof(command), "rm %s/data.mdb %s/lock.mdb", dir, dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
	mdb_env_close(env);
	assert_refused(STATUS_FOREIGN, "belongs to another program");
}

static void
test_a_newer_schema_is_refused_with_what_is_needed(void **state)
{
	char path[96], page[65536];
	ssize_t len, i;
	int fd;

	(void)state;
	state_close(truth);
	truth = NULL;
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	fd = open(path, O_RDWR);
	len = pread(fd, page, sizeof(page), 0);
	for (i = 4; i + 52 <= len; i++) {
		char name = 'M';
		MDB_val key = { 1, &name };

		if (memcmp(page + i, "LZT2", 4) != 0)
			continue;
		/* without its checksum it is damage */
		assert_int_equal(pwrite(fd, "LZT3", 4, i), 4);
		assert_refused(STATUS_CORRUPT, "meta record: damaged");
		memcpy(page + i, "LZT3", 4);
		state_seal(&key, (uint8_t *)page + i - 4, 56);
		assert_int_equal(pwrite(fd, page + i - 4, 56, i - 4), 56);
	}
	close(fd);
	assert_refused(STATUS_FOREIGN, "schema \"LZT3\" found, this program knows \"LZT2\"");
}

/* LMDB does not write freed pages at the end of the file: is the length that
 * mdb_files_check demands always there? */
static void
test_no_order_of_writes_leaves_a_file_that_is_refused(void **state)
{
	static uint8_t rdata[20000];
	struct name_key live = unit_key("live");
	unsigned seed = 1;
	int round, i;

	(void)state;
	for (round = 0; round < 150; round++) {
		struct state_txn *txn = begin();

		for (i = 0; i < 60; i++) {
			char owner[32];
			struct state_record record = { .revision = 1,
				.source = "api",
				.source_len = 3,
				.rrset = { .type = 16, .count = 1, .rdata = rdata } };
			size_t len = (size_t)rand_r(&seed) % (i % 5 == 0 ? 15000 : 60);

			snprintf(owner, sizeof(owner), "n%d.live", rand_r(&seed) % 200);
			record.rrset.owner = unit_key(owner);
			record.rrset.rdata_len = (uint32_t)(len + 2);
			rdata[0] = (uint8_t)(len >> 8);
			rdata[1] = (uint8_t)len;
			if (rand_r(&seed) % 2 == 0)
				assert_int_not_equal(
					state_put(txn, &live, &record, &reason),
					STATUS_CORRUPT);
			else
				assert_int_not_equal(
					state_delete(txn, &live, &record.rrset.owner,
						16, 1, &reason),
					STATUS_CORRUPT);
		}
		assert_int_equal(state_commit(txn, &reason), STATUS_OK);
		if (mdb_files_check(dir, &reason) != STATUS_OK)
			fail_msg("round %d: %s", round, reason.text);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Another process that reads state and is killed, as mdb_copy may be. */
static void
leave_dead_reader(void)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		MDB_env *env;
		MDB_txn *txn;

		_exit(mdb_env_create(&env) || mdb_env_open(env, dir, MDB_RDONLY, 0)
			|| mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
	}
	unit_wait_child(child);
}

static void
test_a_reader_that_died_is_swept_away(void **state)
{
	(void)state;
	assert_int_equal(state_sweep(truth), 0);
	leave_dead_reader();
	assert_int_equal(state_sweep(truth), 1);
	assert_int_equal(state_sweep(truth), 0);
}

static void
test_memory_is_released_when_nobody_reads(void **state)
{
	const uint64_t reopens = state_reopens(truth);
	struct state_meta before, after;
	struct state_txn *txn;

	(void)state;
	assert_int_equal(state_begin_read(truth, &txn, NULL), 0);
	assert_int_equal(state_read_meta(txn, &before, NULL), 0);
	assert_false(state_release_memory(truth));
	state_abort(txn);
	assert_true(state_release_memory(truth));
	assert_int_equal(state_begin_read(truth, &txn, NULL), 0);
	assert_int_equal(state_read_meta(txn, &after, NULL), 0);
	state_abort(txn);
	assert_int_equal(after.revision, before.revision);
	assert_int_equal(state_reopens(truth), reopens); /* no write has failed */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_memory_is_released_when_nobody_reads),
		TEST(test_a_zone_counts_what_look_ups_must_look_for),
		TEST(test_an_rrset_reads_as_it_was_written_after_reopening),
		TEST(test_an_aborted_transaction_leaves_nothing),
		TEST(test_walks_go_in_key_order_and_stay_in_their_range),
		TEST(test_counts_follow_puts_takeovers_and_deletes),
		TEST(test_zones_are_counted_anew_when_their_set_changes),
		TEST(test_counts_are_in_doubt_until_a_recount_is_committed),
		TEST(test_leases_that_had_ended_cost_a_walk_nothing),
		TEST(test_a_child_that_lives_on_does_not_hold_the_lock),
		TEST(test_an_alarm_stands_until_it_is_acknowledged),
		TEST(test_a_doubtful_environment_is_opened_again_before_the_next_transaction),
		TEST(test_addresses_are_indexed_for_zones_that_want_it),
		TEST(test_the_log_tells_what_changed_and_where_it_ends),
		TEST(test_puts_stop_at_their_quota_and_deletes_go_on),
		TEST(test_a_second_livezoned_is_refused_with_the_pid_of_the_first),
		TEST(test_another_lmdb_format_is_refused_untouched),
		TEST(test_a_first_start_that_was_killed_is_begun_again),
		TEST(test_an_environment_of_another_program_is_refused),
		TEST(test_a_newer_schema_is_refused_with_what_is_needed),
		TEST(test_no_order_of_writes_leaves_a_file_that_is_refused),
		TEST(test_a_reader_that_died_is_swept_away),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
