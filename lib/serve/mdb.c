/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Shared by both environments; never on the way of a query.
 */
#include "lib/serve/mdb.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/status.h"

/*
 * A meta page as 64-bit LMDB 0.9 writes it: pages 0 and 1 of data.mdb, of which commits use
 * one in turn. In the byte order of the machine:
 *
 *	 0  page number (8)         of MDB_page
 *	 8  pad (2), flags (2), unused (4)
 *	16  magic (4), version (4)  of MDB_meta
 *	24  address (8), size of the map (8)
 *	40  list of free pages      48 bytes: MDB_db
 *	88  what is stored          48 bytes
 *	136 last page (8), transaction id (8)
 *
 * MDB_db is page size (4; of the first), flags (2), depth (2), and 8 bytes each: branch, leaf
 * and overflow pages, entries, root. mdb.c "struct MDB_meta", "struct MDB_db".
 */
#define MDB_META_MAGIC 0xbeefc0deu  /* mdb.c MDB_MAGIC */
#define MDB_META_VERSION 1u         /* mdb.c MDB_DATA_VERSION of 0.9 */
#define MDB_META_NO_ROOT UINT64_MAX /* mdb.c P_INVALID: an empty tree */

struct mdb_meta {
	uint64_t number;
	uint16_t pad, flags;
	uint32_t unused;
	uint32_t magic, version;
	uint64_t address, map_size;
	struct {
		uint32_t page_size;
		uint16_t flags, depth;
		uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
	} tree[2]; /* the list of free pages, what is stored */
	uint64_t last_page, txn_id;
};

#define PAGE_USUAL 4096
#define MAP_MAX (UINT64_C(1) << 46) /* what an address space has room for */
#define COPY_SIZE (UINT64_C(1) << 20) /* bytes in one go, which a signal does not end */

/* lock.mdb: MDB_txninfo without its readers, then one MDB_reader for each slot, all in
 * units of a cache line. */
#define LOCK_HEAD 128
#define LOCK_SLOT 64

int
status_from_mdb(int code)
{
	switch (code) {
	case MDB_SUCCESS:
		return STATUS_OK;
	case MDB_NOTFOUND:
		return STATUS_NOT_FOUND;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return STATUS_FULL;
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return STATUS_FOREIGN;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_PAGE_FULL:
	case MDB_CURSOR_FULL:
	case MDB_BAD_VALSIZE: /* of a key that a damaged page has */
		return STATUS_CORRUPT;
	case MDB_READERS_FULL:
	case MDB_BAD_RSLOT:
	case MDB_MAP_RESIZED:
		return STATUS_UNAVAILABLE;
	default:
		return reason_errno(NULL, code, NULL);
	}
}

int
status_from_mdb_reason(int code, const char *what, struct reason *reason)
{
	int status = status_from_mdb(code);

	return status == STATUS_OK
		? status
		: reason_set(reason, status, "%s: %s", what, mdb_strerror(code));
}

static int
stat_file(const char *dir, const char *name, struct stat *out, struct reason *reason)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return reason_set(reason, STATUS_INVALID, "%s: path too long", dir);
	if (stat(path, out) != 0)
		return reason_errno(reason, errno, path);
	if (!S_ISREG(out->st_mode))
		return reason_set(reason, STATUS_FOREIGN, "%s: not a regular file", path);
	return STATUS_OK;
}

int
mdb_files_stat(const char *dir, struct mdb_files *out, struct reason *reason)
{
	struct stat data, lock;
	int status = stat_file(dir, "data.mdb", &data, reason);

	if (status == STATUS_OK)
		status = stat_file(dir, "lock.mdb", &lock, reason);
	if (status != STATUS_OK)
		return status;
	*out = (struct mdb_files){
		.data_device = data.st_dev,
		.data_inode = data.st_ino,
		.data_size = data.st_size,
		.lock_device = lock.st_dev,
		.lock_inode = lock.st_ino,
		.lock_size = lock.st_size,
	};
	return STATUS_OK;
}

bool
mdb_files_share_data(const struct mdb_files *one, const struct mdb_files *other)
{
	return one->data_device == other->data_device && one->data_inode == other->data_inode;
}

bool
mdb_files_share_lock(const struct mdb_files *one, const struct mdb_files *other)
{
	return one->lock_device == other->lock_device && one->lock_inode == other->lock_inode;
}

