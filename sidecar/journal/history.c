/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Steps of a plan as items of the journal. Everything here runs on the writer's thread, after
 * its commit, but for alarms, which the journal's thread may raise.
 */
#include "sidecar/journal/history.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/checksum.h"
#include "lib/base/log.h"
#include "lib/base/status.h"
#include "sidecar/journal/journal_reader.h"

struct history {
	struct journal *journal;
	_Atomic(struct writer *) writer; /* known from its first commit on */
};

static struct journal_settings settings_of(const struct config *config);
static void append(void *context, struct writer *writer, const struct write_request *request,
	uint64_t previous, uint64_t now_ms);
static void raise_alarm(void *context, const char *text);
static void end_alarm(struct write_request *request);

int
history_open(struct state *state, const struct config *config, struct history **out,
	struct reason *reason)
{
	const struct journal_settings settings = settings_of(config);
	struct history *history = calloc(1, sizeof(*history));
	struct state_txn *txn = NULL;
	struct state_meta meta;
	int status;

	if (!history)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	status = state_begin_read(state, &txn, reason);
	if (status == STATUS_OK)
		status = state_read_meta(txn, &meta, reason);
	state_abort(txn);
	if (status == STATUS_OK)
		status = journal_open(config->store.state, meta.instance, meta.revision,
			&settings, raise_alarm, history, &history->journal, reason);
	if (status == STATUS_OK)
		*out = history;
	else
		free(history);
	return status;
}

void
history_close(struct history *history)
{
	if (!history)
		return;
	atomic_store(&history->writer, NULL);
	if (journal_close(history->journal))
		free(history);
}

struct writer_hook
history_hook(struct history *history)
{
	return (struct writer_hook){ .commit = append, .context = history };
}

void
history_use(struct history *history, const struct config *config)
{
	const struct journal_settings settings = settings_of(config);

	journal_use(history->journal, &settings);
}

struct journal *
history_journal(struct history *history)
{
	return history->journal;
}

static struct journal_settings
settings_of(const struct config *config)
{
	return (struct journal_settings){ .size = config->history.size,
		.age_ms = config->history.age_ms };
}

static void
append(void *context, struct writer *writer, const struct write_request *request,
	uint64_t previous, uint64_t now_ms)
{
	static const enum journal_verb verbs[] = {
		[CHANGE_ITEMS] = JOURNAL_ITEMS,
		[CHANGE_SOURCE] = JOURNAL_SOURCE,
		[CHANGE_ZONE] = JOURNAL_ZONE,
		[CHANGE_RESTORE] = JOURNAL_RESTORE,
		[CHANGE_EXPIRE] = JOURNAL_EXPIRE,
		[CHANGE_ROLLBACK] = JOURNAL_ROLLBACK,
	};
	struct history *history = context;
	const struct plan *plan = &request->plan;
	const char *caller = request->change->caller.name;
	const struct journal_head head = {
		.previous = previous,
		.revision = request->result.revision,
		.verb = verbs[request->change->kind],
		.caller = caller[0] ? caller : "livezoned",
	};

	atomic_store(&history->writer, writer);
	journal_begin(history->journal, &head);
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_step *step = &plan->step[i];
		struct state_record before, after;
		const bool was = step->verb != PLAN_RENEW && plan_read_before(step, &before);
		const bool is = step->verb != PLAN_RENEW
				&& plan_read_after(step, request->change, now_ms, &after);

		if (was || is)
			journal_add(history->journal, step->owner, step->type,
				was ? &before : NULL, is ? &after : NULL);
	}
	journal_end(history->journal);
}

/* Never waits: the writer's own thread may be the one that found the disk slow. */
static void
raise_alarm(void *context, const char *text)
{
	struct history *history = context;
	struct writer *writer = atomic_load(&history->writer);
	struct change *change = writer ? change_new(CHANGE_ALARM) : NULL;
	struct write_request *request;

	if (!change)
		return;
	change->alarm = JOURNAL_ALARM;
	change->alarm_text = arena_copy(&change->arena, text, strlen(text) + 1);
	if (!change->alarm_text) {
		change_free(change);
		return;
	}
	request = write_request_new(change);
	if (!request)
		return;
	request->done = end_alarm;
	writer_submit(writer, request);
}

static void
end_alarm(struct write_request *request)
{
	if (request->result.outcome != CHANGE_DONE)
		log_line(LOG_LEVEL_WARNING, "journal: the alarm could not be stored: %s",
			request->result.reason.text);
	write_request_free(request);
}

