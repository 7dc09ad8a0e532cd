/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Report files, and livezoned's identity. The writer is the module's keeper thread, the reader
 * livezoned (the other way round for the identity); neither trusts a byte of them: another
 * process owns the directory's other half.
 */
#include "lib/report/report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "lib/base/clock.h"
#include "lib/base/field.h"
#include "lib/base/status.h"

#define HEADER "livezone-report 1\n"
#define FILE_SIZE_MAX (512 * 1024) /* REPORT_ZONES_MAX lines of their longest */
#define FILES_MAX 256              /* reports read in one pass: workers of one host */
#define GONE_AFTER_S 10            /* a pid of another namespace looks gone; its file lives */
#define GONE_KEPT_S 600            /* for the module's next start, which may be minutes away */
#define IDENTITY_NAME "livezoned.identity"
#define IDENTITY_HEADER "livezone-identity 1\n"
/* From here on, a 0.9 is LMDB's development branch, which has another lock format. */
#define LMDB_DEVELOPMENT 70
#define ZONE_NUMBERS (REPORT_STAGES + 2)

#define AT(member) offsetof(struct report, member)
#define TEXT(member) \
	{ #member, FIELD_TEXT, AT(member), sizeof(((struct report *)0)->member) }
#define NUMBER_AS(key, member) \
	{ key, FIELD_NUMBER, AT(member), 0 }
#define NUMBER(member) NUMBER_AS(#member, member)

static const struct field fields[] = {
	TEXT(unbound),
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

#define IDENTITY_TEXT(member) \
	{ #member, FIELD_TEXT, offsetof(struct identity, member), \
		sizeof(((struct identity *)0)->member) }

static const struct field identity_fields[] = {
	{ "pid", FIELD_NUMBER, offsetof(struct identity, pid), 0 },
	{ "pid_namespace", FIELD_NUMBER, offsetof(struct identity, pid_namespace), 0 },
	IDENTITY_TEXT(boot_id),
	IDENTITY_TEXT(lmdb),
	IDENTITY_TEXT(libc),
	{ "mutex_size", FIELD_UNSIGNED, offsetof(struct identity, mutex_size), 0 },
};

static const struct field_table identity_table = { identity_fields,
	sizeof(identity_fields) / sizeof(*identity_fields) };

static int write_file(const char *dir, const char *name, field_print_fn fn, const void *record,
	struct reason *reason);
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
static bool is_same_lock_format(const char *a, const char *b);
static bool is_same_libc(const char *a, const char *b);
static void print_identity(FILE *file, const void *record);

int
report_write(const char *dir, const struct report *report, struct reason *reason)
{
	char name[FIELD_NAME_MAX];

	name_file(report->pid, "", name);
	return write_file(dir, name, print, report, reason);
}

static int
write_file(const char *dir, const char *name, field_print_fn fn, const void *record,
	struct reason *reason)
{
	int directory = -1;
	int status = field_open_directory(dir, &directory, reason);

	if (status)
		return status;
	status = field_write_file(directory, name, fn, record);
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
	field_print_all(file, &identity_table, &report->identity);
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

	if (!status)
		status = parse(text, out);
	out->identity.pid = (uint64_t)out->pid;
	free(text);
	return status;
}

static int
parse(char *text, struct report *out)
{
	char *rest = text + strlen(HEADER), *line;
	int status = STATUS_OK;

	if (strncmp(text, HEADER, strlen(HEADER)) != 0)
		return STATUS_FOREIGN;
	while (status == STATUS_OK && (line = strsep(&rest, "\n"))) {
		if (strncmp(line, "zone ", 5) == 0) {
			status = parse_zone(line + 5, out);
			continue;
		}
		field_parse_line(line, &identity_table, &out->identity);
		field_parse_line(line, &table, out);
	}
	return status;
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

/* --- what both sides of serve are --- */

void
report_identity_init(struct identity *out)
{
	struct stat namespace;
	int major, minor, patch;

	*out = (struct identity){ .pid = (uint64_t)getpid(),
		.mutex_size = sizeof(pthread_mutex_t) };
	if (stat("/proc/self/ns/pid", &namespace) == 0)
		out->pid_namespace = namespace.st_ino;
	clock_read_boot_text(out->boot_id);
	mdb_version(&major, &minor, &patch);
	snprintf(out->lmdb, sizeof(out->lmdb), "%d.%d.%d", major, minor, patch);
#ifdef __GLIBC__
	snprintf(out->libc, sizeof(out->libc), "glibc %s", gnu_get_libc_version());
#else
	snprintf(out->libc, sizeof(out->libc), "another libc");
#endif
}

enum identity_verdict
report_identity_compare(const struct identity *own, const struct identity *other,
	struct reason *reason)
{
	if (!is_same_lock_format(own->lmdb, other->lmdb)) {
		reason_set(reason, STATUS_FOREIGN,
			"the other side uses liblmdb %s, this one %s, whose lock files differ: "
			"give both the same liblmdb",
			other->lmdb, own->lmdb);
		return IDENTITY_DIFFERS;
	}
	if (!is_same_libc(own->libc, other->libc)
		|| (own->mutex_size && other->mutex_size
			&& own->mutex_size != other->mutex_size)) {
		reason_set(reason, STATUS_FOREIGN,
			"the other side uses %s with mutexes of %u bytes, this one %s with "
			"%u: run both from one base image",
			other->libc, other->mutex_size, own->libc, own->mutex_size);
		return IDENTITY_DIFFERS;
	}
	if (own->pid == other->pid && own->pid_namespace && other->pid_namespace
		&& own->pid_namespace != other->pid_namespace && own->boot_id[0]
		&& strcmp(own->boot_id, other->boot_id) == 0) {
		reason_set(reason, STATUS_UNAVAILABLE,
			"the other side has the process id %llu too, in another pid namespace: "
			"LMDB takes them for one process; share the pid namespace "
			"(Kubernetes: shareProcessNamespace: true)",
			(unsigned long long)own->pid);
		return IDENTITY_SHARES_PID;
	}
	return IDENTITY_FITS;
}

/* LMDB 0.9 has one lock format, and each other line has its own. */
static bool
is_same_lock_format(const char *a, const char *b)
{
	unsigned one[3], two[3];

	if (sscanf(a, "%u.%u.%u", &one[0], &one[1], &one[2]) != 3
		|| sscanf(b, "%u.%u.%u", &two[0], &two[1], &two[2]) != 3)
		return true;
	return one[0] == two[0] && one[1] == two[1]
		&& (one[2] >= LMDB_DEVELOPMENT) == (two[2] >= LMDB_DEVELOPMENT);
}

/* By name: glibc's mutexes have kept their layout over its versions. */
static bool
is_same_libc(const char *a, const char *b)
{
	size_t len = strcspn(a, " ");

	return !*a || !*b || (strcspn(b, " ") == len && strncmp(a, b, len) == 0);
}

int
report_identity_write(const char *dir, const struct identity *side, struct reason *reason)
{
	return write_file(dir, IDENTITY_NAME, print_identity, side, reason);
}

static void
print_identity(FILE *file, const void *record)
{
	fputs(IDENTITY_HEADER, file);
	field_print_all(file, &identity_table, record);
}

int
report_identity_read(const char *dir, struct identity *out, struct reason *reason)
{
	struct identity side = { 0 };
	char *text = NULL, *rest, *line;
	int directory = -1;
	int status = field_open_directory(dir, &directory, reason);

	if (status != STATUS_OK)
		return status;
	status = field_read_file(directory, IDENTITY_NAME, FILE_SIZE_MAX, &text);
	close(directory);
	if (status == STATUS_OK && strncmp(text, IDENTITY_HEADER, strlen(IDENTITY_HEADER)) != 0)
		status = STATUS_FOREIGN;
	if (status != STATUS_OK) {
		free(text);
		return reason_set(reason, status, "%s/" IDENTITY_NAME ": not readable", dir);
	}
	rest = text + strlen(IDENTITY_HEADER);
	while ((line = strsep(&rest, "\n")))
		field_parse_line(line, &identity_table, &side);
	free(text);
	*out = side;
	return STATUS_OK;
}
