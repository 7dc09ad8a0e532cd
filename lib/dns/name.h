/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Domain names as bytes: the wire form (RFC 1035 section 3.1, uncompressed) and
 * the key form under which the stores keep them. Text is presentation.h's.
 *
 * Key of www.example.com. (labels root first, lower case, each behind its length,
 * no root byte; the root itself is the empty key):
 *
 *	 03 c o m 07 e x a m p l e 03 w w w
 *
 * With these keys a name and all names below it are one contiguous range in
 * memcmp order, and "below" is "has that key as a prefix".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NAME_WIRE_MAX 255
#define NAME_KEY_MAX 254
#define NAME_LABEL_MAX 63

/* A valid wire name; len counts the root byte, so the root is len 1. */
struct name {
	uint8_t len;
	uint8_t wire[NAME_WIRE_MAX];
};

struct name_key {
	uint8_t len;
	uint8_t bytes[NAME_KEY_MAX];
};

/* Copies no more than the key is long: there may be keys behind which nothing is. */
static inline void
name_key_copy(struct name_key *out, const struct name_key *key)
{
	out->len = key->len;
	memcpy(out->bytes, key->bytes, key->len);
}

static inline bool
name_key_equal(const struct name_key *a, const struct name_key *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Copies the name that starts at wire and ends within max bytes; pointers are
 * refused. Returns 0 or STATUS_INVALID. */
int name_from_wire(const uint8_t *wire, size_t max, struct name *out);

/* Length of the valid name at wire, root byte included; 0 when there is none. */
size_t name_wire_length(const uint8_t *wire, size_t max);

/* The key of a valid wire name of any case. */
void name_to_key(const uint8_t *wire, struct name_key *out);

/* The lower-case wire name of a key. Returns 0, or STATUS_CORRUPT when the bytes
 * are not a key. */
int name_from_key(const uint8_t *key, size_t len, struct name *out);

/* Lower-cases A to Z in place (RFC 4343). */
void name_lower(struct name *name);

/* Is `key` at or below `apex`? */
bool name_key_is_within(const uint8_t *key, size_t len, const struct name_key *apex);

/* Is its last label, the one that is leftmost in text, "*"? */
bool name_key_is_wildcard(const struct name_key *key);

/* Order of the stores, as memcmp's result: below, 0 or above. */
int name_key_compare(const struct name_key *a, const struct name_key *b);

/* Same name, whatever the case? Both valid wire names. */
bool name_equal(const uint8_t *a, const uint8_t *b);