static int
compare_size(const char *name, off_t before, off_t now, struct reason *reason)
{
	return now >= before
		? STATUS_OK
		: reason_set(reason, STATUS_CORRUPT, "%s was truncated from %lld to %lld bytes",
			  name, (long long)before, (long long)now);
}

int
mdb_files_compare(const struct mdb_files *open, const struct mdb_files *now,
	struct reason *reason)
{
	int status;

	if (!mdb_files_share_data(open, now))
		return reason_set(reason, STATUS_FOREIGN, "data.mdb was replaced");
	if (!mdb_files_share_lock(open, now))
		return reason_set(reason, STATUS_CORRUPT,
			"lock.mdb was replaced, data.mdb was not");
	status = compare_size("data.mdb", open->data_size, now->data_size, reason);
	return status == STATUS_OK
		? compare_size("lock.mdb", open->lock_size, now->lock_size, reason)
		: status;
}

/* The last page that a commit's file must have at least: not all up to last_page need be
 * there. Those that a commit took at the end and freed again it does not write (doc/lmdb.md,
 * "short files"). */
static uint64_t
last_root(const struct mdb_meta *page)
{
	uint64_t last = 1; /* the other meta page */

	for (int i = 0; i < 2; i++)
		if (page->tree[i].root != MDB_META_NO_ROOT && page->tree[i].root > last)
			last = page->tree[i].root;
	return last;
}

static bool
is_whole(const struct mdb_meta *page, uint64_t page_size, uint64_t size)
{
	return last_root(page) <= page->last_page && last_root(page) < size / page_size
		&& page->last_page < page->map_size / page_size && page->map_size <= MAP_MAX;
}

/* A commit may come while we look. It writes its pages before its meta page, so the size is
 * asked for last. */
static int
check_pages(int fd, const char *path, struct reason *reason)
{
	struct mdb_meta page[2];
	uint64_t page_size;
	struct stat data;
	bool is_size;
	int i;

	if (pread(fd, &page[0], sizeof(page[0]), 0) != (ssize_t)sizeof(page[0]))
		return reason_set(reason, STATUS_CORRUPT, "%s: shorter than a page", path);
	if (page[0].magic != MDB_META_MAGIC)
		return reason_set(reason, STATUS_CORRUPT, "%s: not an LMDB file", path);
	page_size = page[0].tree[0].page_size;
	is_size = page_size >= 512 && page_size <= 65536 && (page_size & (page_size - 1)) == 0;
	if (pread(fd, &page[1], sizeof(page[1]), is_size ? (off_t)page_size : PAGE_USUAL)
		!= (ssize_t)sizeof(page[1]))
		return reason_set(reason, STATUS_CORRUPT, "%s: shorter than two pages",
			path);
	/* one of two formats is damage */
	if (page[0].version != MDB_META_VERSION
		&& !(page[1].magic == MDB_META_MAGIC && page[1].version == MDB_META_VERSION))
		return reason_set(reason, STATUS_FOREIGN,
			"%s: LMDB data format %u, this liblmdb (%s) knows %u", path,
			page[0].version, mdb_version(NULL, NULL, NULL), MDB_META_VERSION);
	if (page[0].version != MDB_META_VERSION)
		return reason_set(reason, STATUS_CORRUPT, "%s: a meta page is damaged", path);
	if (!is_size)
		return reason_set(reason, STATUS_CORRUPT, "%s: page size %llu", path,
			(unsigned long long)page_size);
	i = page[1].magic == MDB_META_MAGIC && page[1].txn_id > page[0].txn_id;
	if (fstat(fd, &data) != 0)
		return reason_errno(reason, errno, path);
	if (!is_whole(&page[i], page_size, (uint64_t)data.st_size))
		return reason_set(reason, STATUS_CORRUPT,
			"%s: %lld bytes, but page %llu of %llu bytes is in use", path,
			(long long)data.st_size, (unsigned long long)last_root(&page[i]),
			(unsigned long long)page_size);
	return STATUS_OK;
}

int
mdb_files_check(const char *dir, struct reason *reason)
{
	char path[PATH_MAX];
	struct stat data;
	int fd, status;

	if (sizeof(void *) != 8)
		return STATUS_OK;
	status = stat_file(dir, "data.mdb", &data, reason);
	if (status != STATUS_OK)
		return status;
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return reason_set(reason, STATUS_IO, "%s: %s", path, strerror(errno));
	status = check_pages(fd, path, reason);
	close(fd);
	return status;
}

