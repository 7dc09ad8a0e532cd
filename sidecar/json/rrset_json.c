/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * RRsets in and out of JSON.
 */
#include "sidecar/json/rrset_json.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/duration.h"
#include "lib/dns/presentation.h"
#include "lib/dns/rdata.h"
#include "lib/base/status.h"
#include "sidecar/api/api.h"
#include "sidecar/json/json_writer.h"
#include "sidecar/json/json.h"

enum key {
	KEY_NAME,
	KEY_TYPE,
	KEY_TTL,
	KEY_RECORDS,
	KEY_SOURCE,
	KEY_LEASE,
	KEY_REVISION,
	KEY_LEASE_LEFT,
	KEY_IF_REVISION,
	KEY_IF_ABSENT,
	KEY_CRC,
	KEY_COUNT,
};

#define BIT(key) (1u << (key))
#define SHOWN (BIT(KEY_REVISION) | BIT(KEY_LEASE_LEFT))
#define IGNORED (SHOWN | BIT(KEY_CRC))
#define DATA                                                                             \
	(BIT(KEY_TTL) | BIT(KEY_RECORDS) | BIT(KEY_SOURCE) | BIT(KEY_LEASE) | SHOWN)
#define PLACE (BIT(KEY_NAME) | BIT(KEY_TYPE))

static const struct {
	const char *name;
	json_type type;
} keys[KEY_COUNT] = {
	[KEY_NAME] = { "name", json_type_string },
	[KEY_TYPE] = { "type", json_type_string },
	[KEY_TTL] = { "ttl", json_type_int },
	[KEY_RECORDS] = { "records", json_type_array },
	[KEY_SOURCE] = { "source", json_type_string },
	[KEY_LEASE] = { "lease", json_type_string },
	[KEY_REVISION] = { "revision", json_type_int },
	[KEY_LEASE_LEFT] = { "lease-left", json_type_string },
	[KEY_IF_REVISION] = { "if-revision", json_type_int },
	[KEY_IF_ABSENT] = { "if-absent", json_type_boolean },
	[KEY_CRC] = { "crc", json_type_string }, /* a backup's seal: checked already */
};

static const struct {
	unsigned allowed;
	unsigned needed;
} forms[] = {
	[RRSET_JSON_BODY] = { PLACE | DATA, BIT(KEY_RECORDS) },
	[RRSET_JSON_FULL] = { PLACE | DATA, PLACE | BIT(KEY_RECORDS) },
	[RRSET_JSON_PUT] = { PLACE | DATA | BIT(KEY_IF_REVISION) | BIT(KEY_IF_ABSENT),
		PLACE | BIT(KEY_RECORDS) },
	[RRSET_JSON_DELETE] = { PLACE | BIT(KEY_IF_REVISION), PLACE },
	[RRSET_JSON_BACKUP] = { PLACE | DATA | BIT(KEY_CRC),
		PLACE | BIT(KEY_TTL) | BIT(KEY_RECORDS) | BIT(KEY_SOURCE) },
};

typedef struct json_object *members[KEY_COUNT];

static int sort_members(struct rrset_json_reader *reader, struct json_object *object,
	enum rrset_json_form form, members out, struct reason *reason);
static int read_place(struct rrset_json_reader *reader, members member, bool is_known,
	struct rrset *inout, struct reason *reason);
static int read_ttl(struct rrset_json_reader *reader, struct json_object *value,
	struct rrset *inout, struct reason *reason);
static int read_records(struct rrset_json_reader *reader, struct json_object *value,
	struct rrset *inout, struct reason *reason);
static int read_source(struct rrset_json_reader *reader, struct json_object *value,
	struct change_item *item, struct reason *reason);
static int read_lease(struct rrset_json_reader *reader, struct json_object *value,
	struct change_item *item, struct reason *reason);
static int refuse(struct rrset_json_reader *reader, enum problem_kind kind,
	const char *path, struct reason *reason, const char *text);

int
rrset_json_read(struct rrset_json_reader *reader, struct json_object *object,
	enum rrset_json_form form, struct change_item *item, struct reason *reason)
{
	struct rrset *rrset = &item->rrset;
	members member = { NULL };
	int status = sort_members(reader, object, form, member, reason);

