/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * acknowledge: end an alarm that was understood.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "client/call.h"
#include "client/cmd.h"

#define NAME_MAX_LEN 32 /* as sidecar/state/state.h has it; livezoned checks */

enum command_exit
cmd_acknowledge(const struct command_line *line)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	const char *name = line->argument[0];
	char path[64], what[64];
	struct api_request request = { .method = "DELETE", .path = path };
	struct json_object *reply;
	enum command_exit result;

	if (!*name || strlen(name) > NAME_MAX_LEN || name[strspn(name, allowed)]) {
		fprintf(stderr, "livezonectl: \"%.80s\" is no name of an alarm\n", name);
		return COMMAND_USAGE;
	}
	snprintf(path, sizeof(path), "/v1/alarms/%s", name);
	result = call(line, &request, &reply);
	if (result)
		return result;
	snprintf(what, sizeof(what), "alarm %s acknowledged", name);
	call_print_written(line, reply, what);
	json_object_put(reply);
	return COMMAND_OK;
}
