/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/changes.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/config/config.h"
#include "lib/report/report.h"
#include "lib/base/status.h"
#include "lib/serve/reader.h"
#include "sidecar/write/writer.h"

#define SIZE (64u << 20)
#define DEADLINE_MS 10000
#define BOTH_FLAGS (NODE_HAS_WILDCARDS | NODE_HAS_CUTS)

static char root[64], state_dir[80], serve_dir[80];
static struct zone zone[3];
static struct config config;
static struct state *truth;
static struct writer *writer;
static struct writer_hook hook; /* of the next start */
static struct reason reason;

static void
start(void)
{
	if (state_open(state_dir, config.store.size_limit, &truth, &reason) != STATUS_OK
		|| writer_start(truth, &config, &hook, &writer, &reason) != STATUS_OK)
		fail_msg("%s", reason.text);
}

static void
stop(void)
{
	writer_free(writer);
	writer = NULL;
	state_close(truth);
	truth = NULL;
}

static int
set_up(void **state)
{
	static struct zone *const zones = zone;

	(void)state;
	strcpy(root, "/tmp/livezone-unit-XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(state_dir, sizeof(state_dir), "%s/state", root);
	snprintf(serve_dir, sizeof(serve_dir), "%s/serve", root);
	assert_int_equal(mkdir(state_dir, 0700), 0);
	zone[0] = (struct zone){ .name = unit_name("live"),
		.key = unit_key("live"),
		.ttl = 5,
		.negative_ttl = 7,
		.ns = { unit_name("ns1.live") },
		.ns_count = 1 };
	zone[1] = (struct zone){
		.name = unit_name("other"), .key = unit_key("other"), .negative_ttl = 5
	};
	zone[2] = (struct zone){ .name = unit_name("sub.live"),
		.key = unit_key("sub.live"),
		.negative_ttl = 5,
		.soa_serial = ZONE_SERIAL_STORED };
	config = (struct config){ .store = { .state = state_dir,
					  .serve = serve_dir,
					  .size_limit = SIZE },
		.zones = { .zone = zones, .count = 3 } };
	assert_int_equal(zones_finish(&config.zones, &reason), STATUS_OK);
	start();
	return 0;
}

static void
reload(const struct config *next)
{
	writer_reload(writer, next);
	assert_true(writer_is_reloaded(writer, DEADLINE_MS));
}

static int
tear_down(void **state)
{
	(void)state;
	stop();
	return unit_remove(root);
}

/* --- changes --- */

static const uint8_t one[] = { 0, 4, 10, 0, 0, 1 };
static const uint8_t two[] = { 0, 4, 10, 0, 0, 2 };

/* The change stays the caller's. */
static void
hand_over(struct change *change, struct change_result *out)
{
	struct write_request *request = write_request_new(NULL);

	assert_non_null(request);
	request->change = change;
	writer_submit_wait(writer, request);
	*out = request->result;
	request->change = NULL;
	write_request_free(request);
}

/* Submits and frees. */
static struct change_result
submit(struct change *change)
{
	struct change_result result = { .outcome = CHANGE_DONE };

	if (change_check(change, &config.zones, &result) == STATUS_OK)
		hand_over(change, &result);
	change_free(change);
	return result;
}

static struct change_result
put(const char *owner, uint16_t type, const uint8_t *rdata)
{
	struct change *change = change_new(CHANGE_ITEMS);

	changes_add(change, owner, type, rdata);
	return submit(change);
}

static void
assert_outcome(const struct change_result *result, enum change_outcome outcome,
	const char *text)
{
	if (result->outcome != outcome || !strstr(result->reason.text, text))
		fail_msg("outcome %d \"%s\", not %d \"%s\"", (int)result->outcome,
			result->reason.text, (int)outcome, text);
}

static void
assert_unserved(const struct change_result *result, enum change_outcome outcome, const char *text)
{
	assert_outcome(result, outcome, text);
	assert_true(result->is_unserved);
}

/* --- what is served --- */

struct seen {
	int status; /* of opening; else enum serve_found */
	uint64_t meta_revision, revision;
	struct reason reason;
	unsigned flags;
	size_t count;
	struct {
		uint16_t type;
		uint32_t ttl, rdata_len;
		uint64_t expires_ms;
		uint8_t rdata[128];
	} rrset[8];
};

static void
look_into(const char *owner, struct seen *seen)
{
	struct name_key key = unit_key(owner);
	struct serve_reader *reader;
	struct serve_txn *txn;
	struct serve_meta meta;
	struct node node;
	size_t i;

	seen->status = serve_reader_open(serve_dir, 1, &reader, &seen->reason);
	if (seen->status != STATUS_OK)
		return;
	txn = serve_reader_slot(reader, 0);
	seen->status = serve_reader_begin(txn);
	if (seen->status != STATUS_OK)
		return;
	if (serve_read_meta(txn, &meta, NULL) == STATUS_OK)
		seen->meta_revision = meta.revision;
	seen->status = serve_find(txn, &key, &node);
	if (seen->status != SERVE_EXACT)
		return;
	seen->revision = node.revision;
	seen->count = node.count;
	seen->flags = node.flags;
	for (i = 0; i < node.count && i < UNIT_COUNT(seen->rrset); i++) {
		struct node_rrset rrset;

		if (node_rrset(&node, i, &rrset) != STATUS_OK)
			return;
		seen->rrset[i].type = rrset.type;
		seen->rrset[i].ttl = rrset.ttl;
		seen->rrset[i].expires_ms = rrset.expires_ms;
		seen->rrset[i].rdata_len = rrset.rdata_len;
		memcpy(seen->rrset[i].rdata, rrset.rdata,
			rrset.rdata_len < 128 ? rrset.rdata_len : 128);
	}
}

/* A reader lives in a process of its own, as Unbound does: LMDB must not have one
 * environment open twice in a process. */
static struct seen
look(const char *owner)
{
	struct seen seen = { .status = -100 };
	int ends[2], outcome;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int tries = 20;

		/* an opening beside the writer's may fail for a moment (doc/lmdb.md) */
		for (look_into(owner, &seen); seen.status < 0 && tries > 0; tries--) {
			usleep(5000);
			look_into(owner, &seen);
		}
		_exit(write(ends[1], &seen, sizeof(seen)) != sizeof(seen));
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &seen, sizeof(seen)), sizeof(seen));
	close(ends[0]);
	assert_int_equal(waitpid(child, &outcome, 0), child);
	return seen;
}

static void
assert_served(const char *owner, const uint8_t *rdata)
{
	struct seen seen = look(owner);

	if (seen.status != SERVE_EXACT)
		fail_msg("%s: not served: %d %s", owner, seen.status, seen.reason.text);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.rrset[0].rdata_len, 2u + rdata[1]);
	assert_memory_equal(seen.rrset[0].rdata, rdata, 2u + rdata[1]);
}

static uint32_t
serial_of(const char *apex)
{
	struct seen seen = look(apex);
	uint32_t big;
	size_t i;

	for (i = 0; i < seen.count; i++) {
		if (seen.rrset[i].type != RRSET_SOA)
			continue;
		memcpy(&big, seen.rrset[i].rdata + seen.rrset[i].rdata_len - 20, 4);
		return be32toh(big);
	}
	fail_msg("%s: no SOA", apex);
	return 0;
}

static struct writer_status
status_of(void)
{
	struct writer_status status;

	writer_read_status(writer, &status);
	return status;
}

/* --- tests --- */

static void
test_an_answered_write_is_served_with_its_revision(void **state)
{
	struct change_result result = put("www.live", 1, one);
	struct seen seen;

	(void)state;
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(result.revision, 1);
	assert_int_equal(result.rrset_revision, 1);
	assert_int_equal(result.added, 1);
	assert_served("www.live", one);
	result = put("www.live", 1, two);
	assert_int_equal(result.revision, 2);
	assert_int_equal(result.old_revision, 1);
	assert_served("www.live", two);
	seen = look("www.live");
	assert_int_equal(seen.revision, 2);
	assert_int_equal(seen.meta_revision, 2);
	result = put("www.live", 1, NULL);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(result.removed, 1);
	assert_int_equal(look("www.live").status, SERVE_NONE);
	result = put("www.live", 1, NULL);
	assert_outcome(&result, CHANGE_NOT_FOUND, "no such RRset");
	assert_int_equal(result.revision, 3);
}

