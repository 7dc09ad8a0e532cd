/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The writer's side of serve; all of it on livezoned's writer thread. Commits are not
 * synced: serve can always be made again from state.
 */
#include "lib/serve/writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/serve/mdb.h"
#include "lib/base/status.h"

#define DIRECTORY_MODE 02770 /* setgid: files belong to the group that Unbound is in */
#define DATA_MODE 0640
#define LOCK_MODE 0660 /* a reader writes its slot there */

struct serve_writer {
	MDB_env *env;
	MDB_dbi dbi;
	struct mdb_files files;
	struct serve_txn txn; /* the one open transaction */
	char dir[PATH_MAX];   /* where it is served */
	char path[PATH_MAX];  /* where it is now: dir, or dir.new until published */
	struct serve_writer *retired;
};

/* Environments that are done with, but must not be closed: the process's end does it. */
static struct serve_writer *retired;

static void
retire(struct serve_writer *writer)
{
	writer->retired = retired;
	retired = writer;
}

static struct serve_writer *
writer_new(const char *dir, const char *suffix, struct reason *reason)
{
	struct serve_writer *writer = calloc(1, sizeof(*writer));

	if (!writer) {
		reason_set(reason, STATUS_NO_MEMORY, "out of memory");
		return NULL;
	}
	if (snprintf(writer->path, sizeof(writer->path), "%s%s", dir, suffix)
		>= (int)sizeof(writer->path) - 16) {
		reason_set(reason, STATUS_INVALID, "%s: path too long", dir);
		free(writer);
		return NULL;
	}
	strcpy(writer->dir, dir);
	return writer;
}

static int
open_env(struct serve_writer *writer, uint64_t size_limit, struct reason *reason)
{
	MDB_txn *txn = NULL;
	int dead = 0;
	int code = mdb_env_create(&writer->env);

	if (code == 0)
		code = mdb_env_set_maxreaders(writer->env, SERVE_READERS_MAX);
	if (code == 0)
		code = mdb_env_set_mapsize(writer->env, size_limit);
	if (code == 0)
		code = mdb_env_set_assert(writer->env, &serve_on_assert);
	if (code == 0)
		code = mdb_env_open(writer->env, writer->path, MDB_NOSYNC | MDB_NOTLS,
			DATA_MODE);
	if (code == 0)
		code = mdb_reader_check(writer->env, &dead);
	if (code == 0)
		code = mdb_txn_begin(writer->env, NULL, 0, &txn);
	if (code == 0) {
		code = mdb_dbi_open(txn, NULL, 0, &writer->dbi);
		mdb_txn_abort(txn);
	}
	if (code != 0)
		return status_from_mdb_reason(code, writer->path, reason);
	return mdb_files_stat(writer->path, &writer->files, reason) == STATUS_OK
		? STATUS_OK : STATUS_IO;
}

int
serve_writer_open(const char *dir, uint64_t size_limit, struct serve_writer **out,
	struct reason *reason)
{
	struct serve_writer *writer = writer_new(dir, "", reason);
	struct mdb_files files;
	int status;

	if (!writer)
		return STATUS_NO_MEMORY;
	/* look first: LMDB would make a missing or empty file into a new environment */
	status = mdb_files_stat(dir, &files, reason);
	if (status == STATUS_OK)
		status = mdb_files_check(dir, reason);
	if (status == STATUS_OK)
		status = open_env(writer, size_limit, reason);
	if (status != STATUS_OK) {
		/* not closed: the locks of a live environment are shared */
		retire(writer);
		return status;
	}
	*out = writer;
	return STATUS_OK;
}

/* Removes a directory of ours: files, and empty directories that somebody put in their
 * place; no descent. An absent one is fine. */
static int
remove_directory(const char *path, struct reason *reason)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? STATUS_OK : reason_errno(reason, errno, path);
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			if (unlinkat(dirfd(dir), entry->d_name, 0) != 0)
				unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	closedir(dir);
	return rmdir(path) == 0 ? STATUS_OK : reason_errno(reason, errno, path);
}

