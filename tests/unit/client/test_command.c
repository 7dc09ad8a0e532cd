/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/command.h"

#define WORDS_MAX 8

const struct command_option command_globals[] = {
	{ "api", "ADDRESS", "" },
	{ "json", NULL, "" },
	{ "help", NULL, "" },
	{ NULL, NULL, NULL },
};

static const struct command_option options[] = {
	{ "ttl", "SECONDS", "" },
	{ "create", NULL, "" },
	{ NULL, NULL, NULL },
};

static const struct command command = {
	.name = "put",
	.arguments = "NAME TYPE",
	.options = options,
	.arguments_min = 1,
	.arguments_max = 2,
};

/* What stderr said last; every case goes through here. */
static char complaint[1024];

static enum command_exit
read_line(const char *text, struct command_line *out)
{
	static char buffer[512];
	static char *words[WORDS_MAX];
	FILE *caught = tmpfile();
	int saved = dup(STDERR_FILENO), count = 0;
	enum command_exit result;
	size_t got;

	snprintf(buffer, sizeof(buffer), "%s", text);
	for (char *word = strtok(buffer, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	dup2(fileno(caught), STDERR_FILENO);
	result = command_read(&command, count, words, out);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(caught);
	got = fread(complaint, 1, sizeof(complaint) - 1, caught);
	complaint[got] = '\0';
	fclose(caught);
	return result;
}

static void
test_options_stand_anywhere(void **state)
{
	struct command_line line;

	(void)state;
	assert_int_equal(read_line("--ttl 5 a --json b --api=unix:/x", &line), COMMAND_OK);
	assert_int_equal(line.count, 2);
	assert_string_equal(line.argument[0], "a");
	assert_string_equal(line.argument[1], "b");
	assert_string_equal(command_value(&line, "ttl"), "5");
	assert_string_equal(command_value(&line, "api"), "unix:/x");
	assert_true(command_has(&line, "json"));
	assert_false(command_has(&line, "create"));
}

static void
test_two_dashes_end_the_options(void **state)
{
	struct command_line line;

	(void)state;
	assert_int_equal(read_line("a -- --create", &line), COMMAND_OK);
	assert_int_equal(line.count, 2);
	assert_string_equal(line.argument[1], "--create");
	assert_false(command_has(&line, "create"));
}

static void
test_a_single_dash_is_an_argument(void **state)
{
	struct command_line line;

	(void)state;
	assert_int_equal(read_line("a -5", &line), COMMAND_OK);
	assert_string_equal(line.argument[1], "-5");
}

static void
test_mistakes_are_named(void **state)
{
	static const struct {
		const char *line;
		const char *complaint;
	} mistakes[] = {
		{ "", "an argument is missing" },
		{ "a b c", "one argument too many: c" },
		{ "a --nonsense", "no such option: --nonsense" },
		{ "a --tt 5", "no such option: --tt" },
		{ "a --ttl", "--ttl wants SECONDS" },
		{ "a --create=yes", "--create takes no value" },
	};
	struct command_line line;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(mistakes); i++) {
		assert_int_equal(read_line(mistakes[i].line, &line), COMMAND_USAGE);
		assert_non_null(strstr(complaint, mistakes[i].complaint));
		assert_non_null(strstr(complaint, "usage: livezonectl put"));
	}
}

static void
test_help_needs_no_arguments(void **state)
{
	struct command_line line;

	(void)state;
	assert_int_equal(read_line("--help", &line), COMMAND_OK);
	assert_true(command_has(&line, "help"));
}

static void
test_numbers_are_whole_and_in_range(void **state)
{
	static const struct {
		const char *line;
		enum command_exit result;
		uint64_t number;
	} numbers[] = {
		{ "a", COMMAND_OK, 42 },
		{ "a --ttl 0", COMMAND_OK, 0 },
		{ "a --ttl 86400", COMMAND_OK, 86400 },
		{ "a --ttl 86401", COMMAND_USAGE, 42 },
		{ "a --ttl -1", COMMAND_USAGE, 42 },
		{ "a --ttl +1", COMMAND_USAGE, 42 },
		{ "a --ttl 5s", COMMAND_USAGE, 42 },
		{ "a --ttl=", COMMAND_USAGE, 42 },
		{ "a --ttl 99999999999999999999", COMMAND_USAGE, 42 },
	};
	struct command_line line;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(numbers); i++) {
		uint64_t number = 42;

		assert_int_equal(read_line(numbers[i].line, &line), COMMAND_OK);
		assert_int_equal(command_number(&line, "ttl", 0, 86400, &number),
			numbers[i].result);
		assert_int_equal(number, numbers[i].number);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_stand_anywhere),
		cmocka_unit_test(test_two_dashes_end_the_options),
		cmocka_unit_test(test_a_single_dash_is_an_argument),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_help_needs_no_arguments),
		cmocka_unit_test(test_numbers_are_whole_and_in_range),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
