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

#include "sidecar/write/credentials.h"
#include "lib/base/status.h"

#define HASH "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define OTHER "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"

static const struct {
	const char *text;
	const char *says; /* NULL: good */
} files[] = {
	{ "tokens: []\n", NULL },
	{ "tokens:\n - {id: a, sha256: " HASH
	  ", zones: [a.test], verbs: [read, write]}\n",
		NULL },
	{ "tokens:\n - {id: a, sha256: " HASH ", zones: [.], verbs: [admin, redirect],\n"
	  "    expires: '2027-01-01T00:00:00Z'}\n",
		NULL },
	{ "", "" },
	{ "token: []\n", "token" },
	{ "tokens:\n - {id: a, sha256: " HASH
	  ", zones: [a.test], verbs: [read], more: 1}\n",
		"more" },
	{ "tokens:\n - {id: a, zones: [a.test], verbs: [read]}\n", "sha256" },
	{ "tokens:\n - {id: a, sha256: abc, zones: [a.test], verbs: [read]}\n",
		":2:12: tokens[0].sha256: 64" },
	{ "tokens:\n - {id: a, sha256: " HASH ", zones: [a..test], verbs: [read]}\n",
		"tokens[0].zones[0]: " },
	{ "tokens:\n - {id: a, sha256: " HASH ", zones: [a.test], verbs: [read, fly]}\n",
		"tokens[0].verbs[1]: \"fly\"" },
	{ "tokens:\n - {id: a, sha256: " HASH ", zones: [], verbs: [read]}\n", "" },
	{ "tokens:\n - {id: a, sha256: " HASH ", zones: [a.test], verbs: [read],"
	  " expires: soon}\n",
		"tokens[0].expires: bad time" },
	{ "tokens:\n - {id: a, sha256: " HASH ", zones: [a.test], verbs: [read]}\n"
	  " - {id: a, sha256: " OTHER ", zones: [a.test], verbs: [read]}\n",
		"tokens[1].id: \"a\" is the id of" },
	{ "tokens:\n - {id: a, sha256: " HASH ", zones: [a.test], verbs: [read]}\n"
	  " - {id: b, sha256: " HASH ", zones: [a.test], verbs: [read]}\n",
		"tokens[1].sha256: the same token" },
	{ "tokens:\n - &a {id: a, sha256: " HASH
	  ", zones: [a.test], verbs: [read]}\n - *a\n",
		"" },
	{ "{", "" },
};

static char path[] = "/tmp/livezone-test-XXXXXX";

static void
write_file(const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static void
test_files_are_read_whole_or_not_at_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct credentials *credentials = NULL;
		struct reason reason = { "" };
		int status;

		write_file(files[i].text, 0640);
		status = credentials_read(path, &credentials, &reason);
		if (!files[i].says) {
			if (status)
				fail_msg("%s: %s", files[i].text, reason.text);
			credentials_free(credentials);
			continue;
		}
		assert_int_not_equal(status, 0);
		assert_null(credentials);
		assert_int_equal(strncmp(reason.text, path, strlen(path)), 0);
		if (!strstr(reason.text, files[i].says))
			fail_msg("%s: %s", files[i].text, reason.text);
	}
}

static void
test_a_row_comes_out_as_it_was_written(void **state)
{
	struct credentials *credentials;
	const struct credential *row;
	struct reason reason;

	(void)state;
	write_file(files[2].text, 0600);
	assert_int_equal(credentials_read(path, &credentials, &reason), 0);
	assert_int_equal(credentials->count, 1);
	row = &credentials->credential[0];
	assert_string_equal(row->id, "a");
	assert_int_equal(row->verbs, CREDENTIALS_ADMIN | CREDENTIALS_REDIRECT);
	assert_int_equal(row->expires_ms, 1798761600000);
	assert_int_equal(row->zone_count, 1);
	assert_int_equal(row->zone[0].len, 0);
	assert_int_equal(row->hash[0], 0x9f);
	assert_int_equal(row->hash[31], 0x08);
	credentials_free(credentials);
}

static void
test_a_file_open_to_every_user_is_refused(void **state)
{
	static const mode_t modes[] = { 0644, 0642, 0641, 0604 };

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct credentials *credentials = NULL;
		struct reason reason;

		write_file(files[0].text, modes[i]);
		assert_int_equal(
			credentials_read(path, &credentials, &reason), STATUS_INVALID);
		assert_non_null(strstr(reason.text, "open to every user"));
	}
}

static void
test_what_is_not_a_file_is_refused(void **state)
{
	struct credentials *credentials = NULL;
	struct reason reason;

	(void)state;
	assert_int_equal(credentials_read("/tmp/livezone-none", &credentials, &reason),
		STATUS_NOT_FOUND);
	assert_int_equal(
		credentials_read("/dev/null", &credentials, &reason), STATUS_INVALID);
	assert_non_null(strstr(reason.text, "not a regular file"));
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
		cmocka_unit_test(test_files_are_read_whole_or_not_at_all),
		cmocka_unit_test(test_a_row_comes_out_as_it_was_written),
		cmocka_unit_test(test_a_file_open_to_every_user_is_refused),
		cmocka_unit_test(test_what_is_not_a_file_is_refused),
	};

	return cmocka_run_group_tests_name("credentials", tests, make_file, remove_file);
}
