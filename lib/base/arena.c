/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Chunks of growing size, linked from the newest to the oldest. Called by API threads for
 * one request each, and by the writer thread for one group.
 */
#include "lib/base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_FIRST 4096          /* one page serves a request of a few records */
#define CHUNK_MAX (1024 * 1024)   /* bulk bodies: few calls to malloc, little waste */
#define ALIGNMENT 8u

struct arena_chunk {
	struct arena_chunk *older;
	size_t size; /* of bytes[] */
	uint64_t bytes[];
};

static size_t
round_up(size_t size)
{
	return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static struct arena_chunk *
add_chunk(struct arena *arena, size_t needed)
{
	size_t size = arena->chunk ? arena->chunk->size * 2 : CHUNK_FIRST;
	struct arena_chunk *chunk;

	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	if (size < needed)
		size = needed;
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk)
		return NULL;
	chunk->older = arena->chunk;
	chunk->size = size;
	arena->chunk = chunk;
	arena->used = 0;
	arena->total += sizeof(*chunk) + size;
	return chunk;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->chunk;
	uint8_t *here;

	if (size > SIZE_MAX / 4)
		return NULL;
	size = round_up(size);
	if (!chunk || chunk->size - arena->used < size)
		chunk = add_chunk(arena, size);
	if (!chunk)
		return NULL;
	here = (uint8_t *)chunk->bytes + arena->used;
	arena->used += size;
	return here;
}

void *
arena_copy(struct arena *arena, const void *data, size_t size)
{
	void *copy = arena_alloc(arena, size);

	if (copy && size > 0)
		memcpy(copy, data, size);
	return copy;
}

void
arena_done(struct arena *arena)
{
	struct arena_chunk *chunk = arena->chunk;

	while (chunk) {
		struct arena_chunk *older = chunk->older;

		free(chunk);
		chunk = older;
	}
	*arena = (struct arena){ 0 };
}