static int
read_meta(int fd, off_t at, struct mdb_commit *out)
{
	struct mdb_meta page;

	if (pread(fd, out->meta, sizeof(out->meta), at) != (ssize_t)sizeof(out->meta))
		return STATUS_CORRUPT;
	memcpy(&page, out->meta, sizeof(page));
	out->page_size = page.tree[0].page_size;
	if (page.magic != MDB_META_MAGIC || page.version != MDB_META_VERSION
		|| out->page_size < sizeof(out->meta) || out->page_size > 65536
		|| page.last_page > (UINT64_MAX >> 17))
		return STATUS_CORRUPT;
	out->size = (page.last_page + 1) * out->page_size;
	return STATUS_OK;
}

static uint64_t
txn_id_of(const struct mdb_commit *commit)
{
	struct mdb_meta page;

	memcpy(&page, commit->meta, sizeof(page));
	return page.txn_id;
}

/* Commits take turns with the two pages. A page is whole when the other one, read later,
 * is of the commit before it: the next commit but one has not begun to overwrite it. */
int
mdb_commit_read(int fd, uint64_t txn_id, struct mdb_commit *out, struct reason *reason)
{
	struct mdb_commit other;
	off_t own = 0, others;

	if (sizeof(void *) != 8)
		return reason_set(reason, STATUS_FOREIGN, "LMDB's pages of 32-bit systems");
	if (read_meta(fd, 0, out) != STATUS_OK)
		return reason_set(reason, STATUS_CORRUPT, "data.mdb: bad meta page");
	others = (off_t)out->page_size;
	if (txn_id % 2 == 1) {
		own = others;
		others = 0;
	}
	if (read_meta(fd, own, out) != STATUS_OK || read_meta(fd, others, &other) != STATUS_OK)
		return reason_set(reason, STATUS_CORRUPT, "data.mdb: bad meta page");
	if (txn_id_of(out) != txn_id || txn_id_of(&other) > txn_id)
		return reason_set(reason, STATUS_UNAVAILABLE,
			"data.mdb: commits come too fast");
	return STATUS_OK;
}

int
mdb_commit_write_meta(const struct mdb_commit *commit, int to, struct reason *reason)
{
	size_t len = sizeof(commit->meta);

	/* the same commit twice: LMDB takes the first of equals */
	if (ftruncate(to, (off_t)commit->size) != 0
		|| pwrite(to, commit->meta, len, 0) != (ssize_t)len
		|| pwrite(to, commit->meta, len, (off_t)commit->page_size) != (ssize_t)len)
		return reason_set(reason, STATUS_IO, "copy of data.mdb: %s",
			strerror(errno));
	return STATUS_OK;
}

int
mdb_commit_copy(
	const struct mdb_commit *commit, int from, int to, bool (*must_stop)(void),
	struct reason *reason)
{
	off_t at = 2 * (off_t)commit->page_size;
	struct mdb_meta page;

	memcpy(&page, commit->meta, sizeof(page));
	if (lseek(to, at, SEEK_SET) != at)
		return reason_set(reason, STATUS_IO, "copy of data.mdb: %s",
			strerror(errno));
	while ((uint64_t)at < commit->size) {
		uint64_t left = commit->size - (uint64_t)at;
		ssize_t done;

		if (must_stop && must_stop())
			return reason_set(reason, STATUS_UNAVAILABLE,
				"data.mdb was not copied to its end");
		done = sendfile(to, from, &at, left < COPY_SIZE ? left : COPY_SIZE);
		if (done == 0 && (uint64_t)at / commit->page_size > last_root(&page))
			break;
		if (done == 0)
			return reason_set(reason, STATUS_CORRUPT,
				"data.mdb ends at %lld of %llu bytes", (long long)at,
				(unsigned long long)commit->size);
		if (done < 0 && errno != EINTR)
			return status_from_mdb_reason(errno, "copy of data.mdb", reason);
	}
	return STATUS_OK;
}

int
mdb_reserve_lock(const char *dir, unsigned readers, mode_t mode, struct reason *reason)
{
	char path[PATH_MAX];
	int fd, code;

	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return status_from_mdb_reason(errno, path, reason);
	code = posix_fallocate(fd, 0, LOCK_HEAD + (off_t)readers * LOCK_SLOT);
	close(fd);
	return code == 0 ? STATUS_OK : status_from_mdb_reason(code, path, reason);
}
