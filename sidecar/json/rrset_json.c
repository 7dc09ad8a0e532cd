/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * RRsets in and out of JSON.
 */
#include "sidecar/json/rrset_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/duration.h"
#include "lib/base/status.h"
#include "lib/dns/presentation.h"
#include "lib/dns/rdata.h"
#include "lib/dns/zones.h"
#include "sidecar/json/buffer.h"
#include "sidecar/json/json_writer.h"

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
	KEY_COUNT,
};

#define BIT(key) (1u << (key))
#define SHOWN (BIT(KEY_REVISION) | BIT(KEY_LEASE_LEFT))
#define DATA                                                                             \
	(BIT(KEY_TTL) | BIT(KEY_RECORDS) | BIT(KEY_SOURCE) | BIT(KEY_LEASE) | SHOWN)
#define PLACE (BIT(KEY_NAME) | BIT(KEY_TYPE))

static const struct {
	const char *name;
	enum json_kind kind;
} keys[KEY_COUNT] = {
	[KEY_NAME] = { "name", JSON_STRING },
	[KEY_TYPE] = { "type", JSON_STRING },
	[KEY_TTL] = { "ttl", JSON_NUMBER },
	[KEY_RECORDS] = { "records", JSON_ARRAY },
	[KEY_SOURCE] = { "source", JSON_STRING },
	[KEY_LEASE] = { "lease", JSON_STRING },
	[KEY_REVISION] = { "revision", JSON_NUMBER },
	[KEY_LEASE_LEFT] = { "lease-left", JSON_STRING },
	[KEY_IF_REVISION] = { "if-revision", JSON_NUMBER },
	[KEY_IF_ABSENT] = { "if-absent", JSON_BOOLEAN },
};

static const struct {
	unsigned allowed;
	unsigned needed;
	unsigned ignored; /* replies have them, and what they say is not for the writer */
} forms[] = {
	[RRSET_JSON_BODY] = { PLACE | DATA, BIT(KEY_RECORDS), SHOWN },
	[RRSET_JSON_FULL] = { PLACE | DATA, PLACE | BIT(KEY_RECORDS), SHOWN },
	[RRSET_JSON_PUT] = { PLACE | DATA | BIT(KEY_IF_REVISION) | BIT(KEY_IF_ABSENT),
		PLACE | BIT(KEY_RECORDS), SHOWN },
	[RRSET_JSON_DELETE] = { PLACE | BIT(KEY_IF_REVISION), PLACE, 0 },
	[RRSET_JSON_BACKUP] = { PLACE | DATA,
		PLACE | BIT(KEY_TTL) | BIT(KEY_RECORDS) | BIT(KEY_SOURCE), 0 },
};

/* The values of an object by their keys; `at` is NULL for what is absent or ignored. */
typedef struct json_value members[KEY_COUNT];

static int sort_members(struct rrset_json_reader *reader, struct json_value object,
	enum rrset_json_form form, members out, struct reason *reason);
static size_t find_key(const struct json_member *member, unsigned allowed);
static int read_place(struct rrset_json_reader *reader, members member, bool is_known,
	struct rrset *inout, struct reason *reason);
static int read_revisions(struct rrset_json_reader *reader, members member,
	struct rrset_json *out, struct reason *reason);
static int read_ttl(struct rrset_json_reader *reader, struct json_value value,
	struct rrset *inout, struct reason *reason);
static int read_records(struct rrset_json_reader *reader, struct json_value value,
	struct rrset *inout, struct reason *reason);
static int read_source(struct rrset_json_reader *reader, struct json_value value,
	struct rrset_json *out, struct reason *reason);
static int read_lease(struct rrset_json_reader *reader, members member,
	struct rrset_json *out, struct reason *reason);
static const char *read_text(struct rrset_json_reader *reader, struct json_value value);
static int refuse(struct rrset_json_reader *reader, bool is_form, const char *path,
	struct reason *reason, const char *text);
static int refuse_status(struct rrset_json_reader *reader, int status, const char *path);

struct rrset_json_reader *
rrset_json_reader_new(const struct zones *zones)
{
	struct rrset_json_reader *reader = malloc(sizeof(*reader));

	if (reader) {
		reader->zones = zones;
		reader->fault = (struct rrset_json_fault){ .is_form = true };
	}
	return reader;
}

