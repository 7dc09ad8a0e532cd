/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Tables of a damaged state, without what is damaged.
 */
#include "sidecar/state/state_salvage.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"

struct walk {
	const struct state_salvage *salvage;
	struct state_meta_record meta;
	bool has_meta;
	uint64_t left_out;      /* values that fail their checks */
	uint64_t records, owned; /* found; as the sources count */
	state_record_fn fn;
	state_alarm_fn alarm_fn;
	void *context;
	/* the log */
	state_log_fn log_fn;
	uint64_t since; /* or the highest revision so far */
	struct state_log_entry log;
};

static MDB_val
val(const struct mdb_image_text *text)
{
	return (MDB_val){ text->len, (void *)(uintptr_t)text->at };
}

static int
visit_meta(void *context, const struct mdb_image_text *key_text,
	const struct mdb_image_text *value_text, struct reason *reason)
{
	struct walk *walk = context;
	MDB_val key = val(key_text), value = val(value_text);

	walk->has_meta = state_decode_meta(&key, &value, &walk->meta, reason) == STATUS_OK;
	return STATUS_OK;
}

int
state_salvage_open(const char *dir, struct state_salvage *out, struct reason *reason)
{
	struct state_salvage salvage = { 0 };
	struct walk walk = { 0 };
	char path[PATH_MAX];
	uint64_t damaged;
	int status;

	if (snprintf(path, sizeof(path), "%s/data.mdb", dir) >= (int)sizeof(path))
		return reason_set(reason, STATUS_INVALID, "%s: path too long", dir);
	status = mdb_image_load(path, &salvage.bytes, &salvage.size, reason);
	if (status == STATUS_OK)
		status = mdb_image_open_damaged(
			salvage.bytes, salvage.size, &salvage.image, reason);
	if (status == STATUS_OK)
		status = mdb_image_walk(&salvage.image, STATE_TABLE_META, STATE_TABLE_META,
			visit_meta, &walk, &damaged, reason);
	if (status != STATUS_OK) {
		state_salvage_close(&salvage);
		return status;
	}
	salvage.has_meta = walk.has_meta;
	if (walk.has_meta)
		salvage.meta = walk.meta.meta;
	*out = salvage;
	return STATUS_OK;
}

void
state_salvage_close(struct state_salvage *salvage)
{
	mdb_image_unload(salvage->bytes, salvage->size);
	*salvage = (struct state_salvage){ 0 };
}

static int
visit_record(void *context, const struct mdb_image_text *key_text,
	const struct mdb_image_text *value_text, struct reason *reason)
{
	struct walk *walk = context;
	MDB_val key = val(key_text), value = val(value_text);
	struct state_record record;
	struct state_source source;

	if (key_text->at[0] == STATE_TABLE_SOURCE) {
		if (state_decode_source(&key, &value, &source, NULL) == STATUS_OK)
			walk->owned += source.rrsets;
		else
			walk->left_out++;
		return STATUS_OK;
	}
	if (state_decode_rrset(&key, &value, &record, NULL) != STATUS_OK) {
		walk->left_out++;
		return STATUS_OK;
	}
	walk->records++;
	return walk->fn(walk->context, &record, reason);
}

int
state_salvage_walk(const struct state_salvage *salvage, state_record_fn fn, void *context,
	bool *out_is_complete, struct reason *reason)
{
	struct walk walk = { .salvage = salvage, .fn = fn, .context = context };
	uint64_t damaged;
	/* R and S are neighbours */
	int status = mdb_image_walk(&salvage->image, STATE_TABLE_RRSET, STATE_TABLE_SOURCE,
		visit_record, &walk, &damaged, reason);

	*out_is_complete = status == STATUS_OK && damaged == 0 && walk.left_out == 0
		&& walk.records == walk.owned && salvage->has_meta;
	return status;
}

static int
check_alarm(void *context, const char *name, size_t name_len, const char *text, size_t text_len,
	uint64_t raised_ms, struct reason *reason)
{
	(void)context;
	(void)name;
	(void)text;
	(void)raised_ms;
	(void)reason;
	return name_len <= STATE_ALARM_NAME_MAX && text_len <= STATE_ALARM_TEXT_MAX
		? STATUS_OK : STATUS_CORRUPT;
}

