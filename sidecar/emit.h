/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * JSON to outside: a few functions that keep the commas right and write straight into a
 * body, because a zone of a million RRsets must not be a tree first. Failures stay in the
 * buffer. One thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;

/* Writes to `out`; a zeroed comma state is a fresh document. */
struct emit {
	struct buffer *out;
	bool needs_comma;
};

void emit_begin(struct emit *emit, char bracket); /* '{' or '[' */
void emit_end(struct emit *emit, char bracket);   /* '}' or ']' */

/* A key, which the next value follows. `key` is ours: plain ASCII. */
void emit_key(struct emit *emit, const char *key);
void emit_string(struct emit *emit, const char *text);
void emit_string_n(struct emit *emit, const char *text, size_t len);

/* A key with its value. */
void emit_member(struct emit *emit, const char *key, const char *text);
void emit_member_number(struct emit *emit, const char *key, uint64_t number);
void emit_member_bool(struct emit *emit, const char *key, bool value);

/* A key with the '{' or '[' of its value; emit_end() ends it. */
void emit_member_begin(struct emit *emit, const char *key, char bracket);
