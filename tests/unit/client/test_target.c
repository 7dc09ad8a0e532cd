/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdarg.h>
#include <stdio.h>

#include "client/local_zones.h"
#include "client/target.h"

/* command.c's; the text is not looked at here. */
void
command_complain(const char *format, ...)
{
	(void)format;
}

static void
test_names_become_canonical(void **state)
{
	struct target target;

	(void)state;
	assert_int_equal(target_read("Valkey.Service.Internal", "srv", &target), COMMAND_OK);
	assert_string_equal(target.name, "valkey.service.internal.");
	assert_string_equal(target.type, "SRV");
	assert_int_equal(target_read("a.b.", NULL, &target), COMMAND_OK);
	assert_string_equal(target.type, "");
	assert_int_equal(target_read("a.b", "type65280", &target), COMMAND_OK);
	assert_string_equal(target.type, "TYPE65280");
}

static void
test_bad_names_and_types_are_misuse(void **state)
{
	struct target target;

	(void)state;
	assert_int_equal(target_read("", "A", &target), COMMAND_USAGE);
	assert_int_equal(target_read("a..b", "A", &target), COMMAND_USAGE);
	assert_int_equal(target_read("a.b", "NONSENSE", &target), COMMAND_USAGE);
	assert_int_equal(target_read("a.b", "ANY", &target), COMMAND_USAGE);
}

static void
test_only_plain_names_go_into_a_path(void **state)
{
	(void)state;
	assert_true(target_fits_path("_sip._tcp.service.internal."));
	assert_true(target_fits_path("*.service.internal."));
	assert_false(target_fits_path("a\\.b.internal."));
	assert_false(target_fits_path("a\\032b.internal."));
	assert_false(target_fits_path("a/b.internal."));
	assert_false(target_fits_path("a%b.internal."));
	assert_false(target_fits_path("a?b.internal."));
	assert_false(target_fits_path("a#b.internal."));
}

static void
test_query_strings_are_percent_encoded(void **state)
{
	char out[64];

	(void)state;
	target_escape("a\\.b c&d=%.x-_~", out);
	assert_string_equal(out, "a%5C.b%20c%26d%3D%25.x-_~");
	target_escape("\xff", out);
	assert_string_equal(out, "%FF");
}

static void
test_sources_have_plain_names(void **state)
{
	(void)state;
	assert_int_equal(target_check_source("sentinel-2.eu_west"), COMMAND_OK);
	assert_int_equal(target_check_source(""), COMMAND_USAGE);
	assert_int_equal(target_check_source("-x"), COMMAND_USAGE);
	assert_int_equal(target_check_source("a/b"), COMMAND_USAGE);
	assert_int_equal(target_check_source("0123456789012345678901234567890123456789"
					     "0123456789012345678901234"),
		COMMAND_USAGE);
}

static void
test_built_in_zones_are_all_listed_once(void **state)
{
	char name[PRESENTATION_NAME_MAX], first[PRESENTATION_NAME_MAX];
	size_t index = 0, count = 0, shared = 0;

	(void)state;
	while (local_zones_next(&index, name)) {
		struct name wire;

		assert_int_equal(presentation_read_name(name, &wire, NULL), 0);
		if (count++ == 0)
			snprintf(first, sizeof(first), "%s", name);
		shared += strstr(name, ".100.in-addr.arpa.") != NULL;
	}
	assert_string_equal(first, "localhost.");
	/* 24 single ones, 16 of 172.16/12, 64 of 100.64/10 (RFC 6598) */
	assert_int_equal(shared, 64);
	assert_int_equal(count, 24 + 16 + 64);
	assert_int_equal(index, count);
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
		cmocka_unit_test(test_built_in_zones_are_all_listed_once),
	};

	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
