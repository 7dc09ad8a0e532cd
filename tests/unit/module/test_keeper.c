/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/serve.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/base/clock.h"
#include "lib/dns/rule.h"
#include "lib/report/report.h"
#include "lib/serve/mdb.h"
#include "module/keeper.h"

#define DEADLINE_MS 10000

static struct serve serve;
static struct zone zone;
static struct config config;
static struct workers workers;
static struct keeper *keeper;
static struct keeper_settings settings;
static char said[4096]; /* by the keeper, all lines */
static pthread_mutex_t said_lock = PTHREAD_MUTEX_INITIALIZER;

/* LMDB must not have one environment open twice in a process, so the writer works in a
 * child: a store in which www.live has the address 10.0.0.`last`. */
static void
publish(uint8_t last)
{
	uint8_t rdata[] = { 0, 4, 10, 0, 0, last };
	struct node_rrset set = { .type = RRSET_A,
		.count = 1,
		.ttl = 5,
		.rdata = rdata,
		.rdata_len = sizeof(rdata) };
	struct serve_meta meta = { .revision = last, .instance = "instance-of-test" };
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct serve mine = serve;

		assert_int_equal(
			serve_writer_create(mine.dir, 1 << 24, &mine.writer, NULL), 0);
		assert_int_equal(serve_writer_begin(mine.writer, &mine.txn, NULL), 0);
		assert_int_equal(serve_writer_put_meta(mine.txn, &meta, NULL), 0);
		serve_put(&mine, "www.live", &set, 1);
		serve_publish(&mine);
		_exit(0);
	}
	unit_wait_child(child);
}

/* A store with an apex; with_wildcard: *.live has an address, and the apex says so. */
static void
publish_zone(uint64_t revision, bool with_wildcard)
{
	static const uint8_t rdata[] = { 0, 4, 10, 0, 0, 7 };
	struct node_rrset set = { .type = RRSET_A, .count = 1, .ttl = 5, .rdata = rdata,
		.rdata_len = sizeof(rdata) };
	struct serve_meta meta = { .revision = revision, .instance = "instance-of-test" };
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct serve mine = serve;

		assert_int_equal(
			serve_writer_create(mine.dir, 1 << 24, &mine.writer, NULL), 0);
		assert_int_equal(serve_writer_begin(mine.writer, &mine.txn, NULL), 0);
		assert_int_equal(serve_writer_put_meta(mine.txn, &meta, NULL), 0);
		serve_put_flagged(
			&mine, "live", with_wildcard ? NODE_HAS_WILDCARDS : 0, &set, 1);
		if (with_wildcard)
			serve_put(&mine, "*.live", &set, 1);
		serve_publish(&mine);
		_exit(0);
	}
	unit_wait_child(child);
}

/* A first store whose snapshot may answer. */
static void
publish_with_snapshot(void)
{
	zone.stale_ms = 60000;
	config.store.snapshot_limit = 1 << 20;
	publish(1);
}

static void
remove_store(const char *dir)
{
	char command[128];

	/* a report may be written into it meanwhile */
	snprintf(command, sizeof(command), "until rm -rf %s; do :; done", dir);
	assert_int_equal(system(command), 0);
}

static void
say(enum keeper_level level, const char *text)
{
	size_t used;

	(void)level;
	pthread_mutex_lock(&said_lock);
	used = strlen(said);
	snprintf(said + used, sizeof(said) - used, "%s\n", text);
	pthread_mutex_unlock(&said_lock);
}

static bool
was_said(const char *text)
{
	bool is_there;

	pthread_mutex_lock(&said_lock);
	is_there = strstr(said, text) != NULL;
	pthread_mutex_unlock(&said_lock);
	return is_there;
}

/* The last number of the address of www.live; 0 when the store cannot be read, 255 for
 * another answer. */
