/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * delete: remove one RRset.
 */
#include "client/call.h"
#include "client/command.h"
#include "client/input.h"

enum command_exit
cmd_delete(const struct command_line *line)
{
	struct input_target target;
	enum command_exit result = input_read_target(line->argument[0], line->argument[1], &target);

	return result ? result : call_rrset(line, &target, NULL);
}
