/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* Records, and the ways into the file; alarms, revisions and log are test_state_salvage_log.c's. */
#include "tests/unit/salvage.h"

#include <unistd.h>

struct found {
	bool has[NAMES];
	unsigned count;
	bool is_complete;
};

static int
see_record(void *context, const struct state_record *record, struct reason *why)
{
	struct found *found = context;
	const struct name_key *owner = &record->rrset.owner;
	const char digits[] = { (char)owner->bytes[7], (char)owner->bytes[8],
		(char)owner->bytes[9], '\0' };
	unsigned number = (unsigned)strtoul(digits, NULL, 10);
	struct state_record expected = record_at(number);

	(void)why;
	assert_in_range(number, 0, NAMES - 1);
	assert_int_equal(owner->len, expected.rrset.owner.len);
	assert_memory_equal(owner->bytes, expected.rrset.owner.bytes, owner->len);
	assert_int_equal(record->rrset.type, RRSET_A);
	assert_int_equal(record->rrset.ttl, expected.rrset.ttl);
	assert_int_equal(record->rrset.rdata_len, expected.rrset.rdata_len);
	assert_memory_equal(record->rrset.rdata, expected.rrset.rdata, record->rrset.rdata_len);
	assert_int_equal(record->revision, expected.revision);
	assert_int_equal(record->expires_ms, expected.expires_ms);
	assert_int_equal(record->lease_ms, expected.lease_ms);
	assert_int_equal(record->source_len, expected.source_len);
	assert_memory_equal(record->source, expected.source, record->source_len);
	assert_false(found->has[number]);
	found->has[number] = true;
	found->count++;
	return STATUS_OK;
}

static struct found
find_all(void)
{
	struct found found = { .count = 0 };

	assert_int_equal(state_salvage_walk(
				 &salvage, see_record, &found, &found.is_complete, &reason),
		STATUS_OK);
	return found;
}

/* The page of each name's RRset, then of each source. */
#define PLACES (NAMES + UNIT_COUNT(sources))
struct places {
	uint64_t page[PLACES];
	unsigned count;
};

static int
see_place(void *context, const struct mdb_image_text *key, const struct mdb_image_text *value,
	struct reason *why)
{
	struct places *places = context;

	(void)value, (void)why;
	assert_in_range(places->count, 0, PLACES - 1);
	places->page[places->count++] = (uint64_t)(key->at - salvage.image.bytes) / DAMAGE_PAGE;
	return STATUS_OK;
}

static struct places
find_places(void)
{
	struct places places = { .count = 0 };

	open_salvage();
	assert_int_equal(mdb_image_walk(&salvage.image, 'R', 'S', see_place, &places, NULL,
				 &reason),
		STATUS_OK);
	assert_int_equal(places.count, PLACES);
	return places;
}

static void
a_whole_file_gives_every_record(void **context)
{
	struct found found;

	(void)context;
	open_salvage();
	assert_true(salvage.has_meta);
	assert_false(salvage.image.may_be_older);
	assert_int_equal(salvage.meta.revision, NAMES);
	assert_memory_equal(salvage.meta.instance, meta.instance, sizeof(meta.instance));
	found = find_all();
	assert_int_equal(found.count, NAMES);
	assert_true(found.is_complete);
}

static void
a_damaged_page_loses_what_lay_there(void **context)
{
	static const struct {
		unsigned at;
		uint8_t byte;
		size_t len;
	} rows[] = {
		{ 0, 0x00, DAMAGE_PAGE }, /* as the disk gives nothing */
		{ 0, 0x55, DAMAGE_PAGE },
		{ 0, 0xff, 8 },	  /* the number of another page */
		{ 10, 0x01, 1 },	  /* another kind */
	};
	struct places places = find_places();
	uint64_t page = places.page[NAMES / 2];
	uint8_t before[DAMAGE_PAGE];

	(void)context;
	memcpy(before, salvage.image.bytes + page * DAMAGE_PAGE, DAMAGE_PAGE);
	for (size_t row = 0; row < UNIT_COUNT(rows); row++) {
		struct found found;

		damage_fill(dir, page * DAMAGE_PAGE + rows[row].at, rows[row].byte, rows[row].len);
		open_salvage();
		found = find_all();
		assert_false(found.is_complete);
		for (unsigned i = 0; i < NAMES; i++)
			assert_int_equal(found.has[i], places.page[i] != page);
		damage_bytes(dir, page * DAMAGE_PAGE, before, DAMAGE_PAGE);
	}
	open_salvage();
	assert_true(find_all().is_complete);
}

/* Neither records nor sources are left that would count differently. */
static void
pages_that_are_all_lost_are_missed(void **context)
{
	struct places places = find_places();
	struct found found;

	(void)context;
	for (unsigned i = 0; i < PLACES; i++)
		damage_fill(dir, places.page[i] * DAMAGE_PAGE, 0, DAMAGE_PAGE);
	open_salvage();
	assert_true(salvage.has_meta);
	found = find_all();
	assert_int_equal(found.count, 0);
	assert_false(found.is_complete);
}