static void
test_an_apex_has_soa_and_ns_and_the_serial_of_its_zone(void **state)
{
	static const uint8_t soa[] = { 0, 22, 0, 0, 0, 0, 0, 77, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0,
		0, 1, 0, 0, 0, 1 };
	struct seen seen = look("live");

	(void)state;
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.rrset[0].type, RRSET_NS);
	assert_int_equal(seen.rrset[1].type, RRSET_SOA);
	assert_int_equal(seen.rrset[1].ttl, 7);
	assert_int_equal(look("other").count, 1);
	put("a.other", 1, one);
	put("www.live", 1, one);
	assert_int_equal(serial_of("other"), 1);
	assert_int_equal(serial_of("live"), 2);
	/* a stored SOA: its serial moves in one zone and stays in the other */
	put("live", RRSET_SOA, soa);
	put("sub.live", RRSET_SOA, soa);
	assert_int_equal(serial_of("live"), 3);
	assert_int_equal(serial_of("sub.live"), 77);
	put("www.live", 1, two);
	assert_int_equal(serial_of("live"), 5);
}

static void
test_equal_data_is_no_new_revision(void **state)
{
	struct change_result result;
	struct change *change;

	(void)state;
	put("www.live", 1, one);
	result = put("www.live", 1, one);
	assert_outcome(&result, CHANGE_UNCHANGED, "");
	assert_int_equal(result.revision, 1);
	assert_int_equal(result.rrset_revision, 1);
	assert_int_equal(result.unchanged, 1);
	/* another owner is a change */
	change = change_new(CHANGE_ITEMS);
	change->source = "k8s";
	changes_add(change, "www.live", 1, one);
	result = submit(change);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(result.revision, 2);
}

static void
test_preconditions_hold_or_nothing_is_written(void **state)
{
	struct change_result result;
	struct change *change;
	struct change_item *item;

	(void)state;
	put("www.live", 1, one);
	change = change_new(CHANGE_ITEMS);
	changes_add(change, "aaa.live", 1, two);
	item = changes_add(change, "www.live", 1, two);
	item->has_if_revision = true;
	item->if_revision = 9;
	result = submit(change);
	assert_outcome(&result, CHANGE_STALE, "www.live. A");
	assert_int_equal(result.item, 1);
	assert_int_equal(result.rrset_revision, 1);
	assert_int_equal(look("aaa.live").status, SERVE_NONE);
	change = change_new(CHANGE_ITEMS);
	changes_add(change, "www.live", 1, two)->if_absent = true;
	result = submit(change);
	assert_outcome(&result, CHANGE_STALE, "exists already");
	change = change_new(CHANGE_ITEMS);
	changes_add(change, "new.live", 1, two)->if_present = true;
	result = submit(change);
	assert_outcome(&result, CHANGE_STALE, "does not exist");
	assert_int_equal(result.rrset_revision, 0);
	change = change_new(CHANGE_ITEMS);
	item = changes_add(change, "www.live", 1, two);
	item->has_if_revision = true;
	item->if_revision = 1;
	result = submit(change);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_served("www.live", two);
}

static void
test_a_cname_is_alone_at_its_name_after_the_change(void **state)
{
	static const uint8_t target[] = { 0, 3, 1, 'x', 0 };
	struct change_result result;
	struct change *change;

	(void)state;
	put("www.live", 1, one);
	result = put("www.live", RRSET_CNAME, target);
	assert_outcome(&result, CHANGE_INVALID, "www.live. CNAME cannot stand beside A");
	/* both at once */
	change = change_new(CHANGE_ITEMS);
	changes_add(change, "new.live", 1, one);
	changes_add(change, "new.live", RRSET_CNAME, target);
	result = submit(change);
	assert_outcome(&result, CHANGE_INVALID, "beside A");
	/* one goes, the other comes */
	change = change_new(CHANGE_ITEMS);
	changes_add(change, "www.live", RRSET_CNAME, target);
	changes_add(change, "www.live", 1, NULL);
	result = submit(change);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_served("www.live", target);
	result = put("www.live", 16, two);
	assert_outcome(&result, CHANGE_INVALID, "CNAME cannot stand beside TXT");
	result = put("www.live", RRSET_CNAME, NULL);
	assert_outcome(&result, CHANGE_DONE, "");
}

static void
test_a_source_gets_exactly_what_it_wants(void **state)
{
	struct change *change = changes_of(CHANGE_SOURCE, "k8s");
	struct change_result result;

	(void)state;
	put("mine.live", 1, one);
	changes_add(change, "a.live", 1, one);
	changes_add(change, "b.live", 1, one);
	result = submit(change);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(result.added, 2);
	change = changes_of(CHANGE_SOURCE, "k8s");
	changes_add(change, "b.live", 1, two);
	changes_add(change, "c.other", 1, one);
	change->dry_run = true;
	assert_int_equal(change_check(change, &config.zones, &result), STATUS_OK);
	hand_over(change, &result);
	assert_outcome(&result, CHANGE_UNCHANGED, "");
	assert_int_equal(result.diff_count, 3);
	assert_int_equal(result.diff[0].sign, '-');
	assert_int_equal(result.diff[1].sign, '~');
	assert_memory_equal(result.diff[1].before.rdata, one, sizeof(one));
	assert_string_equal(result.diff[1].before_source, "k8s");
	assert_int_equal(result.diff[2].sign, '+');
	assert_int_equal(result.diff[2].item, 1);
	assert_served("a.live", one);
	change->dry_run = false;
	hand_over(change, &result);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(result.added, 1);
	assert_int_equal(result.changed, 1);
	assert_int_equal(result.removed, 1);
	hand_over(change, &result);
	assert_outcome(&result, CHANGE_UNCHANGED, "");
	change_free(change);
	assert_int_equal(look("a.live").status, SERVE_NONE);
	assert_served("b.live", two);
	assert_served("mine.live", one);
}

static void
test_a_source_leaves_the_rrsets_of_others_alone(void **state)
{
	struct change *change = changes_of(CHANGE_SOURCE, "k8s");
	struct change_result result;

	(void)state;
	put("mine.live", 1, one);
	changes_add(change, "a.live", 1, one);
	changes_add(change, "mine.live", 1, two);
	assert_int_equal(change_check(change, &config.zones, &result), STATUS_OK);
	hand_over(change, &result);
	assert_outcome(&result, CHANGE_CONFLICT, "belongs to source \"api\"");
	assert_string_equal(result.owner, "api");
	assert_int_equal(result.item, 1);
	assert_served("mine.live", one);
	change->force = true;
	hand_over(change, &result);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_served("mine.live", two);
	change_free(change);
}

static void
test_a_source_may_not_lose_too_much_at_once(void **state)
{
	struct change *change = changes_of(CHANGE_SOURCE, "k8s");
	struct change_result result;
	char owner[32];
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		snprintf(owner, sizeof(owner), "n%02d.live", i);
		changes_add(change, owner, 1, one);
	}
	result = submit(change);
	assert_outcome(&result, CHANGE_DONE, "");
	change = changes_of(CHANGE_SOURCE, "k8s");
	for (i = 0; i < 9; i++) {
		snprintf(owner, sizeof(owner), "n%02d.live", i);
		changes_add(change, owner, 1, one);
	}
	assert_int_equal(change_check(change, &config.zones, &result), STATUS_OK);
	hand_over(change, &result);
	assert_outcome(&result, CHANGE_CONFLICT, "would delete 11 of the source's 20");
	assert_string_equal(result.owner, "");
	change->max_delete_percent = 55;
	hand_over(change, &result);
	assert_outcome(&result, CHANGE_DONE, "");
	change_free(change);
	/* up to 10 may go */
	result = submit(changes_of(CHANGE_SOURCE, "k8s"));
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(result.removed, 9);
}

static void
test_a_zone_is_replaced_but_not_the_zone_inside(void **state)
{
	struct change *change = change_new(CHANGE_ZONE);
	struct change_result result;

	(void)state;
	put("old.live", 1, one);
	put("x.sub.live", 1, one);
	put("a.other", 1, one);
	change->zone = unit_key("live");
	change->has_if_revision = true;
	change->if_revision = 7;
	changes_add(change, "new.live", 1, two);
	assert_int_equal(change_check(change, &config.zones, &result), STATUS_OK);
	hand_over(change, &result);
	assert_outcome(&result, CHANGE_STALE, "If-Match");
	assert_int_equal(result.rrset_revision, 1);
	change->if_revision = 1;
	hand_over(change, &result);
	assert_outcome(&result, CHANGE_DONE, "");
	change_free(change);
	assert_int_equal(look("old.live").status, SERVE_NONE);
	assert_served("new.live", two);
	assert_served("x.sub.live", one);
	assert_served("a.other", one);
}

