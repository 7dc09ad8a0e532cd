/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * heartbeat: renew every lease of a source.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "client/call.h"
#include "client/command.h"
#include "client/output.h"
#include "client/input.h"

enum command_exit
cmd_heartbeat(const struct command_line *line)
{
	const char *source = line->argument[0];
	char path[128], what[64];
	uint64_t renewed;
	struct api_request request = { .method = "POST", .path = path };
	enum command_exit result = input_check_source(source);
	struct json_object *reply;

	if (result)
		return result;
	snprintf(path, sizeof(path), "/v1/sources/%s/heartbeat", source);
	result = call(line, &request, &reply);
	if (result)
		return result;
	renewed = output_number(reply, "renewed");
	snprintf(what, sizeof(what), "%llu lease%s renewed", (unsigned long long)renewed,
		renewed == 1 ? "" : "s");
	call_print_written(line, reply, what);
	json_object_put(reply);
	return COMMAND_OK;
}