static const char key_of_150[] = "R\4live\4n150\0\0\1"; /* no end byte is part of it */

static void
a_damaged_value_loses_itself(void **context)
{
	struct found found;

	(void)context;
	damage_value(dir, key_of_150, sizeof(key_of_150) - 1);
	open_salvage();
	found = find_all();
	assert_int_equal(found.count, NAMES - 1);
	assert_false(found.has[150]);
	assert_false(found.is_complete);
}

/* Nothing of what is there is damaged. */
static void
less_than_the_sources_count_is_not_all(void **context)
{
	(void)context;
	damage_remove(dir, key_of_150, sizeof(key_of_150) - 1);
	open_salvage();
	assert_int_equal(find_all().count, NAMES - 1);
	assert_false(find_all().is_complete);
}

/* So that it is unknown whether there were more. */
static void
records_without_their_count_are_not_known_to_be_all(void **context)
{
	struct state_record record = record_of("x.live", RRSET_A, "other", NAMES + 1);
	static const char key[] = "R\4live\1x\0\0\1";
	struct state_txn *txn = begin();

	(void)context;
	put(txn, NULL, &record);
	end(txn);
	close_state();
	damage_remove(dir, key, sizeof(key) - 1);
	damage_value(dir, "Sother", 6);
	open_salvage();
	assert_int_equal(find_all().count, NAMES);
	assert_false(find_all().is_complete);
	tear_down(NULL);
	set_up(NULL);
	damage_value(dir, "M", 1);
	open_salvage();
	assert_int_equal(find_all().count, NAMES);
	assert_false(find_all().is_complete);
}

static void
a_file_cut_to_half_gives_what_is_left(void **context)
{
	struct places places = find_places();
	uint64_t pages = salvage.image.pages / 2;
	struct found found;

	(void)context;
	/* the way to what is left is left */
	assert_int_equal(salvage.image.tree[MDB_IMAGE_MAIN].depth, 2);
	assert_in_range(salvage.image.tree[MDB_IMAGE_MAIN].root, 2, pages - 1);
	assert_int_equal(truncate(path, (off_t)(pages * DAMAGE_PAGE)), 0);
	open_salvage();
	found = find_all();
	assert_in_range(found.count, 1, NAMES - 1);
	assert_false(found.is_complete);
	for (unsigned i = 0; i < NAMES; i++)
		assert_int_equal(found.has[i], places.page[i] < pages);
}

static void
one_meta_page_is_enough(void **context)
{
	unsigned last;

	(void)context;
	open_salvage();
	last = salvage.image.txn_id & 1;
	for (unsigned page = 0; page < 2; page++) {
		struct found found;

		damage_meta(dir, page);
		open_salvage();
		found = find_all();
		assert_true(salvage.image.may_be_older);
		assert_int_equal(found.count, page == last ? NAMES - 1 : NAMES);
		assert_int_equal(found.has[NAMES - 1], page != last);
		assert_int_equal(salvage.meta.revision, found.count);
		assert_true(found.is_complete);
		tear_down(NULL);
		set_up(NULL);
	}
	damage_meta(dir, 0);
	damage_meta(dir, 1);
	state_salvage_close(&salvage);
	assert_int_equal(state_salvage_open(dir, &salvage, &reason), STATUS_CORRUPT);
	assert_null(salvage.bytes);
}

/* Of LMDB, but not ours. */
static void
make_foreign(void)
{
	MDB_val key = { 4, "Rkey" };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	assert_int_equal(mdb_put(txn, dbi, &key, &key, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void
a_file_that_is_no_state_gives_nothing(void **context)
{
	struct found found;

	(void)context;
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(state_salvage_open(dir, &salvage, &reason), STATUS_CORRUPT);
	damage_fill(dir, 0, 'x', 100);
	assert_int_equal(state_salvage_open(dir, &salvage, &reason), STATUS_CORRUPT);
	damage_fill(dir, DAMAGE_PAGE, 'x', DAMAGE_PAGE);
	assert_int_equal(state_salvage_open(dir, &salvage, &reason), STATUS_CORRUPT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(state_salvage_open(dir, &salvage, &reason), STATUS_NOT_FOUND);
	assert_null(salvage.bytes);
	make_foreign();
	open_salvage();
	assert_false(salvage.has_meta);
	found = find_all();
	assert_int_equal(found.count, 0);
	assert_false(found.is_complete);
	assert_int_equal(find_revision(), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_whole_file_gives_every_record),
		TEST(a_damaged_page_loses_what_lay_there),
		TEST(a_damaged_value_loses_itself),
		TEST(pages_that_are_all_lost_are_missed),
		TEST(less_than_the_sources_count_is_not_all),
		TEST(records_without_their_count_are_not_known_to_be_all),
		TEST(a_file_cut_to_half_gives_what_is_left),
		TEST(one_meta_page_is_enough),
		TEST(a_file_that_is_no_state_gives_nothing),
	};

	return cmocka_run_group_tests_name("state salvage", tests, NULL, NULL);
}
