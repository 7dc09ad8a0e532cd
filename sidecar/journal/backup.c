/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Backups on the disk, for those who read them.
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

#include "lib/base/backup_line.h"
#include "lib/base/status.h"
#include "sidecar/journal/backup_lines.h"
#include "lib/dns/zones.h"
#include "sidecar/json/rrset_json.h"

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

static bool read_name(const char *name, struct backup_file *out);
static int compare_files(const void *a, const void *b);
static int read_file(const char *path, struct records *records, struct backup_verdict *out,
	struct reason *reason);
static int read_lines(struct reading *reading, struct reason *reason);
static int fill(struct reading *reading, struct reason *reason);
static int give_record(void *context, struct json_value object, struct reason *reason);

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
backup_choose(const char *dir, backup_skipped_fn skipped, void *context,
	struct backup_file *out_file, struct backup_verdict *out_verdict,
	struct reason *reason)
{
	struct backup_list list;
	size_t i;
	uint64_t best = 0;
	int status = backup_list(dir, &list, reason);

	if (status)
		return status;
	for (i = 0; i < list.count; i++) {
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
		if (verdict.is_complete || verdict.records > best) {
			best = verdict.records;
			*out_file = list.file[i];
			*out_verdict = verdict;
		}
		if (verdict.is_complete)
			break;
		if (skipped)
			skipped(context, &list.file[i], &verdict);
	}
	if (!status && best == 0 && i == list.count)
		status = reason_set(reason, STATUS_NOT_FOUND, "%s: no good backup", dir);
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

/* The line was sealed as it is: nothing of what follows is damage of the file. */
static int
give_record(void *context, struct json_value object, struct reason *reason)
{
	struct records *records = context;
	struct rrset_json json;
	struct state_record record;

	records->status = rrset_json_read(
		records->reader, object, RRSET_JSON_BACKUP, &json, reason);
	if (records->status)
		return records->status;
	record = (struct state_record){
		.rrset = json.rrset,
		.revision = json.revision,
		.lease_ms = json.lease_ms,
		.expires_ms = json.has_lease && json.has_lease_left && json.lease_left_ms == 0
			? STATE_LEASE_OVER
			: 0,
		.source = json.source,
		.source_len = json.source_len,
	};
	records->status = records->fn(records->context, &record, reason);
	return records->status;
}
