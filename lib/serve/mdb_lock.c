/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * For serve_reader.c (the keeper's thread) and serve_writer.c; never on the way of a query.
 * Layout: mdb.c of LMDB 0.9, MDB_txninfo; of a mutex, its kind (glibc), which tells that it
 * is shared and robust, does not change.
 */
#include "lib/serve/mdb_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/status.h"

#define READERS_MUTEX 8
#define WRITERS_MUTEX 64
#define HEAD_SIZE 128
#ifdef __GLIBC__
#define KIND offsetof(pthread_mutex_t, __data.__kind)
#else
#define KIND 0 /* the futex word itself would change: see read_seal */
#endif

static int
read_seal(const struct mdb_lock *lock, uint32_t out[4])
{
	uint8_t head[HEAD_SIZE];

	if (pread(lock->fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return STATUS_CORRUPT;
	memset(out, 0, 4 * sizeof(*out));
	memcpy(&out[0], head, 8);
	if (KIND == 0 || sizeof(void *) != 8)
		return STATUS_OK;
	memcpy(&out[2], head + READERS_MUTEX + KIND, 4);
	memcpy(&out[3], head + WRITERS_MUTEX + KIND, 4);
	return STATUS_OK;
}

int
mdb_lock_open(const char *dir, struct mdb_lock *out, struct reason *reason)
{
	struct mdb_lock lock = { .fd = -1 };
	char path[PATH_MAX];
	struct stat now;

	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	lock.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (lock.fd < 0)
		return reason_set(reason, STATUS_IO, "%s: %s", path, strerror(errno));
	*out = lock;
	if (fstat(lock.fd, &now) != 0 || read_seal(&lock, out->seal) != STATUS_OK)
		return reason_set(reason, STATUS_CORRUPT, "%s: shorter than its head", path);
	out->size = now.st_size;
	return STATUS_OK;
}

int
mdb_lock_check(const struct mdb_lock *lock, struct reason *reason)
{
	uint32_t seal[4];
	struct stat now;

	if (lock->fd < 0)
		return STATUS_OK;
	if (fstat(lock->fd, &now) != 0 || now.st_size < lock->size
		|| read_seal(lock, seal) != STATUS_OK)
		return reason_set(reason, STATUS_CORRUPT, "lock.mdb was truncated");
	if (memcmp(seal, lock->seal, sizeof(seal)) != 0)
		return reason_set(reason, STATUS_CORRUPT, "lock.mdb was overwritten");
	return STATUS_OK;
}

void
mdb_lock_close(struct mdb_lock *lock)
{
	if (lock->fd >= 0)
		close(lock->fd);
	lock->fd = -1;
}
