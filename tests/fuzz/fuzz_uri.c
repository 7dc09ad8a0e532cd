/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A request target (sidecar/http/http.h) and the table of routes that its path is looked up in.
 */
#include "lib/base/status.h"
#include "sidecar/http/http_server.h"
#include "sidecar/api/api.h"
#include "tests/fuzz/fuzz.h"

static void
check_path(const char *path)
{
	FUZZ_CHECK(path[0] == '/' && !strstr(path, "//") && !strstr(path, ".."));
	for (; *path; path++)
		FUZZ_CHECK(*path > ' ' && *path < 0x7f && *path != '%' && *path != '\\');
}

static void
find_route(enum http_method method, const char *text)
{
	char *path = fuzz_must(strdup(text));
	char *variable[API_VARIABLES_MAX] = { NULL };
	char allow[48] = "";
	const struct route *route = routes_find(method, path, variable, allow);

	FUZZ_CHECK(strlen(allow) < sizeof(allow));
	FUZZ_CHECK(!route || (route->method == method && route->pattern));
	for (size_t i = 0; i < API_VARIABLES_MAX; i++)
		FUZZ_CHECK(!variable[i] || (route && !strchr(variable[i], '/')));
	free(path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *target = fuzz_take_text(&data, &size);
	struct http_request request = { .body_limit = 0 };
	struct reason reason = { "" };

	if (http_uri_split(target, &request, &reason) != STATUS_OK) {
		FUZZ_CHECK(reason.text[0] != '\0');
		free(target);
		return 0;
	}
	check_path(request.path);
	FUZZ_CHECK(request.parameter_count <= HTTP_PARAMETERS_MAX);
	for (size_t i = 0; i < request.parameter_count; i++) {
		const struct http_parameter *one = &request.parameter[i];

		FUZZ_CHECK(http_uri_parameter(&request, one->key) == one->value);
		for (const char *at = one->value; *at; at++)
			FUZZ_CHECK((unsigned char)*at >= ' ' && *at != 0x7f);
	}
	for (int method = HTTP_GET; method <= HTTP_OTHER; method++)
		find_route((enum http_method)method, request.path);
	free(target);
	return 0;
}
