/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What changed, from what to what, when, by whom: read from the journal, a bounded piece of it
 * for each request. And the way back.
 */
#include "sidecar/api/routes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/duration.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "sidecar/api/api.h"
#include "sidecar/api/api_body.h"
#include "sidecar/http/http.h"
#include "sidecar/journal/history.h"
#include "sidecar/journal/journal_reader.h"
#include "sidecar/journal/rollback.h"
#include "sidecar/json/json_writer.h"
#include "sidecar/json/rrset_json.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX 1000
#define READ_MAX (32u << 20)  /* bytes of journal that one request reads */
#define REPLY_MAX (8u << 20)  /* bytes of JSON, about */
#define GAPS_MAX 16           /* listed in one reply */

/* A place in the journal: an RRset of a revision, or a time. */
struct place {
	bool is_given, is_time;
	uint64_t revision, wall_ms;
	uint64_t items; /* RRsets of the revision behind that one which are passed over */
};

struct query {
	struct place since, until;
	bool has_name, has_zone;
	struct name_key name, zone;
	uint16_t type; /* 0: all */
	uint64_t limit;
	/* the reply */
	uint64_t count, bytes;
	struct journal_entry gap[GAPS_MAX];
	size_t gaps;
	bool has_more;
	struct place next;
};

static bool read_query(struct api_call *call, struct query *query);
static bool read_place(struct api_call *call, const char *key, struct place *out);
static bool read_limit(struct api_call *call, uint64_t *out);
static uint64_t first_revision(struct api_call *call, const struct query *query);
static int read_journal(struct api_call *call, struct query *query, struct json_writer *json,
	struct reason *reason);
static bool is_behind(const struct query *query, const struct journal_entry *entry);
static bool is_wanted(const struct api_call *call, const struct query *query,
	const struct journal_entry *entry);
static void write_end(struct api_call *call, const struct query *query, struct json_writer *json);
static void write_value(
	struct json_writer *json, const char *key, const struct state_record *record);
static bool read_rollback(struct api_call *call, struct rollback_settings *settings);
static void free_rollback(void *data);
static void submit(struct api_call *call, struct rollback *rollback, bool force);
static void finish_rollback(struct api_call *call, const struct change *change,
	const struct change_result *result, bool is_done);

/* --- history --- */