static uint8_t
ask(struct worker_state *state)
{
	struct name name = unit_name("www.live");
	struct name_key key = unit_key("www.live");
	struct lookup_query query = { .name = name.wire,
		.type = RRSET_A,
		.now_ms = clock_boot_ms() };

	worker_read(&workers, state, &config.zones, &zone, &key, &query);
	if (state->answer.kind == ANSWER_FAILED)
		return 0;
	return state->answer.kind == ANSWER_FOUND ? state->answer.rrset[0].rdata[5] : 255;
}

static void
wait_for(struct worker_state *state, uint8_t expected)
{
	uint64_t until = clock_boot_ms() + DEADLINE_MS;

	while (ask(state) != expected) {
		assert_true(clock_boot_ms() < until);
		usleep(1000);
	}
}

static int
setup(void **state)
{
	(void)state;
	serve_place(&serve);
	zone = (struct zone){
		.name = unit_name("live"), .key = unit_key("live"), .parent = ZONES_NONE
	};
	atomic_store(&workers.snapshot, NULL); /* the last test's, forgotten */
	config = (struct config){ .store.serve = serve.dir,
		.zones = { .zone = &zone, .count = 1 } };
	said[0] = '\0';
	if (!keeper)
		keeper = keeper_new();
	settings = (struct keeper_settings){ .config = &config,
		.workers = &workers,
		.threads = 2,
		.host = "test",
		.say = &say };
	return 0;
}

static void
start(void)
{
	struct reason reason;

	assert_int_equal(keeper_start(keeper, &settings, &reason), STATUS_OK);
}

static void
stop(void)
{
	assert_true(keeper_stop(keeper));
	workers_reset(&workers);
}

static int
teardown(void **state)
{
	(void)state;
	stop();
	remove_store(serve.root);
	return 0;
}

static void
a_store_that_is_there_answers_the_first_query(void **state)
{
	(void)state;
	publish(1);
	start();
	assert_int_equal(ask(worker_new(&workers, 1)), 1);
	assert_true(was_said("is live, revision 1"));
}

static void
a_store_that_appears_later_is_opened(void **state)
{
	struct worker_state *worker = worker_new(&workers, 1);

	(void)state;
	start();
	assert_true(was_said("store is absent"));
	assert_int_equal(ask(worker), 0);
	publish(2);
	wait_for(worker, 2);
}

static void
a_replaced_store_is_switched_to(void **state)
{
	struct worker_state *worker = worker_new(&workers, 1);

	(void)state;
	publish(1);
	start();
	for (uint8_t i = 2; i < 8; i++) {
		publish(i);
		wait_for(worker, i);
	}
}

static void
a_deleted_store_answers_until_there_is_another(void **state)
{
	struct worker_state *worker = worker_new(&workers, 1);
	uint64_t until = clock_boot_ms() + DEADLINE_MS;

	(void)state;
	publish(1);
	start();
	remove_store(serve.dir);
	while (!was_said("store is deleted")) {
		assert_true(clock_boot_ms() < until);
		assert_int_equal(ask(worker), 1);
		usleep(1000);
	}
	assert_int_equal(ask(worker), 1);
	publish(2);
	wait_for(worker, 2);
}

static void
a_truncated_store_is_not_touched_again(void **state)
{
	struct worker_state *worker = worker_new(&workers, 1);
	uint64_t until = clock_boot_ms() + DEADLINE_MS;
	char path[128];

	(void)state;
	publish(1);
	start();
	snprintf(path, sizeof(path), "%s/data.mdb", serve.dir);
	assert_int_equal(truncate(path, 4096), 0);
	while (!was_said("store is refused: data.mdb was truncated")) {
		assert_true(clock_boot_ms() < until);
		usleep(1000);
	}
	assert_int_equal(ask(worker), 0);
	publish(2);
	wait_for(worker, 2);
}

