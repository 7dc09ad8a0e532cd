/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * livezonectl: finds the command, reads its line, runs it. Exit codes in command.h.
 */
#include <stdio.h>
#include <string.h>

#include "client/cmd.h"
#include "client/options.h"
#include "livezone-config.h"

static enum command_exit run(const struct command *command, int count, char **words);

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "help";
	const struct command *command;
	enum command_exit result;

	if (strcmp(name, "--version") == 0) {
		puts("livezonectl " PACKAGE_VERSION);
		return COMMAND_OK;
	}
	if (strcmp(name, "--help") == 0)
		name = "help";
	command = command_find(name);
	if (!command) {
		command_complain("no such command: %s\n  livezonectl help lists them", name);
		return COMMAND_USAGE;
	}
	result = run(command, argc > 2 ? argc - 2 : 0, argv + (argc > 2 ? 2 : argc));
	/* no command: the list is shown, but nothing was done */
	return argc > 1 ? (int)result : COMMAND_USAGE;
}

static enum command_exit
run(const struct command *command, int count, char **words)
{
	struct command_line line;
	enum command_exit result = options_read(command, count, words, &line);

	if (result)
		return result;
	if (command_has(&line, "help")) {
		char *name[] = { (char *)command->name };
		struct command_line help = { .command = command_find("help"), .count = 1,
			.argument = name };

		return cmd_help(&help);
	}
	result = command->run(&line);
	if (fflush(stdout) != 0 && result == COMMAND_OK) {
		command_complain("standard output cannot be written");
		return COMMAND_REFUSED;
	}
	return result;
}
