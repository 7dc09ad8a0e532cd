/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Report files. The writer is the module's keeper thread, the reader livezoned, which
 * trusts no byte of them: another process owns the directory's other half.
 */
#include "lib/report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/status.h"

#define HEADER "livezone-report 1\n"
#define FILE_NAME_MAX 48           /* "unbound-<pid>.report" and a suffix */
#define FILE_SIZE_MAX (512 * 1024) /* REPORT_ZONES_MAX lines of their longest */
#define FILES_MAX 256              /* reports read in one pass: workers of one host */
#define GONE_AFTER_S 10            /* a pid of another namespace looks gone; its file lives */
#define ZONE_NUMBERS (REPORT_STAGES + 2)

/* How a value is kept in struct report. */
enum kind {
	KIND_TEXT,
	KIND_NUMBER,
	KIND_UNSIGNED,
};

struct field {
	const char *key;
	enum kind kind;
	size_t offset;
	size_t size; /* of texts */
};

#define TEXT(member) \
	{ #member, KIND_TEXT, offsetof(struct report, member), \
		sizeof(((struct report *)0)->member) }
#define NUMBER(member) \
	{ #member, KIND_NUMBER, offsetof(struct report, member), 0 }

static const struct field fields[] = {
	TEXT(unbound),
	TEXT(store),
	TEXT(store_reason),
	TEXT(serve_instance),
	NUMBER(serve_inode),
	NUMBER(revision),
	NUMBER(started_ms),
	NUMBER(written_ms),
	NUMBER(opens),
	NUMBER(corrupt),
	NUMBER(trips_sigbus),
	NUMBER(trips_sigsegv),
	NUMBER(trips_assert),
	NUMBER(damaged_inode),
	NUMBER(snapshot_revision),
	NUMBER(snapshot_size),
	NUMBER(snapshot_ms),
	NUMBER(foreign),
	{ "workers", KIND_UNSIGNED, offsetof(struct report, workers), 0 },
};

#define FIELD_COUNT (sizeof(fields) / sizeof(*fields))

static int open_directory(const char *dir, int *out, struct reason *reason);
static void free_zones(struct report *report);
static void name_file(pid_t pid, const char *suffix, char out[FILE_NAME_MAX]);
static int write_file(int directory, const char *name, const struct report *report);
static void print_field(FILE *file, const struct field *field, const struct report *report);
static void print_text(FILE *file, const char *text);
static void print_zone(FILE *file, const struct report_zone *zone);
static bool read_name(const char *name, pid_t *out_pid, bool *out_temporary);
static bool is_gone(int directory, const char *name, pid_t pid);
static int read_one(int directory, const char *name, struct report *out);
static int read_whole(int fd, char **out);
static int parse(char *text, struct report *out);
static void parse_line(char *line, struct report *out);
static int parse_zone(char *text, struct report *out);
static bool read_number(const char *text, uint64_t *out);

int
report_write(const char *dir, const struct report *report, struct reason *reason)
{
	char name[FILE_NAME_MAX], temporary[FILE_NAME_MAX];
	int directory = -1;
	int status = open_directory(dir, &directory, reason);

	if (status)
		return status;
	name_file(report->pid, "", name);
	name_file(report->pid, ".new", temporary);
	status = write_file(directory, temporary, report);
	if (!status && renameat(directory, temporary, directory, name) != 0)
		status = STATUS_IO;
	if (status) {
		if (errno == ENOSPC || errno == EDQUOT)
			status = STATUS_FULL;
		reason_set(reason, status, "%s/%s: %s", dir, temporary, strerror(errno));
		unlinkat(directory, temporary, 0);
	}
	close(directory);
	return status;
}

int
report_read_all(const char *dir, report_fn fn, void *context, struct reason *reason)
{
	int directory = -1;
	int status = open_directory(dir, &directory, reason);
	const struct dirent *entry;
	unsigned files = 0;
	DIR *list;

	if (status)
		return status;
	list = fdopendir(directory);
	if (!list) {
		close(directory);
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	}
	while (files < FILES_MAX && (entry = readdir(list))) {
		struct report report = { 0 };
		bool is_temporary;

		if (!read_name(entry->d_name, &report.pid, &is_temporary))
			continue;
		files++;
		if (is_gone(directory, entry->d_name, report.pid))
			unlinkat(directory, entry->d_name, 0);
		else if (!is_temporary && read_one(directory, entry->d_name, &report) == 0)
			fn(context, &report);
		free_zones(&report);
	}
	closedir(list);
	return 0;
}

static int
open_directory(const char *dir, int *out, struct reason *reason)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return reason_set(reason, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO,
			"%s: %s", dir, strerror(errno));
	*out = fd;
	return 0;
}

