/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Every byte of a store is changed, one at a time, and each name is looked up as a worker
 * does, in the guard: what is found is what was written under that name, and nothing ends the
 * process. (A damaged page of LMDB may hide a name: LMDB has no checksums.) The store has all
 * kinds of pages of LMDB: two levels of branches, leaves, overflow pages.
 *
 * A sample of all changes by default; LIVEZONE_TEST_LONG=1: each byte in three ways.
 */
#include "tests/unit/serve.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/serve/guard.h"
#include "lib/base/throttle.h"
#include "lib/serve/reader.h"

#define PAGE 4096
#define NAMES 400
#define MISSING_EVERY 3
#define CHANGES 20000 /* of a sample */
#define SEEDS 1000    /* of 10,000 */
#define LONG_RDATA 6000  /* two overflow pages */
#define HUGE_RDATA 60000

struct entry {
	struct name_key key;
	int found; /* enum serve_found, by construction */
	uint8_t last; /* of its address */
};

static struct serve serve;
static struct entry entries[NAMES * 2];
static size_t entry_count;
static uint8_t *image;  /* of data.mdb, as it was written */
static size_t image_size;
static int file;        /* a memory file with these bytes */
static char path[64];
static struct serve_reader *reader;
static uint64_t seed;
static size_t failures, trips, rights;

/* Knuth, TAOCP volume 2, section 3.3.4, line 26. */
static uint32_t
next_random(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33);
}

/* Short ones and such of 200 octets, of which few fit into a page. */
static struct name_key
name_of(unsigned number)
{
	char text[256], pad[64];

	memset(pad, 'p', sizeof(pad) - 1);
	pad[sizeof(pad) - 1] = '\0';
	if (number % 2)
		snprintf(text, sizeof(text), "n%u.sub%u.live", number, number % 7);
	else
		snprintf(text, sizeof(text), "n%u.%s.%s.%s.live", number, pad, pad, pad);
	return unit_key(text);
}

static void
put(unsigned number)
{
	static uint8_t rdata[2 + HUGE_RDATA];
	struct name_key key = name_of(number);
	size_t len = number % 97 == 0 ? HUGE_RDATA : number % 31 == 0 ? LONG_RDATA : 4;
	struct node_rrset set = { .type = RRSET_A, .count = 1, .ttl = 5, .rdata = rdata };
	uint8_t *value;

	memset(rdata, 1, sizeof(rdata));
	rdata[0] = (uint8_t)(len >> 8);
	rdata[1] = (uint8_t)len;
	rdata[5] = (uint8_t)number;
	set.rdata_len = (uint32_t)(2 + len);
	assert_int_equal(
		serve_writer_reserve(serve.txn, &key, node_size(&set, 1), &value, NULL), 0);
	node_encode(&key, 1, 0, &set, 1, value);
}

/* One commit, so that no page of an older one is left. */
static void
write_store(void)
{
	struct serve_meta meta = { .revision = 1, .instance = "instance-of-test" };

	assert_int_equal(serve_writer_create(serve.dir, 1 << 24, &serve.writer, NULL), 0);
	assert_int_equal(serve_writer_begin(serve.writer, &serve.txn, NULL), 0);
	assert_int_equal(serve_writer_put_meta(serve.txn, &meta, NULL), 0);
	for (unsigned i = 0; i < NAMES; i++)
		if (i % MISSING_EVERY)
			put(i);
	serve_publish(&serve);
}

static void
note_entry(const struct name_key *key, int found, uint8_t last)
{
	entries[entry_count++] = (struct entry){ .key = *key, .found = found, .last = last };
}

