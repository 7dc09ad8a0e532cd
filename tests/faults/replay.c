/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Power loss, from the log of record.c: builds what the file of state may be after a crash at
 * each point, and checks each such image whole.
 *
 *	replay LOG SEED RANDOM DIRECTORY IMAGES
 *
 * Legal at a point is: all writes before the last completed sync, writes through the O_DSYNC
 * descriptor that have returned, and any subset of the others (pages of 4096 bytes), each whole
 * or torn at sectors of 512 bytes; where the file ends short of a write that is missing, or has
 * zeros there. Up to ENUMERATED_MAX such pages: every subset; above: none, all, each one alone
 * and each one missing (SINGLES_MAX of them), and RANDOM subsets; and RANDOM torn ones.
 *
 * Each image has to be whole (state_check_run), of a commit that is not older than the newest
 * acknowledged one, with exactly what that commit held. Some images are opened as livezoned
 * does, too; IMAGES of all are left in DIRECTORY as "<number>-<revision>.mdb".
 *
 * The meta page is 120 bytes inside one sector, so it is never torn by these rules. What a disk
 * without atomic sectors would do is tried as well: torn in the order of the bytes has to be
 * as good; in any order is only counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sidecar/state/state.h"
#include "lib/base/status.h"
#include "tests/faults/record.h"

#define PAGE 4096u
#define SECTOR 512u
#define WORD 8u
#define ENUMERATED_MAX 8
#define SINGLES_MAX 32
#define FILE_MAX (64u << 20)
#define PENDING_MAX 4096
#define COMMITS_MAX 65536
#define TEARS_IN_ANY_ORDER 64

/* Part of a write, within a page. */
struct piece {
	uint64_t offset;
	uint32_t length;
	bool is_certain; /* durable, but older pieces of the same place are not */
	const uint8_t *data;
};

struct image {
	uint8_t *bytes; /* FILE_MAX of them */
	uint64_t size;
};

/* What is expected of the commit with this transaction id. */
struct commit {
	bool is_known;
	uint64_t digest, revision;
};

static struct image durable, whole, trial;
static struct piece pending[PENDING_MAX];
static size_t pending_count;
static struct commit commits[COMMITS_MAX];
static uint64_t acked_txn, newest_txn, acked_revision;
static size_t event;
static unsigned random_subsets;
static const char *directory;
static unsigned left_max, left_count;
static struct {
	unsigned long points, images, opened, torn, any_good, any_found, any_wrong,
		any_old;
} done;

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void
die(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "event %zu: ", event);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

/* --- images --- */

static void
put(struct image *image, uint64_t offset, const uint8_t *data, size_t length)
{
	if (offset + length > FILE_MAX)
		die("the file is larger than this program takes");
	memcpy(image->bytes + offset, data, length);
	if (offset + length > image->size)
		image->size = offset + length;
}

/* The rest behind the end of an image is zero at all times. */
static void
copy(struct image *to, const struct image *from)
{
	if (to->size > from->size)
		memset(to->bytes + from->size, 0, to->size - from->size);
	memcpy(to->bytes, from->bytes, from->size);
	to->size = from->size;
}

static void
write_image(const struct image *image)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/opened/data.mdb", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, image->bytes, image->size) != (ssize_t)image->size
		|| close(fd) != 0)
		die("%s: %s", path, strerror(errno));
}

/* FNV-1a of all that LMDB shows. */
static int
digest_all(const struct state_check *check, uint64_t *out)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int code = mdb_cursor_open(check->txn, check->dbi, &cursor);
	size_t i;

	*out = 0xcbf29ce484222325u;
	if (code != 0)
		return STATUS_CORRUPT;
	while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		for (i = 0; i < key.mv_size; i++)
			*out = (*out ^ ((uint8_t *)key.mv_data)[i]) * 0x100000001b3u;
		for (i = 0; i < value.mv_size; i++)
			*out = (*out ^ ((uint8_t *)value.mv_data)[i]) * 0x100000001b3u;
	}
	mdb_cursor_close(cursor);
	return code == MDB_NOTFOUND ? STATUS_OK : STATUS_CORRUPT;
}

/* The commit that a reader of this image finds, checked whole. */
static int
examine(const struct image *image, uint64_t *out_txn, struct commit *out,
	struct reason *reason)
{
	struct state_check check;
	char path[4096];
	int status;

