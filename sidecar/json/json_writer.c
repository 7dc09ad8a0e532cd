/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * JSON written piece by piece into a reply's body.
 */
#include "sidecar/json/json_writer.h"

#include <inttypes.h>
#include <string.h>

#include "sidecar/json/buffer.h"

static void
separate(struct json_writer *json)
{
	if (json->needs_comma)
		buffer_add(json->out, ",", 1);
	json->needs_comma = true;
}

void
json_writer_begin(struct json_writer *json, char bracket)
{
	separate(json);
	buffer_add(json->out, &bracket, 1);
	json->needs_comma = false;
}

void
json_writer_end(struct json_writer *json, char bracket)
{
	buffer_add(json->out, &bracket, 1);
	json->needs_comma = true;
}

void
json_writer_key(struct json_writer *json, const char *key)
{
	separate(json);
	buffer_add(json->out, "\"", 1);
	buffer_add_text(json->out, key);
	buffer_add(json->out, "\":", 2);
	json->needs_comma = false;
}

void
json_writer_string(struct json_writer *json, const char *text)
{
	json_writer_string_n(json, text, strlen(text));
}

/* Bytes beyond ASCII come from nowhere but a damaged file: they come out as '?', so that
 * the reply is JSON whatever happens. */
void
json_writer_string_n(struct json_writer *json, const char *text, size_t len)
{
	const char *from = text;
	const char *const end = text + len;

	separate(json);
	buffer_add(json->out, "\"", 1);
	for (const char *at = text; at < end; at++) {
		const unsigned char c = (unsigned char)*at;

		if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
			continue;
		buffer_add(json->out, from, (size_t)(at - from));
		from = at + 1;
		if (c == '"' || c == '\\')
			buffer_printf(json->out, "\\%c", c);
		else if (c <= 0x7f)
			buffer_printf(json->out, "\\u%04x", c);
		else
			buffer_add(json->out, "?", 1);
	}
	buffer_add(json->out, from, (size_t)(end - from));
	buffer_add(json->out, "\"", 1);
}

void
json_writer_member(struct json_writer *json, const char *key, const char *text)
{
	json_writer_key(json, key);
	json_writer_string(json, text);
}

void
json_writer_member_number(struct json_writer *json, const char *key, uint64_t number)
{
	json_writer_key(json, key);
	separate(json);
	buffer_printf(json->out, "%" PRIu64, number);
}

void
json_writer_member_bool(struct json_writer *json, const char *key, bool value)
{
	json_writer_key(json, key);
	separate(json);
	buffer_add_text(json->out, value ? "true" : "false");
}

void
json_writer_member_begin(struct json_writer *json, const char *key, char bracket)
{
	json_writer_key(json, key);
	json_writer_begin(json, bracket);
}
