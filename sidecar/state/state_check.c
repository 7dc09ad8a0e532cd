/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Is a state environment whole? Read through LMDB, which trusts its pages: a damaged one may
 * lead it anywhere, so this runs in a process of its own (livezoned --check-state), whose
 * crash is an answer.
 *
 * One pass in key order reads every value against its checksum, and adds all entries up: the
 * meta record has the sum that they must give (state_store), which one that was changed, lost
 * or added, or a page of an older commit, does not. That the same entries are found from the
 * root of the tree as well is tried for the first and the last one of each page; those between
 * them lie on the same way down. The list of free pages must name none that is in use: LMDB
 * would write to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <lmdb.h>
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
#include "lib/serve/mdb.h"
#include "sidecar/state/state.h"
#include "sidecar/state/state_txn.h"

#define READERS_MAX 512     /* as state_env.c has it */
#define FREE_DBI 0          /* mdb.c: the list of free pages */
#define PAGE_HEAD 16        /* mdb.c PAGEHDRSZ; the page's own number comes first */
#define FIRST_PAGE 2        /* behind the two meta pages */

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

/* Which pages are in use. */
struct pages {
	uint8_t *used; /* a bit for each page up to `last` */
	uint64_t last, marked, branches;
	size_t size;
	const uint8_t *map; /* where page 0 is; NULL: not known yet */
	bool is_off;        /* pages are larger than those of this machine, and cannot be told */
};

/* A tree on its way through a cursor, in key order. */
struct walk {
	MDB_txn *txn;
	MDB_dbi dbi;
	struct pages *pages;
	MDB_val last;            /* the key before this one */
	const void *last_value;
	uint64_t entries, leaves, overflows;
};

static int
corrupt(struct reason *reason, const char *what)
{
	return reason_set(reason, STATUS_CORRUPT, "state: %s", what);
}

/* --- pages --- */

static int
mark(struct pages *pages, uint64_t number, uint64_t count, struct reason *reason)
{
	for (; count > 0; count--, number++) {
		if (number < FIRST_PAGE || number > pages->last)
			return corrupt(reason, "a page beyond the last one");
		if (pages->used[number / 8] & 1u << number % 8)
			return corrupt(reason, "a page is used twice, or used and free");
		pages->used[number / 8] |= (uint8_t)(1u << number % 8);
		pages->marked++;
	}
	return STATUS_OK;
}

/* A page's number, by what it says of itself, and by where it is. */
static int
mark_leaf(struct pages *pages, const uint8_t *page, struct reason *reason)
{
	uint64_t number;

	memcpy(&number, page, sizeof(number));
	if (number > pages->last)
		return corrupt(reason, "a page with a wrong number");
	if (!pages->map)
		pages->map = page - number * pages->size;
	if (page != pages->map + number * pages->size)
		return corrupt(reason, "a page with the number of another one");
	return mark(pages, number, 1, reason);
}

static const uint8_t *
page_of(const struct pages *pages, const MDB_val *key)
{
	return (const uint8_t *)((uintptr_t)key->mv_data & ~(uintptr_t)(pages->size - 1));
}

/* Does the way down from the root lead to this very entry? */
static int
find_again(struct walk *walk, const MDB_val *wanted, const void *value, struct reason *reason)
{
	MDB_val key = *wanted, found = { 0, NULL };
	int code;

	/* a free list has integers for keys, and no mdb_get */
	if (walk->dbi == FREE_DBI || !value)
		return STATUS_OK;
	code = mdb_get(walk->txn, walk->dbi, &key, &found);
	if (code == MDB_NOTFOUND || (code == 0 && found.mv_data != value))
		return corrupt(reason, "an entry that is not found by its key");
	return status_from_mdb_reason(code, "state", reason);
}

/* A key and its value as the cursor comes to them. */
static int
visit_page(struct walk *walk, const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	struct pages *pages = walk->pages;
	const uint8_t *leaf, *data = value->mv_data;
	int status = STATUS_OK;

	walk->entries++;
	if (pages->is_off)
		return STATUS_OK;
	leaf = page_of(pages, key);
	if (!walk->last.mv_data || page_of(pages, &walk->last) != leaf) {
		walk->leaves++;
		status = mark_leaf(pages, leaf, reason);
		if (status == STATUS_OK && walk->last.mv_data)
			status = find_again(walk, &walk->last, walk->last_value, reason);
		if (status == STATUS_OK)
			status = find_again(walk, key, data, reason);
	}
	if (status == STATUS_OK && (data < leaf || data > leaf + pages->size)) {
		uint64_t count = (PAGE_HEAD + value->mv_size + pages->size - 1) / pages->size;

		walk->overflows += count;
		if ((data - pages->map - PAGE_HEAD) % (ptrdiff_t)pages->size != 0)
			return corrupt(reason, "a value in the middle of a page");
		status = mark(pages, (uint64_t)(data - pages->map) / pages->size, count, reason);
	}
	walk->last = *key;
	walk->last_value = data;
	return status;
}