static void
test_a_restore_replaces_all_and_goes_on_above_the_backup(void **state)
{
	struct change *change = change_new(CHANGE_RESTORE);
	struct change_result result;

	(void)state;
	put("old.live", 1, one);
	put("a.other", 1, one);
	change->base_revision = 500;
	changes_add(change, "new.live", 1, two);
	changes_add(change, "a.other", 1, one);
	result = submit(change);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(result.revision, 501);
	assert_int_equal(result.unchanged, 1);
	assert_int_equal(look("old.live").status, SERVE_NONE);
	assert_served("new.live", two);
	result = put("b.other", 1, one);
	assert_int_equal(result.revision, 502);
}

static void
wait_until_gone(const char *owner)
{
	uint64_t deadline = clock_boot_ms() + DEADLINE_MS;

	while (look(owner).status == SERVE_EXACT)
		assert_true(clock_boot_ms() < deadline);
}

static void
wait_for_revision(uint64_t revision)
{
	uint64_t deadline = clock_boot_ms() + DEADLINE_MS;

	while (status_of().state_revision < revision)
		assert_true(clock_boot_ms() < deadline);
}

static void
test_a_lease_ends_or_is_renewed(void **state)
{
	struct change *change = change_new(CHANGE_ITEMS);
	struct change_result result;
	uint64_t before, end;

	(void)state;
	change->source = "k8s";
	changes_add(change, "short.live", 1, one)->lease_ms = 300;
	changes_add(change, "long.live", 1, one)->lease_ms = 60000;
	before = clock_boot_ms();
	result = submit(change);
	assert_outcome(&result, CHANGE_DONE, "");
	end = look("long.live").rrset[0].expires_ms;
	assert_in_range(end, before + 60000, clock_boot_ms() + 60000);
	wait_until_gone("short.live");
	assert_true(clock_boot_ms() >= before + 300);
	assert_served("long.live", one);
	wait_for_revision(2);

	change = change_new(CHANGE_HEARTBEAT);
	change->source = "k8s";
	change->source_len = 3;
	result = submit(change);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(result.renewed, 1);
	assert_int_equal(result.revision, 2); /* the end of the lease made one, this none */
	assert_true(look("long.live").rrset[0].expires_ms > end);
	assert_int_equal(serial_of("live"), 2);
	change = change_new(CHANGE_HEARTBEAT);
	change->source = "nobody";
	change->source_len = 6;
	result = submit(change);
	assert_outcome(&result, CHANGE_NOT_FOUND, "no RRset belongs");
	/* the same data and lease again: renewed, the revision stays */
	change = change_new(CHANGE_ITEMS);
	change->source = "k8s";
	changes_add(change, "long.live", 1, one)->lease_ms = 60000;
	result = submit(change);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(result.renewed, 1);
	assert_int_equal(result.revision, 2);
	assert_int_equal(result.rrset_revision, 1);
}

static void
test_a_thousand_leases_end_in_one_commit(void **state)
{
	struct change *change = change_new(CHANGE_ITEMS);
	struct change_result result;
	uint64_t deadline = clock_boot_ms() + DEADLINE_MS;
	char owner[32];

	(void)state;
	change->source = "k8s";
	for (int i = 0; i < 1000; i++) {
		snprintf(owner, sizeof(owner), "n%d.live", i);
		changes_add(change, owner, 1, one)->lease_ms = 500;
	}
	result = submit(change);
	assert_outcome(&result, CHANGE_DONE, "");
	/* they may have ended by now: what counts is that one revision ends them all */
	while (status_of().state_revision == result.revision)
		assert_true(clock_boot_ms() < deadline);
	assert_int_equal(status_of().state_revision, result.revision + 1);
	assert_int_equal(look("n0.live").status, SERVE_NONE);
	assert_int_equal(look("n999.live").status, SERVE_NONE);
}

/* Ms until the lease ends, by state. */
static uint64_t
left_of(const char *owner)
{
	struct name_key key = unit_key(owner);
	struct state_record record = { .expires_ms = 0 };
	struct state_txn *txn;

	assert_int_equal(state_begin_read(truth, &txn, &reason), STATUS_OK);
	assert_int_equal(state_get(txn, &key, 1, &record, &reason), STATUS_OK);
	state_abort(txn);
	return record.expires_ms - writer_lease_clock(writer);
}

static void
set_lease_clock(uint64_t ahead_ms)
{
	char path[96], id[40];
	unsigned long long offset;
	FILE *file;

	snprintf(path, sizeof(path), "%s/lease-clock", state_dir);
	file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%39s %llu", id, &offset), 2);
	rewind(file);
	if (ahead_ms == 0)
		strcpy(id, "11111111-2222-3333-4444-555555555555");
	fprintf(file, "%s %llu\n", id, offset + ahead_ms);
	assert_int_equal(fclose(file), 0);
}

/* With 0 it is a new boot. */
static void
restart_at(uint64_t ahead_ms)
{
	stop();
	set_lease_clock(ahead_ms);
	start();
}

/* A new boot believes the clock: nothing has more left than its own length. */
static void
wait_for_own_length(const char *owner, uint64_t length_ms)
{
	const uint64_t deadline = clock_boot_ms() + DEADLINE_MS;

	while (left_of(owner) > length_ms)
		assert_true(clock_boot_ms() < deadline);
}

static void
test_the_wall_clock_neither_ends_nor_prolongs_a_lease(void **state)
{
	const uint64_t day = UINT64_C(24) * 3600 * 1000;
	struct change *change = change_new(CHANGE_ITEMS);

	(void)state;
	/* as if the wall clock had been set back by a day since the machine booted */
	restart_at(day);
	changes_add(change, "www.live", 1, one)->lease_ms = 60000;
	submit(change);
	assert_in_range(left_of("www.live"), 50000, 60000);
	stop();
	start();
	assert_in_range(left_of("www.live"), 50000, 60000);
	assert_in_range(look("www.live").rrset[0].expires_ms, clock_boot_ms() + 50000,
		clock_boot_ms() + 60000);
	restart_at(0);
	wait_for_own_length("www.live", 60000);
	assert_in_range(left_of("www.live"), 50000, 60000);
	assert_in_range(look("www.live").rrset[0].expires_ms, clock_boot_ms() + 50000,
		clock_boot_ms() + 60000);
}

static void
test_a_new_boot_looks_behind_a_thousand_leases_that_are_over(void **state)
{
	const uint64_t day = UINT64_C(24) * 3600 * 1000;
	struct change *change = change_new(CHANGE_ITEMS);
	uint64_t deadline;
	char owner[32];

	(void)state;
	restart_at(day);
	changes_add(change, "www.live", 1, one)->lease_ms = 60000;
	submit(change);
	restart_at(-day);
	change = change_new(CHANGE_ITEMS);
	for (int i = 0; i < 1000; i++) {
		snprintf(owner, sizeof(owner), "n%d.live", i);
		changes_add(change, owner, 1, one)->lease_ms = 3000;
	}
	submit(change);
	deadline = clock_boot_ms() + 3100;
	stop();
	while (clock_boot_ms() < deadline)
		;
	set_lease_clock(0);
	start();
	wait_for_own_length("www.live", 60000);
	assert_int_equal(look("n999.live").status, SERVE_NONE);
}

/* What ran out is absent for whoever writes, removed yet or not. */
static void
test_a_lease_that_is_over_stands_in_nobodys_way(void **state)
{
	static const uint8_t host[] = "\0\12\3www\4live";
	struct change *change;
	struct change_result result;

	(void)state;
	for (int i = 0; i < 40; i++) {
		change = change_new(CHANGE_ITEMS);
		changes_add(change, "lock.live", 1, one)->lease_ms = 20;
		change->items[0].if_absent = true;
		result = submit(change);
		if (result.outcome == CHANGE_STALE)
			continue;
		assert_outcome(&result, CHANGE_DONE, "");
		assert_int_equal(result.added, 1);
		usleep(21000);
		/* a heartbeat does not bring it back */
		change = change_new(CHANGE_HEARTBEAT);
		change->source = "api";
		change->source_len = 3;
		result = submit(change);
		assert_int_equal(result.renewed, 0);
	}
	change = change_new(CHANGE_ITEMS);
	changes_add(change, "lock.live", 1, one)->lease_ms = 20;
	submit(change);
	usleep(21000);
	result = put("lock.live", RRSET_CNAME, host);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_served("lock.live", host);
}

