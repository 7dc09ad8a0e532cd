/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The whole state as lines of JSON: a header, one RRset a line, a trailer with the count.
 */
#include "sidecar/api_backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/duration.h"
#include "lib/status.h"
#include "sidecar/api_body.h"
#include "sidecar/emit.h"
#include "sidecar/json.h"

#define VERSION 1

/* Where a restore is in its lines. */
struct restore {
	struct api_call *call;
	struct rrset_json_reader reader;
	const char *at;
	const char *end;
	uint32_t line;
	bool is_over; /* the trailer was read */
};

struct backup {
	struct emit emit;
	uint64_t count;
};

static void write_header(struct emit *emit, const struct state_meta *meta);
static int
write_line(void *context, const struct state_record *record, struct reason *reason);
static bool read_lines(struct restore *restore);
static bool read_line(struct restore *restore);
static bool read_header(struct restore *restore, struct json_object *object);
static bool read_trailer(struct restore *restore, struct json_object *object);
static bool read_item(struct restore *restore, struct json_object *object);
static bool refuse(struct restore *restore, enum problem_kind kind, const char *text);
static uint32_t *number_lines(size_t count);

void
api_backup_get(struct api_call *call)
{
	static const struct name_key root = { 0 };
	struct backup backup = { .emit = { .out = &call->reply->body } };
	struct state_meta meta;
	struct reason reason;
	int status;

	if (!auth_may_all(&call->identity, CREDENTIALS_ADMIN, call->zones, &reason)) {
		problem_set(call->reply, PROBLEM_FORBIDDEN, NULL, "%s", reason.text);
		return;
	}
	if (!api_begin_read(call, &meta))
		return;
	call->reply->type = "application/x-ndjson";
	write_header(&backup.emit, &meta);
	status = state_walk_below(call->txn, &root, write_line, &backup, &reason);
	if (status) {
		api_fail(call, status, &reason, NULL);
		return;
	}
	backup.emit.needs_comma = false;
	emit_begin(&backup.emit, '{');
	emit_member(&backup.emit, "livezone", "end");
	emit_member_number(&backup.emit, "count", backup.count);
	emit_end(&backup.emit, '}');
	buffer_add(&call->reply->body, "\n", 1);
}

