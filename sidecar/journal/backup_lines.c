/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Backups as text: written for GET /v1/backup and for the files of backup.c, read for
 * PUT /v1/restore and for a state that has to be made anew.
 */
#include "sidecar/journal/backup_lines.h"

#include <string.h>

#include "lib/base/backup_line.h"
#include "lib/base/clock.h"
#include "lib/base/duration.h"
#include "lib/base/status.h"
#include "sidecar/json/buffer.h"
#include "sidecar/json/json_writer.h"
#include "sidecar/json/rrset_json.h"

struct writing {
	backup_lines_sink_fn sink;
	void *context;
	struct buffer line;
	struct json_writer emit;
	uint32_t chain;
	uint64_t count;
};

static int
write_record(void *context, const struct state_record *record, struct reason *reason);
static void begin_line(struct writing *writing);
static int end_line(struct writing *writing, struct reason *reason);
static int
write_header(struct writing *writing, const struct state_meta *meta, struct reason *reason);
static int
write_trailer(struct writing *writing, const struct state_meta *meta, struct reason *reason);
static int
take_header(struct backup_lines *lines, const struct json_members *object, struct reason *reason);
static int
take_trailer(struct backup_lines *lines, const struct json_members *object, struct reason *reason);
static bool has_start(const char *line, size_t len, const char *start);
static int read_line(struct backup_lines *lines, const char *line, size_t len,
	int (*take)(struct backup_lines *, const struct json_members *, struct reason *),
	struct reason *reason);

int
backup_lines_write(struct state_txn *txn, backup_lines_sink_fn sink, void *context,
	struct reason *reason)
{
	static const struct name_key root = { 0 };
	struct writing writing = {
		.sink = sink,
		.context = context,
		.chain = BACKUP_LINE_FIRST,
	};
	struct state_meta meta;
	int status = state_read_meta(txn, &meta, reason);

	buffer_init(&writing.line, BACKUP_LINE_MAX - BACKUP_LINE_SEAL, NULL);
	if (!status)
		status = write_header(&writing, &meta, reason);
	if (!status)
		status = state_walk_below(txn, &root, write_record, &writing, reason);
	if (!status)
		status = write_trailer(&writing, &meta, reason);
	buffer_done(&writing.line);
	return status;
}

static int
write_record(void *context, const struct state_record *record, struct reason *reason)
{
	struct writing *writing = context;

	struct rrset_json json;

	begin_line(writing);
	state_record_to_json(record, 0, &json);
	rrset_json_write(&writing->emit, &json);
	writing->count++;
	return end_line(writing, reason);
}

static void
begin_line(struct writing *writing)
{
	buffer_clear(&writing->line);
	writing->emit = (struct json_writer){ .out = &writing->line };
}

/* Puts the seal in place of the brace that closes the object. */
static int
end_line(struct writing *writing, struct reason *reason)
{
	const struct buffer *line = &writing->line;
	char end[BACKUP_LINE_SEAL + 2];
	int status;

	if (line->status)
		return reason_set(reason, line->status, "an RRset for the backup: %s",
			line->status == STATUS_NO_MEMORY ? "out of memory" : "too long");
	backup_line_seal(&writing->chain, line->data, line->used - 1, end);
	status = writing->sink(writing->context, line->data, line->used - 1, reason);
	if (!status)
		status = writing->sink(writing->context, end, BACKUP_LINE_SEAL + 1, reason);
	return status;
}

static int
write_header(struct writing *writing, const struct state_meta *meta, struct reason *reason)
{
	char instance[STATE_INSTANCE_TEXT], now[DURATION_TEXT_MAX];
	struct json_writer *emit = &writing->emit;

	state_write_instance(meta, instance);
	duration_write_time(clock_wall_ms(), now);
	begin_line(writing);
	json_writer_begin(emit, '{');
	json_writer_member(emit, "livezone", "backup");
	json_writer_member_number(emit, "version", BACKUP_LINES_VERSION);
	json_writer_member_number(emit, "revision", meta->revision);
	json_writer_member(emit, "instance", instance);
	json_writer_member(emit, "created", now);
	json_writer_end(emit, '}');
	return end_line(writing, reason);
}

