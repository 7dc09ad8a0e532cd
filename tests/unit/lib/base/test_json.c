/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"
#include "lib/base/json.h"

/* What json-c alone would take, or what must come through. NULL: good. */
static const struct {
	const char *text;
	const char *says;
} documents[] = {
	{ "{}", NULL },
	{ " { \"a\" : 1 , \"b\":[ ] }\r\n", NULL },
	{ "{\"a\":{\"a\":1},\"b\":{\"a\":2}}", NULL },
	{ "{\"a\":-1,\"b\":9007199254740992,\"c\":0}", NULL },
	{ "{\"a\":\"\\u0041\\n\\\"\",\"b\":true,\"c\":null}", NULL },
	{ "{\"list\":[1,2,3],\"a\":1}", NULL },
	{ "\xef\xbb\xbf{}", NULL },
	{ "\xef\xbb\xbf\n {\"a\":1}", NULL },
	{ "\xef\xbb{}", "value" },
	{ "\xff\xfe{", "UTF-16" },
	{ "\xfe\xff{", "UTF-16" },
	{ "\xef\xbb\xbf\xef\xbb\xbf{}", "value" },
	{ "", "object" },
	{ "{\"a\":", "ends too early" },
	{ "[]", "object" },
	{ "5", "object" },
	{ "{\"a\":1,\"a\":2}", "\"a\" is given twice" },
	{ "{\"b\":{\"a\":1,\"a\":2}}", "\"a\" is given twice" },
	{ "{\"list\":[{\"a\":1,\"a\":2}]}", "\"a\" is given twice" },
	{ "{\"\\u0061\":1}", "escape" },
	{ "{\"a\":NaN}", "value" },
	{ "{\"a\":Infinity}", "value" },
	{ "{\"a\":-Infinity}", "value" },
	{ "{\"a\":nul}", "value" },
	{ "{'a':1}", "double quotes" },
	{ "{\"a\":'b'}", "value" },
	{ "{\"a\":\"\\u0000\"}", "NUL" },
	{ "{\"a\":\"\\x\"}", "escape" },
	{ "{\"a\":\"\\u12g4\"}", "hexadecimal" },
	{ "{\"a\":\"b\nc\"}", "control" },
	{ "{\"a\":\"b", "not closed" },
	{ "{\"a\":\"\xff\"}", "" },
	{ "{\"a\":9007199254740993}", "2^53" },
	{ "{\"a\":99999999999999999999999999}", "2^53" },
	{ "{\"a\":1.5}", "whole" },
	{ "{\"a\":1e3}", "whole" },
	{ "{\"a\":01}", "begins with 0" },
	{ "{\"a\":1,}", "comma" },
	{ "{\"a\":[1,]}", "comma" },
	{ "{\"a\":1 \"b\":2}", "','" },
	{ "{\"a\":1} x", "follow" },
	{ "{\"a\":1}{}", "follow" },
	{ "{\"a\":1", "'}'" },
	{ "{\"a\" 1}", "':'" },
	{ "{\"a\":1 /* c */}", "','" },
	{ "{\"list\":[1,2", "']'" },
	{ "{\"list\":[1,,2]}", "value" },
};

/* From memory that ends where the text ends, so that a sanitizer sees a byte too many. */
static int
read_exact(const char *text, size_t len, struct reason *reason)
{
	char *exact = malloc(len ? len : 1);
	struct json_members members;
	struct json_value list, element = { NULL, 0 };
	int status;

	memcpy(exact, text, len);
	status = json_read(exact, len, &members, reason);
	if (!status && json_find(&members, "list", &list))
		while (json_next(list, &element))
			assert_in_range(element.len, 1, len);
	free(exact);
	return status;
}

