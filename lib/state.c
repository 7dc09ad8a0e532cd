/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The environment of the truth: opened once by livezoned, opened anew after a failed
 * write, its transactions and its meta record. Readers on API threads, one writer thread.
 */
#include "lib/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/checksum.h"
#include "lib/clock.h"
#include "lib/cursor.h"
#include "lib/mdb.h"
#include "lib/state_txn.h"
#include "lib/status.h"

#define META_MAGIC 0x31545a4cu /* "LZT1" */
#define META_MAGIC_FAMILY 0x00545a4cu
#define META_SIZE 56
#define READERS_MAX 512     /* API threads hold one each (H12) */
#define MAP_UNIT 65536      /* a multiple of every page size that LMDB has */
#define REOPEN_WAIT_S 5     /* for running readers to end */
#define NEEDED "this program knows \"LZT1\": use the livezoned that wrote it, or export with " \
	       "that one and import here"

/* --- the lock file --- */

static int
refuse_second(const char *path, int fd, struct reason *reason)
{
	char text[32] = "";
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
	long pid = len > 0 ? strtol(text, NULL, 10) : 0;

	if (pid > 0)
		return reason_set(reason, STATUS_CONFLICT,
			"%s: in use by livezoned with pid %ld", path, pid);
	return reason_set(reason, STATUS_CONFLICT, "%s: in use by another livezoned", path);
}

static int
take_lock(struct state *state, struct reason *reason)
{
	char path[PATH_MAX], text[32];
	int fd, len;

	if (snprintf(path, sizeof(path), "%s/livezoned.lock", state->dir)
		>= (int)sizeof(path))
		return reason_set(reason, STATUS_INVALID, "%s: path too long", state->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return reason_set(reason, errno == ENOSPC ? STATUS_FULL : STATUS_IO,
			"%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int status = errno == EWOULDBLOCK
			? refuse_second(path, fd, reason)
			: reason_set(reason, STATUS_IO, "%s: %s", path, strerror(errno));

		close(fd);
		return status;
	}
	/* the pid is for people: on a full disk it may be missing */
	len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) != len)
		(void)!ftruncate(fd, 0);
	state->lock_fd = fd;
	return STATUS_OK;
}

/* --- open --- */

static int
open_env(struct state *state, const char *dir, struct reason *reason)
{
	MDB_txn *txn = NULL;
	MDB_env *env = NULL;
	int code, status;

	status = mdb_reserve_lock(state->dir, READERS_MAX, 0600, reason);
	if (status != STATUS_OK)
		return status;
	code = mdb_env_create(&env);
	if (code == 0)
		code = mdb_env_set_mapsize(env, state->map_size);
	if (code == 0)
		code = mdb_env_set_maxreaders(env, READERS_MAX);
	if (code == 0)
		code = mdb_env_open(env, dir, MDB_NOTLS, 0600);
	if (code == 0)
		code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
	if (code == 0)
		code = mdb_dbi_open(txn, NULL, 0, &state->dbi);
	if (code == 0) {
		/* committed, so that the handle stays valid */
		code = mdb_txn_commit(txn);
		txn = NULL;
	}
	if (txn)
		mdb_txn_abort(txn);
	if (code != 0) {
		mdb_env_close(env);
		return status_from_mdb_reason(code, dir, reason);
	}
	state->env = env;
	return STATUS_OK;
}

static int
sync_directory(const char *dir, struct reason *reason)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int failed = fd < 0 || fsync(fd) != 0;
	int error = errno;

	if (fd >= 0)
		close(fd);
	return failed ? reason_set(reason, STATUS_IO, "%s: %s", dir, strerror(error))
		      : STATUS_OK;
}

