/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * export: a zone as a master file, straight from livezoned to standard output.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"
#include "client/input.h"

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
