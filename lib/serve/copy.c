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
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/serve/mdb.h"
#include "lib/base/throttle.h"
#include "lib/base/status.h"
#include "lib/serve/txn.h"

/* A commit may come between the begin of a transaction and the look at its meta page. */
#define TRIES 5

static int copy_commit(struct serve_reader *from, uint64_t limit, size_t slots,
	struct serve_copy *out, struct reason *reason);
static int copy_from(int fd, uint64_t txn_id, const char *dir, uint64_t limit, size_t slots,
	struct serve_copy *out, struct reason *reason);
static void close_copy(const struct serve_copy *copy);
static int open_memory(const struct mdb_commit *commit, size_t slots,
	struct serve_copy *out, int *out_fd, struct reason *reason);
static int open_file(const struct mdb_commit *commit, const char *dir, size_t slots,
	struct serve_copy *out, int *out_fd, struct reason *reason);
static int open_at(const struct mdb_commit *commit, int fd, const char *path, size_t slots,
	struct serve_copy *out, struct reason *reason);
static int check_entries(struct serve_txn *txn, size_t *out_count);
static int check_node(const MDB_val *key, const MDB_val *value);

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

int
serve_copy_verify(struct serve_reader *copy, struct serve_meta *out_meta, struct reason *reason)
{
	struct serve_txn *txn = serve_reader_slot(copy, 0);
	int status = serve_reader_begin(txn);
	size_t count = 0;
	MDB_stat stat;

	if (status != STATUS_OK)
		return reason_set(reason, status, "cannot begin a transaction");
	status = serve_read_meta(txn, out_meta, reason);
	if (status == STATUS_OK)
		status = check_entries(txn, &count);
	mdb_stat(txn->txn, txn->dbi, &stat);
	serve_reader_end(txn);
	if (status == STATUS_UNAVAILABLE)
		return reason_set(reason, status, "serve was not read to its end");
	if (status != STATUS_OK || count != stat.ms_entries)
		return reason_set(reason, STATUS_CORRUPT,
			"serve is damaged at value %zu of %zu", count, stat.ms_entries);
	return STATUS_OK;
}

/* A value with a good checksum may have been written by somebody else: its RRsets are read. */
static int
check_entries(struct serve_txn *txn, size_t *out_count)
{
	MDB_val key, value;
	int code = mdb_cursor_get(txn->cursor, &key, &value, MDB_FIRST);

	/* the first entry is the meta record, which has been read */
	for (; code == 0; code = mdb_cursor_get(txn->cursor, &key, &value, MDB_NEXT)) {
		int status = *out_count == 0 ? STATUS_OK : check_node(&key, &value);

		if (status != STATUS_OK)
			return status;
		if (throttle_rest())
			return STATUS_UNAVAILABLE;
		++*out_count;
	}
	return code == MDB_NOTFOUND ? STATUS_OK : STATUS_CORRUPT;
}

static int
check_node(const MDB_val *key, const MDB_val *value)
{
	const uint8_t *bytes = key->mv_data;
	struct node_rrset rrset;
	struct name_key name;
	struct node node;
	int status;

	if (key->mv_size == 0 || key->mv_size > SERVE_KEY_MAX || bytes[0] != 'N')
		return STATUS_CORRUPT;
	name.len = (uint8_t)(key->mv_size - 1);
	memcpy(name.bytes, bytes + 1, name.len);
	status = node_open(value->mv_data, value->mv_size, &name, &node);
	for (size_t i = 0; status == STATUS_OK && i < node.count; i++)
		status = node_rrset(&node, i, &rrset);
	return status;
}