static void
free_zones(struct report *report)
{
	free(report->zone);
	report->zone = NULL;
	report->zone_count = 0;
}

static void
name_file(pid_t pid, const char *suffix, char out[FILE_NAME_MAX])
{
	snprintf(out, FILE_NAME_MAX, "unbound-%d.report%s", (int)pid, suffix);
}

/* Writing. */

/* STATUS_IO leaves errno for the caller's reason. */
static int
write_file(int directory, const char *name, const struct report *report)
{
	size_t zones = report->zone_count;
	FILE *file;
	int error;
	int fd;

	unlinkat(directory, name, 0); /* of a process that had this pid and was killed */
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		0640);
	if (fd < 0)
		return STATUS_IO;
	(void)fchmod(fd, 0640); /* the directory's group reads it, whatever the umask */
	file = fdopen(fd, "w");
	if (!file) {
		close(fd);
		return STATUS_IO;
	}
	fputs(HEADER, file);
	for (size_t i = 0; i < FIELD_COUNT; i++)
		print_field(file, &fields[i], report);
	for (size_t i = 0; i < zones && i < REPORT_ZONES_MAX; i++)
		print_zone(file, &report->zone[i]);
	error = ferror(file);
	return fclose(file) || error ? STATUS_IO : 0;
}

static void
print_field(FILE *file, const struct field *field, const struct report *report)
{
	const char *at = (const char *)report + field->offset;
	uint64_t number = 0;
	unsigned small = 0;

	fprintf(file, "%s ", field->key);
	switch (field->kind) {
	case KIND_TEXT:
		print_text(file, at);
		break;
	case KIND_NUMBER:
		memcpy(&number, at, sizeof(number));
		fprintf(file, "%" PRIu64, number);
		break;
	case KIND_UNSIGNED:
		memcpy(&small, at, sizeof(small));
		fprintf(file, "%u", small);
		break;
	}
	putc('\n', file);
}

static void
print_text(FILE *file, const char *text)
{
	for (; *text; text++)
		putc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, file);
}

/* "zone <answers by stage> <nodata> <nxdomain> <name>" */
static void
print_zone(FILE *file, const struct report_zone *zone)
{
	fputs("zone ", file);
	for (size_t i = 0; i < REPORT_STAGES; i++)
		fprintf(file, "%" PRIu64 " ", zone->answers[i]);
	fprintf(file, "%" PRIu64 " %" PRIu64 " ", zone->nodata, zone->nxdomain);
	print_text(file, zone->name);
	putc('\n', file);
}

/* Reading. */

/* "unbound-<pid>.report", or the same with ".new"? */
static bool
read_name(const char *name, pid_t *out_pid, bool *out_temporary)
{
	static const char *const suffixes[] = { "", ".new" };
	char expected[FILE_NAME_MAX];
	int pid;

	if (sscanf(name, "unbound-%9d.report", &pid) != 1 || pid <= 0)
		return false;
	for (size_t i = 0; i < 2; i++) {
		name_file(pid, suffixes[i], expected);
		if (strcmp(name, expected) != 0)
			continue;
		*out_pid = pid;
		*out_temporary = i == 1;
		return true;
	}
	return false;
}