static int
write_trailer(struct writing *writing, const struct state_meta *meta, struct reason *reason)
{
	struct json_writer *emit = &writing->emit;

	begin_line(writing);
	json_writer_begin(emit, '{');
	json_writer_member(emit, "livezone", "end");
	json_writer_member_number(emit, "count", writing->count);
	json_writer_member_number(emit, "revision", meta->revision);
	json_writer_end(emit, '}');
	return end_line(writing, reason);
}

int
backup_lines_take(
	struct backup_lines *lines, const char *line, size_t len, struct reason *reason)
{
	int status = 0;

	if (lines->line++ == 0) {
		lines->chain = BACKUP_LINE_FIRST;
		if (!has_start(line, len, "{\"livezone\":\"backup\","))
			return reason_set(reason, STATUS_FOREIGN,
				"this is no backup of livezone");
		if (!has_start(line, len, "{\"livezone\":\"backup\",\"version\":2,"))
			return reason_set(reason, STATUS_FOREIGN,
				"a backup of another version: this livezoned knows version "
				"%d",
				BACKUP_LINES_VERSION);
	}
	if (lines->is_complete)
		return reason_set(reason, STATUS_CORRUPT, "a line behind the trailer");
	if (!backup_line_check(&lines->chain, line, len))
		return reason_set(reason, STATUS_CORRUPT,
			"the backup is damaged: this line has a wrong checksum, or one "
			"before it is missing");
	if (lines->line == 1)
		return read_line(lines, line, len, take_header, reason);
	if (has_start(line, len, "{\"livezone\":"))
		return read_line(lines, line, len, take_trailer, reason);
	if (lines->record)
		status = read_line(lines, line, len, NULL, reason);
	lines->records += status == 0;
	return status;
}

int
backup_lines_end(const struct backup_lines *lines, struct reason *reason)
{
	if (lines->is_complete)
		return 0;
	return reason_set(reason, STATUS_CORRUPT,
		"the backup is cut short: its trailer is missing");
}

/* `take` NULL: an RRset, for lines->record. */
static int
read_line(struct backup_lines *lines, const char *line, size_t len,
	int (*take)(struct backup_lines *, const struct json_members *, struct reason *),
	struct reason *reason)
{
	struct json_members members;
	struct json_value object;
	int status;

	if (take) {
		status = json_read(line, len, &members, reason);
		return status ? status : take(lines, &members, reason);
	}
	status = json_check(line, len, &object, reason);
	return status ? status : lines->record(lines->context, object, reason);
}

static int
take_header(struct backup_lines *lines, const struct json_members *object, struct reason *reason)
{
	char instance[2 * STATE_INSTANCE_TEXT], created[DURATION_TEXT_MAX];

	if (!json_get_number(object, "revision", &lines->revision)
		|| !json_get_text(object, "instance", instance, sizeof(instance))
		|| strlen(instance) != sizeof(lines->instance) - 1
		|| !json_get_text(object, "created", created, sizeof(created))
		|| duration_read_time(created, &lines->created_ms, reason) != 0)
		return reason_set(reason, STATUS_CORRUPT,
			"the header lacks revision, instance or time");
	memcpy(lines->instance, instance, sizeof(lines->instance));
	lines->has_header = true;
	return 0;
}

static int
take_trailer(struct backup_lines *lines, const struct json_members *object, struct reason *reason)
{
	uint64_t count, revision;

	if (!json_get_number(object, "count", &count) || count != lines->records
		|| !json_get_number(object, "revision", &revision)
		|| revision != lines->revision)
		return reason_set(reason, STATUS_CORRUPT,
			"the trailer says other than what there is: the backup is damaged");
	lines->is_complete = true;
	return 0;
}

static bool
has_start(const char *line, size_t len, const char *start)
{
	return len >= strlen(start) && memcmp(line, start, strlen(start)) == 0;
}
