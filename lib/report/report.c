/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Report files. The writer is the module's keeper thread, the reader livezoned, which
 * trusts no byte of them: another process owns the directory's other half.
 */
#include "lib/report/report.h"

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

#include "lib/base/clock.h"
#include "lib/base/field.h"
#include "lib/base/status.h"

#define HEADER "livezone-report 1\n"
#define FILE_SIZE_MAX (512 * 1024) /* REPORT_ZONES_MAX lines of their longest */
#define FILES_MAX 256              /* reports read in one pass: workers of one host */
#define GONE_AFTER_S 10            /* a pid of another namespace looks gone; its file lives */
#define GONE_KEPT_S 600            /* for the module's next start, which may be minutes away */
#define ZONE_NUMBERS (REPORT_STAGES + 2)

#define AT(member) offsetof(struct report, member)
#define TEXT_AS(key, member) \
	{ key, FIELD_TEXT, AT(member), sizeof(((struct report *)0)->member) }
#define TEXT(member) TEXT_AS(#member, member)
#define NUMBER_AS(key, member) \
	{ key, FIELD_NUMBER, AT(member), 0 }
#define NUMBER(member) NUMBER_AS(#member, member)

static const struct field fields[] = {
	TEXT(unbound),
	NUMBER_AS("pid_namespace", identity.pid_namespace),
	TEXT_AS("boot_id", identity.boot_id),
	TEXT_AS("lmdb", identity.lmdb),
	TEXT_AS("libc", identity.libc),
	{ "mutex_size", FIELD_UNSIGNED, AT(identity.mutex_size), 0 },
	TEXT(store),
	TEXT(store_reason),
	TEXT(warning),
	TEXT(serve_instance),
	NUMBER(serve_inode),
	NUMBER(revision),
	NUMBER(started_ms),
	NUMBER(written_ms),
	NUMBER(written_boot_ms),
	{ "ended", FIELD_UNSIGNED, AT(ended), 0 },
	NUMBER_AS("crash_1_ms", crash_ms[0]),
	NUMBER_AS("crash_2_ms", crash_ms[1]),
	NUMBER_AS("crash_3_ms", crash_ms[2]),
	NUMBER(off_until_ms),
	NUMBER(off_pause_ms),
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
	{ "workers", FIELD_UNSIGNED, AT(workers), 0 },
};

static const struct field_table table = { fields, sizeof(fields) / sizeof(*fields) };

static int read_directory(const char *dir, bool wants_gone, report_fn fn, void *context,
	struct reason *reason);
static void name_file(pid_t pid, const char *suffix, char out[FIELD_NAME_MAX]);
static void print(FILE *file, const void *record);
static void print_zone(FILE *file, const struct report_zone *zone);
static bool read_name(const char *name, pid_t *out_pid, bool *out_temporary);
static bool is_to_be_read(int directory, const char *name, pid_t pid);
static int read_one(int directory, const char *name, struct report *out);
static int parse(char *text, struct report *out);
static int parse_zone(char *text, struct report *out);

int
report_write(const char *dir, const struct report *report, struct reason *reason)
{
	char name[FIELD_NAME_MAX];
	int directory = -1;
	int status = field_open_directory(dir, &directory, reason);

	if (status)
		return status;
	name_file(report->pid, "", name);
	status = field_write_file(directory, name, print, report);
	if (status)
		reason_set(reason, status, "%s/%s: %s", dir, name, strerror(errno));
	close(directory);
	return status;
}

int
report_read_all(const char *dir, report_fn fn, void *context, struct reason *reason)
{
	return read_directory(dir, false, fn, context, reason);
}

int
report_read_any(const char *dir, report_fn fn, void *context, struct reason *reason)
{
	return read_directory(dir, true, fn, context, reason);
}

void
report_remove(const char *dir, pid_t pid)
{
	char name[FIELD_NAME_MAX];
	int directory = -1;

	if (field_open_directory(dir, &directory, NULL))
		return;
	name_file(pid, "", name);
	unlinkat(directory, name, 0);
	close(directory);
}

static int
read_directory(const char *dir, bool wants_gone, report_fn fn, void *context,
	struct reason *reason)
{
	int directory = -1;
	int status = field_open_directory(dir, &directory, reason);
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
		if ((wants_gone || is_to_be_read(directory, entry->d_name, report.pid))
			&& !is_temporary && read_one(directory, entry->d_name, &report) == 0)
			fn(context, &report);
		free(report.zone);
	}
	closedir(list);
	return 0;
}

static void
name_file(pid_t pid, const char *suffix, char out[FIELD_NAME_MAX])
{
	snprintf(out, FIELD_NAME_MAX, "unbound-%d.report%s", (int)pid, suffix);
}

/* Writing. */

static void
print(FILE *file, const void *record)
{
	const struct report *report = record;
	size_t zones = report->zone_count;

	fputs(HEADER, file);
	field_print_all(file, &table, report);
	for (size_t i = 0; i < zones && i < REPORT_ZONES_MAX; i++)
		print_zone(file, &report->zone[i]);
}

/* "zone <answers by stage> <nodata> <nxdomain> <name>" */
static void
print_zone(FILE *file, const struct report_zone *zone)
{
	fputs("zone ", file);
	for (size_t i = 0; i < REPORT_STAGES; i++)
		fprintf(file, "%" PRIu64 " ", zone->answers[i]);
	fprintf(file, "%" PRIu64 " %" PRIu64 " ", zone->nodata, zone->nxdomain);
	field_print_text(file, zone->name);
	putc('\n', file);
}

/* Reading. */

/* "unbound-<pid>.report", or the same with ".new"? */
static bool
read_name(const char *name, pid_t *out_pid, bool *out_temporary)
{
	static const char *const suffixes[] = { "", ".new" };
	char expected[FIELD_NAME_MAX];
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

/* No such process, and nobody writes the file: in another pid namespace it may live. One
 * that nobody asks for any more is removed. */
static bool
is_to_be_read(int directory, const char *name, pid_t pid)
{
	struct stat info;
	time_t age;

	if (kill(pid, 0) == 0 || errno != ESRCH)
		return true;
	if (fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) || !S_ISREG(info.st_mode))
		return true; /* whatever it is, not ours to remove */
	age = time(NULL) - info.st_mtime;
	if (age > GONE_KEPT_S)
		unlinkat(directory, name, 0);
	return age <= GONE_AFTER_S;
}

static int
read_one(int directory, const char *name, struct report *out)
{
	char *text = NULL;
	int status = field_read_file(directory, name, FILE_SIZE_MAX, &text);

	out->identity.pid = (uint64_t)out->pid;
	if (!status)
		status = parse(text, out);
	free(text);
	return status;
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
			field_parse_line(line, &table, out);
		if (status)
			return status;
		line = is_last ? end : end + 1;
	}
	return 0;
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
		if (!field_parse_number(text, &number[i]))
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

uint64_t
report_age_ms(const struct report *report, const char *boot_id)
{
	const bool is_of_boot = report->written_boot_ms != 0 && *boot_id
		&& strcmp(report->identity.boot_id, boot_id) == 0;
	const uint64_t now = is_of_boot ? clock_boot_ms() : clock_wall_ms();
	const uint64_t then = is_of_boot ? report->written_boot_ms : report->written_ms;

	return now > then ? now - then : 0;
}
