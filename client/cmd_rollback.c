/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * rollback: what was there at a revision, brought back by a new change.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"
#include "client/output.h"

enum command_exit
cmd_rollback(const struct command_line *line)
{
	const char *revision = line->argument[0], *zone = command_value(line, "zone");
	const bool is_dry = command_has(line, "dry-run");
	struct json_object *body, *reply;
	struct api_request request = { .method = "POST", .timeout_s = API_BULK_TIMEOUT_S };
	enum command_exit result;
	char path[64];

	if (!*revision || strlen(revision) > 18
		|| strspn(revision, "0123456789") != strlen(revision))
		return command_misuse(line, "\"%s\" is not a revision", revision);
	body = json_object_new_object();
	json_object_object_add(body, "revision", json_object_new_int64(atoll(revision)));
	if (zone)
		json_object_object_add(body, "zone", json_object_new_string(zone));
	snprintf(path, sizeof(path), "/v1/rollback?dry-run=%s&force=%s", is_dry ? "true" : "false",
		command_has(line, "force") ? "true" : "false");
	request.path = path;
	result = call_with_json(line, &request, body, &reply);
	if (result)
		return result;
	if (!command_has(line, "json"))
		output_applied(reply);
	call_print_written(line, reply, is_dry ? "dry run, nothing written" : "rolled back");
	json_object_put(reply);
	return COMMAND_OK;
}
