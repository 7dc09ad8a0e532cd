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
struct json_writer {
	struct buffer *out;
	bool needs_comma;
};

void json_writer_begin(struct json_writer *json, char bracket); /* '{' or '[' */
void json_writer_end(struct json_writer *json, char bracket);   /* '}' or ']' */

/* A key, which the next value follows. `key` is ours: plain ASCII. */
void json_writer_key(struct json_writer *json, const char *key);
void json_writer_string(struct json_writer *json, const char *text);
void json_writer_string_n(struct json_writer *json, const char *text, size_t len);

/* A key with its value. */
void json_writer_member(struct json_writer *json, const char *key, const char *text);
void json_writer_member_number(struct json_writer *json, const char *key, uint64_t number);
void json_writer_member_bool(struct json_writer *json, const char *key, bool value);

/* A key with the '{' or '[' of its value; json_writer_end() ends it. */
void json_writer_member_begin(struct json_writer *json, const char *key, char bracket);
