/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Readers of serve. Open, claim, check and free belong to one keeper thread; begin and
 * end to the worker that owns the slot.
 */
#include "lib/serve/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/serve/mdb.h"
#include "lib/base/status.h"
#include "lib/base/throttle.h"

#define MAP_SIZE_MIN ((size_t)1 << 30) /* under RLIMIT_AS the map is halved down to this */
/* Two commits between a renewal and the look that follows it are rare; so many times in a row,
 * lock.mdb is damaged. */
#define RENEWS 10
/* A commit may come between the begin of a transaction and the look at its meta page. */
#define COPY_TRIES 5

struct serve_reader {
	MDB_env *env;
	MDB_dbi dbi;
	struct mdb_files files;
	struct serve_meta meta;
	uint64_t id;
	atomic_int poisoned; /* 0: no */
	struct serve_reader *next_open;
	atomic_size_t slots; /* raised by the keeper while workers use the lower ones */
	struct serve_txn slot[SERVE_READERS_MAX];
};

/* LMDB loses its locks when one process opens the same lock.mdb twice (doc/lmdb.md, "two
 * openings"). The same data.mdb with another lock.mdb is one whose writer does not see us. */
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static struct serve_reader *open_readers;
static uint64_t last_id;

static int
register_open(struct serve_reader *reader, const char *dir, struct reason *reason)
{
	struct serve_reader *other;
	int status = STATUS_OK;

	pthread_mutex_lock(&open_lock);
	for (other = open_readers; other; other = other->next_open)
		if (mdb_files_share_lock(&other->files, &reader->files)
			|| mdb_files_share_data(&other->files, &reader->files))
			status = STATUS_UNAVAILABLE;
	if (status == STATUS_OK) {
		reader->id = ++last_id;
		reader->next_open = open_readers;
		open_readers = reader;
	}
	pthread_mutex_unlock(&open_lock);
	return status == STATUS_OK
		? status
		: reason_set(reason, status,
			  "%s: this process has these files open already; waiting for a new "
			  "environment",
			  dir);
}

static void
unregister_open(const struct serve_reader *reader)
{
	struct serve_reader **at;

	pthread_mutex_lock(&open_lock);
	for (at = &open_readers; *at; at = &(*at)->next_open) {
		if (*at == reader) {
			*at = reader->next_open;
			break;
		}
	}
	pthread_mutex_unlock(&open_lock);
}

/* On a read-only mount LMDB runs without locks and the writer reuses the pages that we
 * read (doc/lmdb.md, "no locks"); a lock file that we may not write to it refuses. */
static int
check_mount(const char *dir, struct reason *reason)
{
	struct statvfs mount;

	if (statvfs(dir, &mount) != 0)
		return reason_set(reason, STATUS_IO, "%s: %s", dir, strerror(errno));
	if (mount.f_flag & ST_RDONLY)
		return reason_set(reason, STATUS_IO,
			"%s is mounted read-only: LMDB could not lock; make it writable "
			"(systemd: ReadWritePaths=, Kubernetes: readOnly: false)",
			dir);
	return STATUS_OK;
}

static int
open_env(struct serve_reader *reader, const char *path, size_t map_size, unsigned flags,
	struct reason *reason)
{
	int code;

	for (;;) {
		code = mdb_env_create(&reader->env);
		if (code == 0)
			code = mdb_env_set_maxreaders(reader->env, SERVE_READERS_MAX);
		if (code == 0)
			code = mdb_env_set_mapsize(reader->env, map_size);
		if (code == 0)
			code = mdb_env_set_assert(reader->env, &serve_on_assert);
		if (code == 0)
			code = mdb_env_open(reader->env, path,
				MDB_RDONLY | MDB_NOTLS | flags, 0);
		/* valgrind says EINVAL where the system says ENOMEM */
		if ((code != ENOMEM && code != EINVAL) || map_size <= MAP_SIZE_MIN)
			break;
		mdb_env_close(reader->env);
		reader->env = NULL;
		map_size /= 2;
	}
	return code == 0 ? STATUS_OK : status_from_mdb_reason(code, path, reason);
}

