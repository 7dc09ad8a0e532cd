/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/record.h"

#include <lmdb.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/base/filesystem.h"
#include "lib/base/status.h"
#include "lib/report/report.h"
#include "sidecar/serve/publisher.h"

#define SIZE (4 << 20)
#define LEASE_MS 60000

static char root[64], state_dir[96], serve_dir[96];
static struct zone zone;
static struct zones zones = { .zone = &zone, .count = 1 };
static struct state *truth;
static struct publisher publisher;
static struct reason reason;

static void
make_directories(const char *where)
{
	snprintf(root, sizeof(root), "%s/livezone-unit-XXXXXX", where);
	assert_non_null(mkdtemp(root));
	snprintf(state_dir, sizeof(state_dir), "%s/state", root);
	snprintf(serve_dir, sizeof(serve_dir), "%s/serve", root);
	assert_int_equal(mkdir(state_dir, 0700), 0);
}

static int
set_up(void **state)
{
	(void)state;
	make_directories("/tmp");
	zone = (struct zone){ .name = unit_name("live"), .key = unit_key("live"), .ttl = 60,
		.negative_ttl = 7 };
	return zones_finish(&zones, &reason);
}

static int
tear_down(void **state)
{
	(void)state;
	return unit_remove(root);
}

/* Each livezoned is a process of its own: an environment is not opened twice in one. */
static void
in_a_process(void (*work)(void))
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		work();
		_exit(0);
	}
	unit_wait_child(child);
}

static void
open_state(void)
{
	assert_int_equal(state_open(state_dir, SIZE, &truth, &reason), STATUS_OK);
}

