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
#include "sidecar/json/json.h"

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
	{ "", "object" },
	{ "[]", "object" },
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

static int
count_element(
	void *context, size_t index, struct json_object *element, struct reason *reason)
{
	size_t *count = context;

	(void)element, (void)reason;
	assert_int_equal(index, *count);
	++*count;
	return 0;
}

/* From memory that ends where the text ends, so that a sanitizer sees a byte too many. */
static int
read_exact(const char *text, size_t len, size_t *count, struct reason *reason)
{
	struct json_object *rest = NULL;
	char *exact = malloc(len ? len : 1);
	bool has_list;
	int status;

	memcpy(exact, text, len);
	status = json_read(
		exact, len, "list", count_element, count, &rest, &has_list, reason);
	free(exact);
	if (!status)
		json_free(rest);
	return status;
}

static void
test_documents_are_read_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		struct reason reason = { "" };
		size_t count = 0;
		int status = read_exact(
			documents[i].text, strlen(documents[i].text), &count, &reason);

		if (!documents[i].says) {
			assert_int_equal(status, 0);
			continue;
		}
		if (status != STATUS_INVALID || !strstr(reason.text, documents[i].says))
			fail_msg("%s: %d %s", documents[i].text, status, reason.text);
		assert_non_null(strstr(reason.text, "JSON, line 1, column "));
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
		size_t count = 0;

		assert_int_equal(read_exact(text, len, &count, &reason), STATUS_INVALID);
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
		size_t count = 0, used = 0;
		int status;

		/* the document itself is the first level */
		used += (size_t)sprintf(text, "{\"%s\":", keys[i % 2]);
		for (int j = 1; j < depth; j++)
			text[used++] = '[';
		for (int j = 1; j < depth; j++)
			text[used++] = ']';
		text[used++] = '}';
		status = read_exact(text, used, &count, &reason);
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
	size_t count = 0;

	(void)state;
	assert_int_equal(
		read_exact(text, sizeof(text) - 1, &count, &reason), STATUS_INVALID);
	assert_non_null(strstr(reason.text, "line 3, column 8"));
}

static void
test_the_list_comes_element_by_element_and_the_rest_apart(void **state)
{
	static const char text[] =
		"{\"list\":[{\"x\":1},2,\"3\"],\"lease\":\"30s\",\"n\":7}";
	static const char *const allowed[] = { "lease", NULL };
	struct json_object *rest;
	struct reason reason;
	size_t count = 0;
	uint64_t number;
	bool has_list;

	(void)state;
	assert_int_equal(json_read(text, sizeof(text) - 1, "list", count_element, &count,
				 &rest, &has_list, &reason),
		0);
	assert_true(has_list);
	assert_int_equal(count, 3);
	assert_string_equal(json_get_text(rest, "lease"), "30s");
	assert_null(json_get_text(rest, "n"));
	assert_true(json_get_number(rest, "n", &number));
	assert_int_equal(number, 7);
	assert_false(json_has(rest, "list"));
	assert_string_equal(json_find_unknown(rest, allowed), "n");
	json_free(rest);
}

static int
stop_at_one(
	void *context, size_t index, struct json_object *element, struct reason *reason)
{
	(void)context, (void)element;
	return index == 1 ? reason_set(reason, STATUS_CONFLICT, "one") : 0;
}

static void
test_an_element_may_end_the_reading(void **state)
{
	static const char text[] = "{\"list\":[1,2,3]}";
	struct json_object *rest = NULL;
	struct reason reason;
	bool has_list;

	(void)state;
	assert_int_equal(json_read(text, sizeof(text) - 1, "list", stop_at_one, NULL,
				 &rest, &has_list, &reason),
		STATUS_CONFLICT);
	assert_string_equal(reason.text, "one");
	assert_null(rest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents_are_read_strictly),
		cmocka_unit_test(test_every_cut_of_a_document_is_refused),
		cmocka_unit_test(test_sixteen_levels_are_enough),
		cmocka_unit_test(test_lines_and_columns_lead_to_the_fault),
		cmocka_unit_test(
			test_the_list_comes_element_by_element_and_the_rest_apart),
		cmocka_unit_test(test_an_element_may_end_the_reading),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
