/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The life of the state environment and its files: one process by its lock file, opened at
 * start and again after a failed write; made, put in place and put aside.
 */
#include "sidecar/state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/serve/mdb.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"

#define READERS_MAX 512     /* API threads hold one each */
#define MAP_UNIT 65536      /* a multiple of every page size that LMDB has */
#define REOPEN_WAIT_S 5     /* for running readers to end */
#define SAME_SECOND_MAX 100 /* quarantines of one second that get names of their own */
#define READ_ONLY_MS 1000   /* between two attempts to write to what was read-only */

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

/* A lock of the process, not of the open file: the child that checks state has none, so that
 * one which outlives livezoned does not keep the next one from starting. */
int
state_lock(const char *dir, int *out_fd, struct reason *reason)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX], text[32];
	int fd, len;

	if (snprintf(path, sizeof(path), "%s/livezoned.lock", dir) >= (int)sizeof(path))
		return reason_set(reason, STATUS_INVALID, "%s: path too long", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return reason_set(reason, errno == ENOSPC ? STATUS_FULL : STATUS_IO,
			"%s: %s", path, strerror(errno));
	if (fcntl(fd, F_SETLK, &lock) != 0) {
		int status = errno == EAGAIN || errno == EACCES
			? refuse_second(path, fd, reason)
			: reason_set(reason, STATUS_IO, "%s: %s", path, strerror(errno));

		close(fd);
		return status;
	}
	/* the pid is for people: on a full disk it may be missing */
	len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) != len)
		(void)!ftruncate(fd, 0);
	*out_fd = fd;
	return STATUS_OK;
}

void
state_unlock(int lock_fd)
{
	if (lock_fd >= 0)
		close(lock_fd);
}

/* --- open --- */

static bool
is_read_only(const char *dir)
{
	return access(dir, W_OK) != 0 && errno == EROFS;
}

static int
open_flags(struct state *state, const char *dir, unsigned flags, struct reason *reason)
{
	MDB_txn *txn = NULL;
	MDB_env *env = NULL;
	int code = mdb_env_create(&env);

	if (code == 0)
		code = mdb_env_set_mapsize(env, state->map_size);
	if (code == 0)
		code = mdb_env_set_maxreaders(env, READERS_MAX);
	if (code == 0)
		code = mdb_env_open(env, dir, MDB_NOTLS | flags, 0600);
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
	state->is_read_only = flags & MDB_RDONLY;
	state->opened_ms = clock_read_ms(CLOCK_MONOTONIC);
	return STATUS_OK;
}

/* What cannot be written can be read. */
static int
open_env(struct state *state, const char *dir, struct reason *reason)
{
	int status = mdb_reserve_lock(dir, READERS_MAX, 0600, reason);

	if (status == STATUS_OK)
		status = open_flags(state, dir, 0, reason);
	if (status == STATUS_UNAVAILABLE && is_read_only(dir))
		status = open_flags(state, dir, MDB_RDONLY, reason);
	return status;
}

/* Gives an environment without any entry its meta record. */
static int
make_meta(struct state *state, const uint8_t *instance, struct reason *reason)
{
	struct state_txn *txn;
	int status = state_begin_write(state, &txn, reason);

	if (status != STATUS_OK)
		return status;
	txn->has_meta = txn->is_meta_dirty = true;
	txn->meta.sum = STATE_SUM_EMPTY;
	if (instance) {
		memcpy(txn->meta.meta.instance, instance, STATE_INSTANCE_SIZE);
	} else if (getrandom(txn->meta.meta.instance, STATE_INSTANCE_SIZE, 0)
		!= STATE_INSTANCE_SIZE) {
		state_abort(txn);
		return reason_set(reason, STATUS_IO, "no random bytes: %s",
			strerror(errno));
	}
	return state_commit(txn, reason);
}

/* Makes the environment in "<dir>/new" and moves its file into place when it is whole: a
 * data.mdb that is empty or cut off is damage, then, never a first start that was killed. */
static int
create(const char *dir, uint64_t size_limit, struct reason *reason)
{
	struct state *state;
	int status = state_create(dir, size_limit, NULL, &state, reason);

	if (status != STATUS_OK)
		return status;
	state_close(state);
	return state_file_adopt(dir, reason);
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
		status = create(state->dir, state->map_size, reason);
	/* before LMDB, which would change the lock file of another format */
	if (status == STATUS_OK)
		status = mdb_files_check(state->dir, reason);
	if (status == STATUS_OK)
		status = open_env(state, state->dir, reason);
	return status == STATUS_OK ? check_meta(state, reason) : status;
}