	snprintf(path, sizeof(path), "%s/opened", directory);
	write_image(image);
	*out = (struct commit){ .is_known = true };
	status = state_check_begin(path, &check, reason);
	if (status == STATUS_OK)
		status = state_check_run(&check, reason);
	if (status == STATUS_OK)
		status = digest_all(&check, &out->digest);
	*out_txn = check.txn_id;
	out->revision = check.meta.revision;
	state_check_end(&check);
	return status;
}

/* The same in a child, for what may crash it: that is a way to find damage, too. */
static int
examine_in_child(const struct image *image, uint64_t *out_txn, struct commit *out)
{
	static const struct rlimit no_core;
	struct reason reason;
	int ends[2];
	pid_t child;
	bool is_whole;

	if (pipe(ends) != 0 || (child = fork()) < 0)
		die("no child: %s", strerror(errno));
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		if (examine(image, out_txn, out, &reason) != STATUS_OK
			|| write(ends[1], out_txn, sizeof(*out_txn)) < 0
			|| write(ends[1], out, sizeof(*out)) < 0)
			_exit(EXIT_FAILURE);
		_exit(EXIT_SUCCESS);
	}
	close(ends[1]);
	is_whole = read(ends[0], out_txn, sizeof(*out_txn)) == sizeof(*out_txn)
		&& read(ends[0], out, sizeof(*out)) == sizeof(*out);
	close(ends[0]);
	waitpid(child, NULL, 0);
	return is_whole ? STATUS_OK : STATUS_CORRUPT;
}

static int
count_record(void *context, const struct state_record *record, struct reason *reason)
{
	(void)record;
	(void)reason;
	++*(size_t *)context;
	return STATUS_OK;
}

/* LMDB itself: the way of a start, and every RRset read by it. */
static void
open_for_real(const struct image *image, const struct commit *commit)
{
	static const struct name_key root;
	struct reason reason = { "" };
	struct state_meta meta = { 0 };
	struct state *state = NULL;
	struct state_txn *txn = NULL;
	char path[4096];
	size_t count = 0;
	int status;

	write_image(image);
	snprintf(path, sizeof(path), "%s/opened", directory);
	status = state_open(path, FILE_MAX, &state, &reason);
	if (status == STATUS_OK)
		status = state_begin_read(state, &txn, &reason);
	if (status == STATUS_OK)
		status = state_read_meta(txn, &meta, &reason);
	if (status == STATUS_OK)
		status = state_walk_below(txn, &root, count_record, &count, &reason);
	if (status != STATUS_OK || meta.revision != commit->revision)
		die("LMDB: status %d, revision %llu for %llu: %s", status,
			(unsigned long long)meta.revision,
			(unsigned long long)commit->revision, reason.text);
	state_abort(txn);
	state_close(state);
	done.opened++;
}

static void
leave(const struct image *image, const struct commit *commit)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%u-%llu.mdb", directory, left_count,
		(unsigned long long)commit->revision);
	file = fopen(path, "wb");
	if (!file || fwrite(image->bytes, 1, image->size, file) != image->size
		|| fclose(file) != 0)
		die("%s: %s", path, strerror(errno));
	left_count++;
}

static void
check_image(const char *what, unsigned long number)
{
	struct reason reason = { "" };
	struct commit found;
	uint64_t txn = 0;

	if (examine(&trial, &txn, &found, &reason) != STATUS_OK)
		die("%s %lu of %zu pages: %s", what, number, pending_count, reason.text);
	if (txn < acked_txn || txn > newest_txn || !commits[txn].is_known)
		die("%s %lu: transaction %llu; %llu is acknowledged", what, number,
			(unsigned long long)txn, (unsigned long long)acked_txn);
	if (found.digest != commits[txn].digest || found.revision < acked_revision)
		die("%s %lu: transaction %llu holds something else", what, number,
			(unsigned long long)txn);
	done.images++;
	if (done.images % 64 == 1)
		open_for_real(&trial, &found);
	if (left_count < left_max && rand() % 50 == 0)
		leave(&trial, &found);
}

/* --- subsets --- */

typedef bool (*chosen_fn)(size_t piece, unsigned long number);

static bool
is_bit(size_t piece, unsigned long number)
{
	return number >> piece & 1;
}

