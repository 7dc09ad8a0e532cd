/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/output.h"

static void
assert_difference(const char *json, const char *expected)
{
	struct json_object *difference = json_tokener_parse(json);
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(difference);
	output_difference(file, difference);
	fclose(file);
	assert_string_equal(text, expected);
	free(text);
	json_object_put(difference);
}

static void
test_durations_have_at_most_two_units(void **state)
{
	static const struct {
		const char *seconds;
		const char *text;
	} durations[] = {
		{ "0s", "0s" },
		{ "12.3s", "12.3s" },
		{ "59.9s", "59.9s" },
		{ "60s", "1m 0s" },
		{ "3661s", "1h 1m" },
		{ "86400s", "1d 0h" },
		{ "93784.25s", "1d 2h" },
		{ "soon", "soon" },
		{ "-5s", "-5s" },
		{ "5", "5" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(durations); i++) {
		char text[32];

		output_duration(durations[i].seconds, text);
		assert_string_equal(text, durations[i].text);
	}
}

static void
test_bytes_have_a_unit(void **state)
{
	char text[32];

	(void)state;
	output_bytes(0, text);
	assert_string_equal(text, "0 B");
	output_bytes(1023, text);
	assert_string_equal(text, "1023 B");
	output_bytes(1536, text);
	assert_string_equal(text, "1.5 KiB");
	output_bytes(1073741824, text);
	assert_string_equal(text, "1.0 GiB");
	output_bytes(UINT64_MAX, text);
	assert_string_equal(text, "16777216.0 TiB");
}

static void
test_tables_align_and_hide_control_bytes(void **state)
{
	struct output_table table = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);

	(void)state;
	output_row(&table, 2, (const char *const[]){ "NAME", "RECORD" });
	output_row(&table, 2, (const char *const[]){ "a.service.", "x\033[2Jy" });
	output_table(file, &table);
	fclose(file);
	assert_string_equal(text, "NAME        RECORD\n"
				  "a.service.  x?[2Jy\n");
	assert_null(table.cell);
	free(text);
}

static void
test_an_rrset_has_a_row_for_each_record(void **state)
{
	struct json_object *rrset = json_tokener_parse(
		"{\"name\":\"a.\",\"type\":\"A\",\"ttl\":5,\"records\":[\"10.0.0.1\",\"10.0.0.2\"],"
		"\"source\":\"api\",\"revision\":7,\"lease\":\"30s\",\"lease-left\":\"12.3s\"}");
	struct output_table table = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);

	(void)state;
	output_rrset(&table, rrset);
	output_table(file, &table);
	fclose(file);
	assert_string_equal(text,
		"NAME  TTL  TYPE  SOURCE  REVISION  LEASE         RECORD\n"
		"a.    5    A     api     7         12.3s of 30s  10.0.0.1\n"
		"a.    5    A     api     7         12.3s of 30s  10.0.0.2\n");
	free(text);
	json_object_put(rrset);
}

static void
test_a_difference_reads_like_diff(void **state)
{
	(void)state;
	assert_difference("{\"op\":\"add\",\"name\":\"a.\",\"type\":\"A\","
			  "\"after\":{\"ttl\":5,\"records\":[\"10.0.0.1\",\"10.0.0.2\"]}}",
		"+ a. 5 A 10.0.0.1, 10.0.0.2\n");
	assert_difference("{\"op\":\"delete\",\"name\":\"a.\",\"type\":\"A\","
			  "\"before\":{\"ttl\":5,\"records\":[\"10.0.0.1\"]}}",
		"- a. 5 A 10.0.0.1\n");
	assert_difference("{\"op\":\"change\",\"name\":\"a.\",\"type\":\"A\","
			  "\"before\":{\"ttl\":5,\"records\":[\"10.0.0.1\"]},"
			  "\"after\":{\"ttl\":5,\"records\":[\"10.0.0.2\"]}}",
		"~ a. 5 A 10.0.0.1 -> 10.0.0.2\n");
	assert_difference("{\"op\":\"change\",\"name\":\"a.\",\"type\":\"A\","
			  "\"before\":{\"ttl\":5,\"records\":[\"10.0.0.1\"],\"source\":\"ci\"},"
			  "\"after\":{\"ttl\":9,\"records\":[\"10.0.0.1\"]}}",
		"~ a. 5 A 10.0.0.1 -> 9 A 10.0.0.1 (taken over from ci)\n");
	assert_difference("{\"op\":\"delete\",\"name\":\"a.\",\"type\":\"A\"}", "- a. A\n");
}

static void
test_absent_values_are_empty(void **state)
{
	struct json_object *json = json_tokener_parse("{\"a\":1,\"b\":\"x\",\"c\":[]}");

	(void)state;
	assert_string_equal(output_text(json, "a"), "");
	assert_string_equal(output_text(NULL, "a"), "");
	assert_int_equal(output_number(json, "b"), 0);
	assert_false(output_flag(json, "d"));
	assert_null(output_array(json, "b"));
	assert_non_null(output_array(json, "c"));
	assert_null(output_object(json, "c"));
	json_object_put(json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations_have_at_most_two_units),
		cmocka_unit_test(test_bytes_have_a_unit),
		cmocka_unit_test(test_tables_align_and_hide_control_bytes),
		cmocka_unit_test(test_an_rrset_has_a_row_for_each_record),
		cmocka_unit_test(test_a_difference_reads_like_diff),
		cmocka_unit_test(test_absent_values_are_empty),
	};

	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