static void
a_read_that_faults_costs_the_store_and_wakes_the_keeper(void **state)
{
	struct worker_state *worker = worker_new(&workers, 1);
	unsigned rounds = 0;
	char path[128];

	(void)state;
	publish(1);
	start();
	snprintf(path, sizeof(path), "%s/data.mdb", serve.dir);
	/* the keeper may see the file's end before the worker faults on it: again then */
	for (uint8_t i = 2; i < 5 || !atomic_load(&worker->counters.trips[GUARD_SIGBUS]); i++) {
		assert_true(i < 250);
		assert_int_equal(truncate(path, i == 2 ? 0 : i % 3 * 4096), 0);
		wait_for(worker, 0);
		publish(i);
		wait_for(worker, i);
		rounds++;
	}
	assert_in_range(atomic_load(&worker->counters.trips[GUARD_SIGBUS]), 1, rounds);
	assert_true(was_said("store is refused: SIGBUS")
		    || was_said("store is refused: data.mdb was truncated"));
}

/* Rules of more types than an answer has room for. */
static void
a_limit_of_the_answer_makes_no_store_suspect(void **state)
{
	struct worker_state *worker = worker_new(&workers, 1);
	struct name name = unit_name("many.live");
	struct name_key key = unit_key("many.live");
	struct lookup_query query = { .name = name.wire, .type = RRSET_ANY };
	struct rule *rules[ANSWER_RRSETS_MAX + 1];
	const char *at;
	char type[16];

	(void)state;
	publish(1);
	start();
	for (size_t i = 0; i < UNIT_COUNT(rules); i++) {
		const struct rule_text text = { "many\\.live\\.", type, "\\# 1 00", 60 };

		snprintf(type, sizeof(type), "TYPE%zu", 65280 + i);
		assert_int_equal(rule_new(&text, &rules[i], &at, NULL), STATUS_OK);
	}
	zone.any = ZONE_ANY_FULL;
	zone.rule = rules;
	zone.rule_count = UNIT_COUNT(rules);
	worker_read(&workers, worker, &config.zones, &zone, &key, &query);
	zone.rule_count = 0;
	for (size_t i = 0; i < UNIT_COUNT(rules); i++)
		rule_free(rules[i]);
	assert_int_equal(worker->answer.kind, ANSWER_FAILED);
	assert_int_equal(atomic_load(&worker->counters.corrupt), 0);
	assert_int_equal(ask(worker), 1);
}

static void
wait_until_said(const char *text)
{
	uint64_t until = clock_boot_ms() + DEADLINE_MS;

	while (!was_said(text)) {
		assert_true(clock_boot_ms() < until);
		usleep(1000);
	}
}

static void
wait_for_snapshot(void)
{
	uint64_t until = clock_boot_ms() + DEADLINE_MS;

	while (!atomic_load(&workers.snapshot)) {
		assert_true(clock_boot_ms() < until);
		usleep(1000);
	}
}

static void
start_with_snapshot(void)
{
	publish_with_snapshot();
	start();
	wait_for_snapshot();
}

static void
the_snapshot_answers_for_a_store_that_broke(void **state)
{
	struct worker_state *worker = worker_new(&workers, 1);
	char path[128];

	(void)state;
	start_with_snapshot();
	assert_int_equal(ask(worker), 1);
	assert_int_equal(worker->stage, REPORT_LIVE);
	snprintf(path, sizeof(path), "%s/data.mdb", serve.dir);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(ask(worker), 1);
	assert_int_equal(worker->stage, REPORT_STALE);
	remove_store(serve.dir);
	wait_until_said("store is refused");
	assert_int_equal(ask(worker), 1);
	publish(2);
	wait_for(worker, 2);
	assert_int_equal(worker->stage, REPORT_LIVE);
}

static void
a_snapshot_outlives_a_reload_but_not_its_age(void **state)
{
	struct worker_state *worker;

	(void)state;
	start_with_snapshot();
	stop();
	remove_store(serve.dir);
	atomic_store(&workers.live, NULL);
	worker = worker_new(&workers, 1);
	assert_int_equal(ask(worker), 1);
	assert_int_equal(worker->stage, REPORT_STALE);
	zone.stale_ms = 0;
	assert_int_equal(ask(worker), 0);
	/* not even one that was equal to the store at this very moment */
	atomic_store(&workers.snapshot_ms, clock_boot_ms() + 60000);
	assert_int_equal(ask(worker), 0);
	zone.stale_ms = 60000;
	atomic_store(&workers.snapshot_ms, clock_boot_ms() - 60001);
	assert_int_equal(ask(worker), 0);
}

