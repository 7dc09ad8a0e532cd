/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One descent over a text that is known to be good; json.c limits its depth.
 */
#include "sidecar/json/json_build.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"
#include "sidecar/json/json.h"

#define REPLACEMENT 0xfffdu /* for half of a surrogate pair */

static int build_value(const char **at, const char *end, struct json_object **out);
static int build_object(const char **at, const char *end, struct json_object *object);
static int build_array(const char **at, const char *end, struct json_object *array);
static int build_member(
	const char **at, const char *end, struct json_object *to, const char *key);
static int build_number(const char **at, const char *end, struct json_object **out);
static int build_string(const char **at, struct json_object **out);

int
json_build(const char *text, size_t len, struct json_object **out)
{
	struct json_object *value = NULL;
	int status = build_value(&text, text + len, &value);

	if (status)
		json_object_put(value);
	else
		*out = value;
	return status;
}

static void
skip_space(const char **at)
{
	*at += strspn(*at, " \t\r\n");
}

static int
made(struct json_object *value, struct json_object **out)
{
	*out = value;
	return value ? 0 : STATUS_NO_MEMORY;
}

/* What is built so far is in *out, whatever happens. */
static int
build_value(const char **at, const char *end, struct json_object **out)
{
	int status;

	skip_space(at);
	switch (**at) {
	case '{':
		status = made(json_object_new_object(), out);
		return status ? status : build_object(at, end, *out);
	case '[':
		status = made(json_object_new_array(), out);
		return status ? status : build_array(at, end, *out);
	case '"':
		return build_string(at, out);
	case 't':
		*at += 4;
		return made(json_object_new_boolean(1), out);
	case 'f':
		*at += 5;
		return made(json_object_new_boolean(0), out);
	case 'n':
		*at += 4;
		*out = NULL;
		return 0;
	default:
		return build_number(at, end, out);
	}
}

/* It may be all that is left of a text that is cut off there; json.c limits it. */
static int
build_number(const char **at, const char *end, struct json_object **out)
{
	bool is_negative = **at == '-';
	int64_t value = 0;

	for (*at += is_negative; *at < end && **at >= '0' && **at <= '9'; ++*at)
		value = value * 10 + (**at - '0');
	return made(json_object_new_int64(is_negative ? -value : value), out);
}

/* Keys have no escapes, none is there twice, and they have a limit. */
static int
build_object(const char **at, const char *end, struct json_object *object)
{
	++*at;
	for (skip_space(at); **at != '}'; skip_space(at)) {
		char key[JSON_KEY_MAX + 1];
		size_t len;
		int status;

		if (**at == ',') {
			++*at;
			skip_space(at);
		}
		len = strcspn(++*at, "\"");
		memcpy(key, *at, len);
		key[len] = '\0';
		*at += len + 1;
		skip_space(at);
		++*at; /* the colon */
		status = build_member(at, end, object, key);
		if (status)
			return status;
	}
	++*at;
	return 0;
}

static int
build_array(const char **at, const char *end, struct json_object *array)
{
	++*at;
	for (skip_space(at); **at != ']'; skip_space(at)) {
		int status;

		if (**at == ',')
			++*at;
		status = build_member(at, end, array, NULL);
		if (status)
			return status;
	}
	++*at;
	return 0;
}

/* Adds a value to an object under this key; without a key to an array. */
static int
build_member(const char **at, const char *end, struct json_object *to, const char *key)
{
	struct json_object *value = NULL;
	int status = build_value(at, end, &value);
	int error = 0;

	if (!status && key)
		error = json_object_object_add_ex(
			to, key, value, JSON_C_OBJECT_ADD_KEY_IS_NEW);
	else if (!status)
		error = json_object_array_add(to, value);
	if (error)
		status = STATUS_NO_MEMORY;
	if (status)
		json_object_put(value);
	return status;
}

/* Strings. */

static unsigned
read_hex(const char *at)
{
	char digits[5];

	memcpy(digits, at, 4);
	digits[4] = '\0';
	return (unsigned)strtoul(digits, NULL, 16);
}

/* The character of the \uXXXX, or of the pair of them, that *at stands on. */
static unsigned
read_unicode(const char **at)
{
	unsigned high = read_hex(*at + 2), low;

	*at += 6;
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || (*at)[0] != '\\' || (*at)[1] != 'u')
		return REPLACEMENT;
	low = read_hex(*at + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return REPLACEMENT;
	*at += 6;
	return 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
}

static char *
write_utf8(unsigned character, char *to)
{
	if (character < 0x80) {
		*to++ = (char)character;
		return to;
	}
	if (character < 0x800) {
		*to++ = (char)(0xc0 | character >> 6);
	} else if (character < 0x10000) {
		*to++ = (char)(0xe0 | character >> 12);
		*to++ = (char)(0x80 | (character >> 6 & 0x3f));
	} else {
		*to++ = (char)(0xf0 | character >> 18);
		*to++ = (char)(0x80 | (character >> 12 & 0x3f));
		*to++ = (char)(0x80 | (character >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (character & 0x3f));
	return to;
}

/* Copies up to the closing quote; returns the end of the copy, which is never longer. */
static char *
decode(const char **at, char *to)
{
	static const char from[] = "\"\\/bfnrt", is[] = "\"\\/\b\f\n\r\t";

	while (**at != '"') {
		if (**at != '\\') {
			*to++ = *(*at)++;
		} else if ((*at)[1] == 'u') {
			to = write_utf8(read_unicode(at), to);
		} else {
			*to++ = is[strchr(from, (*at)[1]) - from];
			*at += 2;
		}
	}
	return to;
}

static int
build_string(const char **at, struct json_object **out)
{
	const char *start = ++*at;
	size_t len = strcspn(start, "\"\\");
	char *text;
	int status;

	if (start[len] == '"') { /* as nearly all are */
		*at += len + 1;
		return made(json_object_new_string_len(start, (int)len), out);
	}
	while (start[len] != '"')
		len += start[len] == '\\' ? 2 : 1;
	text = malloc(len);
	if (!text)
		return STATUS_NO_MEMORY;
	len = (size_t)(decode(at, text) - text);
	status = made(json_object_new_string_len(text, (int)len), out);
	free(text);
	++*at;
	return status;
}

size_t
json_build_utf8_length(const char *at, const char *end)
{
	const uint8_t *byte = (const uint8_t *)at;
	size_t left = (size_t)(end - at), len, i;

	if (left == 0)
		return 0;
	if (byte[0] < 0x80)
		return 1;
	if (byte[0] < 0xc2 || byte[0] > 0xf4) /* alone, overlong, or beyond U+10FFFF */
		return 0;
	len = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
	if (len > left)
		return 0;
	for (i = 1; i < len; i++)
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
	/* overlong, a surrogate, beyond the last */
	if ((byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xed && byte[1] > 0x9f)
		|| (byte[0] == 0xf0 && byte[1] < 0x90) || (byte[0] == 0xf4 && byte[1] > 0x8f))
		return 0;
	return len;
}