	if (!status)
		status = read_place(
			reader, member, form == RRSET_JSON_BODY, rrset, reason);
	if (!status && member[KEY_IF_REVISION]) {
		const int64_t revision = json_object_get_int64(member[KEY_IF_REVISION]);

		item->has_if_revision = true;
		item->if_revision = (uint64_t)revision;
		if (revision < 0)
			status = refuse(reader, PROBLEM_INVALID, "if-revision", reason,
				"a revision is not negative");
	}
	if (member[KEY_IF_ABSENT])
		item->if_absent = json_object_get_boolean(member[KEY_IF_ABSENT]);
	item->is_delete = form == RRSET_JSON_DELETE;
	if (status || item->is_delete)
		return status;
	status = read_ttl(reader, member[KEY_TTL], rrset, reason);
	if (!status)
		status = read_records(reader, member[KEY_RECORDS], rrset, reason);
	if (!status)
		status = read_source(reader, member[KEY_SOURCE], item, reason);
	if (!status)
		status = read_lease(reader, member[KEY_LEASE], item, reason);
	if (!status && form == RRSET_JSON_BACKUP && item->lease_ms != 0) {
		const char *left = json_get_text(object, "lease-left");

		item->is_lease_over = left && strcmp(left, "0s") == 0;
	}
	return status;
}

int
rrset_json_read_change(struct rrset_json_reader *reader, struct json_object *object,
	struct change_item *item, struct reason *reason)
{
	struct json_object *put = NULL, *delete = NULL;

	if (json_object_is_type(object, json_type_object)
		&& json_object_object_length(object) == 1) {
		json_object_object_get_ex(object, "put", &put);
		json_object_object_get_ex(object, "delete", &delete);
	}
	if (put)
		return rrset_json_read(reader, put, RRSET_JSON_PUT, item, reason);
	if (delete)
		return rrset_json_read(reader, delete, RRSET_JSON_DELETE, item, reason);
	return refuse(reader, PROBLEM_BAD_REQUEST, "", reason,
		"an object with just \"put\" or \"delete\" is needed");
}

int
rrset_json_add_record(struct rrset_json_reader *reader, const char *text,
	struct rrset *inout, struct reason *reason)
{
	const size_t room = sizeof(reader->block) - inout->rdata_len;
	char path[32];
	int added;

	snprintf(path, sizeof(path), "records[%u]", inout->count);
	if (inout->count == RRSET_RECORDS_MAX)
		return refuse(reader, PROBLEM_INVALID, path, reason,
			"more than 512 records at one name and type");
	added = rdata_read(
		inout->type, text, reader->block + inout->rdata_len, room, reason);
	if (added == STATUS_TOO_LARGE)
		return refuse(reader, PROBLEM_INVALID, path, reason,
			"the records are longer than 64 KiB together");
	if (added < 0)
		return refuse(reader, problem_from_status(added), path, reason, NULL);
	inout->rdata_len += (uint32_t)added;
	inout->count++;
	return 0;
}

int
rrset_json_finish_records(
	struct rrset_json_reader *reader, struct rrset *inout, struct reason *reason)
{
	size_t len = inout->rdata_len;

	if (inout->count == 0)
		return refuse(reader, PROBLEM_INVALID, "records", reason,
			"at least one record is needed");
	if (inout->count > 1)
		inout->count = rrset_canonicalize(
			reader->block, &len, inout->count, reader->scratch);
	inout->rdata_len = (uint32_t)len;
	inout->rdata = arena_copy(&reader->change->arena, reader->block, len);
	return inout->rdata
		       ? 0
		       : refuse(reader, PROBLEM_UNAVAILABLE, "", reason, "out of memory");
}

int
rrset_json_default_ttl(
	struct rrset_json_reader *reader, struct rrset *inout, struct reason *reason)
{
	const struct zone *zone = zones_match(reader->zones, &inout->owner);

