/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * First the strict scan, then what reads text that has passed it: that part takes the form for
 * granted and looks at no end.
 */
#include "lib/base/json.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/status.h"

#define REPLACEMENT 0xfffdu /* for half of a surrogate pair */

/* Where the scan is. */
struct scan {
	const char *start;
	const char *at;
	const char *end;
	struct reason *reason;
};

static int scan_value(struct scan *scan, unsigned depth);
static int scan_object(struct scan *scan, unsigned depth);
static int scan_array(struct scan *scan, unsigned depth);
static int scan_key(struct scan *scan, struct json_value *keys, size_t *count);
static int scan_string(struct scan *scan);
static int scan_escape(struct scan *scan);
static int scan_number(struct scan *scan);
static int scan_word(struct scan *scan, const char *word);
static size_t utf8_length(const char *at, const char *end);
static void skip_space(struct scan *scan);
static int expect(struct scan *scan, char c);
static int refuse(struct scan *scan, const char *what);
static const char *pass_space(const char *at);
static const char *pass_value(const char *at);
static const char *pass_string(const char *at);
static char *decode(const char *at, const char *end, char *to);

int
json_check(const char *text, size_t len, struct json_value *out, struct reason *reason)
{
	static const char mark[] = "\xef\xbb\xbf"; /* RFC 8259 section 8.1 */
	struct scan scan = { text, text, text + len, reason };
	const char *start;
	int status;

	if (len >= 3 && memcmp(text, mark, 3) == 0)
		scan.at += 3;
	if (len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
		return refuse(&scan, "this is UTF-16, UTF-8 is needed");
	skip_space(&scan);
	start = scan.at;
	if (scan.at == scan.end)
		return refuse(&scan, "an object {...} is needed");
	status = scan_value(&scan, 1);
	if (status)
		return status;
	*out = (struct json_value){ start, (size_t)(scan.at - start) };
	skip_space(&scan);
	return scan.at == scan.end ? 0 : refuse(&scan, "nothing may follow the document");
}

int
json_read(const char *text, size_t len, struct json_members *out, struct reason *reason)
{
	struct json_value document;
	int status = json_check(text, len, &document, reason);

	if (!status && !json_open(document, out))
		status = reason_set(reason, STATUS_INVALID,
			"JSON, line 1, column 1: an object {...} is needed");
	return status;
}

static int
scan_value(struct scan *scan, unsigned depth)
{
	skip_space(scan);
	if (scan->at == scan->end)
		return refuse(scan, "the document ends too early");
	switch (*scan->at) {
	case '{':
		return scan_object(scan, depth);
	case '[':
		return scan_array(scan, depth);
	case '"':
		return scan_string(scan);
	case 't':
		return scan_word(scan, "true");
	case 'f':
		return scan_word(scan, "false");
	case 'n':
		return scan_word(scan, "null");
	default:
		return scan_number(scan);
	}
}

static int
scan_object(struct scan *scan, unsigned depth)
{
	struct json_value keys[JSON_KEYS_MAX];
	size_t count = 0;
	int status;

	if (depth > JSON_DEPTH_MAX)
		return refuse(scan, "nested deeper than 16");
	scan->at++;
	skip_space(scan);
	while (scan->at < scan->end && *scan->at != '}') {
		status = count ? expect(scan, ',') : 0;
		if (!status)
			status = scan_key(scan, keys, &count);
		if (!status)
			status = scan_value(scan, depth + 1);
		if (status)
			return status;
		skip_space(scan);
	}
	return expect(scan, '}');
}

static int
scan_array(struct scan *scan, unsigned depth)
{
	bool is_first = true;
	int status;

	if (depth > JSON_DEPTH_MAX)
		return refuse(scan, "nested deeper than 16");
	scan->at++;
	skip_space(scan);
	while (scan->at < scan->end && *scan->at != ']') {
		status = is_first ? 0 : expect(scan, ',');
		if (!status)
			status = scan_value(scan, depth + 1);
		if (status)
			return status;
		is_first = false;
		skip_space(scan);
	}
	return expect(scan, ']');
}

/* A key and its colon. No key of ours has an escape, and without them equal keys are
 * equal bytes. */
static int
scan_key(struct scan *scan, struct json_value *keys, size_t *count)
{
	struct json_value *key = &keys[*count];
	const char *start;
	int status;

	if (*count == JSON_KEYS_MAX)
		return refuse(scan, "an object with more than 64 keys");
	skip_space(scan);
	start = scan->at;
	if (scan->at == scan->end || *scan->at != '"')
		return refuse(scan, "a key in double quotes is needed");
	status = scan_string(scan);
	if (status)
		return status;
	*key = (struct json_value){ start + 1, (size_t)(scan->at - start) - 2 };
	if (key->len > JSON_KEY_MAX || memchr(key->at, '\\', key->len)) {
		scan->at = start;
		return refuse(scan, "a key with an escape, or longer than 64 bytes");
	}
	for (size_t i = 0; i < *count; i++) {
		char what[JSON_KEY_MAX + 32];

		if (keys[i].len != key->len || memcmp(keys[i].at, key->at, key->len) != 0)
			continue;
		scan->at = start;
		snprintf(what, sizeof(what), "key \"%.*s\" is given twice", (int)key->len,
			key->at);
		return refuse(scan, what);
	}
	++*count;
	skip_space(scan);
	return expect(scan, ':');
}

static int
scan_string(struct scan *scan)
{
	const char *start = ++scan->at;
	int status;

	while (scan->at < scan->end && *scan->at != '"') {
		const unsigned char c = (unsigned char)*scan->at;
		size_t len;

		if (c >= ' ' && c < 0x80 && c != '\\') { /* nearly all are */
			scan->at++;
			continue;
		}
		len = utf8_length(scan->at, scan->end);
		if (c < ' ')
			return refuse(scan, "a control character in a string");
		if (len == 0)
			return refuse(scan, "bytes that are not UTF-8");
		status = c == '\\' ? scan_escape(scan) : 0;
		if (status)
			return status;
		scan->at += c == '\\' ? 0 : len;
	}
	if (scan->at == scan->end)
		return refuse(scan, "a string is opened and not closed");
	if (scan->at - start > JSON_STRING_MAX)
		return refuse(scan, "a string is longer than 262144 bytes");
	scan->at++;
	return 0;
}

static int
scan_escape(struct scan *scan)
{
	if (scan->end - scan->at < 2 || !strchr("\"\\/bfnrtu", scan->at[1])
		|| scan->at[1] == '\0')
		return refuse(scan, "an escape that JSON does not know");
	if (scan->at[1] != 'u') {
		scan->at += 2;
		return 0;
	}
	if (scan->end - scan->at < 6)
		return refuse(scan, "\\u needs four hexadecimal digits");
	for (size_t i = 2; i < 6; i++)
		if (!scan->at[i] || !strchr("0123456789abcdefABCDEF", scan->at[i]))
			return refuse(scan, "\\u needs four hexadecimal digits");
	if (memcmp(scan->at + 2, "0000", 4) == 0)
		return refuse(scan, "NUL in a string");
	scan->at += 6;
	return 0;
}

/* All our numbers are whole. */
static int
scan_number(struct scan *scan)
{
	const char *start = scan->at;
	uint64_t value = 0;

	if (*scan->at == '-')
		scan->at++;
	if (scan->at == scan->end || *scan->at < '0' || *scan->at > '9') {
		scan->at = start;
		return refuse(scan, "a value is needed");
	}
	if (*scan->at == '0' && scan->end - scan->at > 1 && scan->at[1] >= '0'
		&& scan->at[1] <= '9')
		return refuse(scan, "a number begins with 0");
	for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++) {
		value = value * 10 + (uint64_t)(*scan->at - '0');
		if (value > JSON_NUMBER_MAX)
			return refuse(scan, "a number beyond 2^53");
	}
	if (scan->at < scan->end && memchr(".eE", *scan->at, 3))
		return refuse(scan, "numbers here are whole");
	return 0;
}