void
api_history_get(struct api_call *call)
{
	struct json_writer json = { .out = &call->reply->body };
	struct query *query = calloc(1, sizeof(*query));
	struct reason reason = { "" };
	int status;

	if (!query) {
		problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	if (read_query(call, query)) {
		json_writer_begin(&json, '{');
		json_writer_member_begin(&json, "changes", '[');
		status = read_journal(call, query, &json, &reason);
		json_writer_end(&json, ']');
		write_end(call, query, &json);
		json_writer_end(&json, '}');
		if (status)
			api_fail(call, status, &reason, NULL);
	}
	free(query);
}

static bool
read_query(struct api_call *call, struct query *query)
{
	const char *name = http_uri_parameter(call->request, "name");
	const char *type = http_uri_parameter(call->request, "type");

	query->has_name = name != NULL;
	return (!name
		       || (api_read_name(call, name, "?name", &query->name)
			       && api_authorise(call, CREDENTIALS_READ, &query->name, 0)))
	       && (!type || api_read_type(call, type, "?type", &query->type))
	       && api_history_read_zone(call, &query->zone, &query->has_zone)
	       && read_place(call, "since", &query->since)
	       && read_place(call, "until", &query->until) && read_limit(call, &query->limit);
}

bool
api_history_read_zone(struct api_call *call, struct name_key *out, bool *out_is_given)
{
	const char *text = http_uri_parameter(call->request, "zone");

	*out_is_given = text != NULL;
	*out = (struct name_key){ 0 };
	return !text
	       || (api_read_name(call, text, "?zone", out)
		       && api_authorise(call, CREDENTIALS_READ, out, 0));
}

/* A revision ("4711", or "4711.20": and 20 RRsets of the next one), a time, or how long ago. */
static bool
read_place(struct api_call *call, const char *key, struct place *out)
{
	const char *text = http_uri_parameter(call->request, key);
	struct reason reason = { "" };
	uint64_t ago_ms;
	char path[16], *end;

	if (!text)
		return true;
	out->is_given = true;
	if (*text >= '0' && *text <= '9' && strlen(text) <= 30) {
		out->revision = strtoull(text, &end, 10);
		if (*end == '.' && end[1] >= '0' && end[1] <= '9')
			out->items = strtoull(end + 1, &end, 10);
		if (*end == '\0')
			return true;
	}
	out->is_time = true;
	if (duration_read_time(text, &out->wall_ms, &reason) == 0)
		return true;
	if (duration_read(text, &ago_ms, &reason) == 0) {
		out->wall_ms = clock_wall_ms() - ago_ms;
		return true;
	}
	snprintf(path, sizeof(path), "?%s", key);
	problem_set(call->reply, PROBLEM_BAD_REQUEST, path,
		"needs a revision, a time such as 2026-01-31T12:00:00Z, or a duration such as 2h");
	return false;
}

static bool
read_limit(struct api_call *call, uint64_t *out)
{
	const char *text = http_uri_parameter(call->request, "limit");

	*out = LIMIT_DEFAULT;
	if (!text)
		return true;
	*out = strtoull(text, NULL, 10);
	if (*text && strlen(text) <= 4 && strspn(text, "0123456789") == strlen(text) && *out > 0
		&& *out <= LIMIT_MAX)
		return true;
	problem_set(call->reply, PROBLEM_BAD_REQUEST, "?limit",
		"a whole number from 1 to %d is needed", LIMIT_MAX);
	return false;
}

static int
read_journal(struct api_call *call, struct query *query, struct json_writer *json,
	struct reason *reason)
{
	struct journal_reader *reader = NULL;
	struct journal_entry entry;
	int status = journal_reader_open(call->settings->config->store.state,
		first_revision(call, query), &reader, reason);

	while (status == STATUS_OK) {
		status = journal_reader_next(reader, &entry, reason);
		if (status != STATUS_OK || entry.event == JOURNAL_END || is_behind(query, &entry))
			break;
		if (entry.event == JOURNAL_GAP) {
			if (query->gaps < GAPS_MAX)
				query->gap[query->gaps++] = entry;
			continue;
		}
		if (query->count == query->limit || query->bytes >= REPLY_MAX
			|| journal_reader_bytes(reader) >= READ_MAX) {
			query->has_more = true;
			query->next = (struct place){ .revision = entry.revision - 1,
				.items = entry.index };
			break;
		}
		if (!is_wanted(call, query, &entry))
			continue;
		query->count++;
		query->bytes += api_history_size(&entry);
		json_writer_begin(json, '{');
		json_writer_member_number(json, "revision", entry.revision);
		api_history_write_head(json, &entry);
		api_history_write_item(json, &entry);
		json_writer_end(json, '}');
	}
	journal_reader_close(reader);
	return status;
}

/* Without `since` all that there is; with a time the segments that are older are not read. */
static uint64_t
first_revision(struct api_call *call, const struct query *query)
{
	struct journal_segments segments;
	uint64_t revision = query->since.revision;

	if (query->since.is_given && !query->since.is_time)
		return revision;
	if (journal_reader_list(call->settings->config->store.state, &segments, NULL) != STATUS_OK)
		return 0;
	revision = segments.segment[0].base;
	for (size_t i = 0; query->since.is_time && i + 1 < segments.count; i++)
		if (segments.segment[i].changed_ms < query->since.wall_ms)
			revision = segments.segment[i + 1].base;
	free(segments.segment);
	return revision;
}

static bool
is_behind(const struct query *query, const struct journal_entry *entry)
{
	const struct place *until = &query->until;

	if (!until->is_given || entry->event == JOURNAL_GAP)
		return false;
	return until->is_time ? entry->wall_ms > until->wall_ms : entry->revision > until->revision;
}

static bool
is_wanted(const struct api_call *call, const struct query *query,
	const struct journal_entry *entry)
{
	const struct place *since = &query->since;

	if (since->is_time ? entry->wall_ms < since->wall_ms
			   : entry->revision == since->revision + 1 && entry->index < since->items)
		return false;
	if (query->type && query->type != entry->type)
		return false;
	if (query->has_name
		&& (query->name.len != entry->owner.len
			|| memcmp(query->name.bytes, entry->owner.bytes, entry->owner.len) != 0))
		return false;
	if (query->has_zone && !api_history_is_in_zone(call, &query->zone, &entry->owner))
		return false;
	/* a token sees its own zones only */
	return authorize_name(&call->caller, CREDENTIALS_READ, &entry->owner, 0, NULL);
}

bool
api_history_is_in_zone(
	const struct api_call *call, const struct name_key *zone, const struct name_key *owner)
{
	const struct zone *live = zones_match(call->zones, owner);

	if (owner->len < zone->len || memcmp(owner->bytes, zone->bytes, zone->len) != 0)
		return false;
	return !live || live->key.len <= zone->len;
}

/* Where the next piece begins, how far back the journal goes, and what is missing in it. */
static void
write_end(struct api_call *call, const struct query *query, struct json_writer *json)
{
	struct journal_status status;
	char text[64];

	journal_read_status(history_journal(call->api->history), &status);
	json_writer_member_number(json, "revision", status.last);
	json_writer_member_number(json, "oldest", status.oldest);
	json_writer_member_begin(json, "gaps", '[');
	for (size_t i = 0; i < query->gaps; i++) {
		json_writer_begin(json, '{');
		json_writer_member_number(json, "from", query->gap[i].previous + 1);
		json_writer_member_number(json, "to", query->gap[i].revision);
		json_writer_end(json, '}');
	}
	json_writer_end(json, ']');
	if (!query->has_more)
		return;
	snprintf(text, sizeof(text), query->next.items ? "%" PRIu64 ".%" PRIu64 : "%" PRIu64,
		query->next.revision, query->next.items);
	json_writer_member(json, "next", text);
}

void
api_history_write_head(struct json_writer *json, const struct journal_entry *entry)
{
	static const char *const verbs[JOURNAL_VERBS] = {
		[JOURNAL_ITEMS] = "write",
		[JOURNAL_SOURCE] = "source",
		[JOURNAL_ZONE] = "zone",
		[JOURNAL_RESTORE] = "restore",
		[JOURNAL_EXPIRE] = "expire",
		[JOURNAL_ROLLBACK] = "rollback",
	};
	char text[DURATION_TEXT_MAX];

	duration_write_time(entry->wall_ms, text);
	json_writer_member(json, "time", text);
	json_writer_member(json, "caller", entry->caller);
	json_writer_member(json, "verb", verbs[entry->verb]);
}

void
api_history_write_item(struct json_writer *json, const struct journal_entry *entry)
{
	rrset_json_write_name(json, "name", &entry->owner);
	rrset_json_write_type(json, entry->type);
	json_writer_member(json, "op",
		!entry->has_before	 ? "add"
			: entry->has_after ? "change"
					   : "delete");
	if (entry->has_before)
		write_value(json, "before", &entry->before);
	if (entry->has_after)
		write_value(json, "after", &entry->after);
}

static void
write_value(struct json_writer *json, const char *key, const struct state_record *record)
{
	char text[DURATION_TEXT_MAX];

	json_writer_member_begin(json, key, '{');
	rrset_json_write_data(json, &record->rrset);
	json_writer_key(json, "source");
	json_writer_string_n(json, record->source, record->source_len);
	if (record->lease_ms) {
		duration_write(record->lease_ms, text);
		json_writer_member(json, "lease", text);
	}
	if (record->expires_ms == STATE_LEASE_OVER)
		json_writer_member_bool(json, "expired", true);
	json_writer_end(json, '}');
}

uint64_t
api_history_size(const struct journal_entry *entry)
{
	return 400 + 4 * ((uint64_t)entry->before.rrset.rdata_len + entry->after.rrset.rdata_len);
}

/* --- rollback --- */

void
api_history_rollback(struct api_call *call)
{
	struct rollback_settings settings = {
		.state_dir = call->settings->config->store.state,
		.journal = history_journal(call->api->history),
		.caller = &call->caller,
	};
	struct rollback *rollback = NULL;
	struct reason reason = { "" };
	int status;

	if (!read_rollback(call, &settings))
		return;
	status = rollback_new(&settings, &rollback, &reason);
	call->data = rollback;
	call->free_data = free_rollback;
	if (status == STATUS_NOT_FOUND || status == STATUS_TOO_LARGE)
		problem_set(call->reply, PROBLEM_INVALID, "revision", "%s", reason.text);
	else if (status)
		api_fail(call, status, &reason, NULL);
	else
		submit(call, rollback, settings.force);
}

static void
free_rollback(void *data)
{
	rollback_free(data);
}

static bool
read_rollback(struct api_call *call, struct rollback_settings *settings)
{
	struct json_members members;
	struct json_value zone;
	struct reason reason = { "" };
	const char *text;
	char name[PRESENTATION_NAME_MAX];
	size_t len;

	if (!api_body_view(call, &text, &len))
		return false;
	if (json_read(text, len, &members, &reason) != 0) {
		problem_set(call->reply, PROBLEM_BAD_REQUEST, NULL, "%s", reason.text);
		return false;
	}
	for (size_t i = 0; i < members.count; i++) {
		const struct json_value key = members.member[i].key;

		if ((key.len == 8 && memcmp(key.at, "revision", 8) == 0)
			|| (key.len == 4 && memcmp(key.at, "zone", 4) == 0))
			continue;
		problem_set(call->reply, PROBLEM_BAD_REQUEST, NULL, "unknown key \"%.*s\"",
			(int)key.len, key.at);
		return false;
	}
	if (!json_get_number(&members, "revision", &settings->revision)) {
		problem_set(call->reply, PROBLEM_BAD_REQUEST, "revision",
			"the revision to go back to, a whole number, is needed");
		return false;
	}
	settings->has_zone = json_find(&members, "zone", &zone);
	if (settings->has_zone && !json_get_text(&members, "zone", name, sizeof(name))) {
		problem_set(call->reply, PROBLEM_BAD_REQUEST, "zone", "a zone is a name, a string");
		return false;
	}
	if (settings->has_zone && !api_read_name(call, name, "zone", &settings->zone))
		return false;
	if (settings->has_zone && !zones_find(call->zones, &settings->zone)) {
		problem_set(call->reply, PROBLEM_INVALID, "zone", "%s is not a live zone", name);
		return false;
	}
	return api_read_flag(call, "force", &settings->force);
}

static void
submit(struct api_call *call, struct rollback *rollback, bool force)
{
	static const struct api_places places = { 0 };
	struct change *change = change_new(CHANGE_ROLLBACK);

	if (!change) {
		problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	rollback_attach(rollback, change);
	change->force = force;
	if (api_read_flag(call, "dry-run", &change->dry_run))
		api_submit(call, change, &places, finish_rollback);
	else
		change_free(change);
}

static void
finish_rollback(struct api_call *call, const struct change *change,
	const struct change_result *result, bool is_done)
{
	struct json_writer json;

	if (!is_done)
		return;
	api_begin_written(call, result, &json);
	json_writer_member_bool(&json, "dry-run", change->dry_run);
	api_write_counts(&json, result);
	api_sources_write_difference(&json, change, result);
	json_writer_end(&json, '}');
}
