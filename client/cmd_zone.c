/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * import: a zone replaced by a file, which livezoned parses as it is. export: a zone as a master
 * file, straight from livezoned to standard output.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"
#include "client/input.h"
#include "client/output.h"

enum command_exit
cmd_import(const struct command_line *line)
{
	const char *source = command_value(line, "source");
	char zone[INPUT_PATH_MAX], path[INPUT_PATH_MAX + 128], tag[32];
	struct api_request request = {
		.method = "PUT",
		.path = path,
		.if_match = command_has(line, "if-revision") ? tag : NULL,
		.timeout_s = API_BULK_TIMEOUT_S,
	};
	enum command_exit result;
	uint64_t revision = 0;

	result = input_zone_path(line->argument[0], zone);
	if (!result && source)
		result = input_check_source(source);
	if (!result)
		result = command_number(line, "if-revision", 0, INT64_MAX, &revision);
	if (result)
		return result;
	snprintf(path, sizeof(path), "%s%s%s", zone, source ? "?source=" : "",
		source ? source : "");
	snprintf(tag, sizeof(tag), "\"%llu\"", (unsigned long long)revision);
	request.body_file = input_open(line->argument[1]);
	if (!request.body_file)
		return COMMAND_REFUSED;
	request.content_type =
		input_is_json(request.body_file) ? "application/json" : "text/dns";
	result = call_and_show(line, &request, NULL, output_replaced, NULL);
	fclose(request.body_file);
	return result;
}

enum command_exit
cmd_export(const struct command_line *line)
{
	char path[INPUT_PATH_MAX];
	struct api_request request = {
		.method = "GET",
		.path = path,
		.accept = command_has(line, "json") ? "application/json" : "text/dns",
		.sink = stdout,
		.timeout_s = API_BULK_TIMEOUT_S,
	};
	enum command_exit result = input_zone_path(line->argument[0], path);

	if (result == COMMAND_OK)
		result = call(line, &request, NULL);
	if (result == COMMAND_OK && fflush(stdout) != 0) {
		command_complain("standard output: %s", strerror(errno));
		result = COMMAND_REFUSED;
	}
	return result;
}