static void
wait_until_passed(uint64_t ms)
{
	uint64_t until = clock_boot_ms() + ms;

	while (clock_boot_ms() < until)
		usleep(1000);
}

/* A read of the store fails from here on; its files are gone. */
static void
break_store(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/data.mdb", serve.dir);
	assert_int_equal(truncate(path, 0), 0);
	wait_until_said("store is refused");
	remove_store(serve.dir);
}

/* The last try of it failed: what the workers have is no copy of what is live. */
static void
a_snapshot_of_an_older_store_ages(void **state)
{
	struct worker_state *worker;

	(void)state;
	start_with_snapshot();
	stop();
	publish(2);
	config.store.snapshot_limit = 4096;
	zone.stale_ms = 300;
	start();
	wait_until_said("bigger than store.snapshot-limit");
	wait_until_passed(400);
	break_store();
	worker = worker_new(&workers, 1);
	assert_non_null(atomic_load(&workers.snapshot));
	assert_int_equal(ask(worker), 0);
}

static void
wait_for_another_snapshot(const struct serve_reader *than)
{
	uint64_t until = clock_boot_ms() + DEADLINE_MS;

	while (atomic_load(&workers.snapshot) == than) {
		assert_true(clock_boot_ms() < until);
		usleep(1000);
	}
}

static void
there_are_two_snapshots_at_most(void **state)
{
	struct worker_state *worker = worker_new(&workers, 1);
	struct serve_reader *first, *second;

	(void)state;
	start_with_snapshot();
	first = atomic_load(&workers.snapshot);
	atomic_store(&worker->inside, first); /* a worker that does not come out */
	publish(2);
	wait_for_another_snapshot(first);
	second = atomic_load(&workers.snapshot);
	publish(3);
	wait_until_said("is live, revision 3");
	wait_until_passed(1000); /* when it was time for the third one */
	assert_ptr_equal(atomic_load(&workers.snapshot), second);
	atomic_store(&worker->inside, NULL);
	wait_for_another_snapshot(second);
}

/* How many descriptors of this process are copies. */
static unsigned
count_copies(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++) {
		char path[64], target[128] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) > 0)
			count += strstr(target, "livezone-snapshot") != NULL;
	}
	return count;
}

static void
a_snapshot_in_which_a_fault_was_caught_is_not_closed(void **state)
{
	static struct serve_reader *first; /* abandoned as it is */
	unsigned before;

	(void)state;
	start_with_snapshot();
	first = atomic_load(&workers.snapshot);
	before = count_copies();
	assert_true(before > 0);
	serve_reader_poison(first, GUARD_SIGBUS);
	publish(2);
	wait_for_another_snapshot(first);
	wait_for_snapshot();
	assert_int_equal(count_copies(), 2 * before);
}

static void
a_start_that_fails_leaves_no_store_that_nobody_watches(void **state)
{
	struct worker_state *worker;
	struct rlimit before, now;
	struct reason reason;
	int next, status;

	(void)state;
	start_with_snapshot();
	stop();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	next = dup(0);
	close(next);
	now = before;
	now.rlim_cur = (rlim_t)next; /* no descriptor for the keeper's eventfd */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	status = keeper_start(keeper, &settings, &reason);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(status, STATUS_IO);
	assert_null(atomic_load(&workers.live));
	worker = worker_new(&workers, 1);
	assert_int_equal(ask(worker), 1);
	assert_int_equal(worker->stage, REPORT_STALE);
	start();
	assert_int_equal(ask(worker), 1);
	assert_int_equal(worker->stage, REPORT_LIVE);
}

