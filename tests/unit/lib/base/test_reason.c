/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/reason.h"
#include "lib/base/status.h"

static const struct {
	int code;
	int status;
} codes[] = {
	{ ENOENT, STATUS_NOT_FOUND },
	{ ENOSPC, STATUS_FULL },
	{ EDQUOT, STATUS_FULL },
	{ EAGAIN, STATUS_UNAVAILABLE },
	{ EROFS, STATUS_UNAVAILABLE },
	{ ENOMEM, STATUS_NO_MEMORY },
	{ EACCES, STATUS_IO },
	{ EIO, STATUS_IO },
};

static void
errno_has_a_status_and_a_text(void **state)
{
	struct reason reason;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		assert_int_equal(reason_errno(&reason, codes[i].code, "/a"), codes[i].status);
		assert_int_equal(strncmp(reason.text, "/a: ", 4), 0);
		assert_string_equal(reason.text + 4, strerror(codes[i].code));
		assert_int_equal(reason_errno(NULL, codes[i].code, "/a"), codes[i].status);
	}
}

static void
context_goes_in_front(void **state)
{
	struct reason reason;

	(void)state;
	assert_int_equal(reason_set(&reason, STATUS_FULL, "no %s", "room"), STATUS_FULL);
	assert_int_equal(reason_prefix(&reason, STATUS_IO, "state"), STATUS_IO);
	assert_string_equal(reason.text, "state: no room");
	assert_int_equal(reason_prefix(NULL, STATUS_IO, "state"), STATUS_IO);
}

static void
an_excerpt_is_short_and_printable(void **state)
{
	char text[REASON_EXCERPT_MAX + 2], out[REASON_EXCERPT_SIZE];

	(void)state;
	reason_excerpt("a\n\xff", out);
	assert_string_equal(out, "a\\010\\255");
	memset(text, '\1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	reason_excerpt(text, out);
	assert_int_equal(strlen(out), REASON_EXCERPT_SIZE - 1);
	assert_string_equal(out + strlen(out) - 4, "1...");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errno_has_a_status_and_a_text),
		cmocka_unit_test(context_goes_in_front),
		cmocka_unit_test(an_excerpt_is_short_and_printable),
	};

	return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