/* Gives an environment without any entry its meta record. */
static int
make_meta(struct state *state, struct reason *reason)
{
	struct state_txn *txn;
	int status = state_begin_write(state, &txn, reason);

	if (status != STATUS_OK)
		return status;
	txn->has_meta = txn->is_meta_dirty = true;
	if (getrandom(txn->meta.instance, STATE_INSTANCE_SIZE, 0) != STATE_INSTANCE_SIZE) {
		state_abort(txn);
		return reason_set(reason, STATUS_IO, "no random bytes: %s",
			strerror(errno));
	}
	return state_commit(txn, reason);
}

static void
remove_new(const char *dir)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	unlink(path);
	rmdir(dir);
}

/* Makes the environment in "<dir>/new" and moves its file into place when it is whole: a
 * data.mdb that is empty or cut off is damage, then, never a first start that was killed. */
static int
create(struct state *state, const char *path, struct reason *reason)
{
	char dir[PATH_MAX], file[PATH_MAX + 16];
	int status;

	if (snprintf(dir, sizeof(dir), "%s/new", state->dir) >= (int)sizeof(dir))
		return reason_set(reason, STATUS_INVALID, "path too long");
	snprintf(file, sizeof(file), "%s/data.mdb", dir);
	remove_new(dir);
	if (mkdir(dir, 0700) != 0)
		return reason_set(reason, status_from_mdb(errno), "%s: %s", dir,
			strerror(errno));
	status = open_env(state, dir, reason);
	if (status == STATUS_OK) {
		status = make_meta(state, reason);
		mdb_env_close(state->env);
		state->env = NULL;
	}
	if (status == STATUS_OK && rename(file, path) != 0)
		status = reason_set(reason, STATUS_IO, "%s: %s", path, strerror(errno));
	remove_new(dir);
	/* LMDB does not sync the directory that a new file stands in */
	return status == STATUS_OK ? sync_directory(state->dir, reason) : status;
}

static int
check_meta(struct state *state, struct reason *reason)
{
	struct state_txn *txn;
	struct state_meta meta;
	int status = state_begin_read(state, &txn, reason);

	if (status != STATUS_OK)
		return status;
	status = state_read_meta(txn, &meta, reason);
	state_abort(txn);
	if (status == STATUS_NOT_FOUND)
		return reason_set(reason, STATUS_FOREIGN,
			"data.mdb has no record of livezone: it belongs to another program");
	return status;
}

static int
open_checked(struct state *state, struct reason *reason)
{
	char path[PATH_MAX];
	int status = STATUS_OK;

	snprintf(path, sizeof(path), "%s/data.mdb", state->dir);
	if (access(path, F_OK) != 0 && errno == ENOENT)
		status = create(state, path, reason);
	/* before LMDB, which would change the lock file of another format */
	if (status == STATUS_OK)
		status = mdb_files_check(state->dir, reason);
	if (status == STATUS_OK)
		status = open_env(state, state->dir, reason);
	return status == STATUS_OK ? check_meta(state, reason) : status;
}

int
state_open(const char *dir, uint64_t size_limit, struct state **out, struct reason *reason)
{
	struct state *state = calloc(1, sizeof(*state));
	pthread_condattr_t attributes;
	int status;

	if (!state)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	state->lock_fd = -1;
	pthread_mutex_init(&state->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&state->idle, &attributes);
	pthread_condattr_destroy(&attributes);
	state->map_size = (size_limit + MAP_UNIT - 1) / MAP_UNIT * MAP_UNIT;
	state->dir = strdup(dir);
	status = state->dir ? take_lock(state, reason)
			    : reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (status == STATUS_OK) {
		status = open_checked(state, reason);
		if (status != STATUS_OK)
			reason_prefix(reason, status, "state in %s", dir);
	}
	if (status != STATUS_OK) {
		state_close(state);
		return status;
	}
	*out = state;
	return STATUS_OK;
}

