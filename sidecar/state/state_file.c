/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Files of state; the main thread at start, before anything else is open.
 */
#include "sidecar/state/state_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/status.h"

#define SAME_SECOND_MAX 100 /* quarantines of one second that get names of their own */

static int
join(char out[PATH_MAX], const char *dir, const char *name, struct reason *reason)
{
	if (snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX)
		return STATUS_OK;
	return reason_set(reason, STATUS_INVALID, "%s: path too long", dir);
}

static int
sync_directory(const char *dir, struct reason *reason)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int failed = fd < 0 || fsync(fd) != 0;
	int status = failed ? reason_errno(reason, errno, dir) : STATUS_OK;

	if (fd >= 0)
		close(fd);
	return status;
}

void
state_file_remove_new(const char *dir)
{
	char path[PATH_MAX];

	if (join(path, dir, "new/data.mdb", NULL) == STATUS_OK)
		unlink(path);
	if (join(path, dir, "new/lock.mdb", NULL) == STATUS_OK)
		unlink(path);
	if (join(path, dir, "new", NULL) == STATUS_OK)
		rmdir(path);
}

int
state_file_make_new(const char *dir, char out_path[PATH_MAX], struct reason *reason)
{
	int status = join(out_path, dir, "new", reason);

	if (status != STATUS_OK)
		return status;
	state_file_remove_new(dir);
	return mkdir(out_path, 0700) == 0 ? STATUS_OK : reason_errno(reason, errno, out_path);
}

int
state_file_adopt(const char *dir, struct reason *reason)
{
	char from[PATH_MAX], to[PATH_MAX];
	int status = join(from, dir, "new/data.mdb", reason);

	if (status == STATUS_OK)
		status = join(to, dir, "data.mdb", reason);
	if (status == STATUS_OK && rename(from, to) != 0)
		status = reason_errno(reason, errno, to);
	state_file_remove_new(dir);
	/* LMDB does not sync the directory that a new file stands in */
	return status == STATUS_OK ? sync_directory(dir, reason) : status;
}

/* Looks for the file's other name. */
static int
find_quarantined(const char *dir, ino_t inode, char out_path[PATH_MAX])
{
	char path[PATH_MAX];
	struct dirent *entry;
	struct stat found;
	bool is_found = false;
	DIR *all;

	if (join(path, dir, "quarantine", NULL) != STATUS_OK || !(all = opendir(path)))
		return STATUS_NOT_FOUND;
	while (!is_found && (entry = readdir(all))) {
		/* ".." has the very file that is looked for, under its first name */
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(out_path, PATH_MAX, "%s/quarantine/%s/data.mdb", dir,
			    entry->d_name)
			>= PATH_MAX)
			continue;
		is_found = lstat(out_path, &found) == 0 && found.st_ino == inode;
	}
	closedir(all);
	return is_found ? STATUS_OK : STATUS_NOT_FOUND;
}

/* A directory of its own, by the time; out_path is that directory. */
static int
make_quarantine(const char *dir, char out_path[PATH_MAX], struct reason *reason)
{
	char all[PATH_MAX], name[32];
	time_t now = time(NULL);
	struct tm utc;
	int i, status = join(all, dir, "quarantine", reason);

	if (status != STATUS_OK)
		return status;
	if (mkdir(all, 0700) != 0 && errno != EEXIST)
		return reason_errno(reason, errno, all);
	gmtime_r(&now, &utc);
	for (i = 0; i < SAME_SECOND_MAX; i++) {
		size_t len = strftime(name, sizeof(name), "%Y%m%dT%H%M%SZ", &utc);

		if (i > 0)
			snprintf(name + len, sizeof(name) - len, "-%d", i);
		status = join(out_path, all, name, reason);
		if (status != STATUS_OK)
			return status;
		if (mkdir(out_path, 0700) == 0)
			return sync_directory(all, reason);
		if (errno != EEXIST)
			break;
	}
	return reason_errno(reason, errno, out_path);
}

int
state_file_quarantine(const char *dir, char out_path[PATH_MAX], struct reason *reason)
{
	char from[PATH_MAX], place[PATH_MAX];
	struct stat file;
	int status = join(from, dir, "data.mdb", reason);

	if (status != STATUS_OK)
		return status;
	if (lstat(from, &file) != 0)
		return reason_errno(reason, errno, from);
	if (file.st_nlink > 1 && find_quarantined(dir, file.st_ino, out_path) == STATUS_OK)
		return STATUS_OK;
	/* blocks reserved behind its end are of no use to it any more */
	(void)!truncate(from, file.st_size);
	status = make_quarantine(dir, place, reason);
	if (status == STATUS_OK)
		status = join(out_path, place, "data.mdb", reason);
	if (status == STATUS_OK && link(from, out_path) != 0)
		status = reason_errno(reason, errno, out_path);
	if (status == STATUS_OK)
		status = sync_directory(place, reason);
	return status == STATUS_OK ? sync_directory(dir, reason) : status;
}
