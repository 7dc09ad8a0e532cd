/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The command line by the rows of a command, and the values that commands ask for.
 * Not getopt: the tables, which help and completion read too, say it all.
 */
#include "client/command.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int option_find(const struct command *command, const char *name, size_t len,
	const struct command_option **out);
static enum command_exit read_option(struct command_line *line, const char *word,
	const char *next, bool *out_took_next);
static void complain(const char *format, va_list args);

enum command_exit
command_read(const struct command *command, int count, char **words,
	struct command_line *out)
{
	bool only_arguments = false;
	int kept = 0;

	memset(out, 0, sizeof(*out));
	out->command = command;
	out->argument = words;
	for (int i = 0; i < count; i++) {
		bool took_next = false;

		if (only_arguments || strncmp(words[i], "--", 2) != 0) {
			words[kept++] = words[i];
		} else if (words[i][2] == '\0') {
			only_arguments = true;
		} else {
			const char *next = i + 1 < count ? words[i + 1] : NULL;

			if (read_option(out, words[i] + 2, next, &took_next))
				return COMMAND_USAGE;
			i += took_next;
		}
	}
	out->count = kept;
	if (command_has(out, "help"))
		return COMMAND_OK;
	if (kept < command->arguments_min)
		return command_misuse(out, "an argument is missing");
	if (command->arguments_max != COMMAND_ANY && kept > command->arguments_max)
		return command_misuse(out, "one argument too many: %s",
			words[command->arguments_max]);
	return COMMAND_OK;
}

const char *
command_value(const struct command_line *line, const char *name)
{
	const struct command_option *option;
	int row = option_find(line->command, name, strlen(name), &option);

	return row < 0 ? NULL : line->value[row];
}

bool
command_has(const struct command_line *line, const char *name)
{
	return command_value(line, name) != NULL;
}

void
command_complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(format, args);
	va_end(args);
}

enum command_exit
command_misuse(const struct command_line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(format, args);
	va_end(args);
	fprintf(stderr, "usage: livezonectl %s %s%s\n", line->command->name,
		line->command->options ? "[OPTION...] " : "", line->command->arguments);
	return COMMAND_USAGE;
}

enum command_exit
command_number(const struct command_line *line, const char *name, uint64_t min,
	uint64_t max, uint64_t *out)
{
	const char *text = command_value(line, name);
	uint64_t number;
	char *end;

	if (!text)
		return COMMAND_OK;
	errno = 0;
	number = strtoull(text, &end, 10);
	/* strtoull takes signs and blanks, we do not */
	if (!isdigit((unsigned char)text[0]) || *end || errno || number < min || number > max)
		return command_misuse(line, "--%s wants a number from %llu to %llu, not \"%s\"",
			name, (unsigned long long)min, (unsigned long long)max, text);
	*out = number;
	return COMMAND_OK;
}

/* The row of an option, global ones first; -1 when there is none. */
static int
option_find(const struct command *command, const char *name, size_t len,
	const struct command_option **out)
{
	const struct command_option *tables[] = { command_globals, command->options };
	int row = 0;

	for (size_t i = 0; i < 2; i++)
		for (const struct command_option *option = tables[i]; option && option->name;
			option++, row++)
			if (strlen(option->name) == len && memcmp(option->name, name, len) == 0) {
				*out = option;
				return row;
			}
	return -1;
}

static enum command_exit
read_option(struct command_line *line, const char *word, const char *next,
	bool *out_took_next)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct command_option *option;
	int row = option_find(line->command, word, len, &option);

	if (row < 0)
		return command_misuse(line, "no such option: --%.*s", (int)len, word);
	if (!option->argument && equals)
		return command_misuse(line, "--%s takes no value", option->name);
	if (!option->argument) {
		line->value[row] = "";
		return COMMAND_OK;
	}
	if (!equals && !next)
		return command_misuse(line, "--%s wants %s", option->name, option->argument);
	line->value[row] = equals ? equals + 1 : next;
	*out_took_next = !equals;
	return COMMAND_OK;
}

/* What livezoned or a file says may hold anything; a terminal gets no control bytes. */
static void
complain(const char *format, va_list args)
{
	char text[2 * REASON_MAX];

	vsnprintf(text, sizeof(text), format, args);
	for (char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c) && *c != '\n')
			*c = '?';
	fprintf(stderr, "livezonectl: %s\n", text);
}