static bool
is_alone(size_t piece, unsigned long number)
{
	return piece == number;
}

static bool
is_not_missing(size_t piece, unsigned long number)
{
	return piece != number;
}

static bool
is_never(size_t piece, unsigned long number)
{
	(void)piece;
	(void)number;
	return false;
}

static bool
is_lucky(size_t piece, unsigned long number)
{
	(void)piece;
	(void)number;
	return rand() & 1;
}

static void
build(chosen_fn is_chosen, unsigned long number, bool is_torn)
{
	size_t i;

	copy(&trial, &durable);
	for (i = 0; i < pending_count; i++) {
		const struct piece *piece = &pending[i];
		uint32_t at = 0, step;

		for (; at < piece->length; at += step) {
			uint64_t offset = piece->offset + at;

			step = is_torn ? SECTOR - (uint32_t)(offset % SECTOR)
				       : piece->length;
			if (step > piece->length - at)
				step = piece->length - at;
			if (piece->is_certain || is_chosen(i, number))
				put(&trial, offset, piece->data + at, step);
			/* what is missing at the end may be there as zeros */
			else if (offset + step > trial.size && (rand() & 1))
				trial.size = offset + step;
		}
	}
}

static void
check_subsets(const char *what, chosen_fn is_chosen, unsigned long count, bool is_torn)
{
	unsigned long number;

	for (number = 0; number < count; number++) {
		build(is_chosen, number, is_torn);
		check_image(what, number);
	}
}

static void
check_point(void)
{
	unsigned long singles = pending_count < SINGLES_MAX ? pending_count : SINGLES_MAX;

	done.points++;
	if (pending_count <= ENUMERATED_MAX) {
		check_subsets("subset", is_bit, 1ul << pending_count, false);
	} else {
		check_subsets("nothing but", is_alone, singles, false);
		check_subsets("all but", is_not_missing, singles, false);
		check_subsets("nothing", is_never, 1, false);
		/* all: the in-order image of the next point, or of the sync */
		check_subsets("random subset", is_lucky, random_subsets, false);
	}
	if (pending_count > 0)
		check_subsets("torn subset", is_lucky, random_subsets, true);
}

/* --- the meta page of a disk that tears sectors --- */

static void
tear_meta(const struct record *record, const uint8_t *data)
{
	uint64_t words = record->length / WORD, word, number;
	struct commit found;
	uint64_t txn = 0;

	for (number = 1; number < words; number++) {
		copy(&trial, &durable);
		put(&trial, record->offset, data, number * WORD);
		check_image("meta page torn after word", number);
		done.torn++;
	}
	for (number = 0; number < TEARS_IN_ANY_ORDER; number++) {
		copy(&trial, &durable);
		for (word = 0; word < words; word++)
			if (rand() & 1)
				put(&trial, record->offset + word * WORD,
					data + word * WORD, WORD);
		if (examine_in_child(&trial, &txn, &found) != STATUS_OK)
			done.any_found++;
		else if (txn >= COMMITS_MAX || found.digest != commits[txn].digest)
			done.any_wrong++;
		else if (txn < acked_txn)
			done.any_old++;
		else
			done.any_good++;
	}
}

/* --- the log --- */

static void
settle(void)
{
	size_t i;

	for (i = 0; i < pending_count; i++)
		put(&durable, pending[i].offset, pending[i].data, pending[i].length);
	pending_count = 0;
}

static void
add_pieces(const struct record *record, const uint8_t *data, bool is_certain)
{
	uint64_t at = 0, step;

	for (; at < record->length; at += step) {
		uint64_t offset = record->offset + at;

		step = PAGE - offset % PAGE;
		if (step > record->length - at)
			step = record->length - at;
		if (pending_count == PENDING_MAX)
			die("more unsynced pages than this program takes");
		pending[pending_count++] =
			(struct piece){ offset, (uint32_t)step, is_certain, data + at };
	}
}

/* What the new commit holds: all of its writes in order. */
static void
learn(void)
{
	struct commit commit;
	uint64_t txn = 0;

	if (examine_in_child(&whole, &txn, &commit) != STATUS_OK)
		return; /* the first pages of a new file, not yet a commit of ours */
	if (txn >= COMMITS_MAX)
		die("too many commits");
	newest_txn = txn;
	commits[txn] = commit;
}

