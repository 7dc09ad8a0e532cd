/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One backup: state, in one read transaction, streamed into a file.
 */
#include "sidecar/journal/backup_make.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/base/status.h"
#include "sidecar/journal/backup_lines.h"

#define PARTIAL "livezone.partial"
#define CHUNK (1024 * 1024) /* written, and started on its way to the disk, at once */

/* The file while it is written. */
struct making {
	const struct backup_order *order;
	int dir;
	int file;
	uint64_t written;
	size_t used;
	char data[CHUNK];
};

static int open_dir(const char *dir, int *out, struct reason *reason);
static int make_file(struct making *making, struct backup_file *file,
	struct backup_verdict *verdict, struct reason *reason);
static int write_lines(struct making *making, struct reason *reason);
static int
take_text(void *context, const char *text, size_t len, struct reason *reason);
static int write_chunk(struct making *making, struct reason *reason);
static int check_room(int file, struct reason *reason);
static int read_back(struct making *making, struct backup_verdict *verdict,
	struct reason *reason);
static int publish(struct making *making, const struct backup_file *file,
	struct reason *reason);
static void prune(const struct making *making, const struct backup_list *list);
static int fail(const char *what, struct reason *reason);

int
backup_make(const struct backup_order *order, struct backup_file *out_file,
	struct backup_verdict *out_verdict, struct reason *reason)
{
	struct making *making = calloc(1, sizeof(*making));
	struct backup_list list = { NULL, 0 };
	struct backup_file file = { .number = 1 };
	int status;

	if (!making)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	making->order = order;
	making->dir = making->file = -1;
	status = open_dir(order->dir, &making->dir, reason);
	if (!status)
		status = backup_list(order->dir, &list, reason);
	if (!status) {
		if (list.count > 0)
			file.number = list.file[0].number + 1;
		status = make_file(making, &file, out_verdict, reason);
	}
	if (!status) {
		*out_file = file;
		prune(making, &list);
	}
	backup_list_done(&list);
	if (making->dir >= 0)
		close(making->dir);
	free(making);
	return status ? reason_prefix(reason, status, "%s", order->dir) : 0;
}

static int
open_dir(const char *dir, int *out, struct reason *reason)
{
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return fail("cannot be made", reason);
	*out = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? fail("cannot be opened", reason) : 0;
}

static int
make_file(struct making *making, struct backup_file *file, struct backup_verdict *verdict,
	struct reason *reason)
{
	int status;

	unlinkat(making->dir, PARTIAL, 0); /* of a making that was killed */
	making->file = openat(making->dir, PARTIAL,
		O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (making->file < 0)
		return fail(PARTIAL, reason);
	status = write_lines(making, reason);
	if (!status && fsync(making->file) != 0)
		status = fail(PARTIAL, reason);
	close(making->file);
	if (!status)
		status = read_back(making, verdict, reason);
	if (!status) {
		file->revision = verdict->revision;
		backup_write_name(file->number, file->revision, file->name);
		status = publish(making, file, reason);
	}
	if (status)
		unlinkat(making->dir, PARTIAL, 0);
	return status;
}

/* The transaction ends before anything is synced. */
static int
write_lines(struct making *making, struct reason *reason)
{
	struct state_txn *txn;
	int status = check_room(making->file, reason);

	if (!status)
		status = state_begin_read(making->order->state, &txn, reason);
	if (status)
		return status;
	status = backup_lines_write(txn, take_text, making, reason);
	state_abort(txn);
	return status ? status : write_chunk(making, reason);
}

static int
take_text(void *context, const char *text, size_t len, struct reason *reason)
{
	struct making *making = context;
	int status = 0;

	while (!status && len > 0) {
		const size_t room = sizeof(making->data) - making->used;
		const size_t now = len < room ? len : room;

		memcpy(making->data + making->used, text, now);
		making->used += now;
		text += now;
		len -= now;
		if (making->used == sizeof(making->data))
			status = write_chunk(making, reason);
	}
	return status;
}

static int
write_chunk(struct making *making, struct reason *reason)
{
	const char *at = making->data;
	int status;

	if (atomic_load(making->order->is_over))
		return reason_set(reason, STATUS_UNAVAILABLE, "given up");
	if (state_is_waiting(making->order->state))
		return reason_set(reason, STATUS_UNAVAILABLE,
			"given up, state is to be opened anew");
	status = check_room(making->file, reason);
	while (!status && making->used > 0) {
		const ssize_t put = write(making->file, at, making->used);

		if (put < 0 && errno != EINTR)
			status = fail(PARTIAL, reason);
		if (put <= 0)
			continue;
		at += put;
		making->used -= (size_t)put;
		making->written += (uint64_t)put;
	}
	/* at the end there is little left to sync: a long sync would hold up those of state
	 * on the same disk */
	sync_file_range(making->file, 0, 0, SYNC_FILE_RANGE_WRITE);
	return status;
}

static int
check_room(int file, struct reason *reason)
{
	struct statvfs fs;
	uint64_t reserve;

	if (fstatvfs(file, &fs) != 0)
		return fail(PARTIAL, reason);
	reserve = (uint64_t)fs.f_blocks * fs.f_frsize * BACKUP_MAKE_FREE_PERCENT / 100;
	if (reserve > BACKUP_MAKE_FREE_MAX)
		reserve = BACKUP_MAKE_FREE_MAX;
	if ((uint64_t)fs.f_bavail * fs.f_frsize >= reserve)
		return 0;
	return reason_set(reason, STATUS_FULL, "the file system is nearly full");
}

/* What cannot be read now cannot be restored later. */
static int
read_back(struct making *making, struct backup_verdict *verdict, struct reason *reason)
{
	char *path = backup_path(making->order->dir, PARTIAL);
	int status = path ? backup_verify(path, verdict, reason)
			  : reason_set(reason, STATUS_NO_MEMORY, "out of memory");

	free(path);
	if (status || verdict->is_complete)
		return status;
	return reason_set(reason, STATUS_IO, "what was written reads otherwise: %.200s",
		verdict->damage.text);
}

static int
publish(struct making *making, const struct backup_file *file, struct reason *reason)
{
	if (renameat(making->dir, PARTIAL, making->dir, file->name) != 0)
		return fail(file->name, reason);
	if (fsync(making->dir) == 0)
		return 0;
	fail(file->name, reason);
	unlinkat(making->dir, file->name, 0);
	return STATUS_IO;
}

/* `list` is from before the new one. What cannot be removed now is tried again next time. */
static void
prune(const struct making *making, const struct backup_list *list)
{
	for (size_t i = making->order->count - 1; i < list->count; i++)
		unlinkat(making->dir, list->file[i].name, 0);
}

static int
fail(const char *what, struct reason *reason)
{
	const int status = errno == ENOSPC || errno == EDQUOT ? STATUS_FULL : STATUS_IO;

	return reason_set(reason, status, "%s: %s", what, strerror(errno));
}
