/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Room on the disk ahead of need. LMDB extends its file page by page, and a commit that finds
 * no room is refused: the blocks are taken while there is some, without changing the size,
 * which says how much is used (fallocate(2), FALLOC_FL_KEEP_SIZE).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "lib/serve/mdb.h"
#include "sidecar/state/state.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"

#define MIB (1u << 20)

static uint64_t
wanted_bytes(const struct state *state, uint64_t size)
{
	uint64_t ahead = size / 4 > STATE_RESERVE_LEAST ? size / 4 : STATE_RESERVE_LEAST;
	uint64_t wanted = (size + ahead + MIB - 1) / MIB * MIB;

	return wanted < state->map_size ? wanted : state->map_size;
}

static int
reserve(struct state *state, int fd, uint64_t *out_bytes, struct reason *reason)
{
	uint64_t has, free_bytes, wanted;
	struct statvfs disk;
	struct stat file;

	if (fstat(fd, &file) != 0 || statvfs(state->dir, &disk) != 0)
		return status_from_mdb_reason(errno, state->dir, reason);
	has = (uint64_t)file.st_blocks * 512;
	wanted = wanted_bytes(state, (uint64_t)file.st_size);
	*out_bytes = has;
	/* a limit that was set below what is in use */
	if (wanted <= (uint64_t)file.st_size)
		return STATUS_OK;
	/* not each time that a page was written behind the end */
	if (has >= (uint64_t)file.st_size + (wanted - (uint64_t)file.st_size) / 2)
		return STATUS_OK;
	free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
	if (wanted - has > free_bytes / 2)
		return reason_set(reason, STATUS_FULL,
			"%s: %llu MiB are free: no room is reserved for state, which may have "
			"%llu MiB by store.size-limit",
			state->dir, (unsigned long long)(free_bytes / MIB),
			(unsigned long long)(state->map_size / MIB));
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)wanted) != 0)
		return reason_set(reason,
			errno == EOPNOTSUPP || errno == ENOSYS ? STATUS_UNAVAILABLE
							       : reason_errno(NULL, errno, NULL),
			"%s: no room is reserved for state", state->dir);
	*out_bytes = wanted;
	return STATUS_OK;
}

int
state_reserve(struct state *state, uint64_t *out_bytes, struct reason *reason)
{
	mdb_filehandle_t fd;
	int status = state_enter(state, reason);

	*out_bytes = 0;
	if (status != STATUS_OK)
		return status;
	if (state->is_read_only)
		status = reason_set(reason, STATUS_UNAVAILABLE, "%s: read-only", state->dir);
	else
		status = status_from_mdb_reason(mdb_env_get_fd(state->env, &fd), "state", reason);
	if (status == STATUS_OK)
		status = reserve(state, fd, out_bytes, reason);
	state_leave(state, STATE_FINE);
	return status;
}
