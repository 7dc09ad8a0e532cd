/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Copies of serve. LMDB opens paths only, so that the memory has one for a moment:
 * /proc/self/fd of a memfd, or, in a chroot without /proc, a file in serve that is
 * unlinked while it is still almost empty.
 */
#include "lib/serve/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/serve/mdb.h"
#include "lib/base/throttle.h"
#include "lib/base/status.h"
#include "lib/serve/txn.h"

/* A commit may come between the begin of a transaction and the look at its meta page. */
#define TRIES 5
#define COMPARE_SIZE 65536

static int copy_commit(struct serve_reader *from, uint64_t limit, size_t slots,
	struct serve_copy *out, struct reason *reason);
static int copy_from(int fd, uint64_t txn_id, const char *dir, uint64_t limit, size_t slots,
	struct serve_copy *out, struct reason *reason);
static int open_data(const char *dir, int *out_fd, struct reason *reason);
static int copy_unlocked(int fd, const char *dir, uint64_t limit, size_t slots,
	struct serve_copy *out, uint64_t *out_txn_id, struct reason *reason);
static void close_copy(const struct serve_copy *copy);
static int open_memory(const struct mdb_commit *commit, size_t slots,
	struct serve_copy *out, int *out_fd, struct reason *reason);
static int open_file(const struct mdb_commit *commit, const char *dir, size_t slots,
	struct serve_copy *out, int *out_fd, struct reason *reason);
static int open_at(const struct mdb_commit *commit, int fd, const char *path, size_t slots,
	struct serve_copy *out, struct reason *reason);

int
serve_copy_make(struct serve_reader *from, uint64_t limit, size_t slots,
	struct serve_copy *out, struct reason *reason)
{
	struct serve_txn *txn = serve_reader_slot(from, 0);
	int status = STATUS_UNAVAILABLE;

	for (unsigned i = 0; i < TRIES && status == STATUS_UNAVAILABLE; i++) {
		status = serve_reader_begin(txn);
		if (status != STATUS_OK)
			return reason_set(reason, status, "cannot begin a transaction");
		status = copy_commit(from, limit, slots, out, reason);
		serve_reader_end(txn);
	}
	return status;
}

/* Inside the transaction: its pages are not reused. */
static int
copy_commit(struct serve_reader *from, uint64_t limit, size_t slots,
	struct serve_copy *out, struct reason *reason)
{
	struct serve_txn *txn = serve_reader_slot(from, 0);
	MDB_env *env = mdb_txn_env(txn->txn);
	const char *dir;
	int live;

	mdb_env_get_fd(env, &live);
	mdb_env_get_path(env, &dir);
	return copy_from(live, mdb_txn_id(txn->txn), dir, limit, slots, out, reason);
}

static int
copy_from(int live, uint64_t txn_id, const char *dir, uint64_t limit, size_t slots,
	struct serve_copy *out, struct reason *reason)
{
	struct serve_copy copy = { 0 };
	struct mdb_commit commit;
	int fd = -1;
	int status = mdb_commit_read(live, txn_id, &commit, reason);

	if (status != STATUS_OK)
		return status;
	if (commit.size > limit)
		return reason_set(reason, STATUS_TOO_LARGE,
			"serve is bigger than store.snapshot-limit");
	status = open_memory(&commit, slots, &copy, &fd, reason);
	if (status != STATUS_OK)
		status = open_file(&commit, dir, slots, &copy, &fd, reason);
	if (status != STATUS_OK)
		return status;
	status = mdb_commit_copy(&commit, live, fd, &throttle_rest, reason);
	close(fd);
	if (status != STATUS_OK) {
		close_copy(&copy);
		return status;
	}
	*out = copy;
	out->size = commit.size;
	return STATUS_OK;
}

static void
close_copy(const struct serve_copy *copy)
{
	serve_reader_close(copy->reader);
	serve_reader_close(copy->twin);
}

int
serve_copy_make_unlocked(const char *dir, uint64_t limit, size_t slots,
	struct serve_copy *out, uint64_t *out_txn_id, struct reason *reason)
{
	int fd = -1;
	int status = mdb_files_check(dir, reason);

	if (status == STATUS_OK)
		status = open_data(dir, &fd, reason);
	if (status != STATUS_OK)
		return status;
	status = STATUS_UNAVAILABLE;
	for (unsigned i = 0; i < TRIES && status == STATUS_UNAVAILABLE; i++)
		status = copy_unlocked(fd, dir, limit, slots, out, out_txn_id, reason);
	close(fd);
	return status;
}

static int
open_data(const char *dir, int *out_fd, struct reason *reason)
{
	char path[PATH_MAX];
	struct stat info;
	int fd;

	if (snprintf(path, sizeof(path), "%s/data.mdb", dir) >= (int)sizeof(path))
		return reason_set(reason, STATUS_INVALID, "%s: path too long", dir);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return reason_set(reason, status_from_mdb(errno), "%s: %s", path,
			strerror(errno));
	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
		close(fd);
		return reason_set(reason, STATUS_FOREIGN, "%s: not a regular file", path);
	}
	*out_fd = fd;
	return STATUS_OK;
}

