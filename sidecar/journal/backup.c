/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Reading backups, and the text of both directions: for GET /v1/backup and the files of
 * backup_thread.c, for PUT /v1/restore and for a state that has to be restored.
 */
#include "sidecar/journal/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/checksum.h"
#include "lib/base/clock.h"
#include "lib/base/duration.h"
#include "lib/base/status.h"
#include "lib/dns/zones.h"
#include "sidecar/json/buffer.h"
#include "sidecar/json/json_writer.h"
#include "sidecar/json/rrset_json.h"

#define CHECKSUM_FIRST 0xffffffffu
#define CRC_TEXT 9 /* eight digits, and the end */

/* A file on its way in: data from `at` to `used` is read and not taken. */
struct reading {
	int file;
	struct backup_lines lines;
	size_t at, used;
	bool is_at_end;
	char data[BACKUP_LINE_MAX + 1];
};

/* What backup_read turns lines into records with. */
struct records {
	struct rrset_json_reader *reader;
	state_record_fn fn;
	void *context;
	int status; /* a failure that is not the file's */
};

/* A backup on its way out. */
struct writing {
	backup_lines_sink_fn sink;
	void *context;
	struct buffer line;
	struct json_writer json;
	uint32_t checksum;
	uint64_t count;
};

static bool read_name(const char *name, struct backup_file *out);
static int compare_files(const void *a, const void *b);
static int read_file(const char *path, struct records *records, struct backup_verdict *out,
	struct reason *reason);
static int read_lines(struct reading *reading, struct reason *reason);
static int fill(struct reading *reading, struct reason *reason);
static int give_record(void *context, struct json_value object, struct reason *reason);
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
backup_list(const char *dir, struct backup_list *out, struct reason *reason)
{
	struct backup_list list = { NULL, 0 };
	struct backup_file *grown;
	struct dirent *entry;
	size_t room = 0;
	DIR *stream = opendir(dir);

	if (!stream)
		return reason_set(reason,
			errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_IO,
			"%s: %s", dir, strerror(errno));
	while ((entry = readdir(stream))) {
		if (list.count == room) {
			room = room ? room * 2 : 32;
			grown = reallocarray(list.file, room, sizeof(*grown));
			if (!grown) {
				backup_list_done(&list);
				closedir(stream);
				return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
			}
			list.file = grown;
		}
		list.count += read_name(entry->d_name, &list.file[list.count]);
	}
	closedir(stream);
	if (list.count > 0)
		qsort(list.file, list.count, sizeof(*list.file), compare_files);
	*out = list;
	return 0;
}

void
backup_list_done(struct backup_list *list)
{
	free(list->file);
	*list = (struct backup_list){ NULL, 0 };
}

int
backup_verify(const char *path, struct backup_verdict *out, struct reason *reason)
{
	return read_file(path, NULL, out, reason);
}

int
backup_read(const char *path, state_record_fn fn, void *context, struct backup_verdict *out,
	struct reason *reason)
{
	static const struct zones nowhere;
	/* a backup leaves nothing to a zone's defaults */
	struct records records = { rrset_json_reader_new(&nowhere), fn, context, 0 };
	int status;

	if (!records.reader)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	status = read_file(path, &records, out, reason);
	rrset_json_reader_free(records.reader);
	return status;
}

int
backup_choose(const char *dir, const char *instance, backup_skipped_fn skipped, void *context,
	struct backup_file *out_file, struct backup_verdict *out_verdict,
	struct reason *reason)
{
	struct backup_list list;
	bool is_found = false;
	size_t i;
	int status = backup_list(dir, &list, reason);

	if (status)
		return status;
	for (i = 0; status == 0 && !is_found && i < list.count; i++) {
		char *path = backup_path(dir, list.file[i].name);
		struct backup_verdict verdict = { .is_complete = false };

		status = path ? backup_verify(path, &verdict, reason)
			      : reason_set(reason, STATUS_NO_MEMORY, "out of memory");
		free(path);
		if (status && !status_is_of_file(status))
			break;
		if (status)
			verdict.damage = *reason;
		status = 0;
		is_found = verdict.is_complete
			   && (!instance || strcmp(instance, verdict.instance) == 0);
		if (is_found) {
			*out_file = list.file[i];
			*out_verdict = verdict;
		} else if (skipped) {
			skipped(context, &list.file[i], &verdict);
		}
	}
	if (!status && !is_found)
		status = reason_set(reason, STATUS_NOT_FOUND, "%s: no complete backup", dir);
	backup_list_done(&list);
	return status;
}

