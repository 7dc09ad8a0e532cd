/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * restore: replace the whole state by a backup, which livezoned checks.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "client/call.h"
#include "client/command.h"
#include "client/input.h"

enum command_exit
cmd_restore(const struct command_line *line)
{
	struct api_request request = {
		.method = "PUT",
		.path = "/v1/restore",
		.content_type = "application/x-ndjson",
		.progress = true,
		.timeout_s = API_BULK_TIMEOUT_S,
	};
	struct json_object *reply;
	enum command_exit result;

	request.body_file = input_open(line->argument[0]);
	if (!request.body_file)
		return COMMAND_REFUSED;
	result = call(line, &request, &reply);
	fclose(request.body_file);
	if (result)
		return result;
	call_print_replaced(line, reply, "restored: ");
	json_object_put(reply);
	return COMMAND_OK;
}
