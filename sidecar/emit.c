/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * JSON written piece by piece into a reply's body.
 */
#include "sidecar/emit.h"

#include <inttypes.h>
#include <string.h>

#include "sidecar/buffer.h"

static void
separate(struct emit *emit)
{
	if (emit->needs_comma)
		buffer_add(emit->out, ",", 1);
	emit->needs_comma = true;
}

void
emit_begin(struct emit *emit, char bracket)
{
	separate(emit);
	buffer_add(emit->out, &bracket, 1);
	emit->needs_comma = false;
}

void
emit_end(struct emit *emit, char bracket)
{
	buffer_add(emit->out, &bracket, 1);
	emit->needs_comma = true;
}

void
emit_key(struct emit *emit, const char *key)
{
	separate(emit);
	buffer_add(emit->out, "\"", 1);
	buffer_add_text(emit->out, key);
	buffer_add(emit->out, "\":", 2);
	emit->needs_comma = false;
}

void
emit_string(struct emit *emit, const char *text)
{
	emit_string_n(emit, text, strlen(text));
}

/* Bytes beyond ASCII come from nowhere but a damaged file: they come out as '?', so that
 * the reply is JSON whatever happens. */
void
emit_string_n(struct emit *emit, const char *text, size_t len)
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
emit_member(struct emit *emit, const char *key, const char *text)
{
	emit_key(emit, key);
	emit_string(emit, text);
}

void
emit_member_number(struct emit *emit, const char *key, uint64_t number)
{
	emit_key(emit, key);
	separate(emit);
	buffer_printf(emit->out, "%" PRIu64, number);
}

void
emit_member_bool(struct emit *emit, const char *key, bool value)
{
	emit_key(emit, key);
	separate(emit);
	buffer_add_text(emit->out, value ? "true" : "false");
}

void
emit_member_begin(struct emit *emit, const char *key, char bracket)
{
	emit_key(emit, key);
	emit_begin(emit, bracket);
}