static int
scan_word(struct scan *scan, const char *word)
{
	const size_t len = strlen(word);

	if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
		return refuse(scan, "a value is needed");
	scan->at += len;
	return 0;
}

/* Bytes of the UTF-8 character (RFC 3629) at `at`; 0 when there is none. */
static size_t
utf8_length(const char *at, const char *end)
{
	const uint8_t *byte = (const uint8_t *)at;
	size_t left = (size_t)(end - at), len, i;

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

static void
skip_space(struct scan *scan)
{
	while (scan->at < scan->end
		&& (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r'
			|| *scan->at == '\t'))
		scan->at++;
}

static int
expect(struct scan *scan, char c)
{
	char what[] = "'?' is needed";

	if (scan->at < scan->end && *scan->at == c) {
		scan->at++;
		if (c == ',') {
			skip_space(scan);
			if (scan->at < scan->end
				&& (*scan->at == '}' || *scan->at == ']'))
				return refuse(scan, "a comma before the end");
		}
		return 0;
	}
	what[1] = c;
	return refuse(scan, what);
}

/* Line and column, counted only now: good documents do not pay for it. */
static int
refuse(struct scan *scan, const char *what)
{
	size_t line = 1;
	const char *start = scan->start;

	for (const char *at = scan->start; at < scan->at; at++)
		if (*at == '\n') {
			line++;
			start = at + 1;
		}
	return reason_set(scan->reason, STATUS_INVALID, "JSON, line %zu, column %zu: %s",
		line, (size_t)(scan->at - start) + 1, what);
}

/* Checked text from here on. */

enum json_kind
json_kind(struct json_value value)
{
	switch (*value.at) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
	case 'f':
		return JSON_BOOLEAN;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

const char *
json_kind_name(enum json_kind kind)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",
		[JSON_BOOLEAN] = "true or false",
		[JSON_NUMBER] = "a whole number",
		[JSON_STRING] = "a string",
		[JSON_ARRAY] = "a list",
		[JSON_OBJECT] = "an object",
	};

	return names[kind];
}