static void
stores_that_break_in_a_row_are_followed_more_slowly(void **state)
{
	struct keeper *others = keeper; /* knows of stores that broke in other tests */
	struct worker_state *worker = worker_new(&workers, 1);
	uint64_t broken_ms = 0;
	char path[128];
	uint8_t i;

	(void)state;
	keeper = keeper_new();
	snprintf(path, sizeof(path), "%s/data.mdb", serve.dir);
	publish(1);
	start();
	for (i = 1; i <= 5; i++) {
		wait_for(worker, i);
		broken_ms = clock_boot_ms();
		assert_int_equal(truncate(path, 0), 0);
		wait_for(worker, 0);
		publish((uint8_t)(i + 1));
	}
	wait_for(worker, i);
	assert_true(clock_boot_ms() - broken_ms >= 1000);
	stop();
	keeper = others;
	start();
}

static void
note_damage(void *context, const struct report *report)
{
	uint64_t *inode = context;

	if (report->pid == getpid())
		*inode = report->damaged_inode;
}

/* livezoned, which has it open, does not notice by itself. */
static void
a_store_that_cannot_be_opened_is_reported(void **state)
{
	uint64_t until = clock_boot_ms() + DEADLINE_MS, damaged = 0;
	struct mdb_files files;
	char path[128];
	FILE *file;

	(void)state;
	publish(1);
	snprintf(path, sizeof(path), "%s/data.mdb", serve.dir);
	file = fopen(path, "r+");
	assert_int_equal(fseek(file, 16, SEEK_SET), 0);
	assert_int_equal(fwrite("XXXX", 1, 4, file), 4);
	assert_int_equal(fclose(file), 0);
	start();
	wait_until_said("store is refused: ");
	assert_int_equal(mdb_files_stat(serve.dir, &files, NULL), STATUS_OK);
	while (damaged != files.data_inode) {
		assert_true(clock_boot_ms() < until);
		(void)report_read_all(serve.dir, note_damage, &damaged, NULL);
	}
}

/* As a read-only mount is; here by what livezoned says of itself. */
static void
a_store_that_may_not_be_opened_is_refused_and_the_cure_named(void **state)
{
	struct worker_state *worker = worker_new(&workers, 1);
	struct identity foreign;

	(void)state;
	publish_with_snapshot();
	report_identity_init(&foreign);
	strcpy(foreign.libc, "musl 1.2.5");
	assert_int_equal(report_identity_write(serve.dir, &foreign, NULL), 0);
	start();
	wait_until_said("store is refused: livezoned: the other side uses musl");
	assert_int_equal(ask(worker), 0); /* fallback records answer */
	publish(2);
	wait_for(worker, 2);
	assert_int_equal(worker->stage, REPORT_LIVE);
}

static void
change_schema(void)
{
	char command[256];

	snprintf(command, sizeof(command), "sed -i s/LZS3/LZS9/g %s/data.mdb", serve.dir);
	assert_int_equal(system(command), 0);
}

static void
a_store_whose_successor_is_refused_is_live_no_longer(void **state)
{
	struct worker_state *worker = worker_new(&workers, 1);
	uint64_t until = clock_boot_ms() + DEADLINE_MS;
	char first[sizeof(serve.dir)], command[256];

	(void)state;
	start_with_snapshot();
	strcpy(first, serve.dir);
	snprintf(serve.dir, sizeof(serve.dir), "%s/other", serve.root);
	publish(2);
	change_schema();
	snprintf(command, sizeof(command), "mv %s %s/old && mv %s %s", first, serve.root,
		serve.dir, first);
	assert_int_equal(system(command), 0);
	strcpy(serve.dir, first);
	do {
		assert_true(clock_boot_ms() < until);
		assert_int_equal(ask(worker), 1);
	} while (worker->stage != REPORT_STALE);
	wait_until_said("store is refused: ");
	/* and it ages: it is no copy of what lies there */
	zone.stale_ms = 50;
	wait_for(worker, 0);
	publish(3);
	wait_for(worker, 3);
	assert_int_equal(worker->stage, REPORT_LIVE);
}

