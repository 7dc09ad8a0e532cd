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

#include "sidecar/api/api.h"

static const struct {
	enum http_method method;
	const char *path;
	const char *pattern; /* NULL: none */
	const char *first, *second;
	const char *allow;
} rows[] = {
	{ HTTP_GET, "/v1/rrsets/a.test/A", "/v1/rrsets/{}/{}", "a.test", "A", "" },
	{ HTTP_PUT, "/v1/rrsets/*.a.test./TXT", "/v1/rrsets/{}/{}", "*.a.test.", "TXT",
		"" },
	{ HTTP_GET, "/v1/rrsets", "/v1/rrsets", NULL, NULL, "" },
	{ HTTP_POST, "/v1/sources/x/heartbeat", "/v1/sources/{}/heartbeat", "x", NULL,
		"" },
	{ HTTP_PUT, "/v1/sources/x", "/v1/sources/{}", "x", NULL, "" },
	{ HTTP_GET, "/healthz", "/healthz", NULL, NULL, "" },
	{ HTTP_GET, "/", NULL, NULL, NULL, "" },
	{ HTTP_GET, "", NULL, NULL, NULL, "" },
	{ HTTP_GET, "/healthy", NULL, NULL, NULL, "" },
	{ HTTP_GET, "/healthz/", NULL, NULL, NULL, "" },
	{ HTTP_GET, "/v1/rrsets/", NULL, NULL, NULL, "" },
	{ HTTP_GET, "/v1/rrsets/a.test", NULL, NULL, NULL, "" },
	{ HTTP_GET, "/v1/rrsets/a.test/", NULL, NULL, NULL, "" },
	{ HTTP_GET, "/v1/rrsets/a.test/A/b", NULL, NULL, NULL, "" },
	{ HTTP_POST, "/v1/sources/x/heartbeats", NULL, NULL, NULL, "" },
	{ HTTP_POST, "/v1/rrsets/a.test/A", NULL, NULL, NULL, "GET, PUT, DELETE" },
	{ HTTP_GET, "/v1/batch", NULL, NULL, NULL, "POST" },
	{ HTTP_OTHER, "/v1/status", NULL, NULL, NULL, "GET" },
	{ HTTP_GET, "/V1/status", NULL, NULL, NULL, "" },
};

static void
check_text(const char *text, const char *wanted)
{
	if (wanted)
		assert_string_equal(text, wanted);
	else
		assert_null(text);
}

static void
test_paths_lead_to_their_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *variable[API_VARIABLES_MAX] = { NULL };
		char allow[48], path[64];
		const struct route *route;

		snprintf(path, sizeof(path), "%s", rows[i].path);
		route = routes_find(rows[i].method, path, variable, allow);

		assert_int_equal(!route, !rows[i].pattern);
		if (route) {
			assert_string_equal(route->pattern, rows[i].pattern);
			assert_int_equal(route->method, rows[i].method);
		} else {
			assert_string_equal(allow, rows[i].allow);
		}
		check_text(variable[0], rows[i].first);
		check_text(variable[1], rows[i].second);
	}
}

/* A read-only token must not get a byte written, whatever route it finds. */
static void
test_every_row_is_whole_and_writes_need_more_than_read(void **state)
{
	(void)state;
	for (const struct route *route = routes_table(); route->pattern; route++) {
		assert_non_null(route->handle);
		assert_int_not_equal(route->verb, 0);
		if (route->method != HTTP_GET)
			assert_int_not_equal(route->verb, CREDENTIALS_READ);
		else
			assert_int_equal(route->media, 0);
		assert_int_equal(route->media != 0, route->limit > 0);
		if (route->is_public) {
			assert_int_equal(route->method, HTTP_GET);
			assert_int_not_equal(strncmp(route->pattern, "/v1/", 4), 0);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths_lead_to_their_row),
		cmocka_unit_test(test_every_row_is_whole_and_writes_need_more_than_read),
	};

	return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
