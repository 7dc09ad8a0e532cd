/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The reader of JSON (lib/base/json.h) beside json-c's strict tokener. What is taken is the
 * same tree for both; what only livezone refuses breaks one of its own rules.
 */
#include <json-c/json.h>
#include <limits.h>

#include "lib/base/json.h"
#include "lib/base/reason.h"
#include "lib/base/status.h"
#include "tests/fuzz/fuzz.h"

/* Refused by us alone: json-c takes these even when it is strict. */
static const char *const own_rules[] = {
	"is given twice",
	"a key with an escape, or longer",
	"an object with more than 64 keys",
	"a string is longer than",
	"NUL in a string",
	"a number beyond 2^53",
	"numbers here are whole",
	"nested deeper than 16",
	"a number begins with 0",
	"a value is needed", /* NaN, Infinity */
	"a key in double quotes",
	"a control character",
	"bytes that are not UTF-8", /* surrogates in UTF-8 */
	"this is UTF-16",
};

#define RULES (sizeof(own_rules) / sizeof(own_rules[0]))

static char decoded[JSON_STRING_MAX + 1];

static void compare(struct json_value value, struct json_object *other);

static void
compare_object(struct json_value value, struct json_object *other)
{
	struct json_members members;
	struct json_object *member;
	char key[JSON_KEY_MAX + 1];

	FUZZ_CHECK(json_open(value, &members));
	FUZZ_CHECK(members.count == (size_t)json_object_object_length(other));
	for (size_t i = 0; i < members.count; i++) {
		const struct json_member *at = &members.member[i];

		snprintf(key, sizeof(key), "%.*s", (int)at->key.len, at->key.at);
		FUZZ_CHECK(json_object_object_get_ex(other, key, &member));
		compare(at->value, member);
	}
}

static void
compare(struct json_value value, struct json_object *other)
{
	struct json_value element = { NULL, 0 };
	int64_t number;
	size_t count = 0;
	int len;

	switch (json_kind(value)) {
	case JSON_NULL:
		FUZZ_CHECK(!other);
		break;
	case JSON_BOOLEAN:
		FUZZ_CHECK(json_object_is_type(other, json_type_boolean));
		FUZZ_CHECK(json_is_true(value) == json_object_get_boolean(other));
		break;
	case JSON_NUMBER:
		FUZZ_CHECK(json_number(value, &number)
			&& number == json_object_get_int64(other));
		break;
	case JSON_STRING:
		len = json_text(value, decoded, sizeof(decoded));
		FUZZ_CHECK(len >= 0 && len == json_object_get_string_len(other)
			&& memcmp(decoded, json_object_get_string(other), (size_t)len) == 0);
		break;
	case JSON_ARRAY:
		FUZZ_CHECK(json_object_is_type(other, json_type_array));
		for (; json_next(value, &element); count++)
			compare(element, json_object_array_get_idx(other, count));
		FUZZ_CHECK(count == json_object_array_length(other));
		break;
	case JSON_OBJECT:
		FUZZ_CHECK(json_object_is_type(other, json_type_object));
		compare_object(value, other);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct json_tokener *tokener = fuzz_must(json_tokener_new());
	struct reason reason = { "" };
	struct json_value value;
	struct json_object *other;
	size_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0, i;
	int status = json_check(text, size, &value, &reason);

	FUZZ_CHECK(status == STATUS_OK || status == STATUS_INVALID);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* with its NUL, as the end of a number at the end */
	other = json_tokener_parse_ex(tokener, text + mark, (int)(size - mark) + 1);
	if (status == STATUS_OK) {
		FUZZ_CHECK(json_tokener_get_error(tokener) == json_tokener_success);
		compare(value, other);
	} else if (json_tokener_get_error(tokener) == json_tokener_success
		   && strlen(text) == size) {
		for (i = 0; i < RULES; i++)
			if (strstr(reason.text, own_rules[i]))
				break;
		FUZZ_CHECK(i < RULES);
	}
	json_object_put(other);
	json_tokener_free(tokener);
	free(text);
	return 0;
}