/* How often lock.mdb was opened until then. */
static unsigned
count_opens(int watch, uint64_t until)
{
	struct pollfd ready = { .fd = watch, .events = POLLIN };
	struct inotify_event event; /* of a file: without a name */
	unsigned count = 0;

	while (clock_boot_ms() < until) {
		if (poll(&ready, 1, 10) == 1 && read(watch, &event, sizeof(event)) > 0)
			count++;
	}
	return count;
}

static void
a_refused_store_is_not_opened_at_every_look(void **state)
{
	struct worker_state *worker = worker_new(&workers, 1);
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char path[128];
	unsigned once;

	(void)state;
	assert_true(watch >= 0);
	publish(1);
	change_schema();
	snprintf(path, sizeof(path), "%s/lock.mdb", serve.dir);
	assert_true(inotify_add_watch(watch, path, IN_OPEN) >= 0);
	start();
	wait_until_said("store is refused: ");
	once = count_opens(watch, clock_boot_ms() + 20);
	assert_true(once > 0);
	/* again, but not some 20 times */
	assert_in_range(count_opens(watch, clock_boot_ms() + 1200), 1, 3 * once);
	close(watch);
	publish(2);
	wait_for(worker, 2);
}

#ifndef __SANITIZE_THREAD__ /* whose allocator may hang in a process forked beside two threads */
/* LMDB's reader mutex (mdb.c: MDB_txbody), as a livezoned has it that was stopped in
 * mdb_reader_check. */
static pthread_mutex_t *
reader_mutex(void)
{
	char path[128];
	uint8_t *map;
	int fd;

	snprintf(path, sizeof(path), "%s/lock.mdb", serve.dir);
	fd = open(path, O_RDWR); /* not closed: that would end the locks of this process */
	assert_true(fd >= 0);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	assert_int_equal(*(uint32_t *)map, 0xbeefc0de);
	return (pthread_mutex_t *)(map + 8);
}

static void
a_keeper_that_waits_for_another_process_is_left_behind(void **state)
{
	static struct keeper *left_behind; /* for ever, and no leak */
	struct worker_state *worker;
	pthread_mutex_t *held;
	uint64_t began;

	(void)state;
	publish_with_snapshot();
	start();
	stop();
	held = reader_mutex();
	assert_int_equal(pthread_mutex_lock(held), 0);
	settings.threads += 4;
	start(); /* it claims slots */
	began = clock_boot_ms();
	assert_false(keeper_stop(keeper));
	assert_true(clock_boot_ms() - began < 2 * KEEPER_STOP_MS);
	workers_reset(&workers);
	left_behind = keeper;
	keeper = keeper_new();
	assert_ptr_not_equal(keeper, left_behind);
	start();
	worker = worker_new(&workers, 1);
	assert_int_equal(ask(worker), 0); /* it waits for another store */
	publish(2);
	wait_for(worker, 2);
	assert_int_equal(worker->stage, REPORT_LIVE);
	/* what was left behind comes back, and changes nothing */
	assert_int_equal(pthread_mutex_unlock(held), 0);
	assert_int_equal(ask(worker), 2);
}
#endif

