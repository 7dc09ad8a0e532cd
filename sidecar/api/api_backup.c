/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The whole state as lines of JSON (backup.h), out and in.
 */
#include "sidecar/api/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"
#include "sidecar/journal/backup.h"
#include "sidecar/json/buffer.h"
#include "sidecar/json/json_writer.h"

/* Where a restore is in its lines. */
struct restore {
	struct api_body body;
	struct rrset_json_reader *reader;
	struct backup_lines lines;
};

static int
add_text(void *context, const char *text, size_t len, struct reason *reason);
static bool read_lines(struct restore *restore, const char *text, size_t len);
static int add_item(void *context, struct json_value object, struct reason *reason);
static bool refuse(struct restore *restore, int status, const char *text);
static bool number_lines(struct api_call *call, size_t count);

void
api_backup_get(struct api_call *call)
{
	struct state_meta meta;
	struct reason reason = { "" };
	int status;

	if (!api_authorise_all(call, CREDENTIALS_ADMIN) || !api_begin_read(call, &meta))
		return;
	call->reply->type = "application/x-ndjson";
	status = backup_lines_write(call->txn, add_text, call, &reason);
	if (status)
		api_fail(call, status, &reason, NULL);
}

void
api_backup_restore(struct api_call *call)
{
	struct change *change = api_new_change(call, CHANGE_RESTORE);
	struct restore restore = { .reader = rrset_json_reader_new(call->zones) };
	const char *text;
	size_t len;

	if (!change || !restore.reader) {
		api_no_memory(call);
	} else {
		api_body_init(call, change, &restore.body);
		restore.lines.record = add_item;
		restore.lines.context = &restore;
		if (api_body_view(call, &text, &len) && read_lines(&restore, text, len)
			&& number_lines(call, change->count)) {
			change->base_revision = restore.lines.revision;
			api_submit(call, NULL);
		}
	}
	rrset_json_reader_free(restore.reader);
}

static int
add_text(void *context, const char *text, size_t len, struct reason *reason)
{
	const struct api_call *call = context;
	struct buffer *body = &call->reply->body;
	int status = api_check_waiting(call, reason);

	if (status)
		return status;
	buffer_add(body, text, len);
	return body->status ? reason_set(reason, body->status, "no room for the backup") : 0;
}

static bool
read_lines(struct restore *restore, const char *text, size_t len)
{
	const char *const end = text + len;
	struct reason reason = { "" };
	int status;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *next = newline ? newline + 1 : end;

		restore->reader->fault = (struct rrset_json_fault){ false, "" };
		status = backup_lines_take(&restore->lines, text,
			(size_t)((newline ? newline : end) - text), &reason);
		if (status)
			return refuse(restore, status, reason.text);
		text = next;
	}
	restore->reader->fault = (struct rrset_json_fault){ false, "" };
	status = backup_lines_end(&restore->lines, &reason);
	return status == 0 || refuse(restore, status, reason.text);
}

static int
add_item(void *context, struct json_value object, struct reason *reason)
{
	struct restore *restore = context;
	struct change *change = restore->body.change;
	struct change_item *item;
	struct rrset_json read;
	int status = rrset_json_read(
		restore->reader, object, RRSET_JSON_BACKUP, &read, reason);

	if (status)
		return status;
	item = change_add(change);
	if (!item && change->count == CHANGE_ITEMS_MAX)
		return reason_set(reason, STATUS_TOO_LARGE,
			"more RRsets than one change may have");
	status = item ? api_body_take(&restore->body, &read, item) : STATUS_NO_MEMORY;
	return status ? reason_set(reason, status, "out of memory") : 0;
}

/* "line 17", and behind it where in the RRset. */
static bool
refuse(struct restore *restore, int status, const char *text)
{
	const struct rrset_json_fault *fault = &restore->reader->fault;
	const enum problem_kind kind = status == STATUS_CORRUPT || status == STATUS_FOREIGN
		? PROBLEM_INVALID
		: api_body_problem(status, fault);
	const uint64_t line = restore->lines.line ? restore->lines.line : 1;
	char path[CHANGE_PATH_MAX];

	snprintf(path, sizeof(path), "line %llu", (unsigned long long)line);
	problem_set(restore->body.call->reply, kind, path, "%s%s%.440s", fault->path,
		fault->path[0] ? ": " : "", text);
	return false;
}

/* Item i stood in line i + 2. */
static bool
number_lines(struct api_call *call, size_t count)
{
	uint32_t *lines = calloc(count + 1, sizeof(*lines));

	call->places.lines = lines;
	for (size_t i = 0; lines && i < count; i++)
		lines[i] = (uint32_t)i + 2;
	return lines || api_no_memory(call);
}
