/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/status.h"
#include "lib/config/yaml.h"

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

static char path[] = "/tmp/livezone-yaml-XXXXXX";

struct thing {
	char word[16];
	char second[16];
	struct {
		char word[16];
	} below;
	size_t items;
};

static int
read_word(const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	if (strlen(text) > 15 || (key->max > 0 && strlen(text) > key->max))
		return reason_set(reason, STATUS_INVALID, "too long");
	strcpy(out, text);
	return 0;
}

static int
read_items(const struct yaml_value *list, const struct yaml_key *key, void *out,
	struct reason *reason)
{
	size_t count;
	int status = yaml_read_list(list, key->min, key->max, &count, reason);
	struct yaml_value item = { 0 };
	char word[16];

	while (!status && yaml_next(list, &item)) {
		const char *text;

		status = yaml_read_text(&item, &text, reason);
		if (!status)
			status = read_word(text, key, word, reason);
		if (!status)
			++*(size_t *)out;
	}
	return status;
}

static const struct yaml_key below_keys[] = {
	{ "word", offsetof(struct thing, below.word), .text = read_word, .is_required = true },
	{ 0 },
};

static const struct yaml_key keys[] = {
	{ "word", offsetof(struct thing, word), .text = read_word },
	{ "second word", offsetof(struct thing, second), .text = read_word, .max = 3 },
	{ "below", 0, .value = yaml_read_keys, .keys = below_keys },
	{ "items", offsetof(struct thing, items), .value = read_items, .min = 1, .max = 3 },
	{ 0 },
};

static int
take_all(const struct stat *info, struct reason *reason)
{
	(void)info, (void)reason;
	return 0;
}

static int
read_bytes(const char *text, size_t len, struct thing *out, struct reason *reason)
{
	FILE *file = fopen(path, "w");
	struct yaml *yaml;
	struct yaml_value root;
	int status;

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	memset(out, 0, sizeof(*out));
	reason->text[0] = '\0';
	status = yaml_open(path, 1 << 20, take_all, &yaml, reason);
	if (status)
		return status;
	root = yaml_root(yaml);
	status = yaml_read_mapping(&root, keys, out, reason);
	if (status)
		yaml_blame(yaml, status, reason);
	yaml_close(yaml);
	return status;
}

static void
each_key_goes_where_its_row_says(void **state)
{
	static const char *const rows[] = {
		"items: [a, 'b']\nbelow:\n  word: x y\nsecond word: \"\"\nword: ~\n",
		"%YAML 1.1\n---\n{word: ~, 'second word': , below: {word: x y}, items: [a, b]}\n...\n",
		"\xef\xbb\xbfword: &anchor ~\nsecond word:\nbelow: !tag {\"word\": x y}\nitems:\n- a\n- b",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct thing thing;
		struct reason reason;

		if (read_bytes(rows[i], strlen(rows[i]), &thing, &reason))
			fail_msg("%s", reason.text);
		assert_string_equal(thing.word, "~");
		assert_string_equal(thing.second, "");
		assert_string_equal(thing.below.word, "x y");
		assert_int_equal(thing.items, 2);
	}
}

static void
an_empty_file_has_no_keys(void **state)
{
	static const char *const rows[] = { "", "\n", "# comment", "---\n", "{}", "---\n...\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct thing thing;
		struct reason reason;

		if (read_bytes(rows[i], strlen(rows[i]), &thing, &reason))
			fail_msg("row %zu: %s", i, reason.text);
		assert_int_equal(thing.items, 0);
	}
}