#ifndef __SANITIZE_THREAD__
/* Another process that has the store open: LMDB of this one does not set up the locks anew. */
static pid_t
open_elsewhere(void)
{
	int ready[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct serve_reader *reader;

		alarm(60); /* where nobody ends it: the test failed */
		if (serve_reader_open(serve.dir, 1, &reader, NULL) != STATUS_OK
			|| write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

/* What it had borrowed is somebody else's when it comes back. */
static void
a_keeper_that_was_left_behind_needs_no_settings(void **state)
{
	static struct keeper *left_behind; /* for ever, and no leak */
	struct worker_state *worker;
	char lent[sizeof(serve.dir)], line[160];
	pthread_mutex_t *held;
	pid_t other;

	(void)state;
	publish(1);
	other = open_elsewhere();
	held = reader_mutex();
	assert_int_equal(pthread_mutex_lock(held), 0);
	strcpy(lent, serve.dir);
	config.store.serve = lent;
	start(); /* it opens the store, and claims the first slot */
	worker = worker_new(&workers, 1);
	assert_false(keeper_stop(keeper));
	workers_reset(&workers);
	strcpy(lent, "/lent");
	assert_null(atomic_load(&worker->inside)); /* as the keeper may do at any time */
	left_behind = keeper;
	keeper = keeper_new();
	assert_ptr_not_equal(keeper, left_behind);
	assert_int_equal(pthread_mutex_unlock(held), 0);
	snprintf(line, sizeof(line), "store %s is live, revision 1", serve.dir);
	wait_until_said(line);
	assert_null(atomic_load(&workers.live));
	kill(other, SIGKILL);
	assert_int_equal(waitpid(other, NULL, 0), other);
}
#endif

static void
a_store_over_the_limit_has_no_snapshot(void **state)
{
	(void)state;
	config.store.snapshot_limit = 4096;
	publish(1);
	start();
	wait_until_said("bigger than store.snapshot-limit");
	assert_null(atomic_load(&workers.snapshot));
}

/* The store does not change: nothing else asks for another try. */
static void
a_snapshot_that_failed_for_want_of_a_descriptor_is_made_later(void **state)
{
	struct rlimit before, now;
	int next;

	(void)state;
	publish(1);
	start();
	stop();
	config.store.snapshot_limit = 1 << 20;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	next = dup(0);
	assert_true(next >= 0);
	close(next);
	now.rlim_cur = (rlim_t)next + 1; /* for the keeper's eventfd */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	start();
	wait_until_said("no snapshot of the store as it is: ");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	wait_for_snapshot();
}

struct client {
	struct worker_state *worker;
	atomic_bool is_over;
	unsigned lost;
	unsigned backwards;
};

static void *
ask_all_the_time(void *argument)
{
	struct client *client = argument;
	uint8_t last = 0;

	while (!atomic_load(&client->is_over)) {
		uint8_t now = ask(client->worker);

		client->lost += now == 0 || now == 255;
		client->backwards += now < last;
		last = now;
	}
	return NULL;
}

static void
no_answer_is_lost_while_stores_are_replaced(void **state)
{
	struct client clients[3];
	pthread_t threads[UNIT_COUNT(clients)];
	bool is_seen = true;

	(void)state;
	publish(1);
	start();
	for (size_t i = 0; i < UNIT_COUNT(clients); i++) {
		clients[i] = (struct client){ .worker = worker_new(&workers, 1) };
		assert_int_equal(
			pthread_create(&threads[i], NULL, &ask_all_the_time, &clients[i]),
			0);
	}
	for (uint8_t i = 2; i < 10 && is_seen; i++) {
		char line[32];
		uint64_t until = clock_boot_ms() + DEADLINE_MS;

		publish(i);
		snprintf(line, sizeof(line), "is live, revision %d", i);
		while (!was_said(line) && clock_boot_ms() < until)
			usleep(1000);
		is_seen = was_said(line);
	}
	/* no assertion before: it would unwind what the threads use */
	for (size_t i = 0; i < UNIT_COUNT(clients); i++) {
		atomic_store(&clients[i].is_over, true);
		pthread_join(threads[i], NULL);
	}
	assert_true(is_seen);
	for (size_t i = 0; i < UNIT_COUNT(clients); i++) {
		assert_int_equal(clients[i].lost, 0);
		assert_int_equal(clients[i].backwards, 0);
	}
}

/* Transactions of both have the same id. */
static void
what_is_remembered_of_a_zone_is_of_its_store(void **state)
{
	struct worker_state *worker = worker_new(&workers, 1);

	(void)state;
	publish_zone(1, false);
	start();
	assert_int_equal(ask(worker), 255); /* no such name */
	publish_zone(2, true);
	wait_until_said("is live, revision 2");
	assert_int_equal(ask(worker), 7);
}

static void
a_reload_keeps_the_store_and_gets_slots_for_more_threads(void **state)
{
	struct worker_state *worker = NULL;

	(void)state;
	publish(3);
	start();
	stop();
	settings.threads = 20;
	start();
	for (size_t i = 0; i < 20; i++)
		worker = worker_new(&workers, 1);
	assert_int_equal(ask(worker), 3);
	assert_null(strstr(strstr(said, "is live") + 1, "is live"));
}

static void
a_reload_may_turn_to_another_directory_and_back(void **state)
{
	char first[sizeof(serve.dir)];

	(void)state;
	strcpy(first, serve.dir);
	publish(1);
	start();
	stop();
	snprintf(serve.dir, sizeof(serve.dir), "%s/other", serve.root);
	publish(2);
	start();
	assert_int_equal(ask(worker_new(&workers, 1)), 2);
	stop();
	strcpy(serve.dir, first);
	start();
	assert_int_equal(ask(worker_new(&workers, 1)), 1);
}

static void
threads_without_a_slot_of_the_store_answer_from_the_snapshot(void **state)
{
	struct worker_state *first = worker_new(&workers, 1), *last = NULL;

	(void)state;
	publish_with_snapshot();
	settings.threads = WORKERS_LIVE_MAX + 50;
	start();
	for (size_t i = 1; i < settings.threads; i++) {
		last = worker_new(&workers, 1);
		assert_non_null(last);
	}
	wait_for(last, 1);
	assert_int_equal(last->stage, REPORT_STALE);
	assert_int_equal(ask(first), 1);
	assert_int_equal(first->stage, REPORT_LIVE);
	while (workers_count(&workers) < WORKERS_MAX)
		assert_non_null(worker_new(&workers, 1));
	assert_null(worker_new(&workers, 1));
	assert_int_equal(atomic_load(&workers.count), WORKERS_MAX);
}

static void
a_snapshot_of_another_directory_does_not_answer(void **state)
{
	(void)state;
	start_with_snapshot();
	stop();
	snprintf(serve.dir, sizeof(serve.dir), "%s/other", serve.root);
	start();
	assert_int_equal(ask(worker_new(&workers, 1)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_store_that_is_there_answers_the_first_query, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_store_that_appears_later_is_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_replaced_store_is_switched_to, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_deleted_store_answers_until_there_is_another, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_truncated_store_is_not_touched_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_read_that_faults_costs_the_store_and_wakes_the_keeper, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_limit_of_the_answer_makes_no_store_suspect, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_snapshot_answers_for_a_store_that_broke, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_snapshot_outlives_a_reload_but_not_its_age, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_snapshot_of_an_older_store_ages, setup, teardown),
		cmocka_unit_test_setup_teardown(
			there_are_two_snapshots_at_most, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_snapshot_in_which_a_fault_was_caught_is_not_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_start_that_fails_leaves_no_store_that_nobody_watches, setup, teardown),
		cmocka_unit_test_setup_teardown(
			stores_that_break_in_a_row_are_followed_more_slowly, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_store_that_cannot_be_opened_is_reported, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_store_that_may_not_be_opened_is_refused_and_the_cure_named, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_store_whose_successor_is_refused_is_live_no_longer, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			threads_without_a_slot_of_the_store_answer_from_the_snapshot, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_refused_store_is_not_opened_at_every_look, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_snapshot_of_another_directory_does_not_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_store_over_the_limit_has_no_snapshot, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_snapshot_that_failed_for_want_of_a_descriptor_is_made_later, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			no_answer_is_lost_while_stores_are_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_is_remembered_of_a_zone_is_of_its_store, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_reload_keeps_the_store_and_gets_slots_for_more_threads, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_reload_may_turn_to_another_directory_and_back, setup, teardown),
#ifndef __SANITIZE_THREAD__
		cmocka_unit_test_setup_teardown(
			a_keeper_that_waits_for_another_process_is_left_behind, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_keeper_that_was_left_behind_needs_no_settings, setup, teardown),
#endif
	};

	return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
