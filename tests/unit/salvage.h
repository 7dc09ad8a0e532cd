/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A state that is prepared, damaged by the test while nobody has it open, and salvaged.
 */
#pragma once

#include <stdbool.h>

#include "sidecar/state/state_salvage.h"
#include "lib/base/status.h"
#include "tests/unit/damage.h"
#include "tests/unit/record.h"

#define SIZE (16u << 20)
#define NAMES 300 /* n000.live and so on: as numbers, so keys */
#define COMMIT 50

static const char *const sources[] = { "api", "nomad", "a" };

static char dir[64], path[80];
static struct state_meta meta;
static struct state_salvage salvage;
static struct reason reason;

static inline struct state_record
record_at(unsigned number)
{
	char owner[16];
	struct state_record record;

	snprintf(owner, sizeof(owner), "n%03u.live", number);
	record = record_of(owner, RRSET_A, sources[number % 3], number + 1);
	record.rrset.ttl = number;
	if (number % 5 == 0) {
		record.expires_ms = 1000000 + number;
		record.lease_ms = 1000;
	}
	return record;
}

static inline struct state_log_item
item_at(unsigned number)
{
	return (struct state_log_item){ number % 7 == 0, RRSET_A,
		record_at(number).rrset.owner };
}

/* --- what is written --- */

static struct state *state;

static inline struct state_txn *
begin(void)
{
	struct state_txn *txn;

	if (!state)
		assert_int_equal(state_open(dir, SIZE, &state, &reason), STATUS_OK);
	assert_int_equal(state_begin_write(state, &txn, &reason), STATUS_OK);
	return txn;
}

static inline void
end(struct state_txn *txn)
{
	assert_int_equal(state_read_meta(txn, &meta, &reason), STATUS_OK);
	assert_int_equal(state_commit(txn, &reason), STATUS_OK);
}

static inline void
close_state(void)
{
	state_close(state);
	state = NULL;
}

static inline void
put(struct state_txn *txn, const struct name_key *apex, const struct state_record *record)
{
	assert_int_equal(state_put(txn, apex, record, &reason), STATUS_OK);
}

/* The last commit has the last name only. */
static inline int
set_up(void **context)
{
	struct name_key live = unit_key("live");
	struct state_txn *txn = NULL;

	(void)context;
	strcpy(dir, "/tmp/livezone-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	for (unsigned i = 0; i < NAMES; i++) {
		struct state_record record = record_at(i);
		struct state_log_item item = item_at(i);

		if (!txn)
			txn = begin();
		put(txn, &live, &record);
		assert_int_equal(state_log_append(txn, i + 1, &item, 1, &reason), STATUS_OK);
		assert_int_equal(state_set_revision(txn, i + 1, &reason), STATUS_OK);
		if (i % COMMIT == 0 || i == NAMES - 2 || i == NAMES - 1) {
			end(txn);
			txn = NULL;
		}
	}
	close_state();
	return 0;
}

static inline int
tear_down(void **context)
{
	(void)context;
	close_state();
	state_salvage_close(&salvage);
	return unit_remove(dir);
}

static inline void
open_salvage(void)
{
	state_salvage_close(&salvage);
	if (state_salvage_open(dir, &salvage, &reason) != STATUS_OK)
		fail_msg("%s", reason.text);
}

static inline uint64_t
find_revision(void)
{
	uint64_t found = 0;

	open_salvage();
	assert_int_equal(state_salvage_revision(&salvage, &found, &reason), STATUS_OK);
	return found;
}