/* The new directory belongs to the group of the one that it replaces, or of its parent:
 * that is how Unbound's group gets in. */
static int
make_directory(const struct serve_writer *writer, struct reason *reason)
{
	char parent[PATH_MAX];
	struct stat model;
	char *slash;

	strcpy(parent, writer->dir);
	slash = strrchr(parent, '/');
	if (slash && slash != parent)
		*slash = '\0';
	if (stat(writer->dir, &model) != 0 && stat(parent, &model) != 0)
		return reason_errno(reason, errno, parent);
	if (mkdir(writer->path, 0700) != 0)
		return reason_errno(reason, errno, writer->path);
	/* a group that we may not give away stays ours, which the mode below makes visible */
	if (chown(writer->path, (uid_t)-1, model.st_gid) != 0 && errno != EPERM)
		return reason_errno(reason, errno, writer->path);
	if (chmod(writer->path, DIRECTORY_MODE) != 0)
		return reason_errno(reason, errno, writer->path);
	return STATUS_OK;
}

static int
set_mode(const struct serve_writer *writer, const char *name, mode_t mode,
	struct reason *reason)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", writer->path, name);
	return chmod(path, mode) == 0 ? STATUS_OK : reason_errno(reason, errno, path);
}

int
serve_writer_create(const char *dir, uint64_t size_limit, struct serve_writer **out,
	struct reason *reason)
{
	struct serve_writer *writer = writer_new(dir, SERVE_NEW_SUFFIX, reason);
	int status;

	if (!writer)
		return STATUS_NO_MEMORY;
	status = remove_directory(writer->path, reason);
	if (status == STATUS_OK)
		status = make_directory(writer, reason);
	if (status == STATUS_OK)
		status = mdb_reserve_lock(writer->path, SERVE_READERS_MAX, LOCK_MODE,
			reason);
	if (status == STATUS_OK)
		status = open_env(writer, size_limit, reason);
	if (status == STATUS_OK)
		status = set_mode(writer, "data.mdb", DATA_MODE, reason);
	if (status == STATUS_OK)
		status = set_mode(writer, "lock.mdb", LOCK_MODE, reason);
	if (status != STATUS_OK) {
		/* nobody else can have it open yet */
		mdb_env_close(writer->env);
		remove_directory(writer->path, NULL);
		free(writer);
		return status;
	}
	*out = writer;
	return STATUS_OK;
}

int
serve_writer_publish(struct serve_writer *writer, struct reason *reason)
{
	unsigned flags = access(writer->dir, F_OK) == 0 ? RENAME_EXCHANGE : RENAME_NOREPLACE;

	if (renameat2(AT_FDCWD, writer->path, AT_FDCWD, writer->dir, flags) != 0)
		return reason_errno(reason, errno, writer->dir);
	strcpy(writer->path, writer->dir);
	return STATUS_OK;
}

void
serve_writer_tidy(const char *dir)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s" SERVE_NEW_SUFFIX, dir) < (int)sizeof(path))
		remove_directory(path, NULL);
}

void
serve_writer_close(struct serve_writer *writer)
{
	bool is_new;

	if (!writer)
		return;
	is_new = strcmp(writer->path, writer->dir) != 0; /* nobody else can have it open yet */
	/* closed only when replaced: new openers find other files, so nobody can adopt the
	 * shared mutexes that some LMDB versions destroy here (doc/lmdb.md, "closing") */
	if (!is_new && serve_writer_check(writer, NULL) != STATUS_FOREIGN) {
		retire(writer);
		return;
	}
	mdb_env_close(writer->env);
	if (is_new)
		remove_directory(writer->path, NULL);
	free(writer);
}

void
serve_writer_abandon(struct serve_writer *writer)
{
	if (writer)
		retire(writer);
}