static int
make_store(void **state)
{
	char data[128];
	struct stat stat;
	struct name_key key;
	pid_t child;
	int from;

	(void)state;
	entry_count = failures = trips = rights = 0;
	serve_place(&serve);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		write_store();
		_exit(0);
	}
	unit_wait_child(child);

	snprintf(data, sizeof(data), "%s/data.mdb", serve.dir);
	from = open(data, O_RDONLY);
	assert_true(from >= 0 && fstat(from, &stat) == 0);
	image_size = (size_t)stat.st_size;
	image = malloc(image_size);
	assert_int_equal(read(from, image, image_size), image_size);
	close(from);
	file = memfd_create("test", 0);
	assert_int_equal(write(file, image, image_size), image_size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);

	for (unsigned i = 0; i < NAMES; i++) {
		key = name_of(i);
		note_entry(&key, i % MISSING_EVERY ? SERVE_EXACT : SERVE_NONE, (uint8_t)i);
	}
	key = unit_key("live");
	note_entry(&key, SERVE_BELOW, 0);
	key = unit_key("sub3.live");
	note_entry(&key, SERVE_BELOW, 0);
	key = unit_key("a");
	note_entry(&key, SERVE_NONE, 0);
	key = unit_key("zz");
	note_entry(&key, SERVE_NONE, 0);
	key = (struct name_key){ 0 };
	note_entry(&key, SERVE_BELOW, 0);
	return 0;
}

static void
close_reader(void *unused)
{
	(void)unused;
	serve_reader_close(reader);
}

static void
close_reader_guarded(void)
{
	if (reader)
		(void)guard_run(&close_reader, NULL);
	reader = NULL;
}

static int
remove_store(void **state)
{
	(void)state;
	close_reader_guarded();
	free(image);
	close(file);
	return unit_remove(serve.root);
}

static void
open_reader(void *outcome)
{
	*(int *)outcome = serve_reader_open_private(path, image_size, 1, &reader, NULL);
}

/* For guard_run: from which entry on, and what was found. */
struct look {
	size_t at;
	bool is_wrong;
};

static bool
is_right(const struct entry *entry, int found, const struct node *node)
{
	struct node_rrset set;

	if (found != SERVE_EXACT)
		return true;
	return entry->found == SERVE_EXACT && (node_find(node, RRSET_A, 1, &set) < 0
		|| (set.rdata[5] == entry->last && set.ttl == 5));
}

static void
look_all_up(void *context)
{
	struct look *look = context;
	struct serve_txn *txn = serve_reader_slot(reader, 0);

	if (serve_reader_begin(txn) != STATUS_OK) {
		look->at = entry_count;
		return;
	}
	for (; look->at < entry_count && !look->is_wrong; look->at++) {
		const struct entry *entry = &entries[look->at];
		struct node node;
		int found = serve_find(txn, &entry->key, &node);

		look->is_wrong = !is_right(entry, found, &node);
		if (found < 0)
			failures++;
		else
			rights++;
	}
	serve_reader_end(txn);
}

static void
verify(void *outcome)
{
	struct serve_meta meta;

	*(int *)outcome = serve_reader_verify(reader, &meta, NULL);
}

static bool
can_open(void)
{
	int status = STATUS_CORRUPT;

	if (!reader && (guard_run(&open_reader, &status) != GUARD_NONE || status))
		reader = NULL;
	return reader != NULL;
}

/* The file is damaged now, `what` says how. */
static void
check_answers(const char *what)
{
	struct look look = { 0 };
	size_t before = failures + trips;
	int status = STATUS_CORRUPT;

	while (look.at < entry_count && !look.is_wrong) {
		if (!can_open()) {
			failures += entry_count;
			return;
		}
		if (guard_run(&look_all_up, &look) == GUARD_NONE)
			continue;
		/* as for a worker: that one fails; nobody reads this environment again */
		trips++;
		look.at++;
		close_reader_guarded();
	}
	if (look.is_wrong)
		fail_msg("%s: name %zu is answered wrong", what, look.at - 1);
	/* what fails a name has to be found when all is read, or nobody would repair it */
	if (failures + trips > before && can_open()
		&& guard_run(&verify, &status) == GUARD_NONE && status != STATUS_CORRUPT)
		fail_msg("%s: failures, but no damage is found", what);
	if (failures + trips > before)
		close_reader_guarded();
}

