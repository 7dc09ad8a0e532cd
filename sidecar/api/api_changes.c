/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What changed after a revision.
 */
#include "sidecar/api/routes.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "sidecar/api/api.h"
#include "sidecar/json/json_writer.h"
#include "sidecar/http/http.h"
#include "sidecar/journal/history.h"
#include "sidecar/journal/journal_reader.h"
#include "sidecar/json/rrset_json.h"

#define REVISIONS_MAX 1000 /* in one reply */
#define WAIT_MAX_MS 60000
#define VALUES_MAX (4u << 20)    /* bytes of JSON with values in one reply, about */
#define VALUES_RESET (32u << 20) /* one revision that has more is a reset */
#define BEHIND_MS 20             /* the journal is a moment behind state */

struct log_context {
	struct api_call *call;
	struct json_writer json;
	uint64_t upto; /* what DNS has seen; later entries wait for the next call */
	uint64_t revision;
	size_t count;
	uint64_t bytes; /* with values */
	bool is_reset, is_behind;
	bool has_values, has_zone;
	struct name_key zone;
};

static bool read_since(struct api_call *call, uint64_t *out);
static bool read_filter(struct log_context *log);
static void answer(struct api_call *call);
static void answer_late(struct api_call *call);
static void answer_now(struct api_call *call, bool is_late);
static int write_entry(void *context, uint64_t revision, bool reset,
	const struct state_log_item *items, size_t count, struct reason *reason);
static void write_item(struct log_context *log, const struct state_log_item *item);
static bool is_visible(const struct log_context *log, const struct name_key *owner);
static int write_values(struct log_context *log, uint64_t since, struct reason *reason);
static int write_revision(struct log_context *log, struct journal_reader *reader,
	struct journal_entry *entry, struct reason *reason);
static void answer_reset(struct api_call *call, uint64_t revision);

void
api_changes_get(struct api_call *call)
{
	struct log_context log = { .call = call };
	uint64_t wait_ms = 0;

	if (read_since(call, &call->wait_above) && read_filter(&log)
		&& api_read_duration(call, "wait", 0, WAIT_MAX_MS, &wait_ms)) {
		call->wait_until_ms = clock_read_ms(CLOCK_MONOTONIC) + wait_ms;
		answer(call);
	}
}

static bool
read_filter(struct log_context *log)
{
	return api_read_flag(log->call, "values", &log->has_values)
	       && api_history_read_zone(log->call, &log->zone, &log->has_zone);
}

/* At once, and after each wait. */
static void
answer(struct api_call *call)
{
	const uint64_t since = call->wait_above;
	struct writer_status writer;

	writer_read_status(call->api->writer, &writer);
	if (writer.state_revision <= since
		&& clock_read_ms(CLOCK_MONOTONIC) < call->wait_until_ms
		&& !http_must_end(call->request)) {
		api_wait(call, since, call->wait_until_ms, answer);
		return;
	}
	answer_now(call, false);
}

/* The journal had a moment more. */
static void
answer_late(struct api_call *call)
{
	answer_now(call, true);
}

static void
answer_now(struct api_call *call, bool is_late)
{
	struct log_context log = { .call = call, .json = { .out = &call->reply->body } };
	struct writer_status writer;
	struct state_meta meta;
	struct reason reason = { "" };
	uint64_t since;
	int status;

	if (!read_since(call, &since) || !read_filter(&log))
		return;
	writer_read_status(call->api->writer, &writer);
	log.revision = since;
	log.upto = writer.state_revision;
	if (!api_begin_read(call, &meta))
		return;
	if (since > meta.revision) {
		answer_reset(call, meta.revision);
		return;
	}
	if (log.upto > meta.revision)
		log.upto = meta.revision;
	json_writer_begin(&log.json, '{');
	json_writer_member_begin(&log.json, "changes", '[');
	status = log.has_values ? write_values(&log, since, &reason)
				: state_walk_log(call->txn, since, REVISIONS_MAX, write_entry,
					  &log, &reason);
	if (log.is_behind && log.count == 0 && !is_late) {
		state_abort(call->txn);
		call->txn = NULL;
		buffer_clear(&call->reply->body);
		api_wait(call, UINT64_MAX, clock_read_ms(CLOCK_MONOTONIC) + BEHIND_MS,
			answer_late);
		return;
	}
	if (status == STATUS_NOT_FOUND || log.is_reset) {
		answer_reset(call, meta.revision);
		return;
	}
	if (status) {
		api_fail(call, status, &reason, NULL);
		return;
	}
	/* all there is: revisions without an entry are passed over too */
	if (log.count < REVISIONS_MAX && log.bytes < VALUES_MAX && !log.is_behind
		&& log.upto > log.revision)
		log.revision = log.upto;
	json_writer_end(&log.json, ']');
	json_writer_member_number(&log.json, "revision", log.revision);
	json_writer_member_bool(&log.json, "reset", false);
	json_writer_end(&log.json, '}');
}

