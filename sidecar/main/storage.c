/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Checked once, when livezoned starts. Nothing here keeps Unbound from answering.
 */
#include "sidecar/main/storage.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/filesystem.h"
#include "lib/base/status.h"
#include "lib/base/log.h"

#define LINE_MAX_LEN 4200 /* controllers and a path */

/* "max" and the page counter's greatest number of version 1, 2^63 less a page, are no limits. */
#define NO_LIMIT (UINT64_C(1) << 62)

static int check_filesystem(
	const char *dir, const struct config *config, enum filesystem *out, struct reason *reason);
static void check_memory(const struct config *config);
static uint64_t size_of_data(const char *dir);
static uint64_t least_above(const char *mount, char *group, const char *file);
static uint64_t read_number(const char *path);
static bool has_controller(const char *list, const char *name);

int
storage_check(const struct config *config, struct reason *reason)
{
	enum filesystem state = FILESYSTEM_DISK, serve = FILESYSTEM_DISK;
	int status = check_filesystem(config->store.state, config, &state, reason);

	if (status == STATUS_OK)
		status = check_filesystem(config->store.serve, config, &serve, reason);
	if (status != STATUS_OK)
		return status;
	if (state == FILESYSTEM_MEMORY)
		log_line(LOG_LEVEL_WARNING,
			"store.state: %s lies in memory: every record is lost with the next boot",
			config->store.state);
	if (serve == FILESYSTEM_MEMORY)
		check_memory(config);
	return STATUS_OK;
}

static int
check_filesystem(
	const char *dir, const struct config *config, enum filesystem *out, struct reason *reason)
{
	const char *name = "";

	if (!config->store.allow_network_filesystem) {
		int status = filesystem_refuse_network(dir, reason);

		if (status != STATUS_OK)
			return status;
	}
	if (filesystem_of(dir, out, &name, NULL) == STATUS_OK && *out == FILESYSTEM_OVERLAY)
		log_line(LOG_LEVEL_WARNING,
			"%s lies on overlayfs, whose files may be replaced under a map: use a "
			"volume", dir);
	return STATUS_OK;
}

/* The pages of a serve in memory are charged to livezoned, and while it is rebuilt there are
 * two of them. A serve that is not there will be made from state, at less than half of its
 * size. */
static void
check_memory(const struct config *config)
{
	uint64_t limit = storage_memory_limit(STORAGE_LIMIT_ROOT, STORAGE_LIMIT_GROUPS);
	uint64_t serve = size_of_data(config->store.serve);
	uint64_t needed = serve > 0 ? 2 * serve : size_of_data(config->store.state);

	if (needed > limit)
		log_line(LOG_LEVEL_WARNING,
			"the memory limit of this control group is %" PRIu64
			" MiB, but store.serve in memory needs %" PRIu64
			" MiB while it is rebuilt (twice its size): livezoned may be killed "
			"then; raise the limit",
			limit >> 20, (needed >> 20) + 1);
}

static uint64_t
size_of_data(const char *dir)
{
	char path[PATH_MAX];
	struct stat data;

	if (snprintf(path, sizeof(path), "%s/data.mdb", dir) >= (int)sizeof(path)
		|| stat(path, &data) != 0)
		return 0;
	return (uint64_t)data.st_blocks * 512;
}

/* A container sees its own group at the root of the mount, whatever /proc calls it; so every
 * level from the named one to the root is read, and those that do not exist are passed. */
uint64_t
storage_memory_limit(const char *root, const char *groups)
{
	FILE *file = fopen(groups, "re");
	char line[LINE_MAX_LEN], mount[PATH_MAX];
	uint64_t least = UINT64_MAX;

	if (!file)
		return least;
	while (fgets(line, sizeof(line), file)) {
		/* "4:memory,hugetlb:/path", and of version 2 "0::/path" */
		char *list = strchr(line, ':');
		char *group = list ? strchr(list + 1, ':') : NULL;
		uint64_t found = UINT64_MAX;

		if (!group)
			continue;
		*list++ = *group++ = '\0';
		group[strcspn(group, "\n")] = '\0';
		if (*list == '\0') {
			found = least_above(root, group, "memory.max");
		} else if (has_controller(list, "memory")) {
			snprintf(mount, sizeof(mount), "%s/memory", root);
			found = least_above(mount, group, "memory.limit_in_bytes");
		}
		least = found < least ? found : least;
	}
	fclose(file);
	return least;
}

/* Cuts `group` down to the root. */
static uint64_t
least_above(const char *mount, char *group, const char *file)
{
	uint64_t least = UINT64_MAX;
	char path[2 * PATH_MAX];
	char *slash;

	for (;;) {
		uint64_t found;

		snprintf(path, sizeof(path), "%s%s/%s", mount, group, file);
		found = read_number(path);
		least = found < least ? found : least;
		slash = strrchr(group, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

static uint64_t
read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	uint64_t number = UINT64_MAX;

	if (!file)
		return number;
	if (fscanf(file, "%" SCNu64, &number) != 1 || number >= NO_LIMIT)
		number = UINT64_MAX;
	fclose(file);
	return number;
}

static bool
has_controller(const char *list, const char *name)
{
	const size_t len = strlen(name);

	for (; list; list = strchr(list, ',')) {
		list += *list == ',';
		if (strncmp(list, name, len) == 0 && (list[len] == ',' || list[len] == '\0'))
			return true;
	}
	return false;
}
