/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Sticky byte cursors for little-endian layouts: after the first step outside the
 * buffer every further call is a no-op, so that encoders and decoders read as straight
 * lines with one check at the end.
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *at;
	size_t left;
	bool failed;
};

static inline struct cursor
cursor_init(const void *data, size_t len)
{
	return (struct cursor){ .at = data, .left = len };
}

/* The next `len` bytes, or NULL when there are not that many. */
static inline const uint8_t *
cursor_take(struct cursor *cursor, size_t len)
{
	const uint8_t *here = cursor->at;

	if (cursor->failed || cursor->left < len) {
		cursor->failed = true;
		return NULL;
	}
	cursor->at += len;
	cursor->left -= len;
	return here;
}

static inline void
cursor_copy(struct cursor *cursor, void *out, size_t len)
{
	const uint8_t *from = cursor_take(cursor, len);

	if (from)
		memcpy(out, from, len);
	else
		memset(out, 0, len);
}

static inline uint8_t
cursor_u8(struct cursor *cursor)
{
	uint8_t value;

	cursor_copy(cursor, &value, sizeof(value));
	return value;
}

static inline uint16_t
cursor_u16(struct cursor *cursor)
{
	uint16_t value;

	cursor_copy(cursor, &value, sizeof(value));
	return le16toh(value);
}

static inline uint32_t
cursor_u32(struct cursor *cursor)
{
	uint32_t value;

	cursor_copy(cursor, &value, sizeof(value));
	return le32toh(value);
}

static inline uint64_t
cursor_u64(struct cursor *cursor)
{
	uint64_t value;

	cursor_copy(cursor, &value, sizeof(value));
	return le64toh(value);
}

/* The writing side: a buffer that its owner made large enough, checked all the same. */
struct cursor_out {
	uint8_t *at;
	size_t left;
	bool failed;
};

static inline struct cursor_out
cursor_out_init(void *buffer, size_t room)
{
	return (struct cursor_out){ .at = buffer, .left = room };
}

static inline void
cursor_put(struct cursor_out *cursor, const void *data, size_t len)
{
	if (cursor->failed || cursor->left < len) {
		cursor->failed = true;
		return;
	}
	if (len > 0)
		memcpy(cursor->at, data, len);
	cursor->at += len;
	cursor->left -= len;
}

static inline void
cursor_put_u8(struct cursor_out *cursor, uint8_t value)
{
	cursor_put(cursor, &value, sizeof(value));
}

static inline void
cursor_put_u16(struct cursor_out *cursor, uint16_t value)
{
	value = htole16(value);
	cursor_put(cursor, &value, sizeof(value));
}

static inline void
cursor_put_u32(struct cursor_out *cursor, uint32_t value)
{
	value = htole32(value);
	cursor_put(cursor, &value, sizeof(value));
}

static inline void
cursor_put_u64(struct cursor_out *cursor, uint64_t value)
{
	value = htole64(value);
	cursor_put(cursor, &value, sizeof(value));
}
