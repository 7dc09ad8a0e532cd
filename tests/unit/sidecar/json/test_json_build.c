/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <json-c/json.h>

#include "sidecar/json/json_build.h"

static const struct {
	const char *text;
	const char *is;
} strings[] = {
	{ "\"\"", "" },
	{ "\"plain\"", "plain" },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
	{ "\"a\\u0041\\u00e9\\u20ac\"", "aA\xc3\xa9\xe2\x82\xac" },
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
	for (size_t i = 0; i < UNIT_COUNT(strings); i++) {
		struct json_object *value = NULL;

		assert_int_equal(json_build(strings[i].text, strlen(strings[i].text), &value), 0);
		assert_string_equal(json_object_get_string(value), strings[i].is);
		assert_int_equal(json_object_get_string_len(value), strlen(strings[i].is));
		json_object_put(value);
	}
}

static void
test_a_tree_is_what_json_c_would_make(void **state)
{
	static const char text[] = "{ \"a\" : [ 1 , -9007199254740992 , true , false , null , \"x\" , "
				   "{ } , [ ] ] ,\n\"b\":{\"c\":[[0]]},\"d\":null}";
	struct json_object *built = NULL, *read = json_tokener_parse(text);

	(void)state;
	assert_int_equal(json_build(text, sizeof(text) - 1, &built), 0);
	assert_string_equal(json_object_to_json_string(built), json_object_to_json_string(read));
	json_object_put(built);
	json_object_put(read);
}

static const struct {
	const char *text;
	size_t length;
} characters[] = {
	{ "a", 1 },
	{ "\xc3\xa9", 2 },
	{ "\xe2\x82\xac", 3 },
	{ "\xf0\x9f\x98\x80", 4 },
	{ "\xf4\x8f\xbf\xbf", 4 },
	{ "", 0 },
	{ "\x80", 0 },             /* alone */
	{ "\xc3", 0 },             /* cut */
	{ "\xe2\x82", 0 },
	{ "\xc0\xaf", 0 },         /* overlong */
	{ "\xe0\x80\xaf", 0 },
	{ "\xf0\x80\x80\xaf", 0 },
	{ "\xed\xa0\x80", 0 },     /* a surrogate */
	{ "\xf4\x90\x80\x80", 0 }, /* beyond U+10FFFF */
	{ "\xff", 0 },
};

static void
test_utf8_is_that_of_rfc_3629(void **state)
{
	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(characters); i++)
		assert_int_equal(json_build_utf8_length(characters[i].text,
					 characters[i].text + strlen(characters[i].text)),
			characters[i].length);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings_are_decoded),
		cmocka_unit_test(test_a_tree_is_what_json_c_would_make),
		cmocka_unit_test(test_utf8_is_that_of_rfc_3629),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
