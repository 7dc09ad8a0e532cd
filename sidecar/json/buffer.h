/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Bytes of a body as they come, in memory. Sticky: after the first failure all calls do
 * nothing, and buffer->status says what happened. Used by one thread at a time.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/reason.h"

/* What all buffers that share it may have together. Any thread. */
struct buffer_budget {
	size_t limit;
	atomic_size_t used;
};

struct buffer {
	char *data;
	size_t used;
	size_t room;
	size_t limit;                 /* more is STATUS_TOO_LARGE */
	struct buffer_budget *budget; /* more is STATUS_UNAVAILABLE; NULL: none */
	int status;
};

/* `budget` is borrowed. */
void buffer_init(struct buffer *buffer, size_t limit, struct buffer_budget *budget);

/* Releases the memory; the buffer may be used again after buffer_init. */
void buffer_done(struct buffer *buffer);

/* Empties it; its memory and a failure stay. */
void buffer_clear(struct buffer *buffer);

void buffer_add(struct buffer *buffer, const void *data, size_t len);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Notes that what should have been added could not be made; the first failure stays. */
void buffer_fail(struct buffer *buffer, int status);

/* All bytes, followed by a NUL; they stay in place until the next call. Returns
 * buffer->status. */
int buffer_view(struct buffer *buffer, const char **out_data, size_t *out_len);
