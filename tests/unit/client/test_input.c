/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/input.h"

static char complaint[1024];

/* command.c's, caught. */
void
command_complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(complaint, sizeof(complaint), format, args);
	va_end(args);
}

static enum command_exit
read_text(const char *text, const char *origin, struct json_object **out)
{
	char path[] = "/tmp/livezone-content-XXXXXX";
	int fd = mkstemp(path);
	enum command_exit result;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	complaint[0] = '\0';
	result = input_read_rrsets(path, origin, out);
	unlink(path);
	return result;
}

static void
assert_content(const char *text, const char *origin, const char *expected)
{
	struct json_object *rrsets = NULL;

	assert_int_equal(read_text(text, origin, &rrsets), COMMAND_OK);
	assert_string_equal(
		json_object_to_json_string_ext(rrsets, JSON_C_TO_STRING_PLAIN), expected);
	json_object_put(rrsets);
}

static void
test_json_is_an_array_or_an_object(void **state)
{
	(void)state;
	assert_content("[{\"name\":\"a.b\"}]", ".", "[{\"name\":\"a.b\"}]");
	assert_content("{\"rrsets\":[{\"name\":\"a.b\"}]}\n", ".", "[{\"name\":\"a.b\"}]");
	assert_content("{\"zone\":\"x\",\"rrsets\":[]}", ".", "[]");
	assert_content("\xef\xbb\xbf{\"rrsets\":[]}", ".", "[]");
	assert_content("\n \t\r\n{\"rrsets\":[]}\n", ".", "[]");
}

static void
test_records_of_a_master_file_become_rrsets(void **state)
{
	(void)state;
	assert_content("a 5 A 10.0.0.1\nb TXT \"x\"\na 5 A 10.0.0.2 ; twice\n", "live.test",
		"[{\"name\":\"a.live.test.\",\"type\":\"A\",\"ttl\":5,"
		"\"records\":[\"10.0.0.1\",\"10.0.0.2\"]},"
		"{\"name\":\"b.live.test.\",\"type\":\"TXT\",\"records\":[\"\\\"x\\\"\"]}]");
	assert_content("$TTL 9\nA.Live.Test. AAAA 2001:DB8::1\n", ".",
		"[{\"name\":\"a.live.test.\",\"type\":\"AAAA\",\"ttl\":9,"
		"\"records\":[\"2001:db8::1\"]}]");
	assert_content("", ".", "[]");
	assert_content("\xef\xbb\xbf" "a.b 5 A 10.0.0.1\n", ".",
		"[{\"name\":\"a.b.\",\"type\":\"A\",\"ttl\":5,\"records\":[\"10.0.0.1\"]}]");
}

static void
test_mistakes_are_named(void **state)
{
	static const struct {
		const char *text;
		const char *complaint;
	} mistakes[] = {
		{ "{\"rrsets\":[", "JSON, line 1, column 12: " },
		{ "{\"rrsets\":[]} x", "nothing may follow" },
		{ "{\"rrsets\":[],\n\"rrsets\":[]}", "line 2, column 1: key \"rrsets\" is given twice" },
		{ "\xff\xfe{\0", "UTF-16" },
		{ "\xfe\xff\0{", "UTF-16" },
		{ "{\"records\":[]}", "neither an array of RRsets" },
		{ "{\"rrsets\":{}}", "neither an array of RRsets" },
		{ "a.b. A 10.0.0.1\nc.b. A 10.0\n", "line 2" },
		{ "a.b. 5 A 10.0.0.1\na.b. 6 A 10.0.0.2\n", "TTLs of a.b. differ" },
		{ "$INCLUDE other\n", "line 1" },
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(mistakes); i++) {
		struct json_object *rrsets = NULL;

		assert_int_equal(read_text(mistakes[i].text, ".", &rrsets), COMMAND_REFUSED);
		assert_non_null(strstr(complaint, mistakes[i].complaint));
		assert_null(rrsets);
	}
}

