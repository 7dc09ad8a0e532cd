/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Both ends of the check: the child, and livezoned, which waits for it.
 */
#include "sidecar/journal/examine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "sidecar/state/state.h"

/* A million RRsets take a second of CPU; a disk that reads 10 MB/s is a bad one. */
#define TIME_LEAST_S 30
#define BYTES_PER_S (10 * 1024 * 1024)
#define OUTPUT_MAX (2 * REASON_MAX)

extern char **environ;

enum {
	EXIT_WHOLE = 0,
	EXIT_DAMAGED = 1, /* 2 is for a wrong command line */
	EXIT_FOREIGN = 3,
	EXIT_UNKNOWN = 4,
	EXIT_NO_RECORD = 5,
};

/* How long the file of the directory, as big as it is, may take to check. */
static unsigned
limit_s(const char *dir)
{
	char path[PATH_MAX];
	struct stat file = { 0 };

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	if (stat(path, &file) != 0)
		return TIME_LEAST_S;
	return TIME_LEAST_S + (unsigned)(file.st_size / BYTES_PER_S);
}

/* --- the child --- */

static int
exit_status(int status)
{
	switch (status) {
	case STATUS_OK:
		return EXIT_WHOLE;
	case STATUS_CORRUPT:
		return EXIT_DAMAGED;
	case STATUS_FOREIGN:
		return EXIT_FOREIGN;
	case STATUS_NOT_FOUND:
		return EXIT_NO_RECORD;
	default:
		return EXIT_UNKNOWN;
	}
}

int
examine_child(const char *dir)
{
	const struct rlimit no_core = { 0, 0 };
	const struct rlimit cpu = { limit_s(dir), limit_s(dir) + 1 };
	uint64_t begin_ms = clock_read_ms(CLOCK_MONOTONIC), took_ms;
	char instance[STATE_INSTANCE_TEXT];
	struct state_check check;
	struct reason reason = { "" };
	int status;

	/* what runs for ever ends by SIGXCPU, which is an answer as well */
	setrlimit(RLIMIT_CORE, &no_core);
	setrlimit(RLIMIT_CPU, &cpu);
	status = state_check_begin(dir, &check, &reason);
	if (status == STATUS_OK) {
		/* at once: what follows may crash */
		state_write_instance(&check.meta, instance);
		printf("revision %" PRIu64 " of %s\n", check.meta.revision, instance);
		fflush(stdout);
		status = state_check_run(&check, &reason);
	}
	took_ms = clock_read_ms(CLOCK_MONOTONIC) - begin_ms;
	if (status == STATUS_OK)
		printf("revision %" PRIu64 ", %" PRIu64 " RRsets, checked in %" PRIu64
		       ".%03" PRIu64 " s\n",
			check.meta.revision, check.rrsets, took_ms / 1000, took_ms % 1000);
	else
		printf("%s\n", reason.text);
	return exit_status(status);
}

/* --- livezoned --- */

enum examine_verdict
examine_verdict_of(int wait_status)
{
	if (WIFSIGNALED(wait_status)) {
		switch (WTERMSIG(wait_status)) {
		case SIGSEGV:
		case SIGBUS:
		case SIGABRT:
		case SIGFPE:
		case SIGILL:
		case SIGXCPU:
			return EXAMINE_DAMAGED;
		default:
			return EXAMINE_UNKNOWN; /* somebody else's doing: out of memory */
		}
	}
	switch (WEXITSTATUS(wait_status)) {
	case EXIT_WHOLE:
		return EXAMINE_WHOLE;
	case EXIT_DAMAGED:
		return EXAMINE_DAMAGED;
	case EXIT_FOREIGN:
		return EXAMINE_FOREIGN;
	case EXIT_NO_RECORD:
		return EXAMINE_NO_RECORD;
	default:
		return EXAMINE_UNKNOWN;
	}
}

/* The same program, even when its file was replaced by another version meanwhile. */
static int
spawn(const char *dir, int output, pid_t *out_pid)
{
	char *argv[] = { (char *)(uintptr_t)"livezoned", (char *)(uintptr_t)"--check-state",
		(char *)(uintptr_t)dir, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	error = posix_spawn(out_pid, "/proc/self/exe", &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* Until the child has closed its end; false: the deadline came first. */
static bool
read_output(int fd, uint64_t deadline_ms, char out[OUTPUT_MAX])
{
	size_t used = 0;

	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		uint64_t now_ms = clock_read_ms(CLOCK_MONOTONIC);
		ssize_t len;

		out[used] = '\0';
		if (now_ms >= deadline_ms)
			return false;
		if (poll(&poll_fd, 1, (int)(deadline_ms - now_ms)) <= 0)
			continue;
		len = read(fd, out + used, OUTPUT_MAX - 1 - used);
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return true;
		used += (size_t)len;
	}
}

/* "revision N of INSTANCE", then a line for people. */
static void
take_output(char *text, struct state_meta *out_meta, struct reason *reason)
{
	char *line = strchr(text, '\n'), instance[STATE_INSTANCE_TEXT];
	struct state_meta meta;

	if (sscanf(text, "revision %" SCNu64 " of %32s", &meta.revision, instance) == 2
		&& state_read_instance(instance, meta.instance))
		*out_meta = meta;
	line = line && line[1] ? line + 1 : text;
	line[strcspn(line, "\n")] = '\0';
	reason_set(reason, 0, "%s", line);
}

static enum examine_verdict
wait_for(pid_t pid, int fd, unsigned wait_s, struct state_meta *out_meta, struct reason *reason)
{
	uint64_t deadline_ms = clock_read_ms(CLOCK_MONOTONIC) + (uint64_t)wait_s * 1000;
	char text[OUTPUT_MAX];
	bool has_ended = read_output(fd, deadline_ms, text);
	int wait_status;

	if (!has_ended)
		kill(pid, SIGKILL);
	while (waitpid(pid, &wait_status, 0) < 0)
		if (errno != EINTR) {
			reason_set(reason, 0, "the check was lost: %s", strerror(errno));
			return EXAMINE_UNKNOWN;
		}
	take_output(text, out_meta, reason);
	if (!has_ended)
		reason_set(reason, 0, "no answer of the check in %u s", wait_s);
	else if (WIFSIGNALED(wait_status))
		reason_set(reason, 0, "the check ended by signal %d (%s)",
			WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
	return examine_verdict_of(wait_status);
}

enum examine_verdict
examine_run(const char *dir, struct state_meta *out_meta, struct reason *reason)
{
	enum examine_verdict verdict;
	int ends[2], error;
	pid_t pid;

	*out_meta = (struct state_meta){ .revision = 0 };
	reason_set(reason, 0, "the check cannot be started");
	if (pipe2(ends, O_CLOEXEC) != 0)
		return EXAMINE_UNKNOWN;
	error = spawn(dir, ends[1], &pid);
	close(ends[1]);
	if (error != 0) {
		close(ends[0]);
		reason_set(reason, 0, "the check cannot be started: %s", strerror(error));
		return EXAMINE_UNKNOWN;
	}
	verdict = wait_for(pid, ends[0], limit_s(dir), out_meta, reason);
	close(ends[0]);
	return verdict;
}