/* No such process, and nobody writes the file: in another pid namespace it may live. */
static bool
is_gone(int directory, const char *name, pid_t pid)
{
	struct stat info;

	if (kill(pid, 0) == 0 || errno != ESRCH)
		return false;
	return fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) == 0
		&& S_ISREG(info.st_mode) && time(NULL) - info.st_mtime > GONE_AFTER_S;
}

static int
read_one(int directory, const char *name, struct report *out)
{
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *text = NULL;
	int status;

	if (fd < 0)
		return STATUS_IO;
	status = read_whole(fd, &text);
	close(fd);
	if (!status)
		status = parse(text, out);
	free(text);
	return status;
}

static int
read_whole(int fd, char **out)
{
	struct stat info;
	size_t size, used = 0;
	ssize_t got = 1;
	char *text;

	if (fstat(fd, &info) || !S_ISREG(info.st_mode))
		return STATUS_INVALID;
	if (info.st_size > FILE_SIZE_MAX)
		return STATUS_TOO_LARGE;
	size = (size_t)info.st_size;
	text = malloc(size + 1);
	if (!text)
		return STATUS_NO_MEMORY;
	while (got > 0 && used < size) {
		got = read(fd, text + used, size - used);
		used += got > 0 ? (size_t)got : 0;
	}
	text[used] = '\0';
	if (got < 0 || memchr(text, '\0', used)) {
		free(text);
		return got < 0 ? STATUS_IO : STATUS_CORRUPT;
	}
	*out = text;
	return 0;
}

static int
parse(char *text, struct report *out)
{
	char *line = text + strlen(HEADER);

	if (strncmp(text, HEADER, strlen(HEADER)) != 0)
		return STATUS_FOREIGN;
	while (*line) {
		char *end = line + strcspn(line, "\n");
		bool is_last = *end == '\0';
		int status = 0;

		*end = '\0';
		if (strncmp(line, "zone ", 5) == 0)
			status = parse_zone(line + 5, out);
		else
			parse_line(line, out);
		if (status)
			return status;
		line = is_last ? end : end + 1;
	}
	return 0;
}

/* Unknown keys and bad numbers are skipped: a report is for information. */
static void
parse_line(char *line, struct report *out)
{
	size_t key = strcspn(line, " ");
	const char *value = line[key] ? line + key + 1 : line + key;

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = &fields[i];
		char *at = (char *)out + field->offset;
		uint64_t number = 0;
		unsigned small;

		if (strlen(field->key) != key || strncmp(line, field->key, key) != 0)
			continue;
		if (field->kind == KIND_TEXT) {
			snprintf(at, field->size, "%s", value);
		} else if (!read_number(value, &number)) {
			return;
		} else if (field->kind == KIND_NUMBER) {
			memcpy(at, &number, sizeof(number));
		} else {
			small = number > UINT16_MAX ? UINT16_MAX : (unsigned)number;
			memcpy(at, &small, sizeof(small));
		}
	}
}

static int
parse_zone(char *text, struct report *out)
{
	uint64_t number[ZONE_NUMBERS];
	size_t count = out->zone_count;
	struct report_zone *zone;

	for (size_t i = 0; i < ZONE_NUMBERS; i++) {
		char *blank = strchr(text, ' ');

		if (!blank)
			return 0;
		*blank = '\0';
		if (!read_number(text, &number[i]))
			return 0;
		text = blank + 1;
	}
	if (count == REPORT_ZONES_MAX)
		return 0;
	if ((count & (count - 1)) == 0) {
		zone = realloc(out->zone, (count > 0 ? 2 * count : 1) * sizeof(*zone));
		if (!zone)
			return STATUS_NO_MEMORY;
		out->zone = zone;
	}
	zone = &out->zone[out->zone_count++];
	memset(zone, 0, sizeof(*zone));
	memcpy(zone->answers, number, sizeof(zone->answers));
	zone->nodata = number[REPORT_STAGES];
	zone->nxdomain = number[REPORT_STAGES + 1];
	snprintf(zone->name, sizeof(zone->name), "%s", text);
	return 0;
}

static bool
read_number(const char *text, uint64_t *out)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end || errno)
		return false;
	*out = value;
	return true;
}