static void
test_on_expiry_remove_keeps_what_holds_fallback_records_back(void **state)
{
	static struct rrset set;
	struct zone *live = &config.zones.zone[0];
	struct change *change = change_new(CHANGE_ITEMS);
	struct change_result result;
	uint64_t deadline = clock_boot_ms() + DEADLINE_MS;
	uint64_t revision;

	(void)state;
	stop();
	assert_int_equal(live->key.len, unit_key("live").len);
	set = (struct rrset){ .owner = unit_key("held.live"), .type = 1, .count = 1, .ttl = 5 };
	live->fallback = &set;
	live->fallback_count = 1;
	live->on_expiry = ZONE_EXPIRY_REMOVE;
	start();
	changes_add(change, "held.live", 1, one)->lease_ms = 100;
	changes_add(change, "gone.live", 1, one)->lease_ms = 100;
	revision = submit(change).revision;
	while (status_of().state_revision == revision)
		assert_true(clock_boot_ms() < deadline);
	assert_int_equal(look("gone.live").status, SERVE_NONE);
	assert_int_equal(look("held.live").rrset[0].expires_ms, 1);
	assert_int_equal(serial_of("live"), revision + 1);
	/* once only, and over a start and a rebuild */
	change = change_new(CHANGE_ITEMS);
	changes_add(change, "other.live", 1, one)->lease_ms = 100;
	submit(change);
	wait_until_gone("other.live");
	stop();
	start();
	assert_int_equal(status_of().state_revision, revision + 3);
	assert_int_equal(look("held.live").rrset[0].expires_ms, 1);
	/* it is absent for preconditions, and a put is one, data as they were */
	change = change_new(CHANGE_ITEMS);
	changes_add(change, "held.live", 1, one)->lease_ms = 60000;
	change->items[0].if_absent = true;
	result = submit(change);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(result.added, 1);
	assert_true(look("held.live").rrset[0].expires_ms > 1);
	result = put("held.live", 1, NULL);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(look("held.live").status, SERVE_NONE);
}

static void
test_serve_is_caught_up_at_a_start(void **state)
{
	char command[256];

	(void)state;
	put("www.live", 1, one);
	stop();
	snprintf(command, sizeof(command), "cp -a %s %s.old", serve_dir, serve_dir);
	assert_int_equal(system(command), 0);
	start();
	put("www.live", 1, two);
	put("new.live", 1, two);
	stop();
	/* killed between the two commits: serve is behind */
	snprintf(command, sizeof(command), "rm -r %s && mv %s.old %s", serve_dir, serve_dir,
		serve_dir);
	assert_int_equal(system(command), 0);
	assert_served("www.live", one);
	start();
	assert_served("www.live", two);
	assert_served("new.live", two);
	assert_int_equal(serial_of("live"), 3);
	assert_int_equal(status_of().serve_revision, 3);
	assert_true(status_of().catch_ups == 1 || status_of().rebuilds == 1);
}

static void
assert_pointers(const char *reverse, size_t names)
{
	struct seen seen = look(reverse);
	size_t len = 0;

	if (names == 0) {
		assert_int_not_equal(seen.status, SERVE_EXACT);
		return;
	}
	assert_int_equal(seen.status, SERVE_EXACT);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.rrset[0].type, RRSET_PTR);
	for (; len < seen.rrset[0].rdata_len; names--)
		len += 2u + seen.rrset[0].rdata[len + 1];
	assert_int_equal(names, 0);
}

static void
test_pointers_are_right_when_serve_was_behind(void **state)
{
	struct change *change = change_new(CHANGE_ITEMS);
	struct zone mine[2];
	char command[512];
	uint64_t end;

	(void)state;
	mine[0] = *zones_find(&config.zones, &(struct name_key){ 5, "\4live" });
	mine[0].auto_ptr = true;
	mine[1] = (struct zone){ .name = unit_name("10.in-addr.arpa"),
		.key = unit_key("10.in-addr.arpa"), .negative_ttl = 5 };
	stop();
	config.zones = (struct zones){ .zone = mine, .count = 2 };
	assert_int_equal(zones_finish(&config.zones, &reason), STATUS_OK);
	start();
	put("a.live", 1, one);
	put("b.live", 1, one);
	changes_add(change, "long.live", 1, two)->lease_ms = 60000;
	submit(change);
	assert_pointers("1.0.0.10.in-addr.arpa", 2);
	end = look("2.0.0.10.in-addr.arpa").rrset[0].expires_ms;
	assert_int_not_equal(end, 0);
	stop();
	snprintf(command, sizeof(command), "cp -a %s %s.old", serve_dir, serve_dir);
	assert_int_equal(system(command), 0);
	/* first a renewal only, which makes no revision, then a change of addresses */
	start();
	change = change_new(CHANGE_ITEMS);
	changes_add(change, "long.live", 1, two)->lease_ms = 60000;
	submit(change);
	stop();
	snprintf(command, sizeof(command), "rm -r %s && cp -a %s.old %s", serve_dir, serve_dir,
		serve_dir);
	assert_int_equal(system(command), 0);
	start();
	assert_int_equal(status_of().rebuilds, 0);
	assert_true(look("2.0.0.10.in-addr.arpa").rrset[0].expires_ms
		== look("long.live").rrset[0].expires_ms);
	put("b.live", 1, NULL);
	put("c.live", 1, one);
	put("a.live", 1, two);
	stop();
	assert_int_equal(system(command), 0);
	assert_pointers("1.0.0.10.in-addr.arpa", 2);
	start();
	assert_pointers("1.0.0.10.in-addr.arpa", 1);
	assert_pointers("2.0.0.10.in-addr.arpa", 2);
	assert_int_equal(look("2.0.0.10.in-addr.arpa").rrset[0].expires_ms, 0);
	put("a.live", 1, NULL);
	put("c.live", 1, NULL);
	assert_pointers("1.0.0.10.in-addr.arpa", 0);
	assert_int_equal(serial_of("10.in-addr.arpa"), 8);
	stop();
	/* what tear_down stops */
	config.zones = (struct zones){ .zone = zone, .count = 3 };
	start();
}

static void
break_serve(const char *how)
{
	char command[256];

	snprintf(command, sizeof(command), "cd %s && %s", root, how);
	assert_int_equal(system(command), 0);
}

static void
test_a_lost_or_damaged_serve_is_rebuilt(void **state)
{
	static const char *const ways[] = {
		"rm -r serve",
		"truncate -s 0 serve/data.mdb",
		"truncate -s 4096 serve/data.mdb",
		"rm serve/data.mdb",
		"rm serve/lock.mdb",
		"mv serve gone",
		"rm serve/data.mdb; mkdir serve/data.mdb",
	};
	size_t i;

	(void)state;
	put("www.live", 1, one);
	for (i = 0; i < UNIT_COUNT(ways); i++) {
		uint64_t deadline = clock_boot_ms() + DEADLINE_MS;
		uint64_t before = status_of().rebuilds;
		struct change_result result;

		break_serve(ways[i]);
		if (i % 2 == 0) {
			result = put("new.live", 1, i % 4 == 0 ? one : two);
			assert_outcome(&result, CHANGE_DONE, "");
			assert_served("new.live", i % 4 == 0 ? one : two);
		}
		while (status_of().rebuilds == before)
			if (clock_boot_ms() > deadline)
				fail_msg("not rebuilt after: %s", ways[i]);
		assert_served("www.live", one);
		break_serve("rm -rf gone");
	}
	/* and while livezoned was down */
	stop();
	break_serve("truncate -s 5000 serve/data.mdb");
	start();
	assert_served("www.live", one);
}

/* Writes `bytes` at this place of every page of serve, or of the meta pages. */
static void
damage_pages(bool of_meta, size_t at, const void *bytes, size_t len)
{
	char path[128];
	struct stat file;
	int fd;

	snprintf(path, sizeof(path), "%s/data.mdb", serve_dir);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0 && fstat(fd, &file) == 0);
	for (off_t page = of_meta ? 0 : 2; page < (of_meta ? 2 : file.st_size / 4096); page++)
		assert_int_equal(
			pwrite(fd, bytes, len, page * 4096 + (off_t)at), (ssize_t)len);
	close(fd);
}

static void
test_a_write_into_a_damaged_serve_ends_in_a_rebuilt_one(void **state)
{
	static const struct {
		const char *what;
		bool of_meta;
		size_t at, len;
		const char *bytes;
	} damages[] = {
		{ "no kind of page", false, 10, 2, "\0\0" },
		{ "one key: an assertion of LMDB", false, 12, 2, "\22\0" },
		{ "nodes outside of the page", false, 16, 8, "\xff\xff\xff\xff\xff\xff\xff\xff" },
		{ "a root beyond the end", true, 128, 8, "\xff\xff\xff\0\0\0\0\0" },
	};
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "n%u.live", i);
		put(name, 1, one);
	}
	for (size_t i = 0; i < UNIT_COUNT(damages); i++) {
		uint64_t before = status_of().rebuilds;
		struct change_result result;

		damage_pages(damages[i].of_meta, damages[i].at, damages[i].bytes,
			damages[i].len);
		result = put("new.live", 1, i % 2 ? one : two);
		assert_outcome(&result, CHANGE_DONE, "");
		if (status_of().rebuilds == before)
			fail_msg("not rebuilt: %s", damages[i].what);
		assert_served("new.live", i % 2 ? one : two);
		assert_served("n7.live", one);
		/* and when it is found at a start */
		stop();
		damage_pages(damages[i].of_meta, damages[i].at, damages[i].bytes,
			damages[i].len);
		start();
		assert_served("n7.live", one);
	}
}