void
state_close(struct state *state)
{
	if (!state)
		return;
	/* private to this process: closing is safe here (R13 speaks of serve) */
	if (state->env)
		mdb_env_close(state->env);
	if (state->lock_fd >= 0)
		close(state->lock_fd);
	pthread_cond_destroy(&state->idle);
	pthread_mutex_destroy(&state->lock);
	free(state->dir);
	free(state);
}

/* --- transactions --- */

/* Closes the environment when the last transaction has ended, and opens it anew. Called
 * with the lock held. */
static int
reopen(struct state *state, struct reason *reason)
{
	struct timespec deadline;
	int status = STATUS_OK;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += REOPEN_WAIT_S;
	state->is_reopening = true;
	while (state->users > 0
		&& pthread_cond_timedwait(&state->idle, &state->lock, &deadline) == 0)
		;
	if (state->users > 0) {
		status = reason_set(reason, STATUS_UNAVAILABLE,
			"state must be opened anew, but %u readers do not end",
			state->users);
	} else {
		if (state->env)
			mdb_env_close(state->env);
		state->env = NULL;
		status = mdb_files_check(state->dir, reason);
		if (status == STATUS_OK)
			status = open_env(state, state->dir, reason);
		if (status == STATUS_OK) {
			state->is_suspect = false;
			state->reopens++;
		}
	}
	state->is_reopening = false;
	pthread_cond_broadcast(&state->idle);
	return status;
}

/* Counts the caller in as a user of a healthy environment. */
static int
enter(struct state *state, struct reason *reason)
{
	int status = STATUS_OK;

	pthread_mutex_lock(&state->lock);
	while (state->is_reopening)
		pthread_cond_wait(&state->idle, &state->lock);
	if (state->is_suspect || !state->env)
		status = reopen(state, reason);
	if (status == STATUS_OK)
		state->users++;
	pthread_mutex_unlock(&state->lock);
	return status;
}

static void
leave(struct state *state, bool is_suspect)
{
	pthread_mutex_lock(&state->lock);
	state->users--;
	if (is_suspect)
		state->is_suspect = true;
	if (state->users == 0)
		pthread_cond_broadcast(&state->idle);
	pthread_mutex_unlock(&state->lock);
}

static void
free_txn(struct state_txn *txn, bool is_suspect)
{
	leave(txn->state, is_suspect);
	free(txn->source);
	free(txn->zone);
	free(txn->scratch);
	free(txn);
}

static int
begin_once(struct state *state, unsigned flags, struct state_txn **out, bool *out_panic,
	struct reason *reason)
{
	struct state_txn *txn;
	int code, status = enter(state, reason);

	*out_panic = false;
	if (status != STATUS_OK)
		return status;
	txn = calloc(1, sizeof(*txn));
	if (!txn) {
		leave(state, false);
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	}
	txn->state = state;
	txn->dbi = state->dbi;
	txn->is_writer = !(flags & MDB_RDONLY);
	txn->now_ms = clock_wall_ms();
	code = mdb_txn_begin(state->env, NULL, flags, &txn->txn);
	if (code != 0) {
		*out_panic = code == MDB_PANIC;
		free_txn(txn, *out_panic);
		return status_from_mdb_reason(code, "state", reason);
	}
	*out = txn;
	return STATUS_OK;
}

static int
begin(struct state *state, unsigned flags, struct state_txn **out, struct reason *reason)
{
	bool panic;
	int status = begin_once(state, flags, out, &panic, reason);

	return panic ? begin_once(state, flags, out, &panic, reason) : status;
}

int
state_begin_read(struct state *state, struct state_txn **out, struct reason *reason)
{
	return begin(state, MDB_RDONLY, out, reason);
}

