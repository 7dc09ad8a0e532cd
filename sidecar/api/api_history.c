/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What changed, from what to what, when, by whom: read from the journal, a bounded piece of it
 * for each request. The feed of changes, for those who follow. And the way back.
 */
#include "sidecar/api/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/duration.h"
#include "lib/base/status.h"
#include "sidecar/journal/history.h"
#include "sidecar/journal/journal_reader.h"
#include "sidecar/json/json_writer.h"

#define LIMIT_MAX 1000
#define READ_MAX (32u << 20) /* bytes of journal that one request reads behind its first RRset */
#define REPLY_MAX (8u << 20) /* bytes of JSON, about */
#define GAPS_MAX 16          /* listed in one reply */

#define FEED_REVISIONS_MAX 1000      /* in one reply */
#define FEED_WAIT_MAX_MS 60000
#define FEED_VALUES_MAX (4u << 20)   /* bytes of JSON with values in one reply, about */
#define FEED_READ_MAX (8u << 20)     /* of the journal for it, likewise, visible or not */
#define FEED_VALUES_RESET (32u << 20) /* one revision that has more is a reset */
#define FEED_BEHIND_MS 20            /* the journal is a moment behind state */

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

/* The reply of the feed; kept over its waits. */
struct feed {
	struct api_call *call;
	uint64_t since, until_ms;
	bool has_values, has_zone;
	struct name_key zone;
	bool is_late; /* the journal had a moment more */
	struct json_writer json;
	uint64_t upto; /* what DNS has seen; later entries wait for the next call */
	uint64_t revision;
	size_t count;
	uint64_t bytes, read; /* with values: written, and looked at for that */
	bool is_reset, is_behind;
};

static bool read_zone(struct api_call *call, struct name_key *out, bool *out_is_given);
static bool read_query(struct api_call *call, struct query *query);
static bool read_place(struct api_call *call, const char *key, struct place *out);
static uint64_t first_revision(struct api_call *call, const struct query *query);
static int read_journal(struct api_call *call, struct query *query, struct json_writer *json,
	struct reason *reason);
static bool is_behind(const struct query *query, const struct journal_entry *entry);
static bool is_of_earlier_piece(const struct query *query, const struct journal_entry *entry);
static bool is_wanted(const struct api_call *call, const struct query *query,
	const struct journal_entry *entry);
static void write_end(struct api_call *call, const struct query *query, struct json_writer *json);
static bool
is_in_zone(const struct api_call *call, const struct name_key *zone, const struct name_key *owner);
static void write_head(struct json_writer *json, const struct journal_entry *entry);
static void write_item(struct json_writer *json, const struct journal_entry *entry);
static void
write_value(struct json_writer *json, const char *key, const struct state_record *record);
static uint64_t size_of(const struct journal_entry *entry);
static void answer_feed(struct api_call *call);
static void answer_feed_now(struct api_call *call);
static int write_names(void *context, uint64_t revision, bool reset,
	const struct state_log_item *items, size_t count, struct reason *reason);
static bool is_visible(const struct feed *feed, const struct name_key *owner);
static int write_values(struct feed *feed, struct reason *reason);
static int write_revision(struct feed *feed, struct journal_reader *reader,
	struct journal_entry *entry, struct reason *reason);
static void answer_reset(struct api_call *call, uint64_t revision);
static bool read_rollback(struct api_call *call, struct rollback_settings *settings);
static void free_rollback(void *data);

/* --- history --- */