/* --- rollback ---
 *
 * A table of the RRsets that were touched above the revision, by owner and type, each with what
 * it was first and whose writes it got since. */

#define BUCKETS_LEAST 1024

struct undone {
	struct undone *next;
	uint32_t hash;
	bool has_before;
	bool is_foreign; /* `foreign` wrote it since */
	char foreign[STATE_SOURCE_MAX + 1];
	struct state_record before; /* owner and type always; bytes in the arena */
};

struct rollback {
	struct rollback_settings settings;
	struct journal_reader *reader;
	uint64_t seen; /* the last revision that was read */
	bool has_waited; /* the writer's thread, for the journal's disk */
	struct arena arena;
	struct undone **bucket;
	size_t buckets, count;
};

/* One has up to ROLLBACK_MEMORY_MAX, so there is one at a time. */
static atomic_flag is_at_work = ATOMIC_FLAG_INIT;

static int read_on(struct rollback *rollback, struct reason *reason);
static int note(struct rollback *rollback, const struct journal_entry *entry,
	struct reason *reason);
static struct undone *find_or_add(struct rollback *rollback, const struct journal_entry *entry);
static bool copy_before(struct rollback *rollback, const struct journal_entry *entry,
	struct undone *undone);
static bool grow(struct rollback *rollback);
static void note_writer(
	struct rollback *rollback, const struct journal_entry *entry, struct undone *undone);
static bool is_own(const struct caller *caller, const struct state_record *record);
static int prepare(struct change *change, struct state_txn *txn, const struct zones *zones,
	struct change_result *out);
static bool is_in_scope(const struct rollback *rollback, const struct undone *undone,
	const struct zones *zones);
static int add_item(const struct rollback *rollback, const struct undone *undone,
	struct change *change, struct state_txn *txn, struct change_result *out);
static bool is_as_before(const struct undone *undone, const struct state_record *now);

int
history_rollback_new(const struct rollback_settings *settings, struct rollback **out,
	struct reason *reason)
{
	struct rollback *rollback = calloc(1, sizeof(*rollback));
	int status;

	if (!rollback)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (atomic_flag_test_and_set(&is_at_work)) {
		free(rollback);
		return reason_set(reason, STATUS_UNAVAILABLE, "another rollback is at work");
	}
	rollback->settings = *settings;
	rollback->seen = settings->revision;
	journal_flush(settings->journal, ROLLBACK_FLUSH_MS);
	status = journal_reader_open(
		settings->state_dir, settings->revision, &rollback->reader, reason);
	if (status == STATUS_OK)
		status = read_on(rollback, reason);
	if (status == STATUS_OK)
		*out = rollback;
	else
		history_rollback_free(rollback);
	return status;
}

void
history_rollback_free(struct rollback *rollback)
{
	if (!rollback)
		return;
	journal_reader_close(rollback->reader);
	arena_done(&rollback->arena);
	free(rollback->bucket);
	free(rollback);
	atomic_flag_clear(&is_at_work);
}

void
history_rollback_attach(struct rollback *rollback, struct change *change)
{
	change->prepare = prepare;
	change->prepare_context = rollback;
}

/* --- what was --- */

static int
read_on(struct rollback *rollback, struct reason *reason)
{
	const uint64_t to = rollback->settings.revision;
	struct journal_entry entry;
	int status;

	for (;;) {
		status = journal_reader_next(rollback->reader, &entry, reason);
		if (status != STATUS_OK || entry.event == JOURNAL_END)
			return status;
		if (entry.event == JOURNAL_GAP)
			return reason_set(reason, STATUS_NOT_FOUND,
				"the journal cannot bring revision %" PRIu64
				" back: revisions %" PRIu64 " to %" PRIu64
				" are missing in it; the oldest that it can bring back may be "
				"%" PRIu64,
				to, entry.previous + 1, entry.revision, entry.revision);
		rollback->seen = entry.revision;
		status = note(rollback, &entry, reason);
		if (status != STATUS_OK)
			return status;
	}
}