static int
claim_slot(struct serve_reader *reader, struct reason *reason)
{
	struct serve_txn *slot = &reader->slot[reader->slots];
	int code = mdb_txn_begin(reader->env, NULL, MDB_RDONLY, &slot->txn);

	if (code == 0 && reader->slots == 0)
		code = mdb_dbi_open(slot->txn, NULL, 0, &reader->dbi);
	slot->dbi = reader->dbi;
	if (code == 0)
		code = mdb_cursor_open(slot->txn, slot->dbi, &slot->cursor);
	if (code != 0) {
		mdb_txn_abort(slot->txn);
		*slot = (struct serve_txn){ 0 };
		/* each process that reads has a lock on the byte of its pid */
		if (code == EAGAIN)
			return reason_set(reason, STATUS_UNAVAILABLE,
				"another reader has our process id %ld, in another pid "
				"namespace: share the pid namespace "
				"(Kubernetes: shareProcessNamespace: true)",
				(long)getpid());
		return status_from_mdb_reason(code, "reader slot", reason);
	}
	mdb_txn_reset(slot->txn);
	reader->slots++;
	return STATUS_OK;
}

/* The canary: locks are real, and the meta record is ours. */
static int
read_canary(struct serve_reader *reader, struct reason *reason)
{
	struct serve_txn *txn = &reader->slot[0];
	MDB_envinfo info;
	int status;

	mdb_env_info(reader->env, &info);
	if (info.me_numreaders < 1)
		return reason_set(reason, STATUS_IO,
			"LMDB has no lock file here: refusing to read without locks");
	status = serve_reader_begin(txn);
	if (status != STATUS_OK)
		return reason_set(reason, status, "cannot begin a transaction");
	status = serve_read_meta(txn, &reader->meta, reason);
	serve_reader_end(txn);
	return status;
}

static int
open_checked(struct serve_reader *reader, const char *dir, size_t slots,
	struct reason *reason)
{
	struct mdb_files now;
	int status = open_env(reader, dir, SERVE_SIZE_MAX, 0, reason);

	/* the directory may have been exchanged between LMDB's opening of the lock and of
	 * the data file: two lock domains */
	if (status == STATUS_OK)
		status = mdb_files_stat(dir, &now, reason);
	if (status == STATUS_OK)
		status = mdb_files_compare(&reader->files, &now, reason);
	if (status == STATUS_OK)
		status = serve_reader_claim(reader, 1, reason);
	if (status == STATUS_OK)
		status = read_canary(reader, reason);
	if (status != STATUS_OK)
		return status;
	/* with too few slots some threads answer from the snapshot, which needs only one */
	status = serve_reader_claim(reader, slots, reason);
	return status == STATUS_UNAVAILABLE ? STATUS_OK : status;
}

int
serve_reader_open(const char *dir, size_t slots, struct serve_reader **out,
	struct reason *reason)
{
	struct serve_reader *reader;
	int status;

	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	status = mdb_files_stat(dir, &reader->files, reason);
	if (status == STATUS_OK)
		status = check_mount(dir, reason);
	if (status == STATUS_OK)
		status = register_open(reader, dir, reason);
	if (status != STATUS_OK) {
		free(reader);
		return status;
	}
	status = mdb_files_check(dir, reason);
	if (status == STATUS_OK)
		status = open_checked(reader, dir, slots, reason);
	if (status != STATUS_OK) {
		serve_reader_close(reader);
		return status;
	}
	*out = reader;
	return STATUS_OK;
}

int
serve_reader_claim(struct serve_reader *reader, size_t slots, struct reason *reason)
{
	int status = STATUS_OK;

	if (slots < 1 || slots > SERVE_READERS_MAX)
		return reason_set(reason, STATUS_TOO_LARGE, "%zu reader slots, limit %d",
			slots, SERVE_READERS_MAX);
	while (status == STATUS_OK && reader->slots < slots)
		status = claim_slot(reader, reason);
	return status;
}

void
serve_reader_close(struct serve_reader *reader)
{
	size_t i;

	if (!reader)
		return;
	unregister_open(reader);
	for (i = 0; i < reader->slots; i++) {
		mdb_cursor_close(reader->slot[i].cursor);
		mdb_txn_abort(reader->slot[i].txn);
	}
	mdb_env_close(reader->env);
	free(reader);
}