	if (!zone)
		return refuse(reader, PROBLEM_INVALID, "name", reason,
			"the name is in no live zone");
	inout->ttl = zone->ttl;
	return 0;
}

/* Each key once (json.c saw to that), known, of its type, and the needed ones there. */
static int
sort_members(struct rrset_json_reader *reader, struct json_object *object,
	enum rrset_json_form form, members out, struct reason *reason)
{
	unsigned missing = forms[form].needed;
	char text[160];

	if (!json_object_is_type(object, json_type_object))
		return refuse(
			reader, PROBLEM_BAD_REQUEST, "", reason, "an object is needed");
	json_object_object_foreach(object, name, value)
	{
		size_t i = 0;

		while (i < KEY_COUNT
			&& (strcmp(keys[i].name, name) != 0
				|| !(forms[form].allowed & BIT(i))))
			i++;
		if (i == KEY_COUNT) {
			snprintf(text, sizeof(text), "unknown key \"%.64s\"", name);
			return refuse(reader, PROBLEM_BAD_REQUEST, name, reason, text);
		}
		missing &= ~BIT(i);
		if (BIT(i) & IGNORED)
			continue;
		if (!json_object_is_type(value, keys[i].type)) {
			snprintf(text, sizeof(text), "this must be of JSON's type %s",
				json_type_to_name(keys[i].type));
			return refuse(reader, PROBLEM_BAD_REQUEST, name, reason, text);
		}
		out[i] = value;
	}
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (!(missing & BIT(i)))
			continue;
		snprintf(text, sizeof(text), "the key \"%s\" is missing", keys[i].name);
		return refuse(reader, PROBLEM_BAD_REQUEST, "", reason, text);
	}
	return 0;
}

/* Name and type. Those that the path gave already must be repeated right. */
static int
read_place(struct rrset_json_reader *reader, members member, bool is_known,
	struct rrset *inout, struct reason *reason)
{
	struct name_key owner = inout->owner;
	uint16_t type = inout->type;
	struct name name;
	int status;

	if (member[KEY_NAME]) {
		status = presentation_read_name(
			json_object_get_string(member[KEY_NAME]), &name, reason);
		if (status)
			return refuse(reader, problem_from_status(status), "name", reason,
				NULL);
		name_to_key(name.wire, &owner);
	}
	if (member[KEY_TYPE]) {
		status = presentation_read_type(
			json_object_get_string(member[KEY_TYPE]), &type, reason);
		if (status)
			return refuse(reader, problem_from_status(status), "type", reason,
				NULL);
	}
	if (is_known
		&& (owner.len != inout->owner.len
			|| memcmp(owner.bytes, inout->owner.bytes, owner.len) != 0))
		return refuse(reader, PROBLEM_INVALID, "name", reason,
			"the name is not that of the path");
	if (is_known && type != inout->type)
		return refuse(reader, PROBLEM_INVALID, "type", reason,
			"the type is not that of the path");
	inout->owner = owner;
	inout->type = type;
	return 0;
}

static int
read_ttl(struct rrset_json_reader *reader, struct json_object *value, struct rrset *inout,
	struct reason *reason)
{
	int64_t ttl;

	if (!value)
		return rrset_json_default_ttl(reader, inout, reason);
	ttl = json_object_get_int64(value);
	if (ttl < 0 || ttl > RRSET_TTL_MAX)
		return refuse(reader, PROBLEM_INVALID, "ttl", reason,
			"a TTL is between 0 and 86400");
	inout->ttl = (uint32_t)ttl;
	return 0;
}

static int
read_records(struct rrset_json_reader *reader, struct json_object *value,
	struct rrset *inout, struct reason *reason)
{
	const size_t count = json_object_array_length(value);
	char path[32];
	int status;

	inout->count = 0;
	inout->rdata_len = 0;
	for (size_t i = 0; i < count; i++) {
		struct json_object *record = json_object_array_get_idx(value, i);

		if (!json_object_is_type(record, json_type_string)) {
			snprintf(path, sizeof(path), "records[%zu]", i);
			return refuse(reader, PROBLEM_BAD_REQUEST, path, reason,
				"a record is a string");
		}
		status = rrset_json_add_record(
			reader, json_object_get_string(record), inout, reason);
		if (status)
			return status;
	}
	return rrset_json_finish_records(reader, inout, reason);
}