static int
note(struct rollback *rollback, const struct journal_entry *entry, struct reason *reason)
{
	const struct name_key *zone = &rollback->settings.zone;
	struct undone *undone;

	if (rollback->settings.has_zone
		&& (entry->owner.len < zone->len
			|| memcmp(entry->owner.bytes, zone->bytes, zone->len) != 0))
		return STATUS_OK;
	undone = find_or_add(rollback, entry);
	if (!undone)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (rollback->arena.total > ROLLBACK_MEMORY_MAX || rollback->count > CHANGE_ITEMS_MAX)
		return reason_set(reason, STATUS_TOO_LARGE,
			"too much changed since revision %" PRIu64
			" to bring it back in one change: restore a backup, or roll back zone by "
			"zone",
			rollback->settings.revision);
	note_writer(rollback, entry, undone);
	return STATUS_OK;
}

static struct undone *
find_or_add(struct rollback *rollback, const struct journal_entry *entry)
{
	const uint32_t hash = checksum_crc32c_two(entry->owner.bytes, entry->owner.len,
		(const uint8_t *)&entry->type, sizeof(entry->type));
	struct undone *undone;

	if (rollback->count >= rollback->buckets && !grow(rollback))
		return NULL;
	for (undone = rollback->bucket[hash % rollback->buckets]; undone; undone = undone->next) {
		const struct rrset *rrset = &undone->before.rrset;

		if (undone->hash == hash && rrset->type == entry->type
			&& rrset->owner.len == entry->owner.len
			&& memcmp(rrset->owner.bytes, entry->owner.bytes, entry->owner.len) == 0)
			return undone;
	}
	undone = arena_alloc(&rollback->arena, sizeof(*undone));
	if (!undone)
		return NULL;
	*undone = (struct undone){ .hash = hash };
	if (!copy_before(rollback, entry, undone))
		return NULL;
	undone->next = rollback->bucket[hash % rollback->buckets];
	rollback->bucket[hash % rollback->buckets] = undone;
	rollback->count++;
	return undone;
}

static bool
copy_before(
	struct rollback *rollback, const struct journal_entry *entry, struct undone *undone)
{
	struct state_record *before = &undone->before;

	undone->has_before = entry->has_before;
	if (entry->has_before) {
		*before = entry->before;
		before->source =
			arena_copy(&rollback->arena, before->source, before->source_len);
		before->rrset.rdata = arena_copy(
			&rollback->arena, before->rrset.rdata, before->rrset.rdata_len);
		if (!before->source || !before->rrset.rdata)
			return false;
	}
	before->rrset.owner = entry->owner;
	before->rrset.type = entry->type;
	return true;
}

static bool
grow(struct rollback *rollback)
{
	const size_t buckets = rollback->buckets ? 2 * rollback->buckets : BUCKETS_LEAST;
	struct undone **bucket = calloc(buckets, sizeof(struct undone *));

	if (!bucket)
		return false;
	for (size_t i = 0; i < rollback->buckets; i++) {
		struct undone *undone, *next;

		for (undone = rollback->bucket[i]; undone; undone = next) {
			next = undone->next;
			undone->next = bucket[undone->hash % buckets];
			bucket[undone->hash % buckets] = undone;
		}
	}
	free(rollback->bucket);
	rollback->bucket = bucket;
	rollback->buckets = buckets;
	return true;
}

/* Whose write it was: the source that the RRset had after it, or lost by it. */
static void
note_writer(
	struct rollback *rollback, const struct journal_entry *entry, struct undone *undone)
{
	const struct rollback_settings *settings = &rollback->settings;
	const struct state_record *record = entry->has_after ? &entry->after : &entry->before;

	if (settings->force
		|| (entry->verb == JOURNAL_ROLLBACK
			&& strcmp(entry->caller, settings->caller->name) == 0)
		|| is_own(settings->caller, record))
		return;
	undone->is_foreign = true;
	memcpy(undone->foreign, record->source, record->source_len);
	undone->foreign[record->source_len] = '\0';
}

/* Without a token one may write as any source, but means the one that needs no naming. */
static bool
is_own(const struct caller *caller, const struct state_record *record)
{
	if (caller->token)
		return authorize_source(caller, record->source, record->source_len, NULL);
	return record->source_len == strlen(CALLER_SOURCE_DEFAULT)
	       && memcmp(record->source, CALLER_SOURCE_DEFAULT, record->source_len) == 0;
}

/* --- the change, on the writer's thread --- */

static int
prepare(struct change *change, struct state_txn *txn, const struct zones *zones,
	struct change_result *out)
{
	struct rollback *rollback = change->prepare_context;
	struct state_meta meta;
	int status = state_read_meta(txn, &meta, &out->reason);