void
rrset_json_reader_free(struct rrset_json_reader *reader)
{
	free(reader);
}

int
rrset_json_read(struct rrset_json_reader *reader, struct json_value object,
	enum rrset_json_form form, struct rrset_json *out, struct reason *reason)
{
	struct rrset rrset = { .type = 0 };
	members member = { { NULL, 0 } };
	int status = sort_members(reader, object, form, member, reason);

	if (form == RRSET_JSON_BODY)
		rrset = out->rrset;
	*out = (struct rrset_json){ .rrset = rrset, .is_delete = form == RRSET_JSON_DELETE };
	if (!status)
		status = read_place(
			reader, member, form == RRSET_JSON_BODY, &out->rrset, reason);
	if (!status)
		status = read_revisions(reader, member, out, reason);
	if (status || out->is_delete)
		return status;
	status = read_ttl(reader, member[KEY_TTL], &out->rrset, reason);
	if (!status)
		status = read_records(reader, member[KEY_RECORDS], &out->rrset, reason);
	if (!status)
		status = read_source(reader, member[KEY_SOURCE], out, reason);
	if (!status)
		status = read_lease(reader, member, out, reason);
	return status;
}

int
rrset_json_read_change(struct rrset_json_reader *reader, struct json_value object,
	struct rrset_json *out, struct reason *reason)
{
	struct json_members change;
	struct json_value value;

	if (json_open(object, &change) && change.count == 1) {
		if (json_find(&change, "put", &value))
			return rrset_json_read(reader, value, RRSET_JSON_PUT, out, reason);
		if (json_find(&change, "delete", &value))
			return rrset_json_read(reader, value, RRSET_JSON_DELETE, out, reason);
	}
	return refuse(reader, true, "", reason,
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
		return refuse(reader, false, path, reason,
			"more than 512 records at one name and type");
	added = rdata_read(
		inout->type, text, reader->block + inout->rdata_len, room, reason);
	if (added == STATUS_TOO_LARGE)
		return refuse(reader, false, path, reason,
			"the records are longer than 64 KiB together");
	if (added < 0)
		return refuse_status(reader, added, path);
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
		return refuse(reader, false, "records", reason,
			"at least one record is needed");
	if (inout->count > 1)
		inout->count = rrset_canonicalize(
			reader->block, &len, inout->count, (uint8_t *)reader->text);
	inout->rdata_len = (uint32_t)len;
	inout->rdata = reader->block;
	return 0;
}

int
rrset_json_default_ttl(
	const struct zones *zones, struct rrset *inout, struct reason *reason)
{
	const struct zone *zone = zones_match(zones, &inout->owner);

	if (!zone)
		return reason_set(reason, STATUS_INVALID, "the name is in no live zone");
	inout->ttl = zone->ttl;
	return 0;
}

/* Each key once (json.c saw to that), known, of its kind, and the needed ones there. */
static int
sort_members(struct rrset_json_reader *reader, struct json_value object,
	enum rrset_json_form form, members out, struct reason *reason)
{
	unsigned missing = forms[form].needed;
	struct json_members found;
	char name[JSON_KEY_MAX + 1], text[160];

	if (!json_open(object, &found))
		return refuse(reader, true, "", reason, "an object is needed");
	for (size_t i = 0; i < found.count; i++) {
		const struct json_member *member = &found.member[i];
		const size_t key = find_key(member, forms[form].allowed);

		snprintf(name, sizeof(name), "%.*s", (int)member->key.len, member->key.at);
		if (key == KEY_COUNT) {
			snprintf(text, sizeof(text), "unknown key \"%s\"", name);
			return refuse(reader, true, name, reason, text);
		}
		missing &= ~BIT(key);
		if (BIT(key) & forms[form].ignored)
			continue;
		if (json_kind(member->value) != keys[key].kind) {
			snprintf(text, sizeof(text), "this must be %s",
				json_kind_name(keys[key].kind));
			return refuse(reader, true, name, reason, text);
		}
		out[key] = member->value;
	}
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (!(missing & BIT(i)))
			continue;
		snprintf(text, sizeof(text), "the key \"%s\" is missing", keys[i].name);
		return refuse(reader, true, "", reason, text);
	}
	return 0;
}