static void
put(const char *owner, uint64_t revision, uint64_t expires_ms)
{
	struct state_record record = record_of(owner, RRSET_A, "api", revision);
	struct state_txn *txn;

	record.expires_ms = expires_ms;
	record.lease_ms = expires_ms ? LEASE_MS : 0;
	assert_int_equal(state_begin_write(truth, &txn, &reason), STATUS_OK);
	assert_int_equal(state_put(txn, &zone.key, &record, &reason), STATUS_OK);
	assert_int_equal(state_set_revision(txn, revision, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
}

/* With a lease clock that is the boot clock. */
static void
start(void)
{
	publisher = (struct publisher){ .state = truth, .dir = strdup(serve_dir),
		.size_limit = SIZE, .compile = { .zones = &zones } };
	publisher_start(&publisher, false);
	if (!publisher.is_current)
		fail_msg("%s", publisher.reason.text);
}

static void
make_first(void)
{
	open_state();
	put("a.live", 1, 0);
	start();
	assert_int_equal(publisher.rebuilds, 1);
}

static void
start_again(void)
{
	open_state();
	start();
}

static void
expect_no_rebuild(void)
{
	start_again();
	assert_int_equal(publisher.rebuilds, 0);
}

static void
expect_rebuild(void)
{
	start_again();
	assert_int_equal(publisher.rebuilds, 1);
}

static void
serve_of_the_same_state_is_opened(void **state)
{
	(void)state;
	in_a_process(make_first);
	in_a_process(expect_no_rebuild);
}

static void
write_another_state(void)
{
	open_state();
	put("b.live", 1, 0); /* the same revision */
}

static void
serve_of_another_state_is_rebuilt(void **state)
{
	(void)state;
	in_a_process(make_first);
	assert_int_equal(unit_remove(state_dir), 0);
	assert_int_equal(mkdir(state_dir, 0700), 0);
	in_a_process(write_another_state);
	in_a_process(expect_rebuild);
}

/* As if the machine had been started since. */
static void
change_boot(void)
{
	struct serve_writer *writer;
	struct serve_meta meta;
	struct serve_txn *txn;

	assert_int_equal(serve_writer_open(serve_dir, SIZE, &writer, &reason), STATUS_OK);
	assert_int_equal(serve_writer_begin(writer, &txn, &reason), STATUS_OK);
	assert_int_equal(serve_read_meta(txn, &meta, &reason), STATUS_OK);
	meta.boot_id[0] ^= 1;
	assert_int_equal(serve_writer_put_meta(txn, &meta, &reason), STATUS_OK);
	assert_int_equal(serve_writer_commit(txn, &reason), STATUS_OK);
}

static void
serve_on_a_disk_is_not_trusted_after_a_boot(void **state)
{
	enum filesystem kind = FILESYSTEM_MEMORY;
	const char *name;

	(void)state;
	in_a_process(make_first);
	in_a_process(change_boot);
	assert_int_equal(filesystem_of(serve_dir, &kind, &name, NULL), STATUS_OK);
	in_a_process(kind == FILESYSTEM_MEMORY ? expect_no_rebuild : expect_rebuild);
	/* what is in memory is there or not */
	assert_int_equal(unit_remove(root), 0);
	make_directories("/dev/shm");
	assert_int_equal(filesystem_of(root, &kind, &name, NULL), STATUS_OK);
	in_a_process(make_first);
	in_a_process(change_boot);
	in_a_process(kind == FILESYSTEM_MEMORY ? expect_no_rebuild : expect_rebuild);
}

static uint64_t
served_end_of(const char *owner)
{
	struct name_key key = unit_key(owner);
	struct node_rrset rrset = { .type = 0 };
	struct serve_txn *txn;
	struct node node;

	assert_int_equal(publisher_begin_look(&publisher, &txn, &reason), STATUS_OK);
	assert_int_equal(serve_find(txn, &key, &node), SERVE_EXACT);
	assert_int_equal(node_rrset(&node, 0, &rrset), STATUS_OK);
	serve_writer_abort(txn);
	return rrset.expires_ms;
}

static uint64_t lease_end;

static void
make_with_lease(void)
{
	open_state();
	put("leased.live", 1, lease_end);
	start();
	assert_int_equal(served_end_of("leased.live"), lease_end);
}

static void
renew(void)
{
	struct name_key key = unit_key("leased.live");
	struct state_txn *txn;

	open_state();
	assert_int_equal(state_begin_write(truth, &txn, &reason), STATUS_OK);
	assert_int_equal(state_renew(txn, &key, RRSET_A, lease_end + 5000, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
}

static void
expect_renewed(void)
{
	expect_no_rebuild();
	assert_int_equal(served_end_of("leased.live"), lease_end + 5000);
}

/* A heartbeat makes no revision: livezoned may end between the two commits. */
static void
a_renewed_lease_is_caught_up(void **state)
{
	(void)state;
	lease_end = clock_boot_ms() + LEASE_MS / 2;
	in_a_process(make_with_lease);
	in_a_process(renew);
	in_a_process(expect_renewed);
}

/* "R" N 00 T (state.h), behind the API's back: as a damaged page would hide it. */
static void
hide_record(void)
{
	struct name_key name = unit_key("a.live");
	uint8_t bytes[1 + NAME_KEY_MAX + 3] = "R";
	MDB_val key = { 1u + name.len + 3u, bytes };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	memcpy(bytes + 1, name.bytes, name.len);
	bytes[1 + name.len + 2] = RRSET_A;
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_mapsize(env, SIZE), 0);
	assert_int_equal(mdb_env_open(env, state_dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	assert_int_equal(mdb_del(txn, dbi, &key, NULL), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
}

static void
expect_refusal(void)
{
	open_state();
	publisher = (struct publisher){ .state = truth, .dir = strdup(serve_dir),
		.size_limit = SIZE, .compile = { .zones = &zones } };
	publisher_start(&publisher, true);
	assert_false(publisher.is_current);
	assert_non_null(strstr(publisher.reason.text, "0 RRsets where its sources have 1"));
}

static void
a_state_that_hides_records_is_not_served(void **state)
{
	(void)state;
	in_a_process(make_first);
	in_a_process(hide_record);
	in_a_process(expect_refusal);
}

static void
report_damage(void)
{
	struct report report = {
		.pid = getpid(),
		.damaged_inode = serve_writer_inode(publisher.store),
		.written_ms = clock_wall_ms(),
		.written_boot_ms = clock_boot_ms(),
	};

	report_identity_init(&report.identity);
	assert_int_equal(report_write(serve_dir, &report, NULL), STATUS_OK);
}

/* A resolver that says of every serve that it is damaged must not keep livezoned at rebuilds. */
static void
rebuild_when_reported(void)
{
	uint64_t rebuilt_ms;

	make_first();
	publisher.believe_ms = 0;
	report_damage();
	publisher_tick(&publisher);
	rebuilt_ms = clock_boot_ms();
	assert_int_equal(publisher.rebuilds, 2);
	while (publisher.rebuilds == 2) {
		assert_true(clock_boot_ms() - rebuilt_ms < 60000);
		report_damage();
		publisher.looked_ms = 0;
		publisher_tick(&publisher);
		usleep(1000);
	}
	assert_true(clock_boot_ms() - rebuilt_ms >= 900);
}

static void
reports_of_damage_are_believed_once_in_a_while(void **state)
{
	(void)state;
	in_a_process(rebuild_when_reported);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(serve_of_the_same_state_is_opened),
		TEST(serve_of_another_state_is_rebuilt),
		TEST(serve_on_a_disk_is_not_trusted_after_a_boot),
		TEST(a_renewed_lease_is_caught_up),
		TEST(a_state_that_hides_records_is_not_served),
		TEST(reports_of_damage_are_believed_once_in_a_while),
	};

	return cmocka_run_group_tests_name("publisher", tests, NULL, NULL);
}
