/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* What salvage says beside the records: alarms, the revision, the change log. */
#include "tests/unit/salvage.h"

static int
see_alarm(void *context, const char *name, size_t name_len, const char *text, size_t text_len,
	uint64_t raised_ms, struct reason *why)
{
	char *found = context;

	(void)why;
	assert_true(raised_ms > 0);
	sprintf(found + strlen(found), "%.*s=%.*s\n", (int)name_len, name, (int)text_len, text);
	return STATUS_OK;
}

static void
alarms_that_can_be_read_are_given(void **context)
{
	char found[256] = "";
	struct state_txn *txn = begin();

	(void)context;
	assert_int_equal(state_raise_alarm(txn, "one", "a text", &reason), STATUS_OK);
	assert_int_equal(state_raise_alarm(txn, "three", "", &reason), STATUS_OK);
	assert_int_equal(state_raise_alarm(txn, "two", "another", &reason), STATUS_OK);
	end(txn);
	close_state();
	damage_value(dir, "M", 1);
	open_salvage();
	assert_false(salvage.has_meta);
	assert_int_equal(
		state_salvage_walk_alarms(&salvage, see_alarm, found, &reason), STATUS_OK);
	assert_string_equal(found, "one=a text\nthree=\ntwo=another\n");
	damage_value(dir, "Aone", 4);
	open_salvage();
	found[0] = '\0';
	assert_int_equal(
		state_salvage_walk_alarms(&salvage, see_alarm, found, &reason), STATUS_OK);
	assert_string_equal(found, "three=\ntwo=another\n");
}

/* Each table says more than those before it. */
static void
the_revision_is_the_highest_of_all_tables(void **context)
{
	struct name_key live = unit_key("live"), owner = record_at(0).rrset.owner;
	struct state_log_item item = item_at(0);
	struct state_record record = record_of("x.live", RRSET_A, "other", 5000);
	struct state_txn *txn = begin();

	(void)context;
	assert_int_equal(state_set_revision(txn, 9000, &reason), STATUS_OK);
	end(txn);
	close_state();
	assert_int_equal(find_revision(), 9000);
	damage_value(dir, "M", 1);
	assert_int_equal(find_revision(), NAMES);
	tear_down(NULL);
	set_up(NULL);
	txn = begin();
	assert_int_equal(state_log_append(txn, 2000, &item, 1, &reason), STATUS_OK);
	end(txn);
	close_state();
	assert_int_equal(find_revision(), 2000);
	txn = begin();
	assert_int_equal(state_touch_zone(txn, &live, 3000, &reason), STATUS_OK);
	end(txn);
	close_state();
	assert_int_equal(find_revision(), 3000);
	txn = begin();
	assert_int_equal(state_delete(txn, NULL, &owner, RRSET_A, 4000, &reason), STATUS_OK);
	end(txn);
	close_state();
	assert_int_equal(find_revision(), 4000); /* of the source */
	txn = begin();
	put(txn, NULL, &record);
	end(txn);
	close_state();
	damage_value(dir, "Sother", 6);
	assert_int_equal(find_revision(), 5000);
}

struct log {
	uint64_t last;
	unsigned count, resets;
};

static int
see_log(void *context, uint64_t revision_no, bool is_reset, const struct state_log_item *items,
	size_t count, struct reason *why)
{
	struct log *log = context;

	(void)why;
	assert_true(revision_no > log->last);
	log->last = revision_no;
	log->count++;
	log->resets += is_reset;
	if (is_reset) {
		assert_int_equal(count, 0);
	} else {
		struct state_log_item expected = item_at((unsigned)revision_no - 1);

		assert_int_equal(count, 1);
		assert_int_equal(items->deleted, expected.deleted);
		assert_int_equal(items->type, expected.type);
		assert_int_equal(items->owner.len, expected.owner.len);
		assert_memory_equal(items->owner.bytes, expected.owner.bytes, items->owner.len);
	}
	return STATUS_OK;
}

static struct log
find_log(uint64_t since)
{
	struct log log = { 0 };

	open_salvage();
	assert_int_equal(
		state_salvage_walk_log(&salvage, since, see_log, &log, &reason), STATUS_OK);
	return log;
}

static void
the_log_is_read_as_far_as_it_can_be(void **context)
{
	static struct state_log_item many[STATE_LOG_ITEMS_MAX + 1];
	const uint8_t entry[9] = { 'C', [8] = 250 };
	struct state_txn *txn = begin();

	(void)context;
	for (size_t i = 0; i < UNIT_COUNT(many); i++)
		many[i] = item_at(0);
	assert_int_equal(
		state_log_append(txn, 1000, many, UNIT_COUNT(many), &reason), STATUS_OK);
	end(txn);
	close_state();
	assert_int_equal(find_log(0).count, NAMES + 1);
	assert_int_equal(find_log(0).resets, 1);
	assert_int_equal(find_log(200).count, NAMES - 200 + 1);
	assert_int_equal(find_log(1000).count, 0);
	damage_value(dir, entry, sizeof(entry));
	assert_int_equal(find_log(249).count, NAMES - 250 + 1);
	assert_int_equal(find_log(249).last, 1000);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(alarms_that_can_be_read_are_given),
		TEST(the_revision_is_the_highest_of_all_tables),
		TEST(the_log_is_read_as_far_as_it_can_be),
	};

	return cmocka_run_group_tests_name("state salvage, log", tests, NULL, NULL);
}
