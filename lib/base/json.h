/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * JSON from outside. A text is checked once, against RFC 8259 and the limits below; after
 * that its values are views of the text: reading allocates nothing, whatever is in it, and a
 * list of a million elements costs no more than the one that is looked at. Any thread, no
 * shared state.
 *
 * json-c is not used here: its tokener accepts too much even when strict (duplicate keys, NaN,
 * single quotes, NUL, clamped numbers), makes two hundred bytes of "{}", and up to 0.16 drops
 * members when there is no memory for them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"

#define JSON_DEPTH_MAX 16
#define JSON_KEYS_MAX 64                 /* of one object */
#define JSON_KEY_MAX 64                  /* bytes of a key */
#define JSON_STRING_MAX 262144           /* the longest rdata with every octet as \DDD */
#define JSON_NUMBER_MAX 9007199254740992 /* 2^53: what every JSON reader keeps exact */

/* A piece of a text that json_check has accepted: one value, without the space around it. It
 * lives as long as the text. */
struct json_value {
	const char *at;
	size_t len;
};

enum json_kind {
	JSON_NULL,
	JSON_BOOLEAN,
	JSON_NUMBER, /* whole, up to 2^53 */
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

/* The members of an object, each key once. */
struct json_members {
	size_t count;
	struct json_member {
		struct json_value key; /* without its quotes; keys have no escapes */
		struct json_value value;
	} member[JSON_KEYS_MAX];
};

/* Checks a whole document; a byte order mark in front is skipped. Returns 0, or STATUS_INVALID
 * with "JSON, line 3, column 7: ...". */
int json_check(
	const char *text, size_t len, struct json_value *out, struct reason *reason);

/* The same for a document that must be an object; its members. */
int json_read(
	const char *text, size_t len, struct json_members *out, struct reason *reason);

enum json_kind json_kind(struct json_value value);
const char *json_kind_name(enum json_kind kind); /* "a string" */

/* The members of an object, in their order. False when the value is not an object. */
bool json_open(struct json_value value, struct json_members *out);

/* The next element of a list; `inout` begins as { NULL, 0 }. False behind the last one, and
 * for what is not a list. */
bool json_next(struct json_value list, struct json_value *inout);

/* Decodes a string, with a NUL behind it. Returns its length, STATUS_INVALID when the value is
 * not a string, STATUS_TOO_LARGE when it does not fit (JSON_STRING_MAX + 1 always does). */
int json_text(struct json_value value, char *out, size_t room);

bool json_number(struct json_value value, int64_t *out); /* false: it is not a number */
bool json_is_true(struct json_value value);

/* One member. False when it is absent, and for the latter two when it is of another kind, does
 * not fit, or is negative. */
bool json_find(
	const struct json_members *members, const char *key, struct json_value *out);
bool json_get_text(
	const struct json_members *members, const char *key, char *out, size_t room);
bool json_get_number(const struct json_members *members, const char *key, uint64_t *out);
