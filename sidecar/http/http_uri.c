/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Path and query of a request target.
 */
#include "sidecar/http/http_server.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base/status.h"

static int check_path(const char *path, struct reason *reason);
static int add_parameter(struct http_request *request, char *text, struct reason *reason);
static bool decode(char *text);
static int hex(char c);

int
http_uri_split(char *target, struct http_request *request, struct reason *reason)
{
	char *query = strchr(target, '?');
	int status;

	if (query)
		*query++ = '\0';
	status = check_path(target, reason);
	request->path = target;
	while (!status && query && *query) {
		char *next = strchr(query, '&');

		if (next)
			*next++ = '\0';
		if (*query)
			status = add_parameter(request, query, reason);
		query = next;
	}
	return status;
}

static int
check_path(const char *path, struct reason *reason)
{
	if (path[0] != '/')
		return reason_set(reason, STATUS_INVALID, "the path must begin with '/'");
	for (const char *at = path; *at; at++) {
		if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f)
			return reason_set(reason, STATUS_INVALID,
				"the path has a byte that is not printable ASCII");
		if (*at == '%' || *at == '\\')
			return reason_set(reason, STATUS_INVALID,
				"the path has a '%c': a name that needs an escape goes "
				"into "
				"the query or the body",
				*at);
	}
	if (strstr(path, "//") || strstr(path, ".."))
		return reason_set(
			reason, STATUS_INVALID, "the path has \"//\" or \"..\"");
	return 0;
}

static int
add_parameter(struct http_request *request, char *text, struct reason *reason)
{
	char *value = strchr(text, '=');

	if (value)
		*value++ = '\0';
	else
		value = text + strlen(text);
	if (!decode(text) || !decode(value))
		return reason_set(reason, STATUS_INVALID,
			"the query has a bad percent-encoding or a control byte");
	if (http_uri_parameter(request, text))
		return reason_set(reason, STATUS_INVALID, "duplicate query parameter ?%.40s", text);
	if (request->parameter_count == HTTP_PARAMETERS_MAX)
		return reason_set(reason, STATUS_INVALID, "more than %d query parameters",
			HTTP_PARAMETERS_MAX);
	request->parameter[request->parameter_count++] =
		(struct http_parameter){ .key = text, .value = value };
	return 0;
}

/* In place. '+' stays: names and base64 have it. */
static bool
decode(char *text)
{
	char *to = text;

	for (const char *at = text; *at; at++) {
		int byte = (unsigned char)*at;

		if (*at == '%') {
			if (hex(at[1]) < 0 || hex(at[2]) < 0)
				return false;
			byte = hex(at[1]) * 16 + hex(at[2]);
			at += 2;
		}
		if (byte < ' ' || byte == 0x7f)
			return false;
		*to++ = (char)byte;
	}
	*to = '\0';
	return true;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

const char *
http_uri_parameter(const struct http_request *request, const char *key)
{
	for (size_t i = 0; i < request->parameter_count; i++)
		if (strcmp(request->parameter[i].key, key) == 0)
			return request->parameter[i].value;
	return NULL;
}