int
state_begin_write(struct state *state, struct state_txn **out, struct reason *reason)
{
	struct state_txn *txn;
	MDB_stat stat;
	int code, status = begin(state, 0, &txn, reason);

	if (status != STATUS_OK)
		return status;
	code = mdb_stat(txn->txn, txn->dbi, &stat);
	if (code != 0) {
		state_abort(txn);
		return status_from_mdb_reason(code, "state", reason);
	}
	txn->quota_pages[0] = state->map_size / stat.ms_psize * STATE_QUOTA_PUT / 100;
	txn->quota_pages[1] = state->map_size / stat.ms_psize * STATE_QUOTA_DELETE / 100;
	*out = txn;
	return STATUS_OK;
}

static int
write_meta(struct state_txn *txn, struct reason *reason)
{
	uint8_t name = STATE_TABLE_META, value[META_SIZE];
	MDB_val key = { 1, &name }, data = { sizeof(value), value };
	struct cursor_out cursor = cursor_out_init(value, sizeof(value));

	cursor_put_u32(&cursor, 0);
	cursor_put_u32(&cursor, META_MAGIC);
	cursor_put_u64(&cursor, txn->meta.revision);
	cursor_put(&cursor, txn->meta.instance, STATE_INSTANCE_SIZE);
	cursor_put_u32(&cursor, txn->zones_checksum);
	cursor_put_u32(&cursor, 0);
	cursor_put_u64(&cursor, txn->log_first);
	cursor_put_u64(&cursor, txn->log_bytes);
	state_seal(value, sizeof(value));
	return status_from_mdb_reason(mdb_put(txn->txn, txn->dbi, &key, &data, 0),
		"meta record", reason);
}

int
state_commit(struct state_txn *txn, struct reason *reason)
{
	int code, status = state_flush_counters(txn, reason);

	if (status == STATUS_OK && txn->is_meta_dirty)
		status = write_meta(txn, reason);
	if (status != STATUS_OK) {
		state_abort(txn);
		return status;
	}
	code = mdb_txn_commit(txn->txn);
	/* after a write error the kernel may have dropped pages that LMDB believes in:
	 * what is on the disk counts (H25) */
	free_txn(txn, code != 0 && code != MDB_MAP_FULL && code != MDB_TXN_FULL);
	return status_from_mdb_reason(code, "state", reason);
}

void
state_abort(struct state_txn *txn)
{
	if (!txn)
		return;
	if (!txn->is_writer) {
		/* LMDB closes those of a writer itself */
		if (txn->rrsets)
			mdb_cursor_close(txn->rrsets);
		if (txn->owners)
			mdb_cursor_close(txn->owners);
		if (txn->leases)
			mdb_cursor_close(txn->leases);
	}
	mdb_txn_abort(txn->txn);
	free_txn(txn, false);
}

int
state_cursor(struct state_txn *txn, MDB_cursor **cursor, struct reason *reason)
{
	if (*cursor)
		return STATUS_OK;
	return status_from_mdb_reason(mdb_cursor_open(txn->txn, txn->dbi, cursor), "state",
		reason);
}