bool
json_open(struct json_value value, struct json_members *out)
{
	const char *at = value.at;

	if (*at != '{')
		return false;
	out->count = 0;
	for (at = pass_space(at + 1); *at != '}'; at = pass_space(at)) {
		struct json_member *member = &out->member[out->count++];

		if (*at == ',')
			at = pass_space(at + 1);
		member->key.at = at + 1;
		at = pass_string(at);
		member->key.len = (size_t)(at - member->key.at) - 1;
		at = pass_space(pass_space(at) + 1); /* the colon */
		member->value.at = at;
		at = pass_value(at);
		member->value.len = (size_t)(at - member->value.at);
	}
	return true;
}

bool
json_next(struct json_value list, struct json_value *inout)
{
	const char *at;

	if (*list.at != '[')
		return false;
	at = pass_space(inout->at ? inout->at + inout->len : list.at + 1);
	if (*at == ']')
		return false;
	if (*at == ',')
		at = pass_space(at + 1);
	*inout = (struct json_value){ at, (size_t)(pass_value(at) - at) };
	return true;
}

int
json_text(struct json_value value, char *out, size_t room)
{
	char *end;

	if (*value.at != '"')
		return STATUS_INVALID;
	if (value.len - 2 >= room) /* decoded it is never longer */
		return STATUS_TOO_LARGE;
	end = decode(value.at + 1, value.at + value.len - 1, out);
	*end = '\0';
	return (int)(end - out);
}

bool
json_number(struct json_value value, int64_t *out)
{
	const bool is_negative = *value.at == '-';
	int64_t number = 0;

	if (json_kind(value) != JSON_NUMBER)
		return false;
	for (size_t i = is_negative; i < value.len; i++)
		number = number * 10 + (value.at[i] - '0');
	*out = is_negative ? -number : number;
	return true;
}

bool
json_is_true(struct json_value value)
{
	return *value.at == 't';
}

bool
json_find(const struct json_members *members, const char *key, struct json_value *out)
{
	const size_t len = strlen(key);

	for (size_t i = 0; i < members->count; i++) {
		const struct json_member *member = &members->member[i];

		if (member->key.len != len || memcmp(member->key.at, key, len) != 0)
			continue;
		*out = member->value;
		return true;
	}
	return false;
}

bool
json_get_text(const struct json_members *members, const char *key, char *out, size_t room)
{
	struct json_value value;

	return json_find(members, key, &value) && json_text(value, out, room) >= 0;
}

bool
json_get_number(const struct json_members *members, const char *key, uint64_t *out)
{
	struct json_value value;
	int64_t number;

	if (!json_find(members, key, &value) || !json_number(value, &number) || number < 0)
		return false;
	*out = (uint64_t)number;
	return true;
}

static const char *
pass_space(const char *at)
{
	while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
		at++;
	return at;
}

/* Brackets count only outside of strings. */
static const char *
pass_value(const char *at)
{
	unsigned depth = 0;

	do {
		switch (*at) {
		case '"':
			at = pass_string(at);
			break;
		case '{':
		case '[':
			depth++;
			at++;
			break;
		case '}':
		case ']':
			depth--;
			at++;
			break;
		default: /* a number or word whole: it ends where no other byte of one is */
			at++;
			while (depth == 0 && (*at == '-' || (*at >= '0' && *at <= '9')
						     || (*at >= 'a' && *at <= 'z')))
				at++;
		}
	} while (depth > 0);
	return at;
}

static const char *
pass_string(const char *at)
{
	for (at++; *at != '"'; at++)
		if (*at == '\\')
			at++;
	return at + 1;
}

static unsigned
read_hex(const char *at)
{
	unsigned value = 0;

	for (size_t i = 0; i < 4; i++) {
		const unsigned char c = (unsigned char)at[i];

		value = value << 4 | (c <= '9' ? c - 0x30u : (c | 0x20u) - 'a' + 10u);
	}
	return value;
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

/* Returns the end of the copy, which is never longer than the text. */
static char *
decode(const char *at, const char *end, char *to)
{
	static const char from[] = "\"\\/bfnrt", is[] = "\"\\/\b\f\n\r\t";

	while (at < end) {
		if (*at != '\\') {
			*to++ = *at++;
		} else if (at[1] == 'u') {
			to = write_utf8(read_unicode(&at), to);
		} else {
			*to++ = is[strchr(from, at[1]) - from];
			at += 2;
		}
	}
	return to;
}