static struct state *
state_new(const char *dir, uint64_t size_limit, int lock_fd)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state) {
		state_unlock(lock_fd);
		return NULL;
	}
	state->lock_fd = lock_fd;
	pthread_mutex_init(&state->lock, NULL);
	clock_init_condition(&state->idle);
	state->map_size = (size_limit + MAP_UNIT - 1) / MAP_UNIT * MAP_UNIT;
	state->dir = strdup(dir);
	if (state->dir)
		return state;
	state_close(state);
	return NULL;
}

int
state_open_locked(const char *dir, uint64_t size_limit, int lock_fd, struct state **out,
	struct reason *reason)
{
	struct state *state = state_new(dir, size_limit, lock_fd);
	int status;

	if (!state)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	status = open_checked(state, reason);
	if (status != STATUS_OK) {
		reason_prefix(reason, status, "state in %s", dir);
		state_close(state);
		return status;
	}
	*out = state;
	return STATUS_OK;
}

int
state_open(const char *dir, uint64_t size_limit, struct state **out, struct reason *reason)
{
	int lock_fd, status = state_lock(dir, &lock_fd, reason);

	return status == STATUS_OK
		? state_open_locked(dir, size_limit, lock_fd, out, reason)
		: status;
}

int
state_create(const char *dir, uint64_t size_limit, const uint8_t *instance,
	struct state **out, struct reason *reason)
{
	char path[PATH_MAX];
	struct state *state;
	int status = state_file_make_new(dir, path, reason);

	if (status != STATUS_OK)
		return status;
	state = state_new(path, size_limit, -1);
	if (!state)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	status = open_env(state, path, reason);
	if (status == STATUS_OK)
		status = make_meta(state, instance, reason);
	if (status != STATUS_OK) {
		state_close(state);
		state_file_remove_new(dir);
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
	/* private to this process: unlike serve it may be closed */
	if (state->env)
		mdb_env_close(state->env);
	state_unlock(state->lock_fd);
	pthread_cond_destroy(&state->idle);
	pthread_mutex_destroy(&state->lock);
	free(state->dir);
	free(state);
}

/* --- users --- */

/* Is it time to open anew? A read-only one that works is not closed for each write that
 * somebody tries. */
static bool
must_reopen(const struct state *state)
{
	if (!state->env)
		return true;
	return state->is_suspect
		&& !(state->is_read_only
			&& clock_read_ms(CLOCK_MONOTONIC) - state->opened_ms < READ_ONLY_MS);
}

/* Closes the environment when the last transaction has ended, and opens it again. Called
 * with the lock held. */
static int
reopen(struct state *state, const struct timespec *deadline, struct reason *reason)
{
	int status = STATUS_OK;

	state->is_reopening = true;
	while (state->users > 0
		&& pthread_cond_timedwait(&state->idle, &state->lock, deadline) == 0)
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
		if (status == STATUS_OK)
			state->is_suspect = false;
	}
	state->is_reopening = false;
	pthread_cond_broadcast(&state->idle);
	return status;
}

int
state_enter(struct state *state, struct reason *reason)
{
	struct timespec deadline; /* of all waiting here together */
	int status = STATUS_OK;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += REOPEN_WAIT_S;
	pthread_mutex_lock(&state->lock);
	while (state->is_reopening
		&& pthread_cond_timedwait(&state->idle, &state->lock, &deadline) == 0)
		;
	if (state->is_reopening) {
		status = reason_set(reason, STATUS_UNAVAILABLE,
			"state is being reopened after a failed write");
	} else if (must_reopen(state)) {
		status = reopen(state, &deadline, reason);
		state->reopens += status == STATUS_OK;
	}
	if (status == STATUS_OK)
		state->users++;
	pthread_mutex_unlock(&state->lock);
	return status;
}

void
state_leave(struct state *state, bool must_reopen)
{
	pthread_mutex_lock(&state->lock);
	state->users--;
	if (must_reopen)
		state->is_suspect = true;
	if (state->users == 0)
		pthread_cond_broadcast(&state->idle);
	pthread_mutex_unlock(&state->lock);
}

bool
state_is_waiting(struct state *state)
{
	bool is_waiting;

	pthread_mutex_lock(&state->lock);
	is_waiting = state->is_reopening;
	pthread_mutex_unlock(&state->lock);
	return is_waiting;
}

