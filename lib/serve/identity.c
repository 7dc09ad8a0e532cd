/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What both sides of serve are. At starts and at openings; on the keeper's thread and on
 * livezoned's writer thread.
 */
#include "lib/serve/identity.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "lib/base/field.h"
#include "lib/base/status.h"

#define FILE_NAME "livezoned.identity"
#define HEADER "livezone-identity 1\n"
#define FILE_SIZE_MAX 4096
/* From here on, a 0.9 is LMDB's development branch, which has another lock format. */
#define LMDB_DEVELOPMENT 70

#define TEXT(member) \
	{ #member, FIELD_TEXT, offsetof(struct identity, member), \
		sizeof(((struct identity *)0)->member) }

static const struct field fields[] = {
	{ "pid", FIELD_NUMBER, offsetof(struct identity, pid), 0 },
	{ "pid_namespace", FIELD_NUMBER, offsetof(struct identity, pid_namespace), 0 },
	TEXT(boot_id),
	TEXT(lmdb),
	TEXT(libc),
	{ "mutex_size", FIELD_UNSIGNED, offsetof(struct identity, mutex_size), 0 },
};

static const struct field_table table = { fields, sizeof(fields) / sizeof(*fields) };

static bool is_same_lock_format(const char *a, const char *b);
static bool is_same_libc(const char *a, const char *b);
static void print(FILE *file, const void *record);

void
identity_init(struct identity *out)
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
identity_compare(const struct identity *own, const struct identity *other, struct reason *reason)
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
identity_write(const char *dir, const struct identity *side, struct reason *reason)
{
	int directory = -1;
	int status = field_open_directory(dir, &directory, reason);

	if (status != STATUS_OK)
		return status;
	status = field_write_file(directory, FILE_NAME, print, side);
	if (status != STATUS_OK)
		reason_set(reason, status, "%s/" FILE_NAME ": %s", dir, strerror(errno));
	close(directory);
	return status;
}

static void
print(FILE *file, const void *record)
{
	fputs(HEADER, file);
	field_print_all(file, &table, record);
}

int
identity_read(const char *dir, struct identity *out, struct reason *reason)
{
	struct identity side = { 0 };
	char *text = NULL, *rest, *line;
	int directory = -1;
	int status = field_open_directory(dir, &directory, reason);

	if (status != STATUS_OK)
		return status;
	status = field_read_file(directory, FILE_NAME, FILE_SIZE_MAX, &text);
	close(directory);
	if (status == STATUS_OK && strncmp(text, HEADER, strlen(HEADER)) != 0)
		status = STATUS_FOREIGN;
	if (status != STATUS_OK) {
		free(text);
		return reason_set(reason, status, "%s/" FILE_NAME ": not readable", dir);
	}
	rest = text + strlen(HEADER);
	while ((line = strsep(&rest, "\n")))
		field_parse_line(line, &table, &side);
	free(text);
	*out = side;
	return STATUS_OK;
}
