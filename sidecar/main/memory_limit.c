/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A container sees its own group at the root of the mount, whatever /proc calls it; so every
 * level from the named one to the root is looked at, and those that are not there are passed.
 */
#include "sidecar/main/memory_limit.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN 4200 /* controllers and a path */

/* "max" and the page counter's greatest number of version 1, 2^63 less a page, are no limits. */
#define NO_LIMIT (UINT64_C(1) << 62)

static uint64_t read_number(const char *path);
static uint64_t least_above(const char *mount, char *group, const char *file);
static bool has_controller(const char *list, const char *name);

uint64_t
memory_limit_read(const char *root, const char *groups)
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