bool
state_may_wait(struct state *state)
{
	bool may_wait;

	if (pthread_mutex_trylock(&state->lock) != 0)
		return true; /* perhaps while the environment is opened */
	may_wait = state->is_reopening || must_reopen(state);
	pthread_mutex_unlock(&state->lock);
	return may_wait;
}

bool
state_release_memory(struct state *state)
{
	const struct timespec now = { 0 };
	struct reason reason;
	bool is_free;

	pthread_mutex_lock(&state->lock);
	is_free = state->users == 0 && !state->is_reopening && !must_reopen(state);
	if (is_free)
		reopen(state, &now, &reason); /* when that fails, the next user tries again */
	pthread_mutex_unlock(&state->lock);
	return is_free;
}

unsigned
state_sweep(struct state *state)
{
	int dead = 0;

	if (state_enter(state, NULL) != STATUS_OK)
		return 0;
	mdb_reader_check(state->env, &dead);
	state_leave(state, false);
	return (unsigned)dead;
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

/* --- files that are put in place and put aside --- */

static int
join(char out[PATH_MAX], const char *dir, const char *name, struct reason *reason)
{
	if (snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX)
		return STATUS_OK;
	return reason_set(reason, STATUS_INVALID, "%s: path too long", dir);
}

static int
sync_directory(const char *dir, struct reason *reason)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int failed = fd < 0 || fsync(fd) != 0;
	int status = failed ? reason_errno(reason, errno, dir) : STATUS_OK;

	if (fd >= 0)
		close(fd);
	return status;
}

void
state_file_remove_new(const char *dir)
{
	char path[PATH_MAX];

	if (join(path, dir, "new/data.mdb", NULL) == STATUS_OK)
		unlink(path);
	if (join(path, dir, "new/lock.mdb", NULL) == STATUS_OK)
		unlink(path);
	if (join(path, dir, "new", NULL) == STATUS_OK)
		rmdir(path);
}

int
state_file_make_new(const char *dir, char out_path[PATH_MAX], struct reason *reason)
{
	int status = join(out_path, dir, "new", reason);

	if (status != STATUS_OK)
		return status;
	state_file_remove_new(dir);
	return mkdir(out_path, 0700) == 0 ? STATUS_OK : reason_errno(reason, errno, out_path);
}

int
state_file_adopt(const char *dir, struct reason *reason)
{
	char from[PATH_MAX], to[PATH_MAX];
	int status = join(from, dir, "new/data.mdb", reason);

	if (status == STATUS_OK)
		status = join(to, dir, "data.mdb", reason);
	if (status == STATUS_OK && rename(from, to) != 0)
		status = reason_errno(reason, errno, to);
	state_file_remove_new(dir);
	/* LMDB does not sync the directory that a new file stands in */
	return status == STATUS_OK ? sync_directory(dir, reason) : status;
}

/* A directory of its own, by the time; out_path is that directory. */
static int
make_quarantine(const char *dir, char out_path[PATH_MAX], struct reason *reason)
{
	char all[PATH_MAX], name[32];
	time_t now = time(NULL);
	struct tm utc;
	int i, status = join(all, dir, "quarantine", reason);

	if (status != STATUS_OK)
		return status;
	if (mkdir(all, 0700) != 0 && errno != EEXIST)
		return reason_errno(reason, errno, all);
	gmtime_r(&now, &utc);
	for (i = 0; i < SAME_SECOND_MAX; i++) {
		size_t len = strftime(name, sizeof(name), "%Y%m%dT%H%M%SZ", &utc);

		if (i > 0)
			snprintf(name + len, sizeof(name) - len, "-%d", i);
		status = join(out_path, all, name, reason);
		if (status != STATUS_OK)
			return status;
		if (mkdir(out_path, 0700) == 0)
			return sync_directory(all, reason);
		if (errno != EEXIST)
			break;
	}
	return reason_errno(reason, errno, out_path);
}

int
state_file_quarantine(const char *dir, char out_path[PATH_MAX], struct reason *reason)
{
	char from[PATH_MAX], place[PATH_MAX];
	int status = join(from, dir, "data.mdb", reason);

	if (status == STATUS_OK)
		status = make_quarantine(dir, place, reason);
	if (status == STATUS_OK)
		status = join(out_path, place, "data.mdb", reason);
	if (status == STATUS_OK && link(from, out_path) != 0)
		status = reason_errno(reason, errno, out_path);
	if (status == STATUS_OK)
		status = sync_directory(place, reason);
	return status == STATUS_OK ? sync_directory(dir, reason) : status;
}
