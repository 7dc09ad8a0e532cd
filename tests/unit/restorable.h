/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * State, backups and serve of one configuration for tests of starts: <root>/state, backups and
 * serve. Zone "live".
 */
#pragma once

#include <stdatomic.h>

#include "lib/serve/writer.h"
#include "sidecar/journal/backup.h"
#include "sidecar/journal/recover.h"
#include "tests/unit/state_dir.h"

#define RESTORABLE_SIZE (16u << 20)

struct restorable {
	struct state_dir at;
	char serve_dir[80], backup_dir[80];
	struct zone zone;
	struct config config;
	struct state *state;
};

static inline void
restorable_init(struct restorable *all)
{
	*all = (struct restorable){ .zone.key = unit_key("live") };
	state_dir_init(&all->at);
	snprintf(all->serve_dir, sizeof(all->serve_dir), "%s/serve", all->at.root);
	snprintf(all->backup_dir, sizeof(all->backup_dir), "%s/backups", all->at.root);
	all->config = (struct config){
		.store = { .state = all->at.dir,
			.serve = all->serve_dir,
			.size_limit = RESTORABLE_SIZE },
		.backup = { .directory = all->backup_dir, .count = 9 },
		.zones = { .zone = &all->zone, .count = 1 },
	};
}

static inline void
restorable_open(struct restorable *all)
{
	struct reason reason;

	if (state_open(all->at.dir, RESTORABLE_SIZE, &all->state, &reason) != STATUS_OK)
		fail_msg("%s", reason.text);
}

static inline void
restorable_close(struct restorable *all)
{
	state_close(all->state);
	all->state = NULL;
}

static inline int
restorable_done(struct restorable *all)
{
	restorable_close(all);
	return state_dir_done(&all->at);
}

/* Puts an RRset, or with `deleted` removes it; its zone counts it, or (apex NULL) is not told. */
static inline void
restorable_write(struct restorable *all, const char *owner, uint64_t revision,
	bool deleted, const struct name_key *apex)
{
	const struct state_record record = record_of(owner, RRSET_A, "ci", revision);
	const struct name_key *key = &record.rrset.owner;
	const struct state_log_item item = { deleted, RRSET_A, *key };
	struct state_txn *txn;

	assert_int_equal(state_begin_write(all->state, &txn, NULL), STATUS_OK);
	assert_int_equal(deleted ? state_delete(txn, apex, key, RRSET_A, revision, NULL)
				 : state_put(txn, apex, &record, NULL),
		STATUS_OK);
	assert_int_equal(state_log_append(txn, revision, &item, 1, NULL), STATUS_OK);
	assert_int_equal(state_set_revision(txn, revision, NULL), STATUS_OK);
	assert_int_equal(state_commit(txn, NULL), STATUS_OK);
}

static inline void
restorable_back_up(struct restorable *all)
{
	static const atomic_bool is_over;
	const struct backup_order order = { all->state, all->backup_dir, 9, &is_over, false };
	struct backup_verdict verdict;
	struct backup_file file;
	struct reason reason;

	if (backup_make(&order, &file, &verdict, &reason) != STATUS_OK)
		fail_msg("%s", reason.text);
}

/* Without a name, but with a revision. */
static inline void
restorable_serve(struct restorable *all, uint64_t revision)
{
	const struct serve_meta meta = { .revision = revision,
		.instance = "instance-of-test" };
	struct serve_writer *writer;
	struct serve_txn *txn;
	struct reason reason;

	assert_int_equal(
		serve_writer_create(all->serve_dir, RESTORABLE_SIZE, &writer, &reason),
		0);
	assert_int_equal(serve_writer_begin(writer, &txn, &reason), STATUS_OK);
	assert_int_equal(serve_writer_put_meta(txn, &meta, &reason), STATUS_OK);
	assert_int_equal(serve_writer_commit(txn, &reason), STATUS_OK);
	assert_int_equal(serve_writer_publish(writer, &reason), STATUS_OK);
	serve_writer_close(writer);
}

static inline bool
restorable_has(struct restorable *all, const char *owner)
{
	const struct name_key key = unit_key(owner);
	struct state_record record;
	struct state_txn *txn;
	int status;

	assert_int_equal(state_begin_read(all->state, &txn, NULL), STATUS_OK);
	status = state_get(txn, &key, RRSET_A, &record, NULL);
	state_abort(txn);
	return status == STATUS_OK;
}

static inline int
restorable_take_alarm(void *context, const char *name, size_t name_len, const char *text,
	size_t text_len, uint64_t raised_ms, struct reason *reason)
{
	(void)raised_ms;
	(void)reason;
	if (name_len == strlen(RECOVER_ALARM)
		&& memcmp(name, RECOVER_ALARM, name_len) == 0)
		snprintf(context, STATE_ALARM_TEXT_MAX + 1, "%.*s", (int)text_len, text);
	return STATUS_OK;
}

/* What the alarm of a restore says; "" when it does not stand. */
static inline void
restorable_read_alarm(struct restorable *all, char out[STATE_ALARM_TEXT_MAX + 1])
{
	struct state_txn *txn;

	out[0] = '\0';
	assert_int_equal(state_begin_read(all->state, &txn, NULL), STATUS_OK);
	assert_int_equal(
		state_walk_alarms(txn, restorable_take_alarm, out, NULL), STATUS_OK);
	state_abort(txn);
}
