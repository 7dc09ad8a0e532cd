/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Bytes of a body as they come: in memory up to a threshold, beyond that in an unlinked
 * file, so that a reply or a backup of a million RRsets costs disk and no memory, and no
 * read transaction waits for a slow client. Sticky: after the first failure all calls do
 * nothing, and buffer->status says what happened. Used by one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"

struct buffer {
	char *data; /* what is in memory; all of it when file is -1 */
	size_t used;
	size_t room;
	size_t threshold; /* more goes to the file */
	const char *dir;  /* where the file is made; NULL: STATUS_TOO_LARGE instead */
	int file;         /* -1: none */
	uint64_t size;    /* all bytes, wherever they are */
	void *map;        /* after buffer_view of a file */
	int status;
};

/* `dir` is borrowed. */
void buffer_init(struct buffer *buffer, size_t threshold, const char *dir);

/* Releases memory, map and file; the buffer may be used again after buffer_init. */
void buffer_done(struct buffer *buffer);

/* Empties a buffer that went to no file; its memory and a failure stay. */
void buffer_clear(struct buffer *buffer);

void buffer_add(struct buffer *buffer, const void *data, size_t len);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Notes that what should have been added could not be made; the first failure stays. */
void buffer_fail(struct buffer *buffer, int status);

/* Moves what is in memory to the file, when there is one. */
int buffer_flush(struct buffer *buffer);

/* All bytes as one readable piece (a file is mapped), followed by a NUL. The buffer takes
 * nothing more after this. Returns buffer->status. */
int buffer_view(struct buffer *buffer, const char **out_data, size_t *out_len);
