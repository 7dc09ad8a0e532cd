/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * JSON from outside: a scan of our own, because json-c's tokener accepts too much even when
 * strict (doubled keys, NaN, single quotes, NUL, clamped numbers), into json-c's objects. A
 * document is an object; one named list in it may be long and is handed over element by
 * element, so that a bulk body never becomes one tree. Any thread, no shared state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"

struct json_object;

#define JSON_DEPTH_MAX 16
#define JSON_KEYS_MAX 64                 /* of one object */
#define JSON_KEY_MAX 64                  /* bytes of a key */
#define JSON_STRING_MAX 262144           /* the longest rdata with every octet as \DDD */
#define JSON_NUMBER_MAX 9007199254740992 /* 2^53: what every JSON reader keeps exact */

/* Called per element of the list, in order; the element is gone after the call. A value
 * other than 0 ends the reading and is returned. */
typedef int (*json_element_fn)(
	void *context, size_t index, struct json_object *element, struct reason *reason);

/* Reads a document. The elements of the member `list` (NULL: no such member is special)
 * go to `fn`; all other members become *out_rest, an object that the caller puts back
 * with json_free. *out_has_list says whether the list was there. STATUS_INVALID with
 * "line 3, column 7: ..." for what cannot be read. */
int json_read(const char *text, size_t len, const char *list, json_element_fn fn,
	void *context, struct json_object **out_rest, bool *out_has_list,
	struct reason *reason);

void json_free(struct json_object *object); /* NULL is allowed */

/* Members of *out_rest: NULL or false when absent or of another type. */
bool json_has(const struct json_object *object, const char *key);
const char *json_get_text(const struct json_object *object, const char *key);
bool json_get_number(const struct json_object *object, const char *key, uint64_t *out);

/* The first key that is not in `allowed` (NULL at its end), or NULL. */
const char *json_find_unknown(struct json_object *object, const char *const *allowed);
