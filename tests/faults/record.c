/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Preloaded into livezoned by a test: logs what is done to every file called "data.mdb" below
 * the directory LIVEZONE_RECORD_DIR to the file LIVEZONE_RECORD_LOG, after it was done. Of a
 * write as much as was written; of a call that failed, nothing. Test program, not installed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "record.h"

#define NAME "data.mdb"
#define PARTS_MAX 128 /* LMDB writes 64 pages at once */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *
directory(void)
{
	return getenv("LIVEZONE_RECORD_DIR");
}

static int
log_fd(void)
{
	static int fd = -1;
	const char *path = getenv("LIVEZONE_RECORD_LOG");

	if (fd < 0 && path)
		fd = (int)syscall(SYS_openat, AT_FDCWD, path,
			O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	return fd;
}

static int
is_below(const char *path)
{
	size_t len = directory() ? strlen(directory()) : 0;

	return len > 0 && strncmp(path, directory(), len) == 0 && path[len] == '/';
}

static int
is_data(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && strcmp(name + 1, NAME) == 0 && is_below(path);
}

/* Is it one of the files? Their inode and how they were opened. */
static int
is_ours(int fd, uint64_t *out_inode, uint32_t *out_flags)
{
	char link[64], path[PATH_MAX];
	struct stat file;
	ssize_t len;
	int flags;

	if (!directory())
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len <= 0)
		return 0;
	path[len] = '\0';
	if (!is_data(path) || fstat(fd, &file) != 0)
		return 0;
	flags = fcntl(fd, F_GETFL);
	*out_inode = file.st_ino;
	*out_flags = flags & O_DSYNC ? RECORD_DURABLE : 0; /* O_SYNC includes it */
	return 1;
}

/* One record in one write, so that marks of the test fall between records. */
static void
put(const struct record *record, const struct iovec *data, int count)
{
	struct iovec parts[PARTS_MAX + 1];
	int i, used = 1, error = errno;
	size_t left = record->length;

	parts[0] = (struct iovec){ (void *)record, sizeof(*record) };
	for (i = 0; i < count && left > 0; i++) {
		size_t len = data[i].iov_len < left ? data[i].iov_len : left;

		if (used > PARTS_MAX)
			abort();
		parts[used++] = (struct iovec){ data[i].iov_base, len };
		left -= len;
	}
	pthread_mutex_lock(&lock);
	if (syscall(SYS_writev, log_fd(), parts, used)
		!= (long)(sizeof(*record) + record->length))
		abort();
	pthread_mutex_unlock(&lock);
	errno = error;
}

static void
note_write(int fd, const struct iovec *data, int count, off_t offset, ssize_t done)
{
	struct record record = { .kind = RECORD_WRITE, .offset = (uint64_t)offset };

	if (done <= 0 || !is_ours(fd, &record.inode, &record.flags))
		return;
	record.length = (uint64_t)done;
	put(&record, data, count);
}

static void
note_event(int fd, enum record_kind kind, uint64_t offset)
{
	struct record record = { .kind = kind, .offset = offset };

	if (is_ours(fd, &record.inode, &record.flags))
		put(&record, NULL, 0);
}

/* --- the calls --- */

ssize_t
pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
	ssize_t done = syscall(SYS_pwrite64, fd, data, size, offset);

	note_write(fd, &(struct iovec){ (void *)data, size }, 1, offset, done);
	return done;
}

ssize_t
pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return pwrite64(fd, data, size, offset);
}

ssize_t
pwritev64(int fd, const struct iovec *data, int count, off64_t offset)
{
	ssize_t done = syscall(SYS_pwritev, fd, data, count, offset, 0L);

	note_write(fd, data, count, offset, done);
	return done;
}

ssize_t
pwritev(int fd, const struct iovec *data, int count, off_t offset)
{
	return pwritev64(fd, data, count, offset);
}

ssize_t
writev(int fd, const struct iovec *data, int count)
{
	off_t offset = lseek(fd, 0, SEEK_CUR);
	ssize_t done = syscall(SYS_writev, fd, data, count);

	note_write(fd, data, count, offset, done);
	return done;
}

ssize_t
write(int fd, const void *data, size_t size)
{
	off_t offset = lseek(fd, 0, SEEK_CUR);
	ssize_t done = syscall(SYS_write, fd, data, size);

	note_write(fd, &(struct iovec){ (void *)data, size }, 1, offset, done);
	return done;
}

int
fdatasync(int fd)
{
	int failed = (int)syscall(SYS_fdatasync, fd);

	if (!failed)
		note_event(fd, RECORD_SYNC, 0);
	return failed;
}

int
fsync(int fd)
{
	int failed = (int)syscall(SYS_fsync, fd);
	struct record record = { .kind = RECORD_SYNC_DIRECTORY };
	struct stat file;

	if (failed)
		return failed;
	note_event(fd, RECORD_SYNC, 0);
	if (directory() && fstat(fd, &file) == 0 && S_ISDIR(file.st_mode))
		put(&record, NULL, 0);
	return failed;
}

int
ftruncate64(int fd, off64_t size)
{
	int failed = (int)syscall(SYS_ftruncate, fd, size);

	if (!failed)
		note_event(fd, RECORD_TRUNCATE, (uint64_t)size);
	return failed;
}

int
ftruncate(int fd, off_t size)
{
	return ftruncate64(fd, size);
}

/* What the log could not say: it would be found out by a record that is not understood. */
int
msync(void *address, size_t size, int flags)
{
	(void)address, (void)size, (void)flags;
	abort();
}

static int
note_rename(const char *from, const char *to, int failed)
{
	struct record record = { .kind = RECORD_RENAME };
	struct stat file;

	(void)from;
	if (!failed && is_data(to) && stat(to, &file) == 0) {
		record.inode = file.st_ino;
		put(&record, NULL, 0);
	}
	return failed;
}

int
rename(const char *from, const char *to)
{
	return note_rename(from, to, (int)syscall(SYS_rename, from, to));
}

int
renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	return note_rename(
		from, to, (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags));
}