static const struct {
	const char *text;
	const char *reason; /* what follows "<file>" */
} faults[] = {
	{ "word: 01234567890123456\n", ":1:1: word: too long" },
	{ "word: a\nsecond word: abcd\n", ":2:1: second word: too long" },
	{ "below: {word: 01234567890123456}\n", ":1:9: below.word: too long" },
	{ "below:\n  word: [a]\n", ":2:3: below.word: needs a single value" },
	{ "below:\n\n  word: a\n  word: b\n", ":4:3: below.word: duplicate key" },
	{ "word: a\nbelow: {}\nword: b\n", ":3:1: word: duplicate key" },
	{ "below: {}\n", ":1:8: below: the key \"word\" is missing" },
	{ "below: {other: 1}\n", ":1:9: below.other: unknown key" },
	{ "below: {word.word: 1}\n", ":1:9: below.word.word: unknown key" },
	{ "below: a\n", ":1:1: below: needs keys and values" },
	{ "below:\n", ":1:1: below: needs keys and values" },
	{ "below: [a]\n", ":1:1: below: needs keys and values" },
	{ "[a]: b\n", ":1:1: ?: unknown key" },
	{ "? {a: b}\n: c\n", ":1:3: ?: unknown key" },
	{ "\"w\\e\\u00e9\": b\n", ":1:1: w\\027\\195\\169: unknown key" },
	{ "\"word\\0\": b\n", ":1:1: word: unknown key" },
	{ "word: \"a\\0b\"\n", ":1:1: word: contains a NUL" },
	{ "items: a\n", ":1:1: items: needs a list" },
	{ "items: []\n", ":1:1: items: has 0 items: 1 to 3" },
	{ "items: [a, b, c, d]\n", ":1:1: items: has 4 items: 1 to 3" },
	{ "items: [a, b,\n 0123]\n", ":2:2: items[2]: too long" },
	{ "items:\n  - a\n  - {b: c}\n", ":3:5: items[1]: needs a single value" },
	{ "word: &a b\nsecond word: *a\n", ":2:14: an alias" },
	{ "items: &a [*a]\n", ":1:12: an alias" },
	{ "<<: {word: a}\n", ":1:1: <<: unknown key" },
	{ "word: a\n---\nword: b\n", ":2:1: a second document" },
	{ "word: a\n...\n---\n", ":3:1: a second document" },
	{ "- a\n", ":1:1: needs keys and values" },
	{ "a\n", ":1:1: needs keys and values" },
	{ "word: [[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]\n", ":1:22: too deeply nested" },
	{ "word: a\n\tsecond word: b\n", ":2:1: not YAML: " },
	{ "word: a\nitems: \xff\n", ":2:8: not YAML: " },
	{ "word: a\nitems: \1\n", ":2:8: not YAML: control characters" },
	{ "word: [a\n", ":2:1: not YAML: " },
	{ "word: *b\n", ":1:7: an alias" },
};

static void
each_fault_is_named_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(faults); i++) {
		struct thing thing;
		struct reason reason;
		const char *after = reason.text + strlen(path);

		assert_int_not_equal(read_bytes(faults[i].text, strlen(faults[i].text), &thing,
			&reason), 0);
		assert_memory_equal(reason.text, path, strlen(path));
		if (strncmp(after, faults[i].reason, strlen(faults[i].reason)) != 0)
			fail_msg("row %zu: \"%s\", not \"%s\"", i, after, faults[i].reason);
	}
}

static void
a_long_value_and_a_long_place_are_bounded(void **state)
{
	static char text[YAML_TEXT_MAX + 64];
	struct thing thing;
	struct reason reason;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "word: ", 6);
	assert_int_equal(read_bytes(text, 6 + YAML_TEXT_MAX + 1, &thing, &reason),
		STATUS_TOO_LARGE);
	assert_int_equal(read_bytes(text, 6 + YAML_TEXT_MAX, &thing, &reason), STATUS_INVALID);
	memcpy(text, "below: {", 8);
	assert_int_equal(read_bytes(text, 900, &thing, &reason), STATUS_INVALID);
	memcpy(text + 899, "}", 1);
	assert_int_equal(read_bytes(text, 900, &thing, &reason), STATUS_INVALID);
	assert_non_null(strstr(reason.text, "aaa...: unknown key"));
}

static int
refuse(const struct stat *info, struct reason *reason)
{
	return reason_set(reason, STATUS_INVALID, "%lld bytes", (long long)info->st_size);
}

static void
what_is_not_a_good_file_is_refused(void **state)
{
	struct yaml *yaml = NULL;
	struct thing thing;
	struct reason reason;

	(void)state;
	assert_int_equal(yaml_open("/nonexistent/x", 9, take_all, &yaml, &reason),
		STATUS_NOT_FOUND);
	assert_string_equal(reason.text, "/nonexistent/x: No such file or directory");
	assert_int_equal(yaml_open("/dev/null", 9, take_all, &yaml, &reason), STATUS_INVALID);
	assert_string_equal(reason.text, "/dev/null: is not a regular file");
	assert_int_equal(read_bytes("word: a", 7, &thing, &reason), 0);
	assert_int_equal(yaml_open(path, 9, refuse, &yaml, NULL), STATUS_INVALID);
	assert_int_equal(yaml_open(path, 6, take_all, &yaml, NULL), STATUS_TOO_LARGE);
	assert_null(yaml);
	yaml_close(NULL);
}

static int
make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_goes_where_its_row_says),
		cmocka_unit_test(an_empty_file_has_no_keys),
		cmocka_unit_test(each_fault_is_named_with_its_place),
		cmocka_unit_test(a_long_value_and_a_long_place_are_bounded),
		cmocka_unit_test(what_is_not_a_good_file_is_refused),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
