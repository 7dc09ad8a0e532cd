/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A growing body, and what all of them may have together.
 */
#include "sidecar/json/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"

#define FIRST_ROOM 1024
#define DOUBLE_MAX ((size_t)1 << 20) /* up to here the room doubles, then a quarter more */

static int reserve(struct buffer *buffer, size_t len);
static bool take(struct buffer_budget *budget, size_t len);

void
buffer_init(struct buffer *buffer, size_t limit, struct buffer_budget *budget)
{
	*buffer = (struct buffer){ .limit = limit, .budget = budget };
}

void
buffer_done(struct buffer *buffer)
{
	free(buffer->data);
	if (buffer->budget)
		atomic_fetch_sub(&buffer->budget->used, buffer->room);
	buffer_init(buffer, 0, NULL);
}

void
buffer_clear(struct buffer *buffer)
{
	buffer->used = 0;
}

void
buffer_add(struct buffer *buffer, const void *data, size_t len)
{
	if (buffer->status || len == 0)
		return;
	if (len > buffer->limit - buffer->used)
		buffer_fail(buffer, STATUS_TOO_LARGE);
	else if (reserve(buffer, len) == 0) {
		memcpy(buffer->data + buffer->used, data, len);
		buffer->used += len;
	}
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

void
buffer_fail(struct buffer *buffer, int status)
{
	if (!buffer->status)
		buffer->status = status;
}

int
buffer_view(struct buffer *buffer, const char **out_data, size_t *out_len)
{
	if (reserve(buffer, 1) != 0)
		return buffer->status;
	buffer->data[buffer->used] = '\0';
	*out_data = buffer->data;
	*out_len = buffer->used;
	return 0;
}

static int
reserve(struct buffer *buffer, size_t len)
{
	size_t room = buffer->room ? buffer->room : FIRST_ROOM;
	char *data;

	if (buffer->status || buffer->used + len <= buffer->room)
		return buffer->status;
	while (room < buffer->used + len)
		room += room < DOUBLE_MAX ? room : room / 4;
	if (!take(buffer->budget, room - buffer->room)) {
		buffer_fail(buffer, STATUS_UNAVAILABLE);
		return STATUS_UNAVAILABLE;
	}
	data = realloc(buffer->data, room);
	if (!data) {
		if (buffer->budget)
			atomic_fetch_sub(&buffer->budget->used, room - buffer->room);
		buffer_fail(buffer, STATUS_NO_MEMORY);
		return STATUS_NO_MEMORY;
	}
	buffer->data = data;
	buffer->room = room;
	return 0;
}

static bool
take(struct buffer_budget *budget, size_t len)
{
	if (!budget || atomic_fetch_add(&budget->used, len) + len <= budget->limit)
		return true;
	atomic_fetch_sub(&budget->used, len);
	return false;
}