static void
report(uint64_t inode)
{
	struct report mine = { .pid = getpid(),
		.serve_inode = inode,
		.written_ms = clock_wall_ms() };

	assert_int_equal(report_write(serve_dir, &mine, &reason), STATUS_OK);
}

static void *
put_in_thread(void *context)
{
	struct change_result result = put("www.live", 1, two);

	*(uint64_t *)context = clock_boot_ms();
	return result.outcome == CHANGE_DONE ? NULL : (void *)1;
}

static void
test_a_write_waits_for_the_unbounds_to_open_a_new_serve(void **state)
{
	uint64_t deadline = clock_boot_ms() + DEADLINE_MS, opened, answered = 0;
	pthread_t thread;
	struct stat before, now;
	char path[96];
	void *failed;

	(void)state;
	put("www.live", 1, one);
	snprintf(path, sizeof(path), "%s/data.mdb", serve_dir);
	assert_int_equal(stat(path, &before), 0);
	report(before.st_ino);
	break_serve("truncate -s 0 serve/data.mdb");
	assert_int_equal(pthread_create(&thread, NULL, put_in_thread, &answered), 0);
	do
		assert_true(clock_boot_ms() < deadline);
	while (stat(path, &now) != 0 || now.st_ino == before.st_ino);
	report(before.st_ino); /* not yet */
	opened = clock_boot_ms();
	report(now.st_ino);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_true(answered >= opened);
	assert_served("www.live", two);
}

static void
test_a_write_that_an_unbound_does_not_see_is_not_called_served(void **state)
{
	uint64_t deadline = clock_boot_ms() + 2 * DEADLINE_MS;
	struct change_result result;
	struct stat before, now;
	char path[96], pid[16];

	(void)state;
	put("www.live", 1, one);
	snprintf(path, sizeof(path), "%s/data.mdb", serve_dir);
	snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
	assert_int_equal(stat(path, &before), 0);
	report(before.st_ino);
	/* livezoned has looked at the reports once: a deleted directory takes them away */
	while (status_of().reporters == 0)
		assert_true(clock_boot_ms() < deadline);
	break_serve("rm -r serve");
	result = put("www.live", 1, two);
	assert_unserved(&result, CHANGE_DONE, pid);
	report(before.st_ino);
	result = put("www.live", 1, one);
	assert_unserved(&result, CHANGE_DONE, pid);
	report(0); /* it could open none, and so has nothing old to answer from */
	result = put("www.live", 1, two);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(stat(path, &now), 0);
	report(now.st_ino);
	result = put("www.live", 1, one);
	assert_outcome(&result, CHANGE_DONE, "");
}

static void *
put_unseen_in_thread(void *context)
{
	*(struct change_result *)context = put("www.live", 1, two);
	return NULL;
}

/* Its only report went away with the directory before livezoned looked. */
static void
test_a_write_waits_for_an_unbound_that_nobody_knows_yet(void **state)
{
	uint64_t deadline = clock_boot_ms() + DEADLINE_MS;
	struct change_result result;
	struct stat before, now;
	char path[96], pid[16];
	pthread_t thread;

	(void)state;
	put("www.live", 1, one);
	snprintf(path, sizeof(path), "%s/data.mdb", serve_dir);
	snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
	assert_int_equal(stat(path, &before), 0);
	break_serve("rm -r serve");
	assert_int_equal(pthread_create(&thread, NULL, put_unseen_in_thread, &result), 0);
	do
		assert_true(clock_boot_ms() < deadline);
	while (stat(path, &now) != 0);
	report(before.st_ino);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_unserved(&result, CHANGE_DONE, pid);
	report(now.st_ino);
	result = put("www.live", 1, one);
	assert_outcome(&result, CHANGE_DONE, "");
}

/* It was killed after the rename: who reads the old directory is said there. */
static void
test_a_start_looks_for_unbounds_that_read_the_serve_before_this_one(void **state)
{
	struct change_result result;
	char old[96], path[112], pid[16];
	struct report behind = { .pid = getpid(), .serve_inode = 1 };
	struct stat now;

	(void)state;
	put("www.live", 1, one);
	stop();
	snprintf(old, sizeof(old), "%s.new", serve_dir);
	snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
	assert_int_equal(mkdir(old, 0700), 0);
	behind.written_ms = clock_wall_ms();
	assert_int_equal(report_write(old, &behind, &reason), STATUS_OK);
	start();
	result = put("www.live", 1, two);
	assert_unserved(&result, CHANGE_DONE, pid);
	snprintf(path, sizeof(path), "%s/data.mdb", serve_dir);
	assert_int_equal(stat(path, &now), 0);
	report(now.st_ino);
	result = put("www.live", 1, one);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_not_equal(access(old, F_OK), 0);
}

static void
test_a_serve_that_cannot_be_written_is_said_and_made_good(void **state)
{
	uint64_t deadline = clock_boot_ms() + DEADLINE_MS;
	struct change_result result;
	struct change *change;

	(void)state;
	stop();
	break_serve("rm -r serve");
	config.store.serve = strcat(serve_dir, "/none/serve");
	start();
	result = put("www.live", 1, one);
	assert_unserved(&result, CHANGE_DONE, "serve");
	assert_int_equal(result.revision, 1);
	assert_false(status_of().is_serve_current);
	assert_int_equal(status_of().state_revision, 1);
	/* what it says of the same write does not change before DNS has it */
	result = put("www.live", 1, one);
	assert_unserved(&result, CHANGE_UNCHANGED, "serve");
	break_serve("mkdir -p serve/none");
	while (!status_of().is_serve_current)
		assert_true(clock_boot_ms() < deadline);
	assert_served("www.live", one);
	result = put("www.live", 1, one);
	assert_outcome(&result, CHANGE_UNCHANGED, "");
	assert_false(result.is_unserved);
	change = change_new(CHANGE_ITEMS);
	changes_add(change, "www.live", 1, two);
	result = submit(change);
	assert_outcome(&result, CHANGE_DONE, "");
}

static void
test_a_reload_changes_the_apexes_and_keeps_the_data(void **state)
{
	static struct zone fewer[1];
	struct config next = config;
	struct change_result result;
	struct change *change;

	(void)state;
	put("x.sub.live", 1, one);
	put("a.other", 1, one);
	fewer[0] = zone[0];
	fewer[0].ns_count = 0;
	next.zones = (struct zones){ .zone = fewer, .count = 1 };
	assert_int_equal(zones_finish(&next.zones, &reason), STATUS_OK);
	reload(&next);
	assert_int_equal(look("live").count, 1);
	assert_int_equal(look("sub.live").status, SERVE_BELOW);
	assert_served("x.sub.live", one);
	/* a change that was checked against the old zones */
	change = change_new(CHANGE_ITEMS);
	changes_add(change, "b.other", 1, one);
	result = submit(change);
	assert_outcome(&result, CHANGE_INVALID, "in no live zone");
	reload(&config);
	assert_int_equal(look("live").count, 2);
	assert_served("a.other", one);
	assert_int_equal(serial_of("other"), 2);
}

/* One record of 60000 bytes. */
static void
add_large(struct change *change, const char *owner)
{
	static uint8_t large[RRSET_RDATA_MAX] = { 0xea, 0x60 };

	assert_int_equal(change_take_rrset(change, changes_add(change, owner, 16, one),
				 &(struct rrset){ .owner = unit_key(owner),
					 .type = 16,
					 .count = 1,
					 .ttl = 5,
					 .rdata_len = 60002,
					 .rdata = large }),
		STATUS_OK);
}

static void
test_a_full_store_refuses_puts_and_takes_deletes(void **state)
{
	struct change_result result;
	struct change *change;
	char owner[32];
	int i;

	(void)state;
	for (i = 0;; i++) {
		snprintf(owner, sizeof(owner), "n%d.live", i);
		change = change_new(CHANGE_ITEMS);
		add_large(change, owner);
		result = submit(change);
		if (result.outcome != CHANGE_DONE)
			break;
	}
	assert_outcome(&result, CHANGE_FULL, "store.size-limit");
	assert_int_equal(look(owner).status, SERVE_NONE);
	assert_true(i > 500);
	while (i > 400) {
		snprintf(owner, sizeof(owner), "n%d.live", --i);
		result = put(owner, 16, NULL);
		assert_outcome(&result, CHANGE_DONE, "");
	}
	result = put("www.live", 1, one);
	assert_outcome(&result, CHANGE_DONE, "");
}