static bool
read_since(struct api_call *call, uint64_t *out)
{
	const char *text = http_uri_parameter(call->request, "since");

	if (text && *text && strlen(text) <= 19
		&& strspn(text, "0123456789") == strlen(text)) {
		*out = strtoull(text, NULL, 10);
		return true;
	}
	problem_set(call->reply, PROBLEM_BAD_REQUEST, "?since", "%s",
		text ? "a revision is a whole number" : "the revision is missing");
	return false;
}

static int
write_entry(void *context, uint64_t revision, bool reset,
	const struct state_log_item *items, size_t count, struct reason *reason)
{
	struct log_context *log = context;

	(void)reason;
	if (revision > log->upto)
		return 0;
	log->is_reset |= reset;
	log->revision = revision;
	log->count++;
	json_writer_begin(&log->json, '{');
	json_writer_member_number(&log->json, "revision", revision);
	json_writer_member_begin(&log->json, "changes", '[');
	for (size_t i = 0; i < count; i++)
		write_item(log, &items[i]);
	json_writer_end(&log->json, ']');
	json_writer_end(&log->json, '}');
	return 0;
}

/* A token sees its own zones only. */
static bool
is_visible(const struct log_context *log, const struct name_key *owner)
{
	return (!log->has_zone || api_history_is_in_zone(log->call, &log->zone, owner))
	       && authorize_name(&log->call->caller, CREDENTIALS_READ, owner, 0, NULL);
}

static void
write_item(struct log_context *log, const struct state_log_item *item)
{
	if (!is_visible(log, &item->owner))
		return;
	json_writer_begin(&log->json, '{');
	rrset_json_write_name(&log->json, "name", &item->owner);
	rrset_json_write_type(&log->json, item->type);
	json_writer_member(&log->json, "op", item->deleted ? "delete" : "put");
	json_writer_end(&log->json, '}');
}

/* The same from the journal, which has the values; a gap in it is a reset. */
static int
write_values(struct log_context *log, uint64_t since, struct reason *reason)
{
	struct journal_reader *reader = NULL;
	struct journal_entry entry = { .event = JOURNAL_END };
	int status = journal_reader_open(
		log->call->settings->config->store.state, since, &reader, reason);

	if (status == STATUS_OK)
		status = journal_reader_next(reader, &entry, reason);
	while (status == STATUS_OK && entry.event == JOURNAL_CHANGE
		&& entry.revision <= log->upto && log->count < REVISIONS_MAX
		&& log->bytes < VALUES_MAX)
		status = write_revision(log, reader, &entry, reason);
	log->is_reset = entry.event == JOURNAL_GAP || log->bytes >= VALUES_RESET;
	log->is_behind = entry.event == JOURNAL_END && entry.revision < log->upto;
	journal_reader_close(reader);
	return status;
}

/* *entry is its first RRset, and then what follows its last one. */
static int
write_revision(struct log_context *log, struct journal_reader *reader,
	struct journal_entry *entry, struct reason *reason)
{
	const uint64_t revision = entry->revision;
	int status = STATUS_OK;

	log->revision = revision;
	log->count++;
	json_writer_begin(&log->json, '{');
	json_writer_member_number(&log->json, "revision", revision);
	api_history_write_head(&log->json, entry);
	json_writer_member_begin(&log->json, "changes", '[');
	while (status == STATUS_OK && entry->event == JOURNAL_CHANGE
		&& entry->revision == revision && log->bytes < VALUES_RESET) {
		if (is_visible(log, &entry->owner)) {
			json_writer_begin(&log->json, '{');
			api_history_write_item(&log->json, entry);
			json_writer_end(&log->json, '}');
			log->bytes += api_history_size(entry);
		}
		status = journal_reader_next(reader, entry, reason);
	}
	json_writer_end(&log->json, ']');
	json_writer_end(&log->json, '}');
	return status;
}

static void
answer_reset(struct api_call *call, uint64_t revision)
{
	struct json_writer json = { .out = &call->reply->body };

	buffer_clear(&call->reply->body);
	json_writer_begin(&json, '{');
	json_writer_member_number(&json, "revision", revision);
	json_writer_member_bool(&json, "reset", true);
	json_writer_member_begin(&json, "changes", '[');
	json_writer_end(&json, ']');
	json_writer_end(&json, '}');
}
