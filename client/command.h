/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A command of livezonectl: one file cmd_*.c and one row in commands.c. Options and
 * arguments are read by options.c from the row, so a command only asks for values.
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

/* Every command, ends with a NULL name. */
extern const struct command command_table[];

/* Options that every command takes, ends with a NULL name. */
extern const struct command_option command_globals[];

/* The row of that name, or NULL. */
const struct command *command_find(const char *name);

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
