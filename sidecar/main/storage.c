/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Looked at once, when livezoned starts. Nothing here keeps Unbound from answering.
 */
#include "sidecar/main/storage.h"

#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base/filesystem.h"
#include "lib/base/status.h"
#include "lib/base/log.h"
#include "sidecar/main/memory_limit.h"

static int check_filesystem(
	const char *dir, const struct config *config, enum filesystem *out, struct reason *reason);
static int check_memory(const struct config *config, struct reason *reason);
static uint64_t size_of_data(const char *dir);

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
	return serve == FILESYSTEM_MEMORY ? check_memory(config, reason) : STATUS_OK;
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

/* A serve that is not there will be made from state, at less than half of its size. */
static int
check_memory(const struct config *config, struct reason *reason)
{
	uint64_t limit = memory_limit_read(MEMORY_LIMIT_ROOT, MEMORY_LIMIT_GROUPS);
	uint64_t serve = size_of_data(config->store.serve);
	uint64_t needed = serve > 0 ? 2 * serve : size_of_data(config->store.state);

	if (needed <= limit)
		return STATUS_OK;
	return reason_set(reason, STATUS_FULL,
		"the memory limit of this control group is %" PRIu64 " MiB, but store.serve in "
		"memory needs %" PRIu64 " MiB while it is rebuilt (twice its size): raise the "
		"limit", limit >> 20, (needed >> 20) + 1);
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