	if (status != STATUS_OK)
		return status;
	if (rollback->settings.revision > meta.revision) {
		change_refuse(out, CHANGE_NOT_FOUND, CHANGE_WHOLE, NULL,
			"revision %" PRIu64 " has not been reached: the present one is %" PRIu64,
			rollback->settings.revision, meta.revision);
		return STATUS_INVALID;
	}
	/* what was committed a moment ago may still be on its way to the journal; once, as the
	 * change may be prepared again */
	if (rollback->seen != meta.revision
		&& journal_flush(rollback->settings.journal,
			rollback->has_waited ? 0 : ROLLBACK_HOLD_MS)) {
		status = read_on(rollback, &out->reason);
		if (status == STATUS_NOT_FOUND || status == STATUS_TOO_LARGE) {
			out->outcome = CHANGE_INVALID;
			out->item = CHANGE_WHOLE;
			out->field = "revision";
			return STATUS_INVALID;
		}
	}
	rollback->has_waited = true;
	if (status != STATUS_OK)
		return status;
	if (rollback->seen != meta.revision) {
		change_refuse(out, CHANGE_BUSY, CHANGE_WHOLE, NULL,
			"the journal ends at revision %" PRIu64
			", the present one is %" PRIu64 ": its disk is slow or fails",
			rollback->seen, meta.revision);
		return STATUS_INVALID;
	}
	for (size_t i = 0; i < rollback->buckets; i++)
		for (const struct undone *undone = rollback->bucket[i]; undone;
			undone = undone->next) {
			if (!is_in_scope(rollback, undone, zones))
				continue;
			status = add_item(rollback, undone, change, txn, out);
			if (status != STATUS_OK)
				return status;
		}
	return change_check(change, zones, out);
}

/* What lies in no live zone is not served, and cannot be written. */
static bool
is_in_scope(const struct rollback *rollback, const struct undone *undone,
	const struct zones *zones)
{
	const struct name_key *wanted = &rollback->settings.zone;
	const struct zone *zone = zones_match(zones, &undone->before.rrset.owner);

	return zone
	       && (!rollback->settings.has_zone
		       || (zone->key.len == wanted->len
			       && memcmp(zone->key.bytes, wanted->bytes, wanted->len) == 0));
}

static int
add_item(const struct rollback *rollback, const struct undone *undone, struct change *change,
	struct state_txn *txn, struct change_result *out)
{
	const struct rollback_settings *settings = &rollback->settings;
	const struct state_record *before = &undone->before;
	struct change_item *item;
	struct state_record now;
	char text[CHANGE_TEXT_MAX];
	int status = state_get(txn, &before->rrset.owner, before->rrset.type, &now, &out->reason);

	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		return status;
	if (is_as_before(undone, status == STATUS_OK ? &now : NULL))
		return STATUS_OK;
	/* before anything is said about it */
	if (!authorize_name(settings->caller, CREDENTIALS_WRITE, &before->rrset.owner,
		    before->rrset.type, &out->reason)) {
		out->outcome = CHANGE_FORBIDDEN;
		return STATUS_INVALID;
	}
	if (undone->is_foreign) {
		change_describe(&before->rrset.owner, before->rrset.type, text);
		change_refuse(out, CHANGE_CONFLICT, CHANGE_WHOLE, NULL,
			"%s: source \"%s\" wrote it after revision %" PRIu64
			": pass force=true to undo that, too",
			text, undone->foreign, settings->revision);
		memcpy(out->owner, undone->foreign, sizeof(out->owner));
		return STATUS_INVALID;
	}
	item = change_add(change);
	if (!item || change_take_rrset(change, item, &before->rrset) != STATUS_OK)
		return reason_set(&out->reason, STATUS_NO_MEMORY, "out of memory");
	item->is_delete = !undone->has_before;
	item->source = before->source;
	item->source_len = before->source_len;
	item->lease_ms = before->lease_ms;
	item->is_lease_over = before->expires_ms == STATE_LEASE_OVER;
	return STATUS_OK;
}

/* A lease that goes on is the same lease; that it was renewed is not undone. */
static bool
is_as_before(const struct undone *undone, const struct state_record *now)
{
	const struct state_record *before = &undone->before;

	if (!now || !undone->has_before)
		return !now && !undone->has_before;
	return rrset_has_same_data(&now->rrset, &before->rrset)
	       && now->source_len == before->source_len
	       && memcmp(now->source, before->source, now->source_len) == 0
	       && now->lease_ms == before->lease_ms
	       && (now->expires_ms == STATE_LEASE_OVER)
			  == (before->expires_ms == STATE_LEASE_OVER);
}
