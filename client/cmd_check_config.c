/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * check-config: is a livezone.yaml good? Needs no livezoned.
 */
#include <stdio.h>

#include "client/command.h"
#include "lib/config/config.h"

enum command_exit
cmd_check_config(const struct command_line *line)
{
	const char *given = command_value(line, "config");
	struct reason reason = { "" };
	struct config *config;

	if (line->count > 0)
		given = line->argument[0];
	if (config_read(config_path(given), &config, &reason)) {
		command_complain("%s", reason.text);
		return COMMAND_REFUSED;
	}
	printf("%s: ok, %zu zone%s\n", config->path, config->zones.count,
		config->zones.count == 1 ? "" : "s");
	config_free(config);
	return COMMAND_OK;
}