void
api_backup_restore(struct api_call *call)
{
	struct change *change = change_new(CHANGE_RESTORE);
	struct restore restore = { .call = call };
	struct api_places places = { 0 };
	struct change_result result;
	uint32_t *lines = NULL;
	struct emit emit;
	size_t len;

	if (!change) {
		problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	api_body_init(call, change, &restore.reader);
	if (api_body_view(call, &restore.at, &len)) {
		restore.end = restore.at + len;
		if (read_lines(&restore))
			lines = number_lines(change->count);
	}
	if (lines) {
		places.lines = lines;
		if (api_submit(call, change, &places, &result)) {
			api_begin_written(call, &result, &emit);
			api_write_counts(&emit, &result);
			emit_end(&emit, '}');
		}
	}
	free(lines);
	change_free(change);
}

static void
write_header(struct emit *emit, const struct state_meta *meta)
{
	char instance[2 * STATE_INSTANCE_SIZE + 1], now[DURATION_TEXT_MAX];

	for (size_t i = 0; i < STATE_INSTANCE_SIZE; i++)
		snprintf(instance + 2 * i, 3, "%02x", meta->instance[i]);
	duration_write_time(clock_wall_ms(), now);
	emit_begin(emit, '{');
	emit_member(emit, "livezone", "backup");
	emit_member_number(emit, "version", VERSION);
	emit_member_number(emit, "revision", meta->revision);
	emit_member(emit, "instance", instance);
	emit_member(emit, "created", now);
	emit_end(emit, '}');
	buffer_add(emit->out, "\n", 1);
}

static int
write_line(void *context, const struct state_record *record, struct reason *reason)
{
	struct backup *backup = context;

	(void)reason;
	backup->emit.needs_comma = false;
	rrset_json_write(&backup->emit, record, 0);
	buffer_add(backup->emit.out, "\n", 1);
	backup->count++;
	return backup->emit.out->status;
}

static bool
read_lines(struct restore *restore)
{
	while (restore->at < restore->end)
		if (!read_line(restore))
			return false;
	return restore->is_over
	       || refuse(restore, PROBLEM_INVALID,
		       "the backup is cut short: its trailer is missing");
}

static bool
read_line(struct restore *restore)
{
	const char *newline =
		memchr(restore->at, '\n', (size_t)(restore->end - restore->at));
	const char *line = restore->at;
	const size_t len = (size_t)((newline ? newline : restore->end) - line);
	struct json_object *object;
	struct reason reason;
	bool is_good;

	restore->line++;
	restore->at = newline ? newline + 1 : restore->end;
	if (restore->is_over)
		return refuse(restore, PROBLEM_INVALID, "a line behind the trailer");
	if (json_read(line, len, NULL, NULL, NULL, &object, NULL, &reason) != 0)
		return refuse(restore, PROBLEM_BAD_REQUEST, reason.text);
	if (restore->line == 1)
		is_good = read_header(restore, object);
	else if (json_has(object, "livezone"))
		is_good = read_trailer(restore, object);
	else
		is_good = read_item(restore, object);
	json_free(object);
	return is_good;
}

static bool
read_header(struct restore *restore, struct json_object *object)
{
	const char *kind = json_get_text(object, "livezone");
	uint64_t version;

	if (!kind || strcmp(kind, "backup") != 0)
		return refuse(restore, PROBLEM_INVALID, "this is no backup of livezone");
	if (!json_get_number(object, "version", &version) || version != VERSION)
		return refuse(restore, PROBLEM_INVALID,
			"a backup of another version: this livezoned knows version 1");
	if (!json_get_number(object, "revision", &restore->reader.change->base_revision))
		return refuse(restore, PROBLEM_INVALID, "the header has no revision");
	return true;
}

static bool
read_trailer(struct restore *restore, struct json_object *object)
{
	const char *kind = json_get_text(object, "livezone");
	uint64_t count;

	if (!kind || strcmp(kind, "end") != 0 || !json_get_number(object, "count", &count)
		|| count != restore->reader.change->count)
		return refuse(restore, PROBLEM_INVALID,
			"the trailer counts other RRsets than there are: the backup is "
			"damaged");
	restore->is_over = true;
	return true;
}

static bool
read_item(struct restore *restore, struct json_object *object)
{
	struct change_item *item = change_add(restore->reader.change);
	struct reason reason;
	char text[REASON_MAX];

	if (!item)
		return refuse(restore, PROBLEM_TOO_LARGE,
			"more RRsets than one change may have");
	if (rrset_json_read(&restore->reader, object, RRSET_JSON_FULL, item, &reason)
		== 0)
		return true;
	if (!restore->reader.fault.path[0])
		return refuse(restore, restore->reader.fault.kind, reason.text);
	snprintf(text, sizeof(text), "%s: %.440s", restore->reader.fault.path,
		reason.text);
	return refuse(restore, restore->reader.fault.kind, text);
}

static bool
refuse(struct restore *restore, enum problem_kind kind, const char *text)
{
	char path[CHANGE_PATH_MAX];

	snprintf(path, sizeof(path), "line %u",
		restore->line ? (unsigned)restore->line : 1);
	problem_set(restore->call->reply, kind, path, "%s", text);
	return false;
}

/* Item i stood in line i + 2. */
static uint32_t *
number_lines(size_t count)
{
	uint32_t *lines = calloc(count + 1, sizeof(*lines));

	for (size_t i = 0; lines && i < count; i++)
		lines[i] = (uint32_t)i + 2;
	return lines;
}