static void
write_at(const void *bytes, size_t len, size_t at)
{
	assert_int_equal(pwrite(file, bytes, len, (off_t)at), len);
}

static void
check_one_change(size_t at, uint8_t change)
{
	uint8_t byte = image[at] ^ change;
	char what[80];

	snprintf(what, sizeof(what), "byte %zu of page %zu changed by 0x%02x", at % PAGE,
		at / PAGE, change);
	write_at(&byte, 1, at);
	check_answers(what);
	write_at(&image[at], 1, at);
}

/* The first two pages are looked at when it is opened. */
static void
reopen_for_meta_pages(size_t at)
{
	if (at < 2 * PAGE)
		close_reader_guarded();
}

static uint8_t
some_change(void)
{
	uint32_t random = next_random();

	/* single bits, and anything */
	return random % 2 ? (uint8_t)(1u << (random >> 8) % 8)
			  : (uint8_t)(1 + (random >> 8) % 255);
}

static void
no_change_of_a_byte_makes_a_wrong_value(void **state)
{
	bool is_long = getenv("LIVEZONE_TEST_LONG") != NULL;
	size_t at, i;

	(void)state;
	guard_install();
	seed = 4;
	for (i = 0; !is_long && i < CHANGES; i++) {
		at = next_random() % image_size;
		reopen_for_meta_pages(at);
		check_one_change(at, some_change());
	}
	for (at = 0; is_long && at < image_size; at++)
		for (i = 0; i < 3; i++) {
			reopen_for_meta_pages(at);
			check_one_change(at, i == 0 ? 0xff : some_change());
		}
	print_message("# %zu pages: %zu right answers, %zu failures, %zu trips\n",
		image_size / PAGE, rights, failures, trips);
	assert_true(rights > 0 && failures > 0);
}

/* What a disk, a kernel or a stray write does: many bytes, lost sectors, pages in the wrong
 * place. */
static void
damage(size_t pages)
{
	static const uint8_t zeros[512];
	size_t times = 1 + next_random() % 16, i;
	uint8_t byte;

	for (i = 0; i < times; i++) {
		size_t page = next_random() % pages, other = next_random() % pages;

		switch (next_random() % 4) {
		case 0:
			write_at(zeros, sizeof(zeros),
				page * PAGE + next_random() % 8 * sizeof(zeros));
			break;
		case 1:
			write_at(image + other * PAGE, PAGE, page * PAGE);
			break;
		default:
			byte = (uint8_t)next_random();
			write_at(&byte, 1, page * PAGE + next_random() % PAGE);
		}
	}
}

static void
no_damage_of_many_bytes_makes_a_wrong_value(void **state)
{
	size_t seeds = getenv("LIVEZONE_TEST_LONG") ? 10 * SEEDS : SEEDS;
	char what[32];

	(void)state;
	guard_install();
	for (size_t i = 1; i <= seeds; i++) {
		seed = i;
		damage(image_size / PAGE);
		snprintf(what, sizeof(what), "seed %zu", i);
		check_answers(what);
		close_reader_guarded();
		write_at(image, image_size, 0);
	}
	assert_true(rights > 0 && failures > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_store, remove_store)

static void
a_walk_that_is_given_up_finds_no_damage(void **state)
{
	static const atomic_bool hurry = true, no_hurry = false;
	int status = STATUS_CORRUPT;

	(void)state;
	assert_true(can_open());
	throttle_begin(&hurry);
	verify(&status);
	assert_int_equal(status, STATUS_UNAVAILABLE);
	throttle_begin(&no_hurry);
	verify(&status);
	assert_int_equal(status, STATUS_OK);
	throttle_begin(NULL);
	close_reader_guarded();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_change_of_a_byte_makes_a_wrong_value),
		TEST(no_damage_of_many_bytes_makes_a_wrong_value),
		TEST(a_walk_that_is_given_up_finds_no_damage),
	};

	return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}