int
serve_reader_check(struct serve_reader *reader, struct reason *reason)
{
	struct mdb_files now;
	const char *dir;
	int status;

	mdb_env_get_path(reader->env, &dir);
	status = mdb_files_stat(dir, &now, reason);
	if (status == STATUS_OK)
		status = mdb_files_compare(&reader->files, &now, reason);
	if (status == STATUS_OK)
		reader->files.data_size = now.data_size;
	return status;
}

void
serve_reader_poison(struct serve_reader *reader, int why)
{
	atomic_store(&reader->poisoned, why);
}

int
serve_reader_poisoned(const struct serve_reader *reader)
{
	return atomic_load_explicit(&reader->poisoned, memory_order_relaxed);
}

const struct serve_meta *
serve_reader_meta(const struct serve_reader *reader)
{
	return &reader->meta;
}

uint64_t
serve_reader_inode(const struct serve_reader *reader)
{
	return reader->files.data_inode;
}

uint64_t
serve_reader_id(const struct serve_reader *reader)
{
	return reader->id;
}

size_t
serve_reader_slots(const struct serve_reader *reader)
{
	return reader->slots;
}

struct serve_txn *
serve_reader_slot(struct serve_reader *reader, size_t slot)
{
	return slot < reader->slots ? &reader->slot[slot] : NULL;
}

/* Of the two meta pages LMDB takes the one that lock.mdb names. Where that is damaged, it
 * may be an old one, of which the writer reuses the pages. */
static bool
is_of_last_commit(const struct serve_txn *txn)
{
	MDB_envinfo info;

	mdb_env_info(mdb_txn_env(txn->txn), &info);
	return info.me_last_txnid - mdb_txn_id(txn->txn) <= 1;
}

static size_t
map_size_of(const struct serve_txn *txn)
{
	MDB_envinfo info;

	mdb_env_info(mdb_txn_env(txn->txn), &info);
	return info.me_mapsize;
}

int
serve_reader_begin(struct serve_txn *txn)
{
	int code = mdb_txn_renew(txn->txn);

	/* or so many commits came in between */
	for (unsigned tries = 0; code == 0 && !is_of_last_commit(txn); tries++) {
		mdb_txn_reset(txn->txn);
		code = tries < RENEWS ? mdb_txn_renew(txn->txn) : MDB_CORRUPTED;
	}
	/* no writer can have used so many pages; nobody else uses our slot of lock.mdb */
	if ((code == MDB_MAP_RESIZED && map_size_of(txn) == SERVE_SIZE_MAX)
		|| code == MDB_BAD_RSLOT)
		code = MDB_CORRUPTED;
	if (code == 0) {
		code = mdb_cursor_renew(txn->txn, txn->cursor);
		if (code != 0)
			mdb_txn_reset(txn->txn);
	}
	return status_from_mdb(code);
}

void
serve_reader_end(struct serve_txn *txn)
{
	mdb_txn_reset(txn->txn);
}

/* --- copies: LMDB opens paths only, so that the memory has one for a moment: /proc/self/fd of a
 * memfd, or, in a chroot without /proc, a file in serve that is unlinked while it is still almost
 * empty. --- */

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
serve_reader_open_private(const char *path, uint64_t size, size_t slots,
	struct serve_reader **out, struct reason *reason)
{
	struct serve_reader *reader = calloc(1, sizeof(*reader));
	int status;

	if (!reader)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	pthread_mutex_lock(&open_lock);
	reader->id = ++last_id;
	pthread_mutex_unlock(&open_lock);
	status = open_env(reader, path, size, MDB_NOSUBDIR | MDB_NOLOCK, reason);
	if (status == STATUS_OK)
		status = serve_reader_claim(reader, slots, reason);
	if (status == STATUS_OK)
		*out = reader;
	else
		serve_reader_close(reader);
	return status;
}

int
serve_reader_copy(struct serve_reader *from, uint64_t limit, size_t slots,
	struct serve_copy *out, struct reason *reason)
{
	struct serve_txn *txn = serve_reader_slot(from, 0);
	int status = STATUS_UNAVAILABLE;

	for (unsigned i = 0; i < COPY_TRIES && status == STATUS_UNAVAILABLE; i++) {
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
serve_reader_verify(struct serve_reader *copy, struct serve_meta *out_meta, struct reason *reason)
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