static void
test_a_large_change_is_served_whole(void **state)
{
	struct change *change = changes_of(CHANGE_SOURCE, "bulk");
	struct change_result result;
	char owner[64];
	int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		snprintf(owner, sizeof(owner), "h%d.group%d.live", i, i % 100);
		changes_add(change, owner, 1, i % 2 ? one : two);
	}
	result = submit(change);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(result.added, 20000);
	assert_served("h19999.group99.live", one);
	assert_served("h2.group2.live", two);
	change = changes_of(CHANGE_SOURCE, "bulk");
	change->force = true;
	changes_add(change, "h2.group2.live", 1, two);
	result = submit(change);
	assert_int_equal(result.removed, 19999);
	assert_int_equal(result.unchanged, 1);
	assert_int_equal(look("h3.group3.live").status, SERVE_NONE);
	assert_served("h2.group2.live", two);
}

#define THREADS 8
#define ROUNDS 60

static void *
write_many(void *context)
{
	const char *host = context;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct change *change = change_new(CHANGE_ITEMS);
		struct change_result result = { .outcome = CHANGE_FAILED };
		uint8_t rdata[] = { 0, 4, 10, 0, 0, (uint8_t)i };

		changes_add(change, host, 1, rdata);
		changes_add(change, "shared.live", 1, rdata);
		if (change_check(change, &config.zones, &result) == STATUS_OK)
			hand_over(change, &result);
		change_free(change);
		if (result.outcome != CHANGE_DONE && result.outcome != CHANGE_UNCHANGED)
			return (void *)1;
		if (status_of().state_revision < result.revision)
			return (void *)1;
	}
	return NULL;
}

/* --- look-ups --- */

struct looked {
	uint64_t serve_revision, state_revision;
	bool has_one;
	int calls;
};

static void
look_on_thread(
	struct write_request *request, struct serve_txn *serve, struct state_txn *state)
{
	struct looked *seen = request->look_context;
	struct name_key key = unit_key("www.live");
	struct serve_meta served;
	struct state_meta stored;
	struct node node;

	seen->calls++;
	seen->has_one = serve_find(serve, &key, &node) == SERVE_EXACT;
	if (serve_read_meta(serve, &served, NULL) == STATUS_OK)
		seen->serve_revision = served.revision;
	if (state_read_meta(state, &stored, NULL) == STATUS_OK)
		seen->state_revision = stored.revision;
}

static int
look_up(struct looked *seen)
{
	struct write_request *request = write_request_new(NULL);
	int status;

	assert_non_null(request);
	request->look = look_on_thread;
	request->look_context = seen;
	writer_submit_wait(writer, request);
	status = request->status;
	reason = request->result.reason;
	write_request_free(request);
	return status;
}

static void
test_a_look_up_sees_both_stores_at_one_revision(void **state)
{
	struct looked seen = { 0 };
	struct change_result result;

	(void)state;
	assert_int_equal(look_up(&seen), STATUS_OK);
	assert_false(seen.has_one);
	result = put("www.live", RRSET_A, one);
	assert_int_equal(look_up(&seen), STATUS_OK);
	assert_true(seen.has_one);
	assert_int_equal(seen.calls, 2);
	assert_int_equal(seen.serve_revision, result.revision);
	assert_int_equal(seen.state_revision, result.revision);
}

static void
test_a_look_up_needs_a_served_store(void **state)
{
	struct looked seen = { 0 };
	char away[96];
	int status;

	(void)state;
	snprintf(away, sizeof(away), "%s.away", root);
	assert_int_equal(rename(root, away), 0);
	status = look_up(&seen);
	assert_int_equal(rename(away, root), 0);
	assert_int_equal(status, STATUS_UNAVAILABLE);
	assert_non_null(strstr(reason.text, "serve: "));
	assert_int_equal(seen.calls, 0);
}

/* --- commits that fail --- */

/* What the next commit comes to, on the writer's thread; the linker brings it here. */
static _Atomic enum { COMMIT_WELL, COMMIT_LOST, COMMIT_KEPT, COMMIT_BLIND } next_commit;
static atomic_bool is_blind;
static atomic_uint writes_begun;

int __real_state_commit(struct state_txn *txn, struct reason *why);
int __wrap_state_commit(struct state_txn *txn, struct reason *why);
int __real_state_begin_read(struct state *state, struct state_txn **out, struct reason *why);
int __wrap_state_begin_read(struct state *state, struct state_txn **out, struct reason *why);
int __real_state_begin_write(struct state *state, struct state_txn **out, struct reason *why);
int __wrap_state_begin_write(struct state *state, struct state_txn **out, struct reason *why);

int
__wrap_state_commit(struct state_txn *txn, struct reason *why)
{
	int how = atomic_exchange(&next_commit, COMMIT_WELL);

	is_blind = how == COMMIT_BLIND;
	if (how == COMMIT_WELL || how == COMMIT_KEPT) {
		int status = __real_state_commit(txn, why);

		return how == COMMIT_WELL ? status
					  : reason_set(why, STATUS_IO, "sync failed");
	}
	state_abort(txn);
	return reason_set(why, STATUS_IO, "write failed");
}

int
__wrap_state_begin_write(struct state *state, struct state_txn **out, struct reason *why)
{
	atomic_fetch_add(&writes_begun, 1);
	return __real_state_begin_write(state, out, why);
}

int
__wrap_state_begin_read(struct state *state, struct state_txn **out, struct reason *why)
{
	if (atomic_exchange(&is_blind, false))
		return reason_set(why, STATUS_IO, "cannot be opened");
	return __real_state_begin_read(state, out, why);
}

/* What a zone has is not known when its count could not be committed: look-ups look for all of
 * it, until a later try succeeds. */
static void
test_a_recount_that_fails_at_a_reload_hides_no_wildcard_and_no_cut(void **state)
{
	const uint64_t deadline = clock_boot_ms() + DEADLINE_MS;
	static struct zone fewer[1];
	struct config next = config;

	(void)state;
	put("*.other", 1, one);
	fewer[0] = zone[0];
	next.zones = (struct zones){ .zone = fewer, .count = 1 };
	assert_int_equal(zones_finish(&next.zones, &reason), STATUS_OK);
	reload(&next);
	assert_int_not_equal(look("other").status, SERVE_EXACT);
	next_commit = COMMIT_LOST;
	reload(&config);
	assert_int_equal(look("other").flags & BOTH_FLAGS, BOTH_FLAGS);
	while ((look("other").flags & BOTH_FLAGS) != NODE_HAS_WILDCARDS)
		assert_true(clock_boot_ms() < deadline);
}

static void
test_a_commit_that_failed_says_what_is_known_of_it(void **state)
{
	struct change_result result;

	(void)state;
	put("a.live", 1, one);
	next_commit = COMMIT_LOST;
	result = put("a.live", 1, two);
	assert_outcome(&result, CHANGE_BUSY, "write failed");
	assert_int_equal(result.revision, 1);
	assert_served("a.live", one);
	next_commit = COMMIT_BLIND;
	result = put("a.live", 1, two);
	assert_outcome(&result, CHANGE_UNKNOWN, "whether anything was written is not known");
	assert_served("a.live", one);
	/* DNS says what state says, at once */
	next_commit = COMMIT_KEPT;
	result = put("a.live", 1, two);
	assert_outcome(&result, CHANGE_UNKNOWN, "may not outlive a power loss: sync failed");
	assert_int_equal(result.revision, 2);
	assert_served("a.live", two);
	/* nothing is left to write, but nothing is known to be durable before a commit succeeds */
	next_commit = COMMIT_LOST;
	result = put("a.live", 1, two);
	assert_outcome(&result, CHANGE_UNKNOWN, "write failed");
	result = put("a.live", 1, two);
	assert_outcome(&result, CHANGE_UNCHANGED, "");
	assert_int_equal(result.revision, 2);
	next_commit = COMMIT_LOST;
	result = put("a.live", 1, two);
	assert_outcome(&result, CHANGE_UNCHANGED, "");
	assert_int_equal(next_commit, COMMIT_LOST); /* and none was needed any more */
	next_commit = COMMIT_WELL;
	result = put("a.live", 1, one);
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(result.revision, 3);
	assert_served("a.live", one);
}

/* --- submitting --- */