static int
copy_unlocked(int fd, const char *dir, uint64_t limit, size_t slots, struct serve_copy *out,
	uint64_t *out_txn_id, struct reason *reason)
{
	uint64_t before = 0, after = 0;
	int status = mdb_commit_newest(fd, &before, reason);

	if (status == STATUS_OK)
		status = copy_from(fd, before, dir, limit, slots, out, reason);
	if (status != STATUS_OK)
		return status;
	status = mdb_commit_newest(fd, &after, reason);
	if (status == STATUS_OK && after != before)
		status = reason_set(reason, STATUS_UNAVAILABLE,
			"data.mdb: commits come too fast for a copy without a lock");
	if (status != STATUS_OK)
		close_copy(out);
	else
		*out_txn_id = before;
	return status;
}

int
serve_copy_newest(
	const char *dir, uint64_t *out_txn_id, uint64_t *out_inode, struct reason *reason)
{
	struct stat info;
	int fd = -1;
	int status = open_data(dir, &fd, reason);

	if (status != STATUS_OK)
		return status;
	status = mdb_commit_newest(fd, out_txn_id, reason);
	if (status == STATUS_OK && fstat(fd, &info) == 0)
		*out_inode = info.st_ino;
	close(fd);
	return status;
}

static int
open_memory(const struct mdb_commit *commit, size_t slots, struct serve_copy *out,
	int *out_fd, struct reason *reason)
{
	char path[32];
	int fd = memfd_create("livezone-snapshot", MFD_CLOEXEC);
	int status;

	if (fd < 0)
		return reason_set(reason, STATUS_IO, "memfd: %s", strerror(errno));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	status = open_at(commit, fd, path, slots, out, reason);
	if (status == STATUS_OK)
		*out_fd = fd;
	else
		close(fd);
	return status;
}

static int
open_file(const struct mdb_commit *commit, const char *dir, size_t slots,
	struct serve_copy *out, int *out_fd, struct reason *reason)
{
	char path[PATH_MAX];
	int fd, status;

	if (snprintf(path, sizeof(path), "%s/unbound-%d.snapshot", dir, (int)getpid())
		>= (int)sizeof(path))
		return reason_set(reason, STATUS_INVALID, "%s: path too long", dir);
	unlink(path); /* of a process that had this pid and was killed */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return reason_set(reason, STATUS_IO, "%s: %s", path, strerror(errno));
	status = open_at(commit, fd, path, slots, out, reason);
	unlink(path);
	if (status == STATUS_OK)
		*out_fd = fd;
	else
		close(fd);
	return status;
}

static int
open_at(const struct mdb_commit *commit, int fd, const char *path, size_t slots,
	struct serve_copy *out, struct reason *reason)
{
	int status = mdb_commit_write_meta(commit, fd, reason);

	if (status == STATUS_OK)
		status = serve_reader_open_private(path, commit->size, slots, &out->reader,
			reason);
	if (status != STATUS_OK)
		return status;
	status = serve_reader_open_private(path, commit->size, 1, &out->twin, reason);
	if (status != STATUS_OK)
		serve_reader_close(out->reader);
	return status;
}

bool
serve_copy_is_like(struct serve_reader *live, struct serve_reader *copy, uint64_t size)
{
	static uint8_t ours[COMPARE_SIZE], theirs[COMPARE_SIZE];
	int live_fd, copy_fd;
	MDB_stat stat;
	uint64_t at;

	mdb_env_get_fd(mdb_txn_env(serve_reader_slot(live, 0)->txn), &live_fd);
	mdb_env_get_fd(mdb_txn_env(serve_reader_slot(copy, 0)->txn), &copy_fd);
	mdb_env_stat(mdb_txn_env(serve_reader_slot(copy, 0)->txn), &stat);
	if (mdb_commit_check(live_fd, mdb_txn_id(serve_reader_slot(copy, 0)->txn), NULL)
		!= STATUS_OK)
		return false;
	/* behind the meta pages, which differ */
	for (at = 2 * (uint64_t)stat.ms_psize; at < size; at += COMPARE_SIZE) {
		ssize_t len = pread(copy_fd, ours, COMPARE_SIZE, (off_t)at), there;

		if (len <= 0)
			return false;
		there = pread(live_fd, theirs, (size_t)len, (off_t)at);
		if (there < 0)
			return false;
		/* what the file lacks is zero in the copy */
		memset(theirs + there, 0, (size_t)(len - there));
		if (memcmp(ours, theirs, (size_t)len) != 0)
			return false;
		if (throttle_rest())
			break;
	}
	return true;
}