static void
test_documents_are_read_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		struct reason reason = { "" };
		int status = read_exact(
			documents[i].text, strlen(documents[i].text), &reason);

		if (!documents[i].says) {
			assert_int_equal(status, 0);
			continue;
		}
		if (status != STATUS_INVALID || !strstr(reason.text, documents[i].says))
			fail_msg("%s: %d %s", documents[i].text, status, reason.text);
		assert_non_null(strstr(reason.text, "JSON, line "));
	}
}

static void
test_every_cut_of_a_document_is_refused(void **state)
{
	static const char text[] =
		"{\"a\":{\"b\":[true,null,-12,\"\\u0041\"]},\"list\":[{},[]]}";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		struct reason reason;

		assert_int_equal(read_exact(text, len, &reason), STATUS_INVALID);
	}
}

static void
test_sixteen_levels_are_enough(void **state)
{
	static const char *const keys[] = { "a", "list" };
	char text[128];

	(void)state;
	for (int i = 0; i < 2 * 38; i++) {
		const int depth = 2 + i / 2;
		struct reason reason = { "" };
		size_t used = 0;
		int status;

		/* the document itself is the first level */
		used += (size_t)sprintf(text, "{\"%s\":", keys[i % 2]);
		for (int j = 1; j < depth; j++)
			text[used++] = '[';
		for (int j = 1; j < depth; j++)
			text[used++] = ']';
		text[used++] = '}';
		status = read_exact(text, used, &reason);
		assert_int_equal(status, depth <= JSON_DEPTH_MAX ? 0 : STATUS_INVALID);
		if (status)
			assert_non_null(strstr(reason.text, "deeper than 16"));
	}
}

static void
test_lines_and_columns_lead_to_the_fault(void **state)
{
	static const char text[] = "{\n  \"a\": 1,\n  \"b\": oops\n}";
	struct reason reason = { "" };

	(void)state;
	assert_int_equal(read_exact(text, sizeof(text) - 1, &reason), STATUS_INVALID);
	assert_non_null(strstr(reason.text, "line 3, column 8"));
}

static struct json_members
read_good(const char *text)
{
	struct json_members members;

	assert_int_equal(json_read(text, strlen(text), &members, NULL), 0);
	return members;
}

static void
test_members_and_elements_are_views_of_the_text(void **state)
{
	static const char text[] = " { \"list\" : [ {\"x]\":1} , 2,\"3\\\"]\", [ [] ] ,true ] ,"
				   "\"lease\":\"30s\",\"n\":7,\"m\":-1,\"b\":true}";
	static const char *const elements[] = { "{\"x]\":1}", "2", "\"3\\\"]\"",
		"[ [] ]", "true" };
	const struct json_members members = read_good(text);
	struct json_value list, element = { NULL, 0 }, value;
	char lease[4];
	uint64_t number;
	size_t count = 0;

	(void)state;
	assert_int_equal(members.count, 5);
	assert_true(json_find(&members, "list", &list));
	while (json_next(list, &element)) {
		assert_in_range(count, 0, 4);
		assert_int_equal(element.len, strlen(elements[count]));
		assert_memory_equal(element.at, elements[count], element.len);
		count++;
	}
	assert_int_equal(count, 5);
	assert_true(json_get_text(&members, "lease", lease, sizeof(lease)));
	assert_string_equal(lease, "30s");
	assert_false(json_get_text(&members, "lease", lease, 3));
	assert_false(json_get_text(&members, "n", lease, sizeof(lease)));
	assert_true(json_get_number(&members, "n", &number));
	assert_int_equal(number, 7);
	assert_false(json_get_number(&members, "m", &number));
	assert_false(json_get_number(&members, "lease", &number));
	assert_false(json_find(&members, "leas", &value));
	assert_true(json_find(&members, "b", &value) && json_is_true(value));
	element = (struct json_value){ NULL, 0 };
	assert_false(json_next(value, &element));
}

