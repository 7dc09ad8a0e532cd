/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/backup_line.h"

/* Three lines, sealed, as they stand in a file. */
struct lines {
	char text[3][64];
	size_t len[3]; /* without the line end */
};

static void
seal(struct lines *out)
{
	static const char *const objects[] = { "{\"a\":1", "{\"b\":\"x\"", "{\"c\":[]" };
	uint32_t chain = BACKUP_LINE_FIRST;

	for (size_t i = 0; i < 3; i++) {
		char end[BACKUP_LINE_SEAL + 2];

		backup_line_seal(&chain, objects[i], strlen(objects[i]), end);
		out->len[i] = (size_t)snprintf(out->text[i], sizeof(out->text[i]), "%s%s",
				      objects[i], end)
			- 1;
		assert_int_equal(out->text[i][out->len[i]], '\n');
	}
}

static void
the_seal_is_the_crc32c_of_all_before_it(void **state)
{
	uint32_t chain = BACKUP_LINE_FIRST;
	char end[BACKUP_LINE_SEAL + 2];

	(void)state;
	/* the check value of CRC-32C, and of it with its seal behind it */
	backup_line_seal(&chain, "123456789", 9, end);
	assert_string_equal(end, ",\"crc\":\"e3069283\"}\n");
	backup_line_seal(&chain, "123456789", 9, end);
	assert_string_equal(end, ",\"crc\":\"f2e7bbc3\"}\n");
}

static void
lines_are_good_in_their_order_only(void **state)
{
	struct lines lines;
	uint32_t chain = BACKUP_LINE_FIRST, before;

	(void)state;
	seal(&lines);
	before = chain;
	assert_false(backup_line_check(&chain, lines.text[1], lines.len[1]));
	assert_int_equal(chain, before);
	assert_true(backup_line_check(&chain, lines.text[0], lines.len[0]));
	assert_false(backup_line_check(&chain, lines.text[0], lines.len[0]));
	assert_false(backup_line_check(&chain, lines.text[2], lines.len[2]));
	assert_true(backup_line_check(&chain, lines.text[1], lines.len[1]));
	assert_true(backup_line_check(&chain, lines.text[2], lines.len[2]));
}

static void
every_changed_byte_and_every_cut_is_found(void **state)
{
	struct lines lines;

	(void)state;
	seal(&lines);
	for (size_t i = 0; i < lines.len[0]; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			uint32_t chain = BACKUP_LINE_FIRST;

			lines.text[0][i] ^= (char)(1u << bit);
			assert_false(backup_line_check(&chain, lines.text[0], lines.len[0]));
			lines.text[0][i] ^= (char)(1u << bit);
			assert_false(backup_line_check(&chain, lines.text[0], i));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_seal_is_the_crc32c_of_all_before_it),
		cmocka_unit_test(lines_are_good_in_their_order_only),
		cmocka_unit_test(every_changed_byte_and_every_cut_is_found),
	};

	return cmocka_run_group_tests_name("backup_line", tests, NULL, NULL);
}
