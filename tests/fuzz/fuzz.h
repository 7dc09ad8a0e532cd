/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What every fuzz target includes. A target is one function that libFuzzer calls with any
 * bytes (./configure --enable-fuzzing, scripts/fuzz), and that replay.c calls with the files
 * of tests/fuzz/corpus/<target> in `make check`. It must not crash, leak or run long, and the
 * properties that it asserts must hold for every input.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property of the code under test. Not assert: it holds with NDEBUG, too. */
#define FUZZ_CHECK(condition)                                                            \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,       \
				#condition);                                             \
			abort();                                                         \
		}                                                                        \
	} while (0)

/* Memory of the target itself. */
static inline void *
fuzz_must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* A copy with a NUL behind it, of exactly that size, so that a sanitizer sees a byte too
 * many; freed by the caller. */
static inline char *
fuzz_text(const uint8_t *data, size_t size)
{
	char *text = fuzz_must(malloc(size + 1));

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* Cuts the next text off, which ends at a NUL octet or with the input. */
static inline char *
fuzz_take_text(const uint8_t **inout_data, size_t *inout_size)
{
	const uint8_t *end = *inout_size > 0 ? memchr(*inout_data, 0, *inout_size) : NULL;
	size_t len = end ? (size_t)(end - *inout_data) : *inout_size;
	char *text = fuzz_text(*inout_data, len);
	size_t used = end ? len + 1 : len;

	*inout_data += used;
	*inout_size -= used;
	return text;
}

/* The next number of one or two octets; 0 at the end. */
static inline uint8_t
fuzz_take_u8(const uint8_t **inout_data, size_t *inout_size)
{
	if (*inout_size == 0)
		return 0;
	--*inout_size;
	return *(*inout_data)++;
}

static inline uint16_t
fuzz_take_u16(const uint8_t **inout_data, size_t *inout_size)
{
	unsigned high = fuzz_take_u8(inout_data, inout_size);

	return (uint16_t)(high << 8 | fuzz_take_u8(inout_data, inout_size));
}
