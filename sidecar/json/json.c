/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The strict scan (RFC 8259 and our limits), and json_build.c behind it.
 */
#include "sidecar/json/json.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/status.h"
#include "sidecar/json/json_build.h"

/* Where the scan is. */
struct scan {
	const char *start;
	const char *at;
	const char *end;
	struct reason *reason;
};

struct span {
	const char *at;
	size_t len;
};

/* What json_read works with. */
struct document {
	struct scan scan;
	const char *list;
	json_element_fn fn;
	void *context;
	struct json_object *rest;
	bool has_list;
};

static int read_members(struct document *document);
static int read_list(struct document *document);
static int
read_value(struct document *document, unsigned depth, struct json_object **out);
static int scan_value(struct scan *scan, unsigned depth);
static int scan_object(struct scan *scan, unsigned depth);
static int scan_array(struct scan *scan, unsigned depth);
static int scan_key(struct scan *scan, struct span *keys, size_t *count);
static int scan_string(struct scan *scan, struct span *out);
static int scan_escape(struct scan *scan);
static int scan_number(struct scan *scan);
static int scan_word(struct scan *scan, const char *word);
static void skip_space(struct scan *scan);
static int expect(struct scan *scan, char c);
static int refuse(struct scan *scan, const char *what);

int
json_read(const char *text, size_t len, const char *list, json_element_fn fn,
	void *context, struct json_object **out_rest, bool *out_has_list,
	struct reason *reason)
{
	struct document document = {
		.scan = { text, text, text + len, reason },
		.list = list,
		.fn = fn,
		.context = context,
	};
	int status;

	document.rest = json_object_new_object();
	status = document.rest ? read_members(&document)
			       : reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (status) {
		json_object_put(document.rest);
		return status;
	}
	*out_rest = document.rest;
	if (out_has_list)
		*out_has_list = document.has_list;
	return 0;
}

void
json_free(struct json_object *object)
{
	json_object_put(object);
}

bool
json_has(const struct json_object *object, const char *key)
{
	return json_object_object_get_ex(object, key, NULL);
}

const char *
json_get_text(const struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value)
		|| !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

bool
json_get_number(const struct json_object *object, const char *key, uint64_t *out)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value)
		|| !json_object_is_type(value, json_type_int)
		|| json_object_get_int64(value) < 0)
		return false;
	*out = (uint64_t)json_object_get_int64(value);
	return true;
}

const char *
json_find_unknown(struct json_object *object, const char *const *allowed)
{
	json_object_object_foreach(object, key, value)
	{
		size_t i = 0;

		(void)value;
		while (allowed[i] && strcmp(allowed[i], key) != 0)
			i++;
		if (!allowed[i])
			return key;
	}
	return NULL;
}

static int
read_members(struct document *document)
{
	struct scan *scan = &document->scan;
	struct span keys[JSON_KEYS_MAX];
	size_t count = 0;
	int status;

	skip_space(scan);
	if (scan->at == scan->end || *scan->at != '{')
		return refuse(scan, "an object {...} is needed");
	scan->at++;
	skip_space(scan);
	while (scan->at < scan->end && *scan->at != '}') {
		struct json_object *value;
		struct span *key = &keys[count];
		char name[JSON_KEY_MAX + 1];

		status = count ? expect(scan, ',') : 0;
		if (!status)
			status = scan_key(scan, keys, &count);
		if (status)
			return status;
		memcpy(name, key->at, key->len);
		name[key->len] = '\0';
		if (document->list && strcmp(name, document->list) == 0
			&& scan->at < scan->end && *scan->at == '[') {
			document->has_list = true;
			status = read_list(document);
		} else {
			status = read_value(document, 2, &value);
			if (!status && json_object_object_add(document->rest, name, value) != 0) {
				json_object_put(value);
				status = reason_set(scan->reason, STATUS_NO_MEMORY,
					"out of memory");
			}
		}
		if (status)
			return status;
		skip_space(scan);
	}
	status = expect(scan, '}');
	if (status)
		return status;
	skip_space(scan);
	return scan->at == scan->end ? 0
				     : refuse(scan, "nothing may follow the document");
}

static int
read_list(struct document *document)
{
	struct scan *scan = &document->scan;

	scan->at++;
	skip_space(scan);
	for (size_t index = 0; scan->at < scan->end && *scan->at != ']'; index++) {
		struct json_object *element;
		int status = index ? expect(scan, ',') : 0;

		skip_space(scan);
		if (!status)
			status = read_value(document, 3, &element);
		if (status)
			return status;
		status = document->fn(document->context, index, element, scan->reason);
		json_object_put(element);
		if (status)
			return status;
		skip_space(scan);
	}
	return expect(scan, ']');
}

/* One value at this depth of the document: checked, then built. */
static int
read_value(struct document *document, unsigned depth, struct json_object **out)
{
	const char *start = document->scan.at;
	int status = scan_value(&document->scan, depth);

	if (status)
		return status;
	status = json_build(start, (size_t)(document->scan.at - start), out);
	return status ? reason_set(document->scan.reason, status, "out of memory") : 0;
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
		return scan_string(scan, NULL);
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
	struct span keys[JSON_KEYS_MAX];
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
scan_key(struct scan *scan, struct span *keys, size_t *count)
{
	struct span *key = &keys[*count];
	const char *start;
	int status;

	if (*count == JSON_KEYS_MAX)
		return refuse(scan, "an object with more than 64 keys");
	skip_space(scan);
	start = scan->at;
	if (scan->at == scan->end || *scan->at != '"')
		return refuse(scan, "a key in double quotes is needed");
	status = scan_string(scan, key);
	if (status)
		return status;
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
	status = expect(scan, ':');
	skip_space(scan);
	return status;
}

static int
scan_string(struct scan *scan, struct span *out)
{
	const char *start = ++scan->at;
	int status;

	while (scan->at < scan->end && *scan->at != '"') {
		size_t len = json_build_utf8_length(scan->at, scan->end);

		if ((unsigned char)*scan->at < ' ')
			return refuse(scan, "a control character in a string");
		if (len == 0)
			return refuse(scan, "bytes that are not UTF-8");
		if (*scan->at == '\\') {
			status = scan_escape(scan);
			if (status)
				return status;
		} else {
			scan->at += len;
		}
	}
	if (scan->at == scan->end)
		return refuse(scan, "a string is opened and not closed");
	if (scan->at - start > JSON_STRING_MAX)
		return refuse(scan, "a string is longer than 262144 bytes");
	if (out)
		*out = (struct span){ start, (size_t)(scan->at - start) };
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
	if (scan->at < scan->end && strchr(".eE", *scan->at))
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