/* What the writer's thread tells the test's. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_held, may_go; /* the writer sits in a look-up until it may go */
	size_t done, busy;
	pthread_t thread; /* that of the last answer */
	struct write_request *order[512];
} told = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void
note_done(struct write_request *request)
{
	pthread_mutex_lock(&told.lock);
	if (told.done < UNIT_COUNT(told.order))
		told.order[told.done] = request;
	told.done++;
	told.busy += request->result.outcome == CHANGE_BUSY;
	told.thread = pthread_self();
	pthread_cond_broadcast(&told.changed);
	pthread_mutex_unlock(&told.lock);
}

static void
hold_writer(struct write_request *request, struct serve_txn *serve, struct state_txn *state)
{
	(void)request;
	(void)serve;
	(void)state;
	pthread_mutex_lock(&told.lock);
	told.is_held = true;
	pthread_cond_broadcast(&told.changed);
	while (!told.may_go)
		pthread_cond_wait(&told.changed, &told.lock);
	pthread_mutex_unlock(&told.lock);
}

static struct write_request *
begin_holding(void)
{
	struct write_request *request = write_request_new(NULL);

	told.done = told.busy = 0;
	told.is_held = told.may_go = false;
	assert_non_null(request);
	request->look = hold_writer;
	request->done = note_done;
	writer_submit(writer, request);
	pthread_mutex_lock(&told.lock);
	while (!told.is_held)
		pthread_cond_wait(&told.changed, &told.lock);
	pthread_mutex_unlock(&told.lock);
	return request;
}

static void
let_go(void)
{
	pthread_mutex_lock(&told.lock);
	told.may_go = true;
	pthread_cond_broadcast(&told.changed);
	pthread_mutex_unlock(&told.lock);
}

static void
wait_for_answers(size_t count)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DEADLINE_MS / 1000;
	pthread_mutex_lock(&told.lock);
	while (told.done < count)
		if (pthread_cond_timedwait(&told.changed, &told.lock, &until) != 0)
			fail_msg("%zu of %zu answers", told.done, count);
	pthread_mutex_unlock(&told.lock);
}

/* `count` items from n<first>.live on. */
static struct write_request *
submit_items(enum change_kind kind, size_t first, size_t count)
{
	struct change *change = changes_of(kind, "test");
	struct change_result result;
	struct write_request *request;

	change->zone = unit_key("live");
	for (size_t i = first; i < first + count; i++) {
		char owner[32];

		snprintf(owner, sizeof(owner), "n%06zu.live", i);
		changes_add(change, owner, 1, one);
	}
	assert_int_equal(change_check(change, &config.zones, &result), STATUS_OK);
	request = write_request_new(change);
	assert_non_null(request);
	request->done = note_done;
	writer_submit(writer, request);
	return request;
}

static void
test_a_request_is_answered_once_on_the_writers_thread(void **state)
{
	struct write_request *held = begin_holding(), *request;

	(void)state;
	request = submit_items(CHANGE_ITEMS, 0, 1);
	assert_int_equal(told.done, 0);
	let_go();
	wait_for_answers(2);
	assert_ptr_equal(told.order[0], held);
	assert_ptr_equal(told.order[1], request);
	assert_false(pthread_equal(told.thread, pthread_self()));
	assert_outcome(&request->result, CHANGE_DONE, "");
	assert_int_equal(request->result.revision, 1);
	assert_served("n000000.live", one);
	stop();
	assert_int_equal(told.done, 2);
	write_request_free(held);
	write_request_free(request);
	start();
}

static void
test_bulk_changes_that_wait_leave_room_for_small_ones_and_go_behind_them(void **state)
{
	struct write_request *held = begin_holding(), *bulk[WRITER_BULK_MAX + 1], *small;
	size_t i;

	(void)state;
	/* by its kind, and by its size */
	for (i = 0; i < WRITER_BULK_MAX; i++)
		bulk[i] = submit_items(i % 2 ? CHANGE_SOURCE : CHANGE_ITEMS, 10,
			i % 2 ? 2 : WRITER_BULK_ITEMS);
	bulk[i] = submit_items(CHANGE_ZONE, 10, 1);
	small = submit_items(CHANGE_ITEMS, 5, 1);
	assert_int_equal(status_of().queued_bulk, WRITER_BULK_MAX);
	let_go();
	wait_for_answers(WRITER_BULK_MAX + 3);
	assert_ptr_equal(told.order[0], bulk[WRITER_BULK_MAX]);
	assert_ptr_equal(told.order[1], held);
	assert_outcome(&bulk[WRITER_BULK_MAX]->result, CHANGE_BUSY, "bulk writes are waiting");
	assert_ptr_equal(told.order[2], small);
	assert_outcome(&small->result, CHANGE_DONE, "");
	assert_int_equal(told.busy, 1);
	for (i = 0; i <= WRITER_BULK_MAX; i++)
		write_request_free(bulk[i]);
	write_request_free(small);
	write_request_free(held);
}

static void
test_small_changes_beyond_the_queue_are_refused_and_bulk_ones_are_not(void **state)
{
	enum { EACH = WRITER_BULK_ITEMS - 1, FIT = WRITER_QUEUE_MAX / EACH + 1 };
	struct write_request *held = begin_holding(), *small[FIT + 1], *bulk;
	size_t i;

	(void)state;
	for (i = 0; i <= FIT; i++)
		small[i] = submit_items(CHANGE_ITEMS, 0, EACH);
	bulk = submit_items(CHANGE_ZONE, 0, 1);
	let_go();
	wait_for_answers(FIT + 3);
	assert_ptr_equal(told.order[0], small[FIT]);
	assert_outcome(&small[FIT]->result, CHANGE_BUSY, "too many writes are waiting");
	assert_outcome(&bulk->result, CHANGE_DONE, "");
	assert_int_equal(told.busy, 1);
	for (i = 0; i <= FIT; i++)
		write_request_free(small[i]);
	write_request_free(bulk);
	write_request_free(held);
}

static void *
stop_writer(void *context)
{
	writer_stop(context);
	return NULL;
}

/* A small RRset, or its delete, which finds room in a full store, and a large one. */
static struct change *
change_of_two(size_t number, bool is_delete)
{
	struct change *change = change_new(CHANGE_ITEMS);
	char owner[32];

	snprintf(owner, sizeof(owner), "a%zu.live", number);
	changes_add(change, owner, 1, is_delete ? NULL : one);
	snprintf(owner, sizeof(owner), "%c%zu.live", is_delete ? 'c' : 'b', number);
	add_large(change, owner);
	return change;
}

/* Each that fails at its second step has the whole group run again: one does. */
static void
test_a_full_store_does_not_run_a_group_again_for_each_of_its_changes(void **state)
{
	enum { COUNT = 50 };
	struct write_request *held, *request[COUNT], *last;
	struct change_result result;
	unsigned begun;
	size_t i = 0;

	(void)state;
	do
		result = submit(change_of_two(i++, false));
	while (result.outcome == CHANGE_DONE);
	assert_outcome(&result, CHANGE_FULL, "store.size-limit");
	held = begin_holding();
	for (size_t n = 0; n < COUNT; n++) {
		struct change *change = change_of_two(n, true);

		assert_int_equal(change_check(change, &config.zones, &result), STATUS_OK);
		request[n] = write_request_new(change);
		request[n]->done = note_done;
		writer_submit(writer, request[n]);
	}
	/* what a full store takes stays possible behind them */
	last = write_request_new(change_new(CHANGE_ITEMS));
	changes_add(last->change, "a99.live", 1, NULL);
	changes_add(last->change, "b99.live", 16, NULL);
	assert_int_equal(change_check(last->change, &config.zones, &result), STATUS_OK);
	last->done = note_done;
	writer_submit(writer, last);
	begun = writes_begun;
	let_go();
	wait_for_answers(COUNT + 2);
	if (writes_begun - begun < 2 || writes_begun - begun > 4)
		fail_msg("%u transactions", writes_begun - begun);
	for (size_t n = 0; n < COUNT; n++) {
		assert_outcome(&request[n]->result, CHANGE_FULL, "store.size-limit");
		write_request_free(request[n]);
	}
	assert_outcome(&last->result, CHANGE_DONE, "");
	write_request_free(last);
	write_request_free(held);
}

static void
test_what_waits_when_the_writer_stops_is_refused(void **state)
{
	struct write_request *held = begin_holding(), *request[4];
	pthread_t stopper;

	(void)state;
	request[0] = submit_items(CHANGE_ITEMS, 0, 1);
	request[1] = submit_items(CHANGE_ZONE, 0, 1);
	request[2] = write_request_new(NULL);
	request[2]->look = hold_writer;
	request[2]->done = note_done;
	writer_submit(writer, request[2]);
	assert_int_equal(pthread_create(&stopper, NULL, stop_writer, writer), 0);
	writer_reload(writer, &config);
	assert_true(writer_is_reloaded(writer, DEADLINE_MS)); /* until it stops */
	let_go();
	assert_int_equal(pthread_join(stopper, NULL), 0);
	request[3] = submit_items(CHANGE_ITEMS, 0, 1);
	assert_int_equal(told.done, 5);
	assert_true(pthread_equal(told.thread, pthread_self()));
	assert_outcome(&request[3]->result, CHANGE_BUSY, "livezoned is stopping");
	assert_int_equal(request[2]->status, STATUS_UNAVAILABLE);
	assert_int_equal(told.busy, 4);
	for (size_t i = 0; i < 4; i++)
		write_request_free(request[i]);
	write_request_free(held);
	stop();
	start();
}

