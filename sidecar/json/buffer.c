/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A growing body that moves to a file when it gets large.
 */
#include "sidecar/json/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/status.h"

#define FIRST_ROOM 1024

static int open_unlinked(const char *dir);
static int status_of_open(int error);
static int reserve(struct buffer *buffer, size_t len);

void
buffer_init(struct buffer *buffer, size_t threshold, const char *dir)
{
	*buffer = (struct buffer){ .threshold = threshold, .dir = dir, .file = -1 };
}

void
buffer_done(struct buffer *buffer)
{
	if (buffer->map)
		munmap(buffer->map, buffer->size + 1);
	if (buffer->file >= 0)
		close(buffer->file);
	free(buffer->data);
	buffer_init(buffer, 0, NULL);
}

void
buffer_clear(struct buffer *buffer)
{
	buffer->used = 0;
	buffer->size = 0;
}

void
buffer_add(struct buffer *buffer, const void *data, size_t len)
{
	if (buffer->status || len == 0)
		return;
	if (buffer->used + len > buffer->threshold) {
		if (buffer->file < 0 && buffer->dir)
			buffer->file = open_unlinked(buffer->dir);
		if (buffer->file < 0) {
			buffer_fail(buffer, buffer->dir ? status_of_open(errno) : STATUS_TOO_LARGE);
			return;
		}
		if (buffer_flush(buffer) != 0)
			return;
	}
	if (reserve(buffer, len) != 0)
		return;
	memcpy(buffer->data + buffer->used, data, len);
	buffer->used += len;
	buffer->size += len;
}

void
buffer_add_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

void
buffer_printf(struct buffer *buffer, const char *format, ...)
{
	char text[1024];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(text))
		buffer_fail(buffer, STATUS_TOO_LARGE);
	else
		buffer_add(buffer, text, (size_t)len);
}

int
buffer_flush(struct buffer *buffer)
{
	const char *at = buffer->data;
	size_t left = buffer->used;

	if (buffer->file < 0 || buffer->status)
		return buffer->status;
	while (left > 0) {
		ssize_t written = write(buffer->file, at, left);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			buffer_fail(buffer, errno == ENOSPC || errno == EDQUOT ? STATUS_FULL
									: STATUS_IO);
			return buffer->status;
		}
		at += written;
		left -= (size_t)written;
	}
	buffer->used = 0;
	return 0;
}

int
buffer_view(struct buffer *buffer, const char **out_data, size_t *out_len)
{
	if (buffer->file < 0) {
		if (reserve(buffer, 1) == 0)
			buffer->data[buffer->used] = '\0';
	} else if (!buffer->map) {
		const uint64_t size = buffer->size;

		buffer_add(buffer, "", 1); /* the NUL behind it */
		if (buffer_flush(buffer) == 0) {
			buffer->size = size;
			buffer->map = mmap(
				NULL, size + 1, PROT_READ, MAP_PRIVATE, buffer->file, 0);
			if (buffer->map == MAP_FAILED) {
				buffer->map = NULL;
				buffer_fail(buffer, STATUS_NO_MEMORY);
			}
		}
	}
	if (buffer->status)
		return buffer->status;
	*out_data = buffer->map ? buffer->map : buffer->data;
	*out_len = buffer->size;
	return 0;
}

/* O_TMPFILE where the file system has it. */
static int
open_unlinked(const char *dir)
{
	char path[4096];
	int file = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (file >= 0)
		return file;
	if ((size_t)snprintf(path, sizeof(path), "%s/body.XXXXXX", dir) >= sizeof(path))
		return -1;
	file = mkostemp(path, O_CLOEXEC);
	if (file >= 0)
		unlink(path);
	return file;
}

static int
status_of_open(int error)
{
	if (error == ENOSPC || error == EDQUOT)
		return STATUS_FULL;
	return error == EMFILE || error == ENFILE || error == ENOMEM ? STATUS_UNAVAILABLE
								     : STATUS_IO;
}

static int
reserve(struct buffer *buffer, size_t len)
{
	size_t room = buffer->room ? buffer->room : FIRST_ROOM;
	char *data;

	if (buffer->status || buffer->used + len <= buffer->room)
		return buffer->status;
	while (room < buffer->used + len)
		room *= 2;
	data = realloc(buffer->data, room);
	if (!data) {
		buffer_fail(buffer, STATUS_NO_MEMORY);
		return STATUS_NO_MEMORY;
	}
	buffer->data = data;
	buffer->room = room;
	return 0;
}

void
buffer_fail(struct buffer *buffer, int status)
{
	if (!buffer->status)
		buffer->status = status;
}