static const struct {
	const char *text;
	const char *is;
} strings[] = {
	{ "\"\"", "" },
	{ "\"plain\"", "plain" },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
	{ "\"a\\u0041\\u00e9\\u20AC\"", "aA\xc3\xa9\xe2\x82\xac" },
	{ "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80" },
	{ "\"\\ud83d\"", "\xef\xbf\xbd" },
	{ "\"\\ude00x\"", "\xef\xbf\xbdx" },
	{ "\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A" },
	{ "\"\xc3\xa9\\\\\"", "\xc3\xa9\\" },
};

static void
test_strings_are_decoded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		char text[128], out[64];
		struct json_value value;

		snprintf(text, sizeof(text), "{\"a\":%s}", strings[i].text);
		const struct json_members members = read_good(text);

		assert_true(json_find(&members, "a", &value));
		assert_int_equal(json_text(value, out, sizeof(out)), strlen(strings[i].is));
		assert_string_equal(out, strings[i].is);
		assert_int_equal(json_text(value, out, value.len - 2), STATUS_TOO_LARGE);
		assert_int_equal(json_text(value, out, value.len - 1), strlen(strings[i].is));
	}
}

static const struct {
	const char *text;
	bool is_good;
} characters[] = {
	{ "\xc3\xa9", true },
	{ "\xe2\x82\xac", true },
	{ "\xf0\x9f\x98\x80", true },
	{ "\xf4\x8f\xbf\xbf", true },
	{ "\x80", false }, /* alone */
	{ "\xc3", false }, /* cut */
	{ "\xe2\x82", false },
	{ "\xc0\xaf", false }, /* overlong */
	{ "\xe0\x80\xaf", false },
	{ "\xf0\x80\x80\xaf", false },
	{ "\xed\xa0\x80", false },     /* a surrogate */
	{ "\xf4\x90\x80\x80", false }, /* beyond U+10FFFF */
	{ "\xff", false },
};

static void
test_utf8_is_that_of_rfc_3629(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
		struct reason reason = { "" };
		char text[32];
		int len = snprintf(text, sizeof(text), "{\"a\":\"%s\"}", characters[i].text);

		assert_int_equal(read_exact(text, (size_t)len, &reason),
			characters[i].is_good ? 0 : STATUS_INVALID);
		if (!characters[i].is_good)
			assert_non_null(strstr(reason.text, "not UTF-8"));
	}
}

static void
test_limits_are_what_they_say(void **state)
{
	char *text = malloc(JSON_STRING_MAX + 64);
	char key[JSON_KEY_MAX + 64];
	size_t used = 1;

	(void)state;
	for (int over = 0; over < 2; over++) {
		const int status = over ? STATUS_INVALID : 0;
		const int len = JSON_KEY_MAX + over;

		memcpy(text, "{\"a\":\"", 6);
		memset(text + 6, 'x', JSON_STRING_MAX + (size_t)over);
		strcpy(text + 6 + JSON_STRING_MAX + over, "\"}");
		assert_int_equal(read_exact(text, strlen(text), NULL), status);
		snprintf(key, sizeof(key), "{\"%0*d\":1}", len, 7);
		assert_int_equal(read_exact(key, strlen(key), NULL), status);
	}
	text[0] = '{';
	for (int i = 0; i <= JSON_KEYS_MAX; i++) {
		used += (size_t)sprintf(text + used, "\"%d\":0,", i);
		text[used - 1] = '}';
		assert_int_equal(read_exact(text, used, NULL),
			i < JSON_KEYS_MAX ? 0 : STATUS_INVALID);
		text[used - 1] = ',';
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents_are_read_strictly),
		cmocka_unit_test(test_every_cut_of_a_document_is_refused),
		cmocka_unit_test(test_sixteen_levels_are_enough),
		cmocka_unit_test(test_lines_and_columns_lead_to_the_fault),
		cmocka_unit_test(test_members_and_elements_are_views_of_the_text),
		cmocka_unit_test(test_strings_are_decoded),
		cmocka_unit_test(test_utf8_is_that_of_rfc_3629),
		cmocka_unit_test(test_limits_are_what_they_say),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