int
serve_writer_check(struct serve_writer *writer, struct reason *reason)
{
	struct mdb_files now;
	int status = mdb_files_stat(writer->path, &now, reason);

	if (status == STATUS_OK)
		status = mdb_files_compare(&writer->files, &now, reason);
	if (status == STATUS_OK)
		writer->files.data_size = now.data_size;
	return status;
}

const char *
serve_writer_path(const struct serve_writer *writer)
{
	return writer->path;
}

uint64_t
serve_writer_inode(const struct serve_writer *writer)
{
	return writer->files.data_inode;
}

void
serve_writer_sweep(struct serve_writer *writer)
{
	int dead;

	mdb_reader_check(writer->env, &dead);
}

/* A damaged lock.mdb may name another commit than the last as the one to build on. */
static bool
is_on_last_commit(const struct serve_txn *txn)
{
	MDB_envinfo info;

	mdb_env_info(mdb_txn_env(txn->txn), &info);
	return mdb_txn_id(txn->txn) == info.me_last_txnid + 1;
}

int
serve_writer_begin(struct serve_writer *writer, struct serve_txn **out,
	struct reason *reason)
{
	struct serve_txn *txn = &writer->txn;
	int code = mdb_txn_begin(writer->env, NULL, 0, &txn->txn);

	if (code != 0)
		return status_from_mdb_reason(code, "serve: begin", reason);
	txn->dbi = writer->dbi;
	code = is_on_last_commit(txn) ? mdb_cursor_open(txn->txn, txn->dbi, &txn->cursor)
				      : MDB_CORRUPTED;
	if (code != 0) {
		mdb_txn_abort(txn->txn);
		return status_from_mdb_reason(code, "serve: begin", reason);
	}
	*out = txn;
	return STATUS_OK;
}

int
serve_writer_commit(struct serve_txn *txn, struct reason *reason)
{
	mdb_cursor_close(txn->cursor);
	return status_from_mdb_reason(mdb_txn_commit(txn->txn), "serve: commit", reason);
}

void
serve_writer_abort(struct serve_txn *txn)
{
	mdb_cursor_close(txn->cursor);
	mdb_txn_abort(txn->txn);
}

int
serve_writer_reserve(struct serve_txn *txn, const struct name_key *key, size_t size,
	uint8_t **out, struct reason *reason)
{
	uint8_t bytes[SERVE_KEY_MAX];
	MDB_val at = { .mv_data = bytes, .mv_size = serve_node_key(key, bytes) };
	MDB_val value = { .mv_size = size };
	/* by the cursor: the names of a rebuild come in order, and LMDB then finds the next
	 * place without a descent */
	int code = mdb_cursor_put(txn->cursor, &at, &value, MDB_RESERVE);

	if (code == 0)
		*out = value.mv_data;
	return status_from_mdb_reason(code, "serve: put", reason);
}

int
serve_writer_delete(struct serve_txn *txn, const struct name_key *key,
	struct reason *reason)
{
	uint8_t bytes[SERVE_KEY_MAX];
	MDB_val at = { .mv_data = bytes, .mv_size = serve_node_key(key, bytes) };
	int code = mdb_del(txn->txn, txn->dbi, &at, NULL);

	return code == MDB_NOTFOUND ? STATUS_OK
				    : status_from_mdb_reason(code, "serve: delete", reason);
}

int
serve_writer_put_meta(struct serve_txn *txn, const struct serve_meta *meta,
	struct reason *reason)
{
	uint8_t bytes[SERVE_META_SIZE];
	MDB_val key = { .mv_data = SERVE_META_KEY, .mv_size = 1 };
	MDB_val value = { .mv_data = bytes, .mv_size = sizeof(bytes) };

	serve_encode_meta(meta, bytes);
	return status_from_mdb_reason(mdb_put(txn->txn, txn->dbi, &key, &value, 0),
		"serve: meta record", reason);
}
