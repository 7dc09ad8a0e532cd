/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A command of livezonectl: one function in a file cmd_*.c, declared at the end, and one row of the
 * table in main.c. Options and arguments are read from the row (command.c), so a command
 * only asks for values.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"

struct api;

/* Exit codes; they are part of the interface (livezonectl(1)). */
enum command_exit {
	COMMAND_OK = 0,
	COMMAND_REFUSED = 1,     /* livezoned, a file or the system said no */
	COMMAND_USAGE = 2,
	COMMAND_UNREACHABLE = 3, /* no answer from livezoned */
};

#define COMMAND_OPTIONS_MAX 16 /* of one command, the global ones included */

struct command_option {
	const char *name;
	const char *argument; /* "SECONDS"; NULL = a switch */
	const char *help;
};

struct command;

/* What the command line said. Strings are borrowed from argv and the environment. */
struct command_line {
	const struct command *command;
	const char *value[COMMAND_OPTIONS_MAX]; /* by row of options, NULL = not given */
	int count;
	char **argument;
};

struct command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *summary;
	const struct command_option *options; /* ends with a NULL name; NULL = none */
	int arguments_min;
	int arguments_max; /* COMMAND_ANY = no limit */
	enum command_exit (*run)(const struct command_line *line);
};

#define COMMAND_ANY (-1)

/* Every command, ends with a NULL name (main.c). */
extern const struct command command_table[];

/* Options that every command takes, ends with a NULL name. */
extern const struct command_option command_globals[];

/* The row of that name, or NULL (main.c). */
const struct command *command_find(const char *name);

/* Fills *out from the words after the command's name: options stand anywhere, as --name VALUE
 * or --name=VALUE; "--" ends them. out->argument points into `words`, whose order changes.
 * Complains and returns COMMAND_USAGE when they do not fit the row. */
enum command_exit command_read(const struct command *command, int count, char **words,
	struct command_line *out);

/* The value of an option; "" for a switch that was given; NULL when it was not. The name
 * must be one of the command's or a global one. */
const char *command_value(const struct command_line *line, const char *name);
bool command_has(const struct command_line *line, const char *name);

/* Prints "livezonectl: <text>" to stderr; control bytes are replaced. */
void command_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Complains about the command line. Returns COMMAND_USAGE. */
enum command_exit command_misuse(const struct command_line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Reads a number option into *out when it was given; COMMAND_USAGE when it is not a
 * number from min to max. */
enum command_exit command_number(const struct command_line *line, const char *name,
	uint64_t min, uint64_t max, uint64_t *out);

/* The commands: each does what the line asks for, and prints what came of it, errors included. */
enum command_exit cmd_acknowledge(const struct command_line *line);
enum command_exit cmd_apply(const struct command_line *line);
enum command_exit cmd_backup(const struct command_line *line);
enum command_exit cmd_check_config(const struct command_line *line);
enum command_exit cmd_delete(const struct command_line *line);
enum command_exit cmd_explain(const struct command_line *line);
enum command_exit cmd_export(const struct command_line *line);
enum command_exit cmd_get(const struct command_line *line);
enum command_exit cmd_heartbeat(const struct command_line *line);
enum command_exit cmd_help(const struct command_line *line);
enum command_exit cmd_history(const struct command_line *line);
enum command_exit cmd_import(const struct command_line *line);
enum command_exit cmd_list(const struct command_line *line);
enum command_exit cmd_put(const struct command_line *line);
enum command_exit cmd_restore(const struct command_line *line);
enum command_exit cmd_rollback(const struct command_line *line);
enum command_exit cmd_status(const struct command_line *line);
enum command_exit cmd_unbound_conf(const struct command_line *line);
enum command_exit cmd_watch(const struct command_line *line);
