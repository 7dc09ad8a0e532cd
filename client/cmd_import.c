/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * import: replace a zone by a file, which livezoned parses as it is.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "client/call.h"
#include "client/command.h"
#include "client/input.h"

enum command_exit
cmd_import(const struct command_line *line)
{
	const char *source = command_value(line, "source");
	char zone[INPUT_PATH_MAX], path[INPUT_PATH_MAX + 128], tag[32];
	struct api_request request = {
		.method = "PUT",
		.path = path,
		.if_match = command_has(line, "if-revision") ? tag : NULL,
		.progress = true,
		.timeout_s = API_BULK_TIMEOUT_S,
	};
	struct json_object *reply;
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
	result = call(line, &request, &reply);
	fclose(request.body_file);
	if (result)
		return result;
	call_print_replaced(line, reply, "");
	json_object_put(reply);
	return COMMAND_OK;
}
