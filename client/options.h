/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Reads a command line by the rows of a command. Options stand anywhere after the
 * command, as --name VALUE or --name=VALUE; "--" ends them.
 */
#pragma once

#include "client/command.h"

/* Fills *out from the words after the command's name; out->argument points into `words`,
 * whose order changes. Complains and returns COMMAND_USAGE when they do not fit. */
enum command_exit options_read(const struct command *command, int count, char **words,
	struct command_line *out);