void
api_history_get(struct api_call *call)
{
	struct json_writer json = { .out = &call->reply->body };
	struct query *query = calloc(1, sizeof(*query));
	struct reason reason = { "" };
	int status;

	if (!query) {
		api_no_memory(call);
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
	query->limit = LIMIT_MAX;
	return (!name
		       || (api_read_name(call, name, "?name", &query->name)
			       && api_authorise(call, CREDENTIALS_READ, &query->name, 0)))
	       && (!type || api_read_type(call, type, "?type", &query->type))
	       && read_zone(call, &query->zone, &query->has_zone)
	       && read_place(call, "since", &query->since)
	       && read_place(call, "until", &query->until)
	       && api_read_number(call, "limit", 1, LIMIT_MAX, &query->limit);
}

/* `zone` of the query, whose names the caller may read. */
static bool
read_zone(struct api_call *call, struct name_key *out, bool *out_is_given)
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

static int
read_journal(struct api_call *call, struct query *query, struct json_writer *json,
	struct reason *reason)
{
	struct journal_reader *reader = NULL;
	struct journal_entry entry;
	uint64_t begin = 0; /* bytes that were read when the first of this piece was reached */
	bool has_begun = false;
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
		if (is_of_earlier_piece(query, &entry))
			continue;
		if (query->count == query->limit || query->bytes >= REPLY_MAX
			|| (has_begun && journal_reader_bytes(reader) - begin >= READ_MAX)) {
			query->has_more = true;
			query->next = (struct place){ .revision = entry.revision - 1,
				.items = entry.index };
			break;
		}
		/* each piece passes one RRset at least, however large its revision is */
		if (!has_begun)
			begin = journal_reader_bytes(reader);
		has_begun = true;
		if (!is_wanted(call, query, &entry))
			continue;
		query->count++;
		query->bytes += size_of(&entry);
		json_writer_begin(json, '{');
		json_writer_member_number(json, "revision", entry.revision);
		write_head(json, &entry);
		write_item(json, &entry);
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

/* Is it one of the RRsets of its revision that `since` passes over? */
static bool
is_of_earlier_piece(const struct query *query, const struct journal_entry *entry)
{
	const struct place *since = &query->since;

	return !since->is_time && entry->revision == since->revision + 1
	       && entry->index < since->items;
}

static bool
is_wanted(const struct api_call *call, const struct query *query,
	const struct journal_entry *entry)
{
	if (query->since.is_time && entry->wall_ms < query->since.wall_ms)
		return false;
	if (query->type && query->type != entry->type)
		return false;
	if (query->has_name
		&& (query->name.len != entry->owner.len
			|| memcmp(query->name.bytes, entry->owner.bytes, entry->owner.len) != 0))
		return false;
	if (query->has_zone && !is_in_zone(call, &query->zone, &entry->owner))
		return false;
	/* a token sees its own zones only */
	return authorize_name(&call->caller, CREDENTIALS_READ, &entry->owner, 0, NULL);
}

/* Is the name in that zone, and not in a live zone inside it? */
static bool
is_in_zone(const struct api_call *call, const struct name_key *zone, const struct name_key *owner)
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

/* The members time, caller and verb of a revision. */
static void
write_head(struct json_writer *json, const struct journal_entry *entry)
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

/* The members name, type, op, before and after of an RRset. */
static void
write_item(struct json_writer *json, const struct journal_entry *entry)
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
	json_writer_member_begin(json, key, '{');
	rrset_json_write_value(json, &record->rrset, record->source, record->source_len,
		record->lease_ms);
	if (record->expires_ms == STATE_LEASE_OVER)
		json_writer_member_bool(json, "expired", true);
	json_writer_end(json, '}');
}

/* About how many bytes of JSON these are. */
static uint64_t
size_of(const struct journal_entry *entry)
{
	return 400 + 4 * ((uint64_t)entry->before.rrset.rdata_len + entry->after.rrset.rdata_len);
}

/* --- the feed --- */

void
api_history_changes(struct api_call *call)
{
	struct feed *feed = calloc(1, sizeof(*feed));
	uint64_t wait_ms = 0;

	call->data = feed;
	call->free_data = free;
	if (!feed) {
		api_no_memory(call);
		return;
	}
	feed->call = call;
	if (!http_uri_parameter(call->request, "since")) {
		problem_set(call->reply, PROBLEM_BAD_REQUEST, "?since", "the revision is missing");
		return;
	}
	if (api_read_number(call, "since", 0, INT64_MAX, &feed->since)
		&& api_read_flag(call, "values", &feed->has_values)
		&& read_zone(call, &feed->zone, &feed->has_zone)
		&& api_read_duration(call, "wait", 0, FEED_WAIT_MAX_MS, &wait_ms)) {
		feed->until_ms = clock_read_ms(CLOCK_MONOTONIC) + wait_ms;
		answer_feed(call);
	}
}

/* At once, and after each wait. */
static void
answer_feed(struct api_call *call)
{
	struct feed *feed = call->data;
	struct writer_status writer;

	writer_read_status(call->api->writer, &writer);
	if (!feed->is_late && writer.state_revision <= feed->since
		&& clock_read_ms(CLOCK_MONOTONIC) < feed->until_ms
		&& !http_must_end(call->request)) {
		api_wait(call, feed->since, feed->until_ms, answer_feed);
		return;
	}
	feed->json = (struct json_writer){ .out = &call->reply->body };
	feed->upto = writer.state_revision;
	feed->revision = feed->since;
	if (feed->has_values)
		api_work(call, answer_feed_now); /* the journal is on a disk */
	else
		answer_feed_now(call);
}

static void
answer_feed_now(struct api_call *call)
{
	struct feed *feed = call->data;
	struct json_writer *json = &feed->json;
	struct state_meta meta;
	struct reason reason = { "" };
	int status;

	if (!api_begin_read(call, &meta))
		return;
	if (feed->since > meta.revision) {
		answer_reset(call, meta.revision);
		return;
	}
	if (feed->upto > meta.revision)
		feed->upto = meta.revision;
	json_writer_begin(json, '{');
	json_writer_member_begin(json, "changes", '[');
	status = feed->has_values ? write_values(feed, &reason)
				  : state_walk_log(call->txn, feed->since, FEED_REVISIONS_MAX,
					    write_names, feed, &reason);
	if (feed->is_behind && feed->count == 0 && !feed->is_late) {
		feed->is_late = true;
		state_abort(call->txn);
		call->txn = NULL;
		buffer_clear(&call->reply->body);
		api_wait(call, UINT64_MAX, clock_read_ms(CLOCK_MONOTONIC) + FEED_BEHIND_MS,
			answer_feed);
		return;
	}
	if (status == STATUS_NOT_FOUND || feed->is_reset) {
		answer_reset(call, meta.revision);
		return;
	}
	if (status) {
		api_fail(call, status, &reason, NULL);
		return;
	}
	/* all there is: revisions without an entry are passed over too */
	if (feed->count < FEED_REVISIONS_MAX && feed->bytes < FEED_VALUES_MAX
		&& feed->read < FEED_READ_MAX && !feed->is_behind && feed->upto > feed->revision)
		feed->revision = feed->upto;
	json_writer_end(json, ']');
	json_writer_member_number(json, "revision", feed->revision);
	json_writer_member_bool(json, "reset", false);
	json_writer_end(json, '}');
}

static int
write_names(void *context, uint64_t revision, bool reset, const struct state_log_item *items,
	size_t count, struct reason *reason)
{
	struct feed *feed = context;
	struct json_writer *json = &feed->json;

	(void)reason;
	if (revision > feed->upto)
		return 0;
	feed->is_reset |= reset;
	feed->revision = revision;
	feed->count++;
	json_writer_begin(json, '{');
	json_writer_member_number(json, "revision", revision);
	json_writer_member_begin(json, "changes", '[');
	for (size_t i = 0; i < count; i++) {
		if (!is_visible(feed, &items[i].owner))
			continue;
		json_writer_begin(json, '{');
		rrset_json_write_name(json, "name", &items[i].owner);
		rrset_json_write_type(json, items[i].type);
		json_writer_member(json, "op", items[i].deleted ? "delete" : "put");
		json_writer_end(json, '}');
	}
	json_writer_end(json, ']');
	json_writer_end(json, '}');
	return 0;
}

/* A token sees its own zones only. */
static bool
is_visible(const struct feed *feed, const struct name_key *owner)
{
	return (!feed->has_zone || is_in_zone(feed->call, &feed->zone, owner))
	       && authorize_name(&feed->call->caller, CREDENTIALS_READ, owner, 0, NULL);
}

/* The same from the journal, which has the values; a gap in it is a reset. */
static int
write_values(struct feed *feed, struct reason *reason)
{
	struct journal_reader *reader = NULL;
	struct journal_entry entry = { .event = JOURNAL_END };
	int status = journal_reader_open(feed->call->settings->config->store.state, feed->since,
		&reader, reason);

	if (status == STATUS_OK)
		status = journal_reader_next(reader, &entry, reason);
	while (status == STATUS_OK && entry.event == JOURNAL_CHANGE
		&& entry.revision <= feed->upto && feed->count < FEED_REVISIONS_MAX
		&& feed->bytes < FEED_VALUES_MAX && feed->read < FEED_READ_MAX)
		status = write_revision(feed, reader, &entry, reason);
	feed->is_reset = entry.event == JOURNAL_GAP || feed->bytes >= FEED_VALUES_RESET;
	feed->is_behind = entry.event == JOURNAL_END && entry.revision < feed->upto;
	journal_reader_close(reader);
	return status;
}

/* *entry is its first RRset, and then what follows its last one. */
static int
write_revision(struct feed *feed, struct journal_reader *reader,
	struct journal_entry *entry, struct reason *reason)
{
	const uint64_t revision = entry->revision;
	int status = STATUS_OK;

	feed->revision = revision;
	feed->count++;
	json_writer_begin(&feed->json, '{');
	json_writer_member_number(&feed->json, "revision", revision);
	write_head(&feed->json, entry);
	json_writer_member_begin(&feed->json, "changes", '[');
	while (status == STATUS_OK && entry->event == JOURNAL_CHANGE
		&& entry->revision == revision && feed->bytes < FEED_VALUES_RESET) {
		if (is_visible(feed, &entry->owner)) {
			json_writer_begin(&feed->json, '{');
			write_item(&feed->json, entry);
			json_writer_end(&feed->json, '}');
			feed->bytes += size_of(entry);
		}
		feed->read += size_of(entry);
		status = journal_reader_next(reader, entry, reason);
	}
	json_writer_end(&feed->json, ']');
	json_writer_end(&feed->json, '}');
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
	struct change *change;
	struct reason reason = { "" };
	int status;

	if (!read_rollback(call, &settings))
		return;
	status = history_rollback_new(&settings, &rollback, &reason);
	call->data = rollback;
	call->free_data = free_rollback;
	if (status == STATUS_NOT_FOUND || status == STATUS_TOO_LARGE)
		problem_set(call->reply, PROBLEM_INVALID, "revision", "%s", reason.text);
	else if (status)
		api_fail(call, status, &reason, NULL);
	else if ((change = api_new_change(call, CHANGE_ROLLBACK))) {
		history_rollback_attach(rollback, change);
		change->force = settings.force;
		if (api_read_flag(call, "dry-run", &change->dry_run))
			api_submit(call, NULL);
	}
}

static void
free_rollback(void *data)
{
	history_rollback_free(data);
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