/* KEY_COUNT: it is none of those that are allowed. */
static size_t
find_key(const struct json_member *member, unsigned allowed)
{
	size_t key = 0;

	while (key < KEY_COUNT
		&& (!(allowed & BIT(key)) || strlen(keys[key].name) != member->key.len
			|| memcmp(keys[key].name, member->key.at, member->key.len) != 0))
		key++;
	return key;
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

	if (member[KEY_NAME].at) {
		status = presentation_read_name(
			read_text(reader, member[KEY_NAME]), &name, reason);
		if (status)
			return refuse_status(reader, status, "name");
		name_to_key(name.wire, &owner);
	}
	if (member[KEY_TYPE].at) {
		status = presentation_read_type(
			read_text(reader, member[KEY_TYPE]), &type, reason);
		if (status)
			return refuse_status(reader, status, "type");
	}
	if (is_known
		&& (owner.len != inout->owner.len
			|| memcmp(owner.bytes, inout->owner.bytes, owner.len) != 0))
		return refuse(reader, false, "name", reason,
			"the name is not that of the path");
	if (is_known && type != inout->type)
		return refuse(reader, false, "type", reason,
			"the type is not that of the path");
	inout->owner = owner;
	inout->type = type;
	return 0;
}

static int
read_revisions(struct rrset_json_reader *reader, members member, struct rrset_json *out,
	struct reason *reason)
{
	int64_t revision;

	if (member[KEY_IF_ABSENT].at)
		out->if_absent = json_is_true(member[KEY_IF_ABSENT]);
	if (member[KEY_IF_REVISION].at) {
		json_number(member[KEY_IF_REVISION], &revision);
		if (revision < 0)
			return refuse(reader, false, "if-revision", reason,
				"a revision is not negative");
		out->has_if_revision = true;
		out->if_revision = (uint64_t)revision;
	}
	if (member[KEY_REVISION].at) {
		json_number(member[KEY_REVISION], &revision);
		out->revision = revision > 0 ? (uint64_t)revision : 0;
	}
	return 0;
}

static int
read_ttl(struct rrset_json_reader *reader, struct json_value value, struct rrset *inout,
	struct reason *reason)
{
	int64_t ttl;

	if (!value.at)
		return rrset_json_default_ttl(reader->zones, inout, reason) == 0
			       ? 0
			       : refuse(reader, false, "name", reason, NULL);
	json_number(value, &ttl);
	if (ttl < 0 || ttl > RRSET_TTL_MAX)
		return refuse(reader, false, "ttl", reason,
			"a TTL is between 0 and 86400");
	inout->ttl = (uint32_t)ttl;
	return 0;
}

static int
read_records(struct rrset_json_reader *reader, struct json_value value,
	struct rrset *inout, struct reason *reason)
{
	struct json_value record = { NULL, 0 };
	char path[32];
	int status;

	inout->count = 0;
	inout->rdata_len = 0;
	for (size_t i = 0; json_next(value, &record); i++) {
		const char *text = read_text(reader, record);

		if (!text) {
			snprintf(path, sizeof(path), "records[%zu]", i);
			return refuse(reader, true, path, reason, "a record is a string");
		}
		status = rrset_json_add_record(reader, text, inout, reason);
		if (status)
			return status;
	}
	return rrset_json_finish_records(reader, inout, reason);
}

static int
read_source(struct rrset_json_reader *reader, struct json_value value,
	struct rrset_json *out, struct reason *reason)
{
	const char *text = value.at ? read_text(reader, value) : NULL;

	if (!text)
		return 0;
	if (!rrset_json_is_source(text))
		return refuse(reader, false, "source", reason,
			"a source name has letters, digits, '.', '_' and '-', at most 64, "
			"a letter or digit first");
	out->source_len = (uint8_t)strlen(text);
	out->source = memcpy(reader->source, text, out->source_len + 1u);
	return 0;
}

static int
read_lease(struct rrset_json_reader *reader, members member, struct rrset_json *out,
	struct reason *reason)
{
	uint64_t lease_ms;

