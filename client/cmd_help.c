/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * help: the commands, or one of them; with --json the table for programs.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "client/command.h"
#include "client/output.h"

static void print_commands(void);
static void print_command(const struct command *command);
static void print_options(const struct command_option *options);
static struct json_object *table_to_json(void);
static void add_options(struct json_object *names, const struct command_option *options);

enum command_exit
cmd_help(const struct command_line *line)
{
	const struct command *command = NULL;

	if (line->count > 0 && !(command = command_find(line->argument[0])))
		return command_misuse(line, "no such command: %s", line->argument[0]);
	if (command) {
		print_command(command);
	} else if (command_has(line, "json")) {
		struct json_object *table = table_to_json();

		output_json(table);
		json_object_put(table);
	} else {
		print_commands();
	}
	return COMMAND_OK;
}

static void
print_commands(void)
{
	puts("usage: livezonectl COMMAND [OPTION...] [ARGUMENT...]\n");
	for (const struct command *command = command_table; command->name; command++)
		printf("  %-14s%s\n", command->name, command->summary);
	puts("\nOptions of every command:");
	print_options(command_globals);
	puts("\nlivezonectl help COMMAND explains one; the manual is livezonectl(1).");
}

static void
print_command(const struct command *command)
{
	printf("usage: livezonectl %s %s%s\n\n%s.\n", command->name,
		command->options ? "[OPTION...] " : "", command->arguments,
		command->summary);
	if (command->options)
		putchar('\n');
	print_options(command->options);
	puts("\nOptions of every command:");
	print_options(command_globals);
}

static void
print_options(const struct command_option *options)
{
	for (; options && options->name; options++) {
		char text[64];

		snprintf(text, sizeof(text), "--%s%s%s", options->name,
			options->argument ? " " : "",
			options->argument ? options->argument : "");
		printf("  %-24s%s\n", text, options->help);
	}
}

/* {"put":["--api","--ttl",...],...} */
static struct json_object *
table_to_json(void)
{
	struct json_object *table = json_object_new_object();

	for (const struct command *command = command_table; command->name; command++) {
		struct json_object *names = json_object_new_array();

		add_options(names, command_globals);
		add_options(names, command->options);
		json_object_object_add(table, command->name, names);
	}
	return table;
}

static void
add_options(struct json_object *names, const struct command_option *options)
{
	for (; options && options->name; options++) {
		char text[64];

		snprintf(text, sizeof(text), "--%s", options->name);
		json_object_array_add(names, json_object_new_string(text));
	}
}
