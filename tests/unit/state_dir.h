/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A directory with a state for tests of what looks after it: what is said on stderr, and the
 * child that checks state, which is this program with "--check-state DIR".
 *
 *	<root>/state      what is checked
 *	<root>/log        stderr
 *	<root>/checks     the pid of each child, a line each
 */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "sidecar/state/state.h"
#include "tests/unit/record.h"

#define STATE_DIR_LOG_MAX 16384
#define STATE_DIR_WAIT_MS 30000
#define STATE_DIR_CHECK "UNIT_CHECK" /* "hang", "killed", "killed late", or a status to exit with */

struct state_dir {
	char root[64];
	char dir[80];
	int stderr_copy;
};

static inline void
state_dir_init(struct state_dir *at)
{
	char path[80];
	int fd;

	*at = (struct state_dir){ .root = "/tmp/livezone-unit-XXXXXX" };
	assert_non_null(mkdtemp(at->root));
	snprintf(at->dir, sizeof(at->dir), "%s/state", at->root);
	assert_int_equal(mkdir(at->dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/log", at->root);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	at->stderr_copy = dup(STDERR_FILENO);
	assert_true(fd >= 0 && at->stderr_copy >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
	unsetenv(STATE_DIR_CHECK);
}

/* Up to `size` octets of <root>/<name>, and 0 behind them; how many. */
static inline size_t
state_dir_read(const struct state_dir *at, const char *name, void *out, size_t size)
{
	char path[512];
	size_t used = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", at->root, name);
	file = fopen(path, "r");
	if (file) {
		used = fread(out, 1, size - 1, file);
		fclose(file);
	}
	((char *)out)[used] = '\0';
	return used;
}

/* Gives stderr back, with what was said: cmocka, too, explains itself there. */
static inline int
state_dir_done(struct state_dir *at)
{
	static char said[STATE_DIR_LOG_MAX];

	state_dir_read(at, "log", said, sizeof(said));
	dup2(at->stderr_copy, STDERR_FILENO);
	close(at->stderr_copy);
	fputs(said, stderr);
	return unit_remove(at->root);
}

/* How often it was said. */
static inline unsigned
state_dir_said(const struct state_dir *at, const char *text)
{
	static char said[STATE_DIR_LOG_MAX];
	const char *found = said;
	unsigned count = 0;

	state_dir_read(at, "log", said, sizeof(said));
	for (; (found = strstr(found, text)); found++)
		count++;
	return count;
}

static inline void
state_dir_wait_said(const struct state_dir *at, const char *text)
{
	const uint64_t deadline = clock_boot_ms() + STATE_DIR_WAIT_MS;

	while (state_dir_said(at, text) == 0) {
		if (clock_boot_ms() > deadline)
			fail_msg("never said: %s", text);
		usleep(1000);
	}
}

/* The path of what is checked. */
static inline void
state_dir_data(const struct state_dir *at, char out[96])
{
	snprintf(out, 96, "%s/data.mdb", at->dir);
}

/* Of <root>/<name>; 0 when there is none. */
static inline ino_t
state_dir_inode(const struct state_dir *at, const char *name)
{
	struct stat file = { 0 };
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", at->root, name);
	stat(path, &file);
	return file.st_ino;
}

/* How many are in quarantine; the name below root of the one with this inode, when it is
 * there. */
static inline unsigned
state_dir_quarantined(const struct state_dir *at, ino_t inode, char out[300])
{
	char path[96], name[300];
	struct dirent *entry;
	unsigned count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/quarantine", at->dir);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		snprintf(name, sizeof(name), "state/quarantine/%.200s/data.mdb",
			entry->d_name);
		if (entry->d_name[0] == '.' || state_dir_inode(at, name) == 0)
			continue;
		count++;
		if (state_dir_inode(at, name) == inode)
			strcpy(out, name);
	}
	closedir(dir);
	return count;
}

/* Children that were started; the pid of the last. */
static inline unsigned
state_dir_checks(const struct state_dir *at, pid_t *out_last)
{
	char pids[4096], *line = pids, *end;
	unsigned count = 0;

	state_dir_read(at, "checks", pids, sizeof(pids));
	for (; (end = strchr(line, '\n')); line = end + 1, count++)
		*out_last = (pid_t)strtol(line, NULL, 10);
	return count;
}

static inline pid_t
state_dir_wait_checks(const struct state_dir *at, unsigned count)
{
	const uint64_t deadline = clock_boot_ms() + STATE_DIR_WAIT_MS;
	pid_t last = 0;

	while (state_dir_checks(at, &last) < count) {
		if (clock_boot_ms() > deadline)
			fail_msg("less than %u checks", count);
		usleep(1000);
	}
	return last;
}

/* What main does with "--check-state DIR": notes that it was started, and ends as the
 * environment says; without that, it checks. */
static inline int
state_dir_check(const char *dir)
{
	const char *how = getenv(STATE_DIR_CHECK);
	char path[512];
	FILE *file;
	int outcome;

	snprintf(path, sizeof(path), "%s/../checks", dir);
	file = fopen(path, "a");
	fprintf(file, "%ld\n", (long)getpid());
	fclose(file);
	alarm(2 * STATE_DIR_WAIT_MS / 1000); /* it outlives no test that was killed */
	if (how && strcmp(how, "hang") == 0)
		for (;;)
			pause();
	if (how && strcmp(how, "killed") == 0)
		raise(SIGKILL);
	if (how && strcmp(how, "killed late") == 0) {
		state_check_child(dir);
		fflush(stdout);
		raise(SIGKILL);
	}
	outcome = how ? atoi(how) : state_check_child(dir);
	fflush(stdout);
	_exit(outcome); /* LMDB stays open, as in livezoned */
}