/* Was all of the tree seen? A meta page that was torn has the counts of another commit. */
static int
finish_walk(struct walk *walk, struct reason *reason)
{
	MDB_stat stat;
	int code = mdb_stat(walk->txn, walk->dbi, &stat);

	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	if (walk->entries != stat.ms_entries
		|| (!walk->pages->is_off
			&& (walk->leaves != stat.ms_leaf_pages
				|| walk->overflows != stat.ms_overflow_pages)))
		return corrupt(reason, "other entries or pages than the tree counts");
	walk->pages->branches += stat.ms_branch_pages;
	return find_again(walk, &walk->last, walk->last_value, reason);
}

/* Records: the commit that freed them -> their count, then their numbers (mdb.c
 * "mt_free_pgs"). */
static int
mark_free(struct pages *pages, const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	uint64_t count, number;
	const uint8_t *at = value->mv_data;

	if (key->mv_size != sizeof(uint64_t) || value->mv_size < sizeof(count))
		return corrupt(reason, "damaged list of free pages");
	memcpy(&count, at, sizeof(count));
	if (count > value->mv_size / sizeof(count) - 1)
		return corrupt(reason, "damaged list of free pages");
	for (; count > 0; count--) {
		int status;

		at += sizeof(number);
		memcpy(&number, at, sizeof(number));
		status = mark(pages, number, 1, reason);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static int
check_free_list(MDB_txn *txn, struct pages *pages, struct reason *reason)
{
	struct walk walk = { .txn = txn, .dbi = FREE_DBI, .pages = pages };
	MDB_cursor *cursor;
	MDB_val key, value;
	int code, status = STATUS_OK;

	if (pages->is_off)
		return STATUS_OK;
	code = mdb_cursor_open(txn, FREE_DBI, &cursor);
	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	while (status == STATUS_OK
		&& (code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		status = visit_page(&walk, &key, &value, reason);
		if (status == STATUS_OK)
			status = mark_free(pages, &key, &value, reason);
	}
	mdb_cursor_close(cursor);
	if (status == STATUS_OK && code != MDB_NOTFOUND)
		status = status_from_mdb_reason(code, "state", reason);
	return status == STATUS_OK ? finish_walk(&walk, reason) : status;
}

/* What is neither a leaf nor data nor free is a branch, unless pages were lost, which LMDB may
 * do. A branch with a wrong number reads well, and would have another page freed. */
static int
check_branches(const struct pages *pages, struct reason *reason)
{
	uint64_t number, own;

	if (!pages->map || pages->marked + pages->branches != pages->last + 1 - FIRST_PAGE)
		return STATUS_OK;
	for (number = FIRST_PAGE; number <= pages->last; number++) {
		if (pages->used[number / 8] & 1u << number % 8)
			continue;
		memcpy(&own, pages->map + number * pages->size, sizeof(own));
		if (own != number)
			return corrupt(reason, "a page with a wrong number");
	}
	return STATUS_OK;
}

/* --- entries --- */

static int
compare_order(const MDB_val *a, const MDB_val *b)
{
	int order = memcmp(a->mv_data, b->mv_data, a->mv_size < b->mv_size ? a->mv_size : b->mv_size);

	return order != 0 ? order : (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
}

static int
check_entry(const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	const uint8_t table = key->mv_size > 0 ? *(const uint8_t *)key->mv_data : 0;

	if (state_is_index(key) ? value->mv_size == 0 : state_is_sealed(key, value))
		return STATUS_OK;
	return reason_set(reason, STATUS_CORRUPT, "state: damaged value in table %c",
		table >= 'A' && table <= 'Z' ? table : '?');
}

static int
check_entries(struct state_check *check, struct pages *pages, uint32_t *out_sum,
	struct reason *reason)
{
	struct walk walk = { .txn = check->txn, .dbi = check->dbi, .pages = pages };
	MDB_cursor *cursor;
	MDB_val key, value;
	int code = mdb_cursor_open(check->txn, check->dbi, &cursor), status = STATUS_OK;

	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	*out_sum = STATE_SUM_EMPTY;
	while (status == STATUS_OK
		&& (code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		if (walk.last.mv_data && compare_order(&walk.last, &key) >= 0)
			status = corrupt(reason, "keys are out of order");
		if (status == STATUS_OK)
			status = visit_page(&walk, &key, &value, reason);
		walk.last = key;
		if (status == STATUS_OK)
			status = check_entry(&key, &value, reason);
		if (status != STATUS_OK)
			break;
		if (*(const uint8_t *)key.mv_data != STATE_TABLE_META)
			*out_sum += state_hash_entry(&key, &value);
		check->rrsets += *(const uint8_t *)key.mv_data == STATE_TABLE_RRSET;
	}
	mdb_cursor_close(cursor);
	if (status == STATUS_OK && code != MDB_NOTFOUND)
		status = status_from_mdb_reason(code, "state", reason);
	return status == STATUS_OK ? finish_walk(&walk, reason) : status;
}

/* --- the whole --- */

static int
begin_pages(struct state_check *check, struct pages *pages, struct reason *reason)
{
	MDB_stat stat;
	MDB_envinfo info;
	int code = mdb_stat(check->txn, check->dbi, &stat);

	if (code == 0)
		code = mdb_env_info(mdb_txn_env(check->txn), &info);
	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	pages->size = stat.ms_psize;
	pages->is_off = stat.ms_psize > (size_t)sysconf(_SC_PAGESIZE);
	pages->last = info.me_last_pgno;
	pages->used = calloc(info.me_last_pgno / 8 + 1, 1);
	return pages->used ? STATUS_OK : reason_set(reason, STATUS_NO_MEMORY, "out of memory");
}

int
state_check_run(struct state_check *check, struct reason *reason)
{
	struct state_txn txn = { .txn = check->txn, .dbi = check->dbi };
	struct pages pages = { .used = NULL };
	uint32_t sum = 0;
	int status = state_load_meta(&txn, reason);

	check->rrsets = 0;
	if (status == STATUS_OK)
		status = begin_pages(check, &pages, reason);
	if (status == STATUS_OK)
		status = check_entries(check, &pages, &sum, reason);
	if (status == STATUS_OK)
		status = check_free_list(check->txn, &pages, reason);
	if (status == STATUS_OK)
		status = check_branches(&pages, reason);
	if (status == STATUS_OK && txn.meta.sum != STATE_SUM_UNKNOWN && txn.meta.sum != sum)
		status = corrupt(reason, "the entries are not those that were written");
	free(pages.used);
	return status;
}

/* --- the environment --- */

int
state_check_begin(const char *dir, struct state_check *out, struct reason *reason)
{
	struct state_txn txn = { .txn = NULL };
	int code, status = mdb_files_check(dir, reason);

	*out = (struct state_check){ .env = NULL };
	if (status != STATUS_OK)
		return status;
	code = mdb_env_create(&out->env);
	if (code == 0)
		code = mdb_env_set_maxreaders(out->env, READERS_MAX);
	if (code == 0)
		code = mdb_env_open(out->env, dir, MDB_RDONLY | MDB_NOTLS, 0600);
	if (code == 0)
		code = mdb_txn_begin(out->env, NULL, MDB_RDONLY, &out->txn);
	if (code == 0)
		code = mdb_dbi_open(out->txn, NULL, 0, &out->dbi);
	/* mdb_files_check has found one of ours: it is the other one */
	if (code == MDB_INVALID || code == MDB_VERSION_MISMATCH)
		return corrupt(reason, "a meta page is damaged");
	if (code != 0)
		return status_from_mdb_reason(code, dir, reason);
	txn.txn = out->txn;
	txn.dbi = out->dbi;
	status = state_load_meta(&txn, reason);
	if (status == STATUS_NOT_FOUND)
		return reason_set(reason, STATUS_NOT_FOUND,
			"data.mdb has no record of livezone: it belongs to another program");
	out->txn_id = mdb_txn_id(out->txn);
	out->meta = txn.meta.meta;
	return status;
}

void
state_check_end(struct state_check *check)
{
	if (check->txn)
		mdb_txn_abort(check->txn);
	if (check->env)
		mdb_env_close(check->env);
}

/* --- the process that is asked, and the one that asks --- */

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
state_check_child(const char *dir)
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

enum state_verdict
state_check_verdict(int wait_status)
{
	if (WIFSIGNALED(wait_status)) {
		switch (WTERMSIG(wait_status)) {
		case SIGSEGV:
		case SIGBUS:
		case SIGABRT:
		case SIGFPE:
		case SIGILL:
		case SIGXCPU:
			return STATE_DAMAGED;
		default:
			return STATE_UNKNOWN; /* somebody else's doing: out of memory */
		}
	}
	switch (WEXITSTATUS(wait_status)) {
	case EXIT_WHOLE:
		return STATE_WHOLE;
	case EXIT_DAMAGED:
		return STATE_DAMAGED;
	case EXIT_FOREIGN:
		return STATE_FOREIGN;
	case EXIT_NO_RECORD:
		return STATE_NO_RECORD;
	default:
		return STATE_UNKNOWN;
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

static enum state_verdict
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
			return STATE_UNKNOWN;
		}
	take_output(text, out_meta, reason);
	if (!has_ended)
		reason_set(reason, 0, "no answer of the check in %u s", wait_s);
	else if (WIFSIGNALED(wait_status))
		reason_set(reason, 0, "the check ended by signal %d (%s)",
			WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
	return state_check_verdict(wait_status);
}

enum state_verdict
state_check_spawn(const char *dir, struct state_meta *out_meta, struct reason *reason)
{
	enum state_verdict verdict;
	int ends[2], error;
	pid_t pid;

	*out_meta = (struct state_meta){ .revision = 0 };
	reason_set(reason, 0, "the check cannot be started");
	if (pipe2(ends, O_CLOEXEC) != 0)
		return STATE_UNKNOWN;
	error = spawn(dir, ends[1], &pid);
	close(ends[1]);
	if (error != 0) {
		close(ends[0]);
		reason_set(reason, 0, "the check cannot be started: %s", strerror(error));
		return STATE_UNKNOWN;
	}
	verdict = wait_for(pid, ends[0], limit_s(dir), out_meta, reason);
	close(ends[0]);
	return verdict;
}
