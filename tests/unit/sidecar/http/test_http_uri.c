/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/status.h"
#include "sidecar/http/http_server.h"

static const struct {
	const char *target;
	const char *says; /* NULL: good */
} targets[] = {
	{ "/", NULL },
	{ "/v1/rrsets/*.a.test./TYPE65280", NULL },
	{ "/v1/rrsets?name=a%5c046b.test&type=A", NULL },
	{ "/v1/x?", NULL },
	{ "/v1/x?a&b=&c=%20+", NULL },
	{ "v1", "begin with" },
	{ "*", "begin with" },
	{ "http://localhost/v1", "begin with" },
	{ "", "begin with" },
	{ "/v1/a%2fb", "'%'" },
	{ "/v1/a\\b", "'\\'" },
	{ "/v1//a", "\"//\"" },
	{ "/v1/../a", "\"..\"" },
	{ "/v1/a\x01", "printable" },
	{ "/v1/a\x80", "printable" },
	{ "/v1/a\x7f", "printable" },
	{ "/v1?a=%00", "percent" },
	{ "/v1?a=%0a", "percent" },
	{ "/v1?a=%2", "percent" },
	{ "/v1?a=%zz", "percent" },
	{ "/v1?a=%", "percent" },
	{ "/v1?a=1&a=2", "duplicate query parameter ?a" },
	{ "/v1?a=1&%61=2", "duplicate query parameter ?a" },
	{ "/v1?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q", "more than 16" },
};

static void
test_targets_have_one_meaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct http_request request = { 0 };
		struct reason reason = { "" };
		char target[256];
		int status;

		snprintf(target, sizeof(target), "%s", targets[i].target);
		status = http_uri_split(target, &request, &reason);
		assert_non_null(request.path);
		assert_int_equal(status, targets[i].says ? STATUS_INVALID : 0);
		if (targets[i].says && !strstr(reason.text, targets[i].says))
			fail_msg("%s: %s", targets[i].target, reason.text);
	}
}

static void
test_parameters_are_decoded_once(void **state)
{
	char target[] = "/v1/rrsets?name=a%255c.test&x=1+2&empty";
	struct http_request request = { 0 };
	struct reason reason;

	(void)state;
	assert_int_equal(http_uri_split(target, &request, &reason), 0);
	assert_string_equal(request.path, "/v1/rrsets");
	assert_string_equal(http_uri_parameter(&request, "name"), "a%5c.test");
	assert_string_equal(http_uri_parameter(&request, "x"), "1+2");
	assert_string_equal(http_uri_parameter(&request, "empty"), "");
	assert_null(http_uri_parameter(&request, "nam"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets_have_one_meaning),
		cmocka_unit_test(test_parameters_are_decoded_once),
	};

	return cmocka_run_group_tests_name("http_uri", tests, NULL, NULL);
}