void
backup_write_name(uint64_t number, uint64_t revision, char out[BACKUP_NAME_MAX])
{
	snprintf(out, BACKUP_NAME_MAX, "livezone-%08" PRIu64 "-r%" PRIu64 ".jsonl", number,
		revision);
}

char *
backup_path(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static bool
read_name(const char *name, struct backup_file *out)
{
	struct backup_file file;
	char again[BACKUP_NAME_MAX];

	if (strlen(name) >= BACKUP_NAME_MAX
		|| sscanf(name, "livezone-%" SCNu64 "-r%" SCNu64 ".jsonl", &file.number,
			   &file.revision)
			!= 2)
		return false;
	backup_write_name(file.number, file.revision, again);
	if (strcmp(name, again) != 0)
		return false;
	strcpy(file.name, name);
	*out = file;
	return true;
}

static int
compare_files(const void *a, const void *b)
{
	const struct backup_file *left = a, *right = b;

	return (left->number < right->number) - (left->number > right->number);
}

/* `records` NULL: RRsets are not looked into. */
static int
read_file(const char *path, struct records *records, struct backup_verdict *out,
	struct reason *reason)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	int status;

	if (!reading)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	reading->lines.record = records ? give_record : NULL;
	reading->lines.context = records;
	/* a FIFO of that name would be waited for */
	reading->file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (reading->file < 0) {
		/* ELOOP: a symbolic link */
		status = errno == ENOENT ? STATUS_NOT_FOUND
			: errno == ELOOP ? STATUS_FOREIGN : STATUS_IO;
		reason_set(reason, status, "%s: %s", path, strerror(errno));
		free(reading);
		return status;
	}
	*out = (struct backup_verdict){ .is_complete = false };
	status = read_lines(reading, &out->damage);
	close(reading->file);
	out->is_complete = status == 0;
	out->records = reading->lines.records;
	out->has_header = reading->lines.has_header;
	out->revision = reading->lines.revision;
	out->created_ms = reading->lines.created_ms;
	memcpy(out->instance, reading->lines.instance, sizeof(out->instance));
	if (status)
		out->line = reading->lines.line;
	free(reading);
	if (records && records->status)
		status = records->status;
	else if (status != STATUS_NO_MEMORY && !(records && status == STATUS_INVALID))
		return 0;
	*reason = out->damage;
	return status;
}

static int
read_lines(struct reading *reading, struct reason *reason)
{
	int status = 0;

	while (status == 0) {
		const char *line = reading->data + reading->at;
		const size_t left = reading->used - reading->at;
		const char *end = memchr(line, '\n', left);
		const size_t len = end ? (size_t)(end - line) : left;

		if (!end && !reading->is_at_end) {
			status = fill(reading, reason);
			continue;
		}
		if (left == 0)
			return backup_lines_end(&reading->lines, reason);
		reading->at += len + (end != NULL);
		status = backup_lines_take(&reading->lines, line, len, reason);
	}
	return status;
}

static int
fill(struct reading *reading, struct reason *reason)
{
	ssize_t got;

	reading->used -= reading->at;
	memmove(reading->data, reading->data + reading->at, reading->used);
	reading->at = 0;
	if (reading->used == sizeof(reading->data))
		return reason_set(reason, STATUS_CORRUPT,
			"the backup is damaged: a line longer than any RRset");
	do
		got = read(reading->file, reading->data + reading->used,
			sizeof(reading->data) - reading->used);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return reason_set(reason, STATUS_IO, "cannot be read on: %s", strerror(errno));
	reading->used += (size_t)got;
	reading->is_at_end = got == 0;
	return 0;
}

static int
give_record(void *context, struct json_value object, struct reason *reason)
{
	struct records *records = context;
	struct rrset_json shown;
	struct state_record record;

	records->status = rrset_json_read(
		records->reader, object, RRSET_JSON_BACKUP, &shown, reason);
	if (records->status)
		return records->status;
	record = (struct state_record){
		.rrset = shown.rrset,
		.revision = shown.revision,
		.lease_ms = shown.lease_ms,
		.expires_ms = shown.has_lease && shown.has_lease_left && shown.lease_left_ms == 0
			? STATE_LEASE_OVER
			: 0,
		.source = shown.source,
		.source_len = shown.source_len,
	};
	records->status = records->fn(records->context, &record, reason);
	return records->status;
}

/* --- the text --- */