int
state_walk_prefix(struct state_txn *txn, const uint8_t *prefix, size_t len,
	state_entry_fn fn, void *context, struct reason *reason)
{
	MDB_cursor *cursor = NULL;
	MDB_val key = { len, (void *)(uintptr_t)prefix }, value;
	int status = state_cursor(txn, &cursor, reason);
	int code;

	if (status != STATUS_OK)
		return status;
	code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (code == 0 && key.mv_size >= len && memcmp(key.mv_data, prefix, len) == 0) {
		status = fn(context, &key, &value, reason);
		if (status != STATUS_OK)
			break;
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	if (status == STATUS_OK && code != 0 && code != MDB_NOTFOUND)
		status = status_from_mdb_reason(code, "state", reason);
	return status;
}

/* --- values and quota --- */

void
state_seal(uint8_t *value, size_t len)
{
	struct cursor_out cursor = cursor_out_init(value, 4);

	cursor_put_u32(&cursor, checksum_crc32c(value + 4, len - 4));
}

bool
state_is_sealed(const MDB_val *value)
{
	struct cursor cursor = cursor_init(value->mv_data, value->mv_size);
	uint32_t checksum = cursor_u32(&cursor);

	return !cursor.failed && checksum_crc32c(cursor.at, cursor.left) == checksum;
}

static uint64_t
pages_in_use(const MDB_stat *stat)
{
	return stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages;
}

int
state_check_quota(struct state_txn *txn, bool is_delete, struct reason *reason)
{
	MDB_stat stat;
	int code = mdb_stat(txn->txn, txn->dbi, &stat);

	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	if (pages_in_use(&stat) <= txn->quota_pages[is_delete])
		return STATUS_OK;
	return reason_set(reason, STATUS_FULL,
		"%llu of the %llu MiB of store.size-limit are in use, above %d %% %s: delete "
		"records or raise store.size-limit",
		(unsigned long long)(pages_in_use(&stat) * stat.ms_psize >> 20),
		(unsigned long long)(txn->state->map_size >> 20),
		is_delete ? STATE_QUOTA_DELETE : STATE_QUOTA_PUT,
		is_delete ? "nothing can be deleted" : "nothing can be added");
}

void
state_usage(struct state *state, uint64_t *out_used, uint64_t *out_size)
{
	struct state_txn *txn;
	MDB_stat stat;

	*out_used = *out_size = 0;
	if (state_begin_read(state, &txn, NULL) != STATUS_OK)
		return;
	if (mdb_stat(txn->txn, txn->dbi, &stat) == 0) {
		*out_used = pages_in_use(&stat) * stat.ms_psize;
		*out_size = state->map_size;
	}
	state_abort(txn);
}

uint64_t
state_reopens(struct state *state)
{
	uint64_t reopens;

	pthread_mutex_lock(&state->lock);
	reopens = state->reopens;
	pthread_mutex_unlock(&state->lock);
	return reopens;
}

/* --- the meta record --- */

int
state_load_meta(struct state_txn *txn, struct reason *reason)
{
	uint8_t name = STATE_TABLE_META;
	MDB_val key = { 1, &name }, value;
	struct cursor cursor;
	struct state_meta meta;
	uint32_t magic;
	int code;

	if (txn->has_meta)
		return STATUS_OK;
	code = mdb_get(txn->txn, txn->dbi, &key, &value);
	if (code != 0)
		return status_from_mdb_reason(code, "meta record", reason);
	cursor = cursor_init(value.mv_data, value.mv_size);
	cursor_u32(&cursor);
	magic = cursor_u32(&cursor);
	if (!cursor.failed && magic != META_MAGIC
		&& (magic & 0x00ffffffu) == META_MAGIC_FAMILY)
		return reason_set(reason, STATUS_FOREIGN, "schema \"LZT%c\" found, " NEEDED,
			(int)(magic >> 24));
	if (!state_is_sealed(&value) || magic != META_MAGIC || value.mv_size != META_SIZE)
		return reason_set(reason, STATUS_CORRUPT, "meta record: damaged");
	meta.revision = cursor_u64(&cursor);
	cursor_copy(&cursor, meta.instance, sizeof(meta.instance));
	txn->zones_checksum = cursor_u32(&cursor);
	cursor_u32(&cursor);
	txn->log_first = cursor_u64(&cursor);
	txn->log_bytes = cursor_u64(&cursor);
	txn->meta = meta;
	txn->has_meta = true;
	return STATUS_OK;
}

int
state_read_meta(struct state_txn *txn, struct state_meta *out, struct reason *reason)
{
	int status = state_load_meta(txn, reason);

	if (status == STATUS_OK)
		*out = txn->meta;
	return status;
}

int
state_set_revision(struct state_txn *txn, uint64_t revision, struct reason *reason)
{
	int status = state_load_meta(txn, reason);

	if (status != STATUS_OK)
		return status;
	txn->meta.revision = revision;
	txn->is_meta_dirty = true;
	return STATUS_OK;
}
