/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * acknowledge: end an alarm that was understood.
 */
#include <stdio.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"

#define NAME_MAX_LEN 32 /* as sidecar/state/state.h has it; livezoned checks */

enum command_exit
cmd_acknowledge(const struct command_line *line)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	const char *name = line->argument[0];
	char path[64], what[64];
	struct api_request request = { .method = "DELETE", .path = path };

	if (!*name || strlen(name) > NAME_MAX_LEN || name[strspn(name, allowed)]) {
		command_complain("\"%.80s\" is not the name of an alarm", name);
		return COMMAND_USAGE;
	}
	snprintf(path, sizeof(path), "/v1/alarms/%s", name);
	snprintf(what, sizeof(what), "alarm %s acknowledged", name);
	return call_and_print(line, &request, NULL, what);
}