int
backup_lines_write(struct state_txn *txn, backup_lines_sink_fn sink, void *context,
	struct reason *reason)
{
	static const struct name_key root = { 0 };
	struct writing writing = {
		.sink = sink,
		.context = context,
		.checksum = CHECKSUM_FIRST,
	};
	struct state_meta meta;
	int status = state_read_meta(txn, &meta, reason);

	buffer_init(&writing.line, BACKUP_LINE_MAX, NULL);
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

	struct rrset_json shown;

	begin_line(writing);
	state_record_to_json(record, 0, &shown);
	rrset_json_write(&writing->json, &shown);
	writing->count++;
	return end_line(writing, reason);
}

static void
begin_line(struct writing *writing)
{
	buffer_clear(&writing->line);
	writing->json = (struct json_writer){ .out = &writing->line };
}

static int
end_line(struct writing *writing, struct reason *reason)
{
	struct buffer *line = &writing->line;

	buffer_add(line, "\n", 1);
	if (line->status)
		return reason_set(reason, line->status, "an RRset for the backup: %s",
			line->status == STATUS_NO_MEMORY ? "out of memory" : "too long");
	writing->checksum = checksum_crc32c_more(writing->checksum, line->data, line->used);
	return writing->sink(writing->context, line->data, line->used, reason);
}

static int
write_header(struct writing *writing, const struct state_meta *meta, struct reason *reason)
{
	char instance[STATE_INSTANCE_TEXT], now[DURATION_TEXT_MAX];
	struct json_writer *json = &writing->json;

	state_write_instance(meta, instance);
	duration_write_time(clock_wall_ms(), now);
	begin_line(writing);
	json_writer_begin(json, '{');
	json_writer_member(json, "livezone", "backup");
	json_writer_member_number(json, "version", BACKUP_LINES_VERSION);
	json_writer_member_number(json, "revision", meta->revision);
	json_writer_member(json, "instance", instance);
	json_writer_member(json, "created", now);
	json_writer_end(json, '}');
	return end_line(writing, reason);
}

static int
write_trailer(struct writing *writing, const struct state_meta *meta, struct reason *reason)
{
	struct json_writer *json = &writing->json;
	char crc[CRC_TEXT];

	snprintf(crc, sizeof(crc), "%08x", ~writing->checksum);
	begin_line(writing);
	json_writer_begin(json, '{');
	json_writer_member(json, "livezone", "end");
	json_writer_member_number(json, "count", writing->count);
	json_writer_member_number(json, "revision", meta->revision);
	json_writer_member(json, "crc", crc);
	json_writer_end(json, '}');
	return end_line(writing, reason);
}

int
backup_lines_take(
	struct backup_lines *lines, const char *line, size_t len, struct reason *reason)
{
	int status = 0;

	if (lines->line++ == 0) {
		lines->checksum = CHECKSUM_FIRST;
		if (!has_start(line, len, "{\"livezone\":\"backup\","))
			return reason_set(reason, STATUS_FOREIGN,
				"this is no backup of livezone");
		if (!has_start(line, len, "{\"livezone\":\"backup\",\"version\":3,"))
			return reason_set(reason, STATUS_FOREIGN,
				"a backup of another version: this livezoned knows version "
				"%d",
				BACKUP_LINES_VERSION);
	}
	if (lines->is_complete)
		return reason_set(reason, STATUS_CORRUPT, "a line behind the trailer");
	if (lines->line > 1 && has_start(line, len, "{\"livezone\":\"end\","))
		return read_line(lines, line, len, take_trailer, reason);
	lines->checksum = checksum_crc32c_more(
		checksum_crc32c_more(lines->checksum, line, len), "\n", 1);
	if (lines->line == 1)
		return read_line(lines, line, len, take_header, reason);
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
	char crc[CRC_TEXT + 1], expected[CRC_TEXT];
	uint64_t count, revision;

	snprintf(expected, sizeof(expected), "%08x", ~lines->checksum);
	if (!json_get_text(object, "crc", crc, sizeof(crc)) || strcmp(crc, expected) != 0)
		return reason_set(reason, STATUS_CORRUPT,
			"the backup is damaged: it has another checksum than its trailer says");
	if (!json_get_number(object, "count", &count) || count != lines->records
		|| !json_get_number(object, "revision", &revision)
		|| revision != lines->revision)
		return reason_set(reason, STATUS_CORRUPT,
			"the backup is damaged: it has another count or revision than its trailer says");
	lines->is_complete = true;
	return 0;
}

static bool
has_start(const char *line, size_t len, const char *start)
{
	return len >= strlen(start) && memcmp(line, start, strlen(start)) == 0;
}