/* Two heartbeats of one group, the second of a caller without a right: the first does not make
 * it good. */
static void
test_a_heartbeat_beside_another_needs_its_own_right(void **state)
{
	static char *sources[] = { "ci" };
	static struct credential token = { .id = "t", .verbs = CREDENTIALS_WRITE };
	struct name_key elsewhere = unit_key("other");
	struct write_request *held, *heartbeat[3];
	struct change *change = changes_of(CHANGE_ITEMS, "ci");

	(void)state;
	token.zone = &elsewhere;
	token.zone_count = 1;
	token.source = sources;
	token.source_count = 1;
	changes_add(change, "a.live", 1, one)->lease_ms = 60000;
	submit(change);
	held = begin_holding();
	for (size_t i = 0; i < 3; i++) {
		heartbeat[i] = write_request_new(changes_of(CHANGE_HEARTBEAT, "ci"));
		heartbeat[i]->done = note_done;
		if (i == 1)
			heartbeat[i]->change->caller.token = &token;
		writer_submit(writer, heartbeat[i]);
	}
	let_go();
	wait_for_answers(4);
	assert_outcome(&heartbeat[0]->result, CHANGE_DONE, "");
	assert_outcome(&heartbeat[1]->result, CHANGE_FORBIDDEN, "in no zone");
	assert_outcome(&heartbeat[2]->result, CHANGE_DONE, "");
	for (size_t i = 0; i < 3; i++)
		write_request_free(heartbeat[i]);
	write_request_free(held);
}

/* --- */

struct commits {
	uint64_t previous, revision;
	size_t calls;
	char caller[CALLER_NAME_MAX];
};

static void
note_commit(void *context, struct writer *from, const struct write_request *request,
	uint64_t previous, uint64_t now_ms)
{
	struct commits *commits = context;

	commits->calls++;
	commits->previous = previous;
	commits->revision = request->result.revision;
	assert_ptr_equal(from, writer);
	assert_true(now_ms > 0);
	memcpy(commits->caller, request->change->caller.name, sizeof(commits->caller));
}

static void
note_revision(void *context, uint64_t revision)
{
	*(uint64_t *)context = revision;
}

static void
test_each_commit_is_passed_on_with_its_caller(void **state)
{
	static struct commits commits;
	uint64_t published = 0;
	struct change_result result;
	struct change *change = changes_of(CHANGE_ITEMS, NULL);
	struct write_request *request = write_request_new(change);

	(void)state;
	stop();
	hook = (struct writer_hook){ note_commit, &commits };
	start();
	hook = (struct writer_hook){ NULL, NULL };
	writer_on_publish(writer, note_revision, &published);
	put("a.live", 1, one);
	changes_add(change, "b.live", 1, one);
	strcpy(change->caller.name, "token k8s");
	assert_int_equal(change_check(change, &config.zones, &result), STATUS_OK);
	writer_submit_wait(writer, request);
	write_request_free(request);
	assert_int_equal(commits.calls, 2);
	assert_int_equal(commits.previous, 1);
	assert_int_equal(commits.revision, 2);
	assert_string_equal(commits.caller, "token k8s");
	assert_int_equal(published, 2);
	put("b.live", 1, one); /* unchanged */
	assert_int_equal(commits.calls, 2);
}

static struct change_result
alarm_of(const char *name, const char *text)
{
	struct change *change = changes_of(CHANGE_ALARM, NULL);

	change->alarm = name;
	change->alarm_text = text;
	return submit(change);
}

static void
test_an_alarm_is_raised_and_ended_without_a_revision(void **state)
{
	struct change_result result = alarm_of("disk", "the disk is slow");

	(void)state;
	assert_outcome(&result, CHANGE_DONE, "");
	assert_int_equal(result.revision, 0);
	result = alarm_of("disk", NULL);
	assert_outcome(&result, CHANGE_DONE, "");
	result = alarm_of("disk", NULL);
	assert_outcome(&result, CHANGE_NOT_FOUND, "there is no such alarm");
}

static void
test_many_threads_write_while_the_configuration_is_reloaded(void **state)
{
	static char host[THREADS][32];
	static const uint8_t last[] = { 0, 4, 10, 0, 0, ROUNDS - 1 };
	struct config next = config;
	pthread_t thread[THREADS];
	void *failed;
	int i;

	(void)state;
	for (i = 0; i < THREADS; i++) {
		snprintf(host[i], sizeof(host[i]), "host%d.live", i);
		assert_int_equal(pthread_create(&thread[i], NULL, write_many, host[i]), 0);
	}
	for (i = 0; i < 10; i++) {
		reload(i % 2 ? &config : &next);
		status_of();
	}
	reload(&config);
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(thread[i], &failed), 0);
		assert_null(failed);
	}
	for (i = 0; i < THREADS; i++)
		assert_served(host[i], last);
	assert_true(status_of().groups < THREADS * ROUNDS);
	assert_int_equal(status_of().state_revision, serial_of("live"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_answered_write_is_served_with_its_revision),
		TEST(test_an_apex_has_soa_and_ns_and_the_serial_of_its_zone),
		TEST(test_equal_data_is_no_new_revision),
		TEST(test_preconditions_hold_or_nothing_is_written),
		TEST(test_a_cname_is_alone_at_its_name_after_the_change),
		TEST(test_a_source_gets_exactly_what_it_wants),
		TEST(test_a_source_leaves_the_rrsets_of_others_alone),
		TEST(test_a_source_may_not_lose_too_much_at_once),
		TEST(test_a_zone_is_replaced_but_not_the_zone_inside),
		TEST(test_a_restore_replaces_all_and_goes_on_above_the_backup),
		TEST(test_a_lease_ends_or_is_renewed),
		TEST(test_a_thousand_leases_end_in_one_commit),
		TEST(test_the_wall_clock_neither_ends_nor_prolongs_a_lease),
		TEST(test_a_new_boot_looks_behind_a_thousand_leases_that_are_over),
		TEST(test_a_lease_that_is_over_stands_in_nobodys_way),
		TEST(test_on_expiry_remove_keeps_what_holds_fallback_records_back),
		TEST(test_serve_is_caught_up_at_a_start),
		TEST(test_pointers_are_right_when_serve_was_behind),
		TEST(test_a_lost_or_damaged_serve_is_rebuilt),
		TEST(test_a_write_into_a_damaged_serve_ends_in_a_rebuilt_one),
		TEST(test_a_write_waits_for_the_unbounds_to_open_a_new_serve),
		TEST(test_a_write_that_an_unbound_does_not_see_is_not_called_served),
		TEST(test_a_write_waits_for_an_unbound_that_nobody_knows_yet),
		TEST(test_a_start_looks_for_unbounds_that_read_the_serve_before_this_one),
		TEST(test_a_serve_that_cannot_be_written_is_said_and_made_good),
		TEST(test_a_reload_changes_the_apexes_and_keeps_the_data),
		TEST(test_a_full_store_refuses_puts_and_takes_deletes),
		TEST(test_a_large_change_is_served_whole),
		TEST(test_a_look_up_sees_both_stores_at_one_revision),
		TEST(test_a_look_up_needs_a_served_store),
		TEST(test_a_commit_that_failed_says_what_is_known_of_it),
		TEST(test_a_recount_that_fails_at_a_reload_hides_no_wildcard_and_no_cut),
		TEST(test_a_request_is_answered_once_on_the_writers_thread),
		TEST(test_bulk_changes_that_wait_leave_room_for_small_ones_and_go_behind_them),
		TEST(test_small_changes_beyond_the_queue_are_refused_and_bulk_ones_are_not),
		TEST(test_a_full_store_does_not_run_a_group_again_for_each_of_its_changes),
		TEST(test_what_waits_when_the_writer_stops_is_refused),
		TEST(test_a_heartbeat_beside_another_needs_its_own_right),
		TEST(test_each_commit_is_passed_on_with_its_caller),
		TEST(test_an_alarm_is_raised_and_ended_without_a_revision),
		TEST(test_many_threads_write_while_the_configuration_is_reloaded),
	};

	return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