	if (member[KEY_LEASE_LEFT].at) {
		out->has_lease_left = true;
		out->lease_left_ms =
			strcmp(read_text(reader, member[KEY_LEASE_LEFT]), "0s") != 0;
	}
	if (!member[KEY_LEASE].at)
		return 0;
	if (duration_read(read_text(reader, member[KEY_LEASE]), &lease_ms, reason) != 0)
		return refuse(reader, true, "lease", reason, NULL);
	if (lease_ms < RRSET_JSON_LEASE_MIN_MS || lease_ms > RRSET_JSON_LEASE_MAX_MS)
		return refuse(
			reader, false, "lease", reason, "a lease is between 1s and 7d");
	out->has_lease = true;
	out->lease_ms = (uint32_t)lease_ms;
	return 0;
}

/* Until the next call; NULL when it is not a string. */
static const char *
read_text(struct rrset_json_reader *reader, struct json_value value)
{
	return json_text(value, reader->text, sizeof(reader->text)) < 0 ? NULL : reader->text;
}

/* NULL text: the reason is set already. */
static int
refuse(struct rrset_json_reader *reader, bool is_form, const char *path,
	struct reason *reason, const char *text)
{
	reader->fault.is_form = is_form;
	snprintf(reader->fault.path, sizeof(reader->fault.path), "%.31s", path);
	if (text)
		reason_set(reason, STATUS_INVALID, "%s", text);
	return STATUS_INVALID;
}

/* What lib refused, with its reason. */
static int
refuse_status(struct rrset_json_reader *reader, int status, const char *path)
{
	refuse(reader, false, path, NULL, NULL);
	return status == STATUS_TOO_LARGE ? STATUS_INVALID : status;
}

bool
rrset_json_is_source(const char *text)
{
	static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._-";
	const size_t len = strlen(text);

	return len >= 1 && len <= RRSET_JSON_SOURCE_MAX && strspn(text, rest) == len
	       && !strchr("._-", text[0]);
}

void
rrset_json_write(struct json_writer *json, const struct rrset_json *record)
{
	char text[DURATION_TEXT_MAX];

	json_writer_begin(json, '{');
	rrset_json_write_name(json, "name", &record->rrset.owner);
	rrset_json_write_type(json, record->rrset.type);
	rrset_json_write_value(json, &record->rrset, record->source, record->source_len,
		record->has_lease ? record->lease_ms : 0);
	if (record->has_lease_left) {
		duration_write_seconds(record->lease_left_ms, text);
		json_writer_member(json, "lease-left", text);
	}
	json_writer_member_number(json, "revision", record->revision);
	json_writer_end(json, '}');
}

void
rrset_json_write_value(struct json_writer *json, const struct rrset *rrset,
	const char *source, size_t source_len, uint32_t lease_ms)
{
	char text[DURATION_TEXT_MAX];

	rrset_json_write_data(json, rrset);
	if (source) {
		json_writer_key(json, "source");
		json_writer_string_n(json, source, source_len);
	}
	if (lease_ms) {
		duration_write(lease_ms, text);
		json_writer_member(json, "lease", text);
	}
}

void
rrset_json_write_name(
	struct json_writer *json, const char *key, const struct name_key *name)
{
	char text[PRESENTATION_NAME_MAX] = "?";
	struct name wire;

	if (name_from_key(name->bytes, name->len, &wire) == 0)
		presentation_write_name(&wire, text);
	json_writer_member(json, key, text);
}

void
rrset_json_write_type(struct json_writer *json, uint16_t type)
{
	char text[16];

	presentation_write_type(type, text);
	json_writer_member(json, "type", text);
}

void
rrset_json_write_data(struct json_writer *json, const struct rrset *rrset)
{
	const uint8_t *at = rrset->rdata;

	json_writer_member_number(json, "ttl", rrset->ttl);
	json_writer_member_begin(json, "records", '[');
	for (unsigned i = 0; i < rrset->count; i++) {
		const size_t len = (size_t)(at[0] << 8 | at[1]);
		char *text = rdata_write(rrset->type, at + 2, len);

		if (!text) {
			buffer_fail(json->out, STATUS_NO_MEMORY);
			return;
		}
		json_writer_string(json, text);
		free(text);
		at += 2 + len;
	}
	json_writer_end(json, ']');
}