static int
visit_alarm(void *context, const struct mdb_image_text *key_text,
	const struct mdb_image_text *value_text, struct reason *reason)
{
	const struct walk *walk = context;
	MDB_val key = val(key_text), value = val(value_text);

	if (state_give_alarm(&key, &value, check_alarm, NULL, NULL) != STATUS_OK)
		return STATUS_OK;
	return state_give_alarm(&key, &value, walk->alarm_fn, walk->context, reason);
}

int
state_salvage_walk_alarms(const struct state_salvage *salvage, state_alarm_fn fn,
	void *context, struct reason *reason)
{
	struct walk walk = { .alarm_fn = fn, .context = context };
	uint64_t damaged;

	return mdb_image_walk(&salvage->image, STATE_TABLE_ALARM, STATE_TABLE_ALARM, visit_alarm,
		&walk, &damaged, reason);
}

static int
visit_revision(void *context, const struct mdb_image_text *key_text,
	const struct mdb_image_text *value_text, struct reason *reason)
{
	struct walk *walk = context;
	MDB_val key = val(key_text), value = val(value_text);
	struct state_record record = { .revision = 0 };
	struct state_source source = { .revision = 0 };
	struct state_zone zone = { .revision = 0 };
	uint64_t revision = 0;

	(void)reason;
	switch (key_text->at[0]) {
	case STATE_TABLE_LOG:
		if (state_decode_log(&key, &value, &walk->log, NULL) == STATUS_OK)
			revision = walk->log.revision;
		break;
	case STATE_TABLE_RRSET:
		if (state_decode_rrset(&key, &value, &record, NULL) == STATUS_OK)
			revision = record.revision;
		break;
	case STATE_TABLE_SOURCE:
		if (state_decode_source(&key, &value, &source, NULL) == STATUS_OK)
			revision = source.revision;
		break;
	case STATE_TABLE_ZONE:
		if (state_decode_zone(&key, &value, &zone, NULL) == STATUS_OK)
			revision = zone.revision;
		break;
	default:
		break;
	}
	if (revision > walk->since)
		walk->since = revision;
	return STATUS_OK;
}

int
state_salvage_revision(const struct state_salvage *salvage, uint64_t *out,
	struct reason *reason)
{
	struct walk walk = { .since = salvage->has_meta ? salvage->meta.revision : 0,
		.log.items = malloc(STATE_LOG_ITEMS_MAX * sizeof(struct state_log_item)) };
	uint64_t damaged;
	int status = walk.log.items
		? mdb_image_walk(&salvage->image, STATE_TABLE_LOG, STATE_TABLE_ZONE,
			  visit_revision, &walk, &damaged, reason)
		: reason_set(reason, STATUS_NO_MEMORY, "out of memory");

	free(walk.log.items);
	if (status == STATUS_OK)
		*out = walk.since;
	return status;
}

static int
visit_log(void *context, const struct mdb_image_text *key_text,
	const struct mdb_image_text *value_text, struct reason *reason)
{
	struct walk *walk = context;
	MDB_val key = val(key_text), value = val(value_text);

	if (state_decode_log(&key, &value, &walk->log, NULL) != STATUS_OK
		|| walk->log.revision <= walk->since)
		return STATUS_OK;
	return walk->log_fn(walk->context, walk->log.revision, walk->log.is_reset,
		walk->log.items, walk->log.count, reason);
}

int
state_salvage_walk_log(const struct state_salvage *salvage, uint64_t since, state_log_fn fn,
	void *context, struct reason *reason)
{
	struct walk walk = { .log_fn = fn, .context = context, .since = since,
		.log.items = malloc(STATE_LOG_ITEMS_MAX * sizeof(struct state_log_item)) };
	uint64_t damaged;
	int status = walk.log.items
		? mdb_image_walk(&salvage->image, STATE_TABLE_LOG, STATE_TABLE_LOG, visit_log,
			  &walk, &damaged, reason)
		: reason_set(reason, STATUS_NO_MEMORY, "out of memory");

	free(walk.log.items);
	return status;
}