static void
take_write(const struct record *record, const uint8_t *data, bool is_placed)
{
	bool is_durable = record->flags & RECORD_DURABLE;
	size_t before = pending_count;

	put(&whole, record->offset, data, record->length);
	if (is_durable)
		learn();
	add_pieces(record, data, false);
	if (is_placed)
		check_point(); /* it is on its way */
	if (!is_durable)
		return;
	if (is_placed && before == 0)
		tear_meta(record, data);
	pending_count = before;
	if (before > 0)
		add_pieces(record, data, true);
	else
		put(&durable, record->offset, data, record->length);
}

static void
take_ack(uint64_t revision)
{
	acked_txn = newest_txn;
	acked_revision = revision;
	if (commits[acked_txn].revision != revision)
		die("revision %llu was acknowledged, %llu is written",
			(unsigned long long)revision,
			(unsigned long long)commits[acked_txn].revision);
}

/* The file that was moved to its place; another one is not looked at. */
static uint64_t
find_inode(const uint8_t *log, size_t size)
{
	struct record record;
	uint64_t inode = 0;
	size_t at;

	for (at = 0; at + sizeof(record) <= size; at += sizeof(record) + record.length) {
		memcpy(&record, log + at, sizeof(record));
		if (record.kind == RECORD_RENAME)
			inode = record.inode;
	}
	return inode;
}

static void
replay(const uint8_t *log, size_t size)
{
	uint64_t inode = find_inode(log, size);
	bool is_placed = false, is_place_durable = false;
	struct record record;
	size_t at;

	if (inode == 0)
		die("no data.mdb was made");
	for (at = 0; at + sizeof(record) <= size; at += sizeof(record) + record.length) {
		memcpy(&record, log + at, sizeof(record));
		event++;
		if (record.kind == RECORD_SYNC_DIRECTORY)
			is_place_durable = is_placed;
		if (record.kind == RECORD_ACK && !is_place_durable)
			die("acknowledged before the directory was synced");
		if (record.kind == RECORD_ACK)
			take_ack(record.offset);
		if (record.inode != inode)
			continue;
		if (record.kind == RECORD_WRITE)
			take_write(&record, log + at + sizeof(record), is_placed);
		else if (record.kind == RECORD_SYNC)
			settle();
		else if (record.kind == RECORD_RENAME)
			is_placed = true;
		else
			die("kind %u is not understood", record.kind);
		if (is_placed)
			check_point();
	}
	if (at != size)
		die("the log ends in a record");
}

static uint8_t *
read_all(const char *path, size_t *out_size)
{
	struct stat file;
	int fd = open(path, O_RDONLY);
	uint8_t *bytes;

	if (fd < 0 || fstat(fd, &file) != 0)
		die("%s: %s", path, strerror(errno));
	bytes = malloc((size_t)file.st_size + 1);
	if (!bytes || read(fd, bytes, (size_t)file.st_size) != file.st_size)
		die("%s: %s", path, strerror(errno));
	close(fd);
	*out_size = (size_t)file.st_size;
	return bytes;
}

int
main(int argc, char **argv)
{
	char path[4096];
	uint8_t *log;
	size_t size;

	if (argc != 6)
		die("usage: replay LOG SEED RANDOM DIRECTORY IMAGES");
	srand((unsigned)atoi(argv[2]));
	random_subsets = (unsigned)atoi(argv[3]);
	directory = argv[4];
	left_max = (unsigned)atoi(argv[5]);
	snprintf(path, sizeof(path), "%s/opened", directory);
	if (mkdir(path, 0700) != 0)
		die("%s: %s", path, strerror(errno));
	durable.bytes = calloc(1, FILE_MAX);
	whole.bytes = calloc(1, FILE_MAX);
	trial.bytes = calloc(1, FILE_MAX);
	log = read_all(argv[1], &size);
	if (!durable.bytes || !whole.bytes || !trial.bytes)
		die("out of memory");
	replay(log, size);
	free(log);
	printf("{\"points\": %lu, \"images\": %lu, \"opened\": %lu, \"torn\": %lu, "
	       "\"any_good\": %lu, \"any_found\": %lu, \"any_old\": %lu, \"any_wrong\": "
	       "%lu}\n",
		done.points, done.images, done.opened, done.torn, done.any_good,
		done.any_found, done.any_old, done.any_wrong);
	return EXIT_SUCCESS;
}