static int
read_source(struct rrset_json_reader *reader, struct json_object *value,
	struct change_item *item, struct reason *reason)
{
	const char *text = value ? json_object_get_string(value) : reader->source;
	const struct change_item *before = item > reader->change->items ? item - 1 : NULL;

	if (value && !api_is_source(text))
		return refuse(reader, PROBLEM_INVALID, "source", reason,
			"a source name has letters, digits, '.', '_' and '-', at most "
			"64, a "
			"letter or digit first");
	item->source_len = (uint8_t)strlen(text);
	if (!value)
		item->source = text;
	else if (before && before->source_len == item->source_len
		 && memcmp(before->source, text, item->source_len) == 0)
		item->source = before->source; /* a bulk body has one source, mostly */
	else
		item->source =
			arena_copy(&reader->change->arena, text, item->source_len + 1u);
	return item->source
		       ? 0
		       : refuse(reader, PROBLEM_UNAVAILABLE, "", reason, "out of memory");
}

static int
read_lease(struct rrset_json_reader *reader, struct json_object *value,
	struct change_item *item, struct reason *reason)
{
	uint64_t lease_ms = reader->lease_ms;

	if (!value) {
		item->lease_ms = (uint32_t)lease_ms;
		return 0;
	}
	if (duration_read(json_object_get_string(value), &lease_ms, reason) != 0)
		return refuse(reader, PROBLEM_BAD_REQUEST, "lease", reason, NULL);
	if (lease_ms < RRSET_JSON_LEASE_MIN_MS || lease_ms > RRSET_JSON_LEASE_MAX_MS)
		return refuse(reader, PROBLEM_INVALID, "lease", reason,
			"a lease is between 1s and 7d");
	item->lease_ms = (uint32_t)lease_ms;
	return 0;
}

/* NULL text: the reason is set already. */
static int
refuse(struct rrset_json_reader *reader, enum problem_kind kind, const char *path,
	struct reason *reason, const char *text)
{
	reader->fault.kind = kind;
	snprintf(reader->fault.path, sizeof(reader->fault.path), "%.31s", path);
	if (text)
		reason_set(reason, STATUS_INVALID, "%s", text);
	return STATUS_INVALID;
}

void
rrset_json_write(struct json_writer *emit, const struct state_record *record, uint64_t now_ms)
{
	char text[DURATION_TEXT_MAX];

	json_writer_begin(emit, '{');
	api_emit_name(emit, "name", &record->rrset.owner);
	api_emit_type(emit, record->rrset.type);
	rrset_json_write_data(emit, &record->rrset);
	json_writer_key(emit, "source");
	json_writer_string_n(emit, record->source, record->source_len);
	if (record->lease_ms) {
		duration_write(record->lease_ms, text);
		json_writer_member(emit, "lease", text);
	}
	if (record->expires_ms && (now_ms || record->expires_ms == STATE_LEASE_OVER)) {
		duration_write_seconds(record->expires_ms != STATE_LEASE_OVER
					&& record->expires_ms > now_ms
				? record->expires_ms - now_ms
				: 0,
			text);
		json_writer_member(emit, "lease-left", text);
	}
	json_writer_member_number(emit, "revision", record->revision);
	json_writer_end(emit, '}');
}

void
rrset_json_write_data(struct json_writer *emit, const struct rrset *rrset)
{
	const uint8_t *at = rrset->rdata;

	json_writer_member_number(emit, "ttl", rrset->ttl);
	json_writer_member_begin(emit, "records", '[');
	for (unsigned i = 0; i < rrset->count; i++) {
		const size_t len = (size_t)(at[0] << 8 | at[1]);
		char *text = rdata_write(rrset->type, at + 2, len);

		if (!text) {
			buffer_fail(emit->out, STATUS_NO_MEMORY);
			return;
		}
		json_writer_string(emit, text);
		free(text);
		at += 2 + len;
	}
	json_writer_end(emit, ']');
}
