/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The environment in a directory, one commit of it, which livezoned may be about to leave
 * behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/serve/mdb.h"
#include "sidecar/state/state_check.h"
#include "lib/base/status.h"

#define TRIES 100        /* until no commit comes between two looks */
#define TRY_PAUSE_NS 1000000
#define LMDB_READERS 512 /* as state_env.c has it */

/* The bytes as they are now; never unmapped, the process ends. */
static int
map_file(int fd, const void **out_bytes, uint64_t *out_size, struct reason *reason)
{
	struct stat stat;
	void *bytes;

	if (fstat(fd, &stat) != 0)
		return reason_set(reason, STATUS_IO, "data.mdb: %s", strerror(errno));
	if (stat.st_size == 0)
		return reason_set(reason, STATUS_CORRUPT, "data.mdb is empty");
	bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return reason_set(reason, STATUS_IO, "data.mdb: %s", strerror(errno));
	madvise(bytes, (size_t)stat.st_size, MADV_WILLNEED);
	*out_bytes = bytes;
	*out_size = (uint64_t)stat.st_size;
	return STATUS_OK;
}

/* At both meta pages, before LMDB believes them. */
static int
look(int fd, struct reason *reason)
{
	struct mdb_image image;
	const void *bytes;
	uint64_t size;
	int status = map_file(fd, &bytes, &size, reason);

	return status == STATUS_OK ? mdb_image_open(bytes, size, 0, &image, reason) : status;
}

/* A reader's slot keeps the pages of its commit from being used again. */
static int
begin_read(const char *dir, MDB_txn **out, struct reason *reason)
{
	MDB_env *env;
	int code = mdb_env_create(&env);

	if (code == 0)
		code = mdb_env_set_maxreaders(env, LMDB_READERS);
	if (code == 0)
		code = mdb_env_open(env, dir, MDB_RDONLY | MDB_NOTLS, 0600);
	if (code == 0)
		code = mdb_txn_begin(env, NULL, MDB_RDONLY, out);
	return status_from_mdb_reason(code, dir, reason);
}

static int
open_commit(MDB_txn *txn, int fd, struct mdb_image *out, struct reason *reason)
{
	const struct timespec pause = { .tv_nsec = TRY_PAUSE_NS };
	int i, status = STATUS_UNAVAILABLE;

	for (i = 0; i < TRIES && status == STATUS_UNAVAILABLE; i++) {
		const void *bytes;
		uint64_t size;

		if (i > 0) {
			mdb_txn_reset(txn);
			nanosleep(&pause, NULL);
			status = status_from_mdb_reason(mdb_txn_renew(txn), "state", reason);
			if (status != STATUS_OK)
				return status;
		}
		status = map_file(fd, &bytes, &size, reason);
		if (status == STATUS_OK)
			status = mdb_image_open(bytes, size, mdb_txn_id(txn), out, reason);
	}
	return status;
}

int
state_check_directory(const char *dir, struct state_check *out, struct reason *reason)
{
	struct mdb_image image;
	char path[PATH_MAX];
	MDB_txn *txn = NULL;
	int fd, status;

	if (snprintf(path, sizeof(path), "%s/data.mdb", dir) >= (int)sizeof(path))
		return reason_set(reason, STATUS_INVALID, "%s: path too long", dir);
	status = mdb_files_check(dir, reason);
	if (status != STATUS_OK)
		return status;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return status_from_mdb_reason(errno, path, reason);
	status = look(fd, reason);
	if (status == STATUS_OK)
		status = begin_read(dir, &txn, reason);
	if (status == STATUS_OK)
		status = open_commit(txn, fd, &image, reason);
	return status == STATUS_OK ? state_check_image(&image, out, reason) : status;
}