static void
test_the_form_shows_in_the_first_byte(void **state)
{
	static const struct {
		const char *text;
		bool is_json;
	} forms[] = { { "{}", true }, { "[]", true }, { "a A 1", false }, { "", false },
		{ "\n\n  {}", true }, { "\xef\xbb\xbf[]", true }, { "\n\n  A 1", false },
		{ "\xef\xbb\xbf" "a A 1", false } };

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(forms); i++) {
		FILE *file = tmpfile();
		char again[32];

		fputs(forms[i].text, file);
		rewind(file);
		assert_int_equal(input_is_json(file), forms[i].is_json);
		assert_int_equal(ftell(file), 0);
		assert_int_equal(fread(again, 1, sizeof(again), file), strlen(forms[i].text));
		assert_memory_equal(again, forms[i].text, strlen(forms[i].text));
		fclose(file);
	}
}

static void
test_names_become_canonical(void **state)
{
	struct input_target target;

	(void)state;
	assert_int_equal(input_read_target("Valkey.Service.Internal", "srv", &target), COMMAND_OK);
	assert_string_equal(target.name, "valkey.service.internal.");
	assert_string_equal(target.type, "SRV");
	assert_int_equal(input_read_target("a.b.", NULL, &target), COMMAND_OK);
	assert_string_equal(target.type, "");
	assert_int_equal(input_read_target("a.b", "type65280", &target), COMMAND_OK);
	assert_string_equal(target.type, "TYPE65280");
}

static void
test_bad_names_and_types_are_misuse(void **state)
{
	struct input_target target;

	(void)state;
	assert_int_equal(input_read_target("", "A", &target), COMMAND_USAGE);
	assert_int_equal(input_read_target("a..b", "A", &target), COMMAND_USAGE);
	assert_int_equal(input_read_target("a.b", "NONSENSE", &target), COMMAND_USAGE);
	assert_int_equal(input_read_target("a.b", "ANY", &target), COMMAND_USAGE);
}

static void
test_only_plain_names_go_into_a_path(void **state)
{
	(void)state;
	assert_true(input_fits_path("_sip._tcp.service.internal."));
	assert_true(input_fits_path("*.service.internal."));
	assert_false(input_fits_path("a\\.b.internal."));
	assert_false(input_fits_path("a\\032b.internal."));
	assert_false(input_fits_path("a/b.internal."));
	assert_false(input_fits_path("a%b.internal."));
	assert_false(input_fits_path("a?b.internal."));
	assert_false(input_fits_path("a#b.internal."));
}

static void
test_query_strings_are_percent_encoded(void **state)
{
	char out[64];

	(void)state;
	input_escape("a\\.b c&d=%.x-_~", out);
	assert_string_equal(out, "a%5C.b%20c%26d%3D%25.x-_~");
	input_escape("\xff", out);
	assert_string_equal(out, "%FF");
}

static void
test_sources_have_plain_names(void **state)
{
	(void)state;
	assert_int_equal(input_check_source("sentinel-2.eu_west"), COMMAND_OK);
	assert_int_equal(input_check_source(""), COMMAND_USAGE);
	assert_int_equal(input_check_source("-x"), COMMAND_USAGE);
	assert_int_equal(input_check_source("a/b"), COMMAND_USAGE);
	assert_int_equal(input_check_source("0123456789012345678901234567890123456789"
					     "0123456789012345678901234"),
		COMMAND_USAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_become_canonical),
		cmocka_unit_test(test_bad_names_and_types_are_misuse),
		cmocka_unit_test(test_only_plain_names_go_into_a_path),
		cmocka_unit_test(test_query_strings_are_percent_encoded),
		cmocka_unit_test(test_sources_have_plain_names),
		cmocka_unit_test(test_json_is_an_array_or_an_object),
		cmocka_unit_test(test_records_of_a_master_file_become_rrsets),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_the_form_shows_in_the_first_byte),
	};

	return cmocka_run_group_tests_name("content", tests, NULL, NULL);
}
