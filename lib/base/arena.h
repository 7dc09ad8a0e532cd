/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A bump allocator for things that live and die together: one request's records. Used
 * by one thread at a time. Memory comes in chunks; nothing is freed singly.
 */
#pragma once

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunk;
	size_t used;  /* in the newest chunk */
	size_t total; /* bytes of all chunks, for limits */
};

/* Memory of `size` bytes, aligned to 8, not cleared; NULL when out of memory. A zeroed
 * struct arena is ready for use. */
void *arena_alloc(struct arena *arena, size_t size);

/* Copies; NULL when out of memory. */
void *arena_copy(struct arena *arena, const void *data, size_t size);

void arena_done(struct arena *arena);
