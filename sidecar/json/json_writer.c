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
separate(struct json_writer *emit)
{
	if (emit->needs_comma)
		buffer_add(emit->out, ",", 1);
	emit->needs_comma = true;
}

void
json_writer_begin(struct json_writer *emit, char bracket)
{
	separate(emit);
	buffer_add(emit->out, &bracket, 1);
	emit->needs_comma = false;
}

void
json_writer_end(struct json_writer *emit, char bracket)
{
	buffer_add(emit->out, &bracket, 1);
	emit->needs_comma = true;
}

void
json_writer_key(struct json_writer *emit, const char *key)
{
	separate(emit);
	buffer_add(emit->out, "\"", 1);
	buffer_add_text(emit->out, key);
	buffer_add(emit->out, "\":", 2);
	emit->needs_comma = false;
}

void
json_writer_string(struct json_writer *emit, const char *text)
{
	json_writer_string_n(emit, text, strlen(text));
}

/* Bytes beyond ASCII come from nowhere but a damaged file: they come out as '?', so that
 * the reply is JSON whatever happens. */
void
json_writer_string_n(struct json_writer *emit, const char *text, size_t len)
{
	const char *from = text;
	const char *const end = text + len;

	separate(emit);
	buffer_add(emit->out, "\"", 1);
	for (const char *at = text; at < end; at++) {
		const unsigned char c = (unsigned char)*at;

		if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
			continue;
		buffer_add(emit->out, from, (size_t)(at - from));
		from = at + 1;
		if (c == '"' || c == '\\')
			buffer_printf(emit->out, "\\%c", c);
		else if (c <= 0x7f)
			buffer_printf(emit->out, "\\u%04x", c);
		else
			buffer_add(emit->out, "?", 1);
	}
	buffer_add(emit->out, from, (size_t)(end - from));
	buffer_add(emit->out, "\"", 1);
}

void
json_writer_member(struct json_writer *emit, const char *key, const char *text)
{
	json_writer_key(emit, key);
	json_writer_string(emit, text);
}

void
json_writer_member_number(struct json_writer *emit, const char *key, uint64_t number)
{
	json_writer_key(emit, key);
	separate(emit);
	buffer_printf(emit->out, "%" PRIu64, number);
}

void
json_writer_member_bool(struct json_writer *emit, const char *key, bool value)
{
	json_writer_key(emit, key);
	separate(emit);
	buffer_add_text(emit->out, value ? "true" : "false");
}

void
json_writer_member_begin(struct json_writer *emit, const char *key, char bracket)
{
	json_writer_key(emit, key);
	json_writer_begin(emit, bracket);
}
