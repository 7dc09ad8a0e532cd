/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * get: show the RRsets at a name. By query string, which takes any name.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "client/call.h"
#include "client/command.h"
#include "client/output.h"
#include "client/input.h"

enum command_exit
cmd_get(const struct command_line *line)
{
	const char *type = line->count > 1 ? line->argument[1] : NULL;
	char path[INPUT_PATH_MAX], escaped[3 * PRESENTATION_NAME_MAX];
	struct api_request request = { .method = "GET", .path = path };
	struct output_table table = { 0 };
	struct json_object *reply, *rrsets;
	enum command_exit result;
	struct input_target target;
	size_t count;

	result = input_read_target(line->argument[0], type, &target);
	if (result)
		return result;
	input_escape(target.name, escaped);
	snprintf(path, sizeof(path), "/v1/rrsets?name=%s%s%s", escaped, type ? "&type=" : "",
		target.type);
	result = call(line, &request, &reply);
	if (result)
		return result;
	rrsets = output_array(reply, "rrsets");
	count = rrsets ? json_object_array_length(rrsets) : 0;
	if (count == 0) {
		command_complain("%s%s%s: no such RRset", target.name, type ? " " : "",
			target.type);
		result = COMMAND_REFUSED;
	} else if (command_has(line, "json")) {
		output_json(type ? json_object_array_get_idx(rrsets, 0) : reply);
	} else {
		for (size_t i = 0; i < count; i++)
			output_rrset(&table, json_object_array_get_idx(rrsets, i));
		output_table(stdout, &table);
	}
	json_object_put(reply);
	return result;
}
