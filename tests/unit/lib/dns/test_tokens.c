/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/status.h"
#include "lib/dns/tokens.h"

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

static struct tokens tokens;

static int
setup(void **state)
{
	(void)state;
	tokens_init(&tokens);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	tokens_done(&tokens);
	return 0;
}

/* In an allocation of the exact size, so that ASan sees every step outside. */
static int
add_line(const char *line, size_t len, enum tokens_form form, struct reason *reason)
{
	char *exact = malloc(len + !len);
	int status;

	memcpy(exact, line, len);
	reason->text[0] = '\0';
	status = tokens_add_line(&tokens, exact, len, form, reason);
	free(exact);
	return status;
}

static void
assert_words(const char *const *words)
{
	size_t count = 0;

	for (; words[count]; count++) {
		assert_in_range(count, 0, tokens.count - 1);
		assert_string_equal(tokens_text(&tokens, count), words[count]);
		assert_int_equal(tokens.token[count].len, strlen(words[count]));
	}
	assert_int_equal(tokens.count, count);
}

static void
a_line_is_split_into_words(void **state)
{
	static const struct {
		const char *line;
		const char *words[6];
		bool starts_blank;
	} rows[] = {
		{ "", { NULL }, false },
		{ " \t ", { NULL }, true },
		{ "a", { "a" }, false },
		{ " a\tb  c ", { "a", "b", "c" }, true },
		{ "a (b) c", { "a", "b", "c" }, false },
		{ "(a)(b)", { "a", "b" }, false },
		{ "a ; b", { "a" }, false },
		{ ";", { NULL }, false },
		{ "a;b", { "a" }, false },
		{ "\"a b\" c", { "a b", "c" }, false },
		{ "\"\" x", { "", "x" }, false },
		{ "\"a;(b\"", { "a;(b" }, false },
		{ "\"a\\\"b\"", { "a\\\"b" }, false },
		{ "alpn=\"h2,h3\" x", { "alpn=\"h2,h3\"", "x" }, false },
		{ "a=\"b c\"d e", { "a=\"b c\"d", "e" }, false },
		/* escapes are kept as they are, and what follows one ends nothing */
		{ "a\\ b c", { "a\\ b", "c" }, false },
		{ "a\\;b", { "a\\;b" }, false },
		{ "a\\(b\\)", { "a\\(b\\)" }, false },
		{ "a\\032b", { "a\\032b" }, false },
		{ "a\\", { "a\\" }, false },
		{ "\303\274", { "\303\274" }, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reason reason;

		tokens_clear(&tokens);
		assert_int_equal(
			add_line(rows[i].line, strlen(rows[i].line), TOKENS_ENTRY, &reason),
			STATUS_OK);
		assert_words(rows[i].words);
		assert_int_equal(tokens.starts_blank, rows[i].starts_blank);
		assert_int_equal(tokens.depth, 0);
	}
}

static void
quoted_words_are_known_as_such(void **state)
{
	struct reason reason;

	(void)state;
	assert_int_equal(add_line("\"a\" a a=\"a\"", 11, TOKENS_LINE, &reason), STATUS_OK);
	assert_true(tokens.token[0].quoted);
	assert_false(tokens.token[1].quoted);
	assert_false(tokens.token[2].quoted);
}

static void
what_is_open_or_wrong_is_refused(void **state)
{
	static const struct {
		const char *line;
		enum tokens_form form;
		const char *reason;
	} rows[] = {
		{ "\"a", TOKENS_ENTRY, "a quote is opened" },
		{ "\"a\\\"", TOKENS_ENTRY, "a quote is opened" },
		{ "\"a\\", TOKENS_ENTRY, "a quote is opened" },
		{ "x=\"a", TOKENS_ENTRY, "a quote is opened" },
		{ "\"a\"b", TOKENS_ENTRY, "a blank is missing" },
		{ "a)", TOKENS_ENTRY, "a parenthesis is closed" },
		{ "(a", TOKENS_LINE, "a parenthesis is opened" },
		{ "a ; b", TOKENS_LINE, "';' begins a comment" },
		{ "a\nb", TOKENS_ENTRY, "control character at column 2" },
		{ "a\x7f", TOKENS_ENTRY, "control character at column 2" },
	};
	struct reason reason;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		tokens_clear(&tokens);
		assert_int_equal(add_line(rows[i].line, strlen(rows[i].line), rows[i].form,
					 &reason),
			STATUS_INVALID);
		if (strncmp(reason.text, rows[i].reason, strlen(rows[i].reason)) != 0)
			fail_msg("row %zu: %s", i, reason.text);
	}
	tokens_clear(&tokens);
	assert_int_equal(add_line("a\0b", 3, TOKENS_ENTRY, &reason), STATUS_INVALID);
}

static void
parentheses_carry_an_entry_over_lines(void **state)
{
	static const char *const words[] = { "a", "b", "c", "d", NULL };
	struct reason reason;

	(void)state;
	assert_int_equal(add_line(" a ( b ; x", 10, TOKENS_ENTRY, &reason), STATUS_OK);
	assert_int_equal(tokens.depth, 1);
	assert_int_equal(add_line("c", 1, TOKENS_ENTRY, &reason), STATUS_OK);
	assert_true(tokens.starts_blank); /* of the first line */
	assert_int_equal(add_line(") d", 3, TOKENS_ENTRY, &reason), STATUS_OK);
	assert_int_equal(tokens.depth, 0);
	assert_words(words);
	assert_string_equal(tokens_join(&tokens, 1), "b c d");
	assert_int_equal(tokens.count, 2);
	assert_int_equal(tokens.token[1].len, 5);
}

static void
long_entries_have_room_up_to_the_limit(void **state)
{
	const size_t len = TOKENS_TEXT_MAX + 1;
	char *line = malloc(len);
	struct reason reason;

	(void)state;
	/* a word of one letter after the other: the most words for a length */
	for (size_t i = 0; i < len; i++)
		line[i] = i % 2 ? ' ' : 'x';
	assert_int_equal(add_line(line, 20001, TOKENS_ENTRY, &reason), STATUS_OK);
	assert_int_equal(tokens.count, 10001);
	for (size_t i = 0; i < tokens.count; i++)
		assert_string_equal(tokens_text(&tokens, i), "x");
	assert_int_equal(strlen(tokens_join(&tokens, 0)), 20001);
	tokens_clear(&tokens);
	memset(line, 'y', len);
	assert_int_equal(add_line(line, len, TOKENS_ENTRY, &reason), STATUS_TOO_LARGE);
	tokens_clear(&tokens);
	assert_int_equal(add_line(line, 300000, TOKENS_ENTRY, &reason), STATUS_OK);
	assert_int_equal(add_line(line, 300000, TOKENS_ENTRY, &reason), STATUS_TOO_LARGE);
	free(line);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_line_is_split_into_words),
		TEST(quoted_words_are_known_as_such),
		TEST(what_is_open_or_wrong_is_refused),
		TEST(parentheses_carry_an_entry_over_lines),
		TEST(long_entries_have_room_up_to_the_limit),
	};

	return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
