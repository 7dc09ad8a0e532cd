/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/report/report.h"
#include "lib/base/status.h"

static const struct identity model = {
	.pid = 7,
	.pid_namespace = 4026531836,
	.boot_id = "c0ffee00-0000-4000-8000-000000000001",
	.lmdb = "0.9.24",
	.libc = "glibc 2.36",
	.mutex_size = 40,
};

static struct identity
with_lmdb(const char *lmdb)
{
	struct identity side = model;

	snprintf(side.lmdb, sizeof(side.lmdb), "%s", lmdb);
	return side;
}

static struct identity
with_libc(const char *libc, unsigned mutex_size)
{
	struct identity side = model;

	snprintf(side.libc, sizeof(side.libc), "%s", libc);
	side.mutex_size = mutex_size;
	return side;
}

static struct identity
with_pid(uint64_t pid, uint64_t pid_namespace, const char *boot_id)
{
	struct identity side = model;

	side.pid = pid;
	side.pid_namespace = pid_namespace;
	snprintf(side.boot_id, sizeof(side.boot_id), "%s", boot_id);
	return side;
}

static void
sides_are_told_apart(void **state)
{
	const struct {
		struct identity other;
		enum identity_verdict verdict;
		const char *says;
	} rows[] = {
		{ model, IDENTITY_FITS, "" },
		{ with_lmdb("0.9.31"), IDENTITY_FITS, "" },
		{ with_lmdb("0.9.70"), IDENTITY_DIFFERS, "liblmdb 0.9.70" },
		{ with_lmdb("1.0.0"), IDENTITY_DIFFERS, "liblmdb 1.0.0" },
		{ with_lmdb(""), IDENTITY_FITS, "" },
		{ with_lmdb("garbage"), IDENTITY_FITS, "" },
		{ with_libc("glibc 2.41", 40), IDENTITY_FITS, "" },
		{ with_libc("musl 1.2.5", 40), IDENTITY_DIFFERS, "musl 1.2.5" },
		{ with_libc("glib 2.36", 40), IDENTITY_DIFFERS, "glib 2.36" },
		{ with_libc("glibc 2.36", 48), IDENTITY_DIFFERS, "48 bytes" },
		{ with_libc("", 0), IDENTITY_FITS, "" },
		{ with_pid(7, 4026532000, model.boot_id), IDENTITY_SHARES_PID, "process id 7" },
		{ with_pid(8, 4026532000, model.boot_id), IDENTITY_FITS, "" },
		/* a file of another boot: nobody runs there */
		{ with_pid(7, 4026532000, "another"), IDENTITY_FITS, "" },
		/* no /proc on one side */
		{ with_pid(7, 0, model.boot_id), IDENTITY_FITS, "" },
		{ with_pid(7, 4026532000, ""), IDENTITY_FITS, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct reason reason = { "" };

		assert_int_equal(
			report_identity_compare(&model, &rows[i].other, &reason), rows[i].verdict);
		assert_non_null(strstr(reason.text, rows[i].says));
		assert_int_equal(
			report_identity_compare(&rows[i].other, &model, &reason), rows[i].verdict);
	}
}

static void
this_process_is_known_and_fits_itself(void **state)
{
	struct identity own;

	(void)state;
	report_identity_init(&own);
	assert_int_equal(own.pid, getpid());
	assert_true(own.pid_namespace > 0);
	assert_int_equal(strlen(own.boot_id), CLOCK_BOOT_TEXT_SIZE - 1);
	assert_int_equal(strncmp(own.lmdb, "0.9.", 4), 0);
	assert_true(own.libc[0] && own.mutex_size > 0);
	assert_int_equal(report_identity_compare(&own, &own, NULL), IDENTITY_FITS);
}

static void
what_is_written_is_read_and_garbage_is_not(void **state)
{
	char dir[] = "/tmp/livezone-side-XXXXXX", path[64];
	struct identity side;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/livezoned.identity", dir);
	assert_int_equal(report_identity_read(dir, &side, NULL), STATUS_NOT_FOUND);
	assert_int_equal(report_identity_write(dir, &model, NULL), 0);
	assert_int_equal(report_identity_write(dir, &model, NULL), 0);
	assert_int_equal(report_identity_read(dir, &side, NULL), 0);
	assert_int_equal(side.pid, model.pid);
	assert_int_equal(side.pid_namespace, model.pid_namespace);
	assert_int_equal(side.mutex_size, model.mutex_size);
	assert_string_equal(side.boot_id, model.boot_id);
	assert_string_equal(side.lmdb, model.lmdb);
	assert_string_equal(side.libc, model.libc);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("livezone-identity 2\npid 1\n", file);
	fclose(file);
	assert_int_equal(report_identity_read(dir, &side, NULL), STATUS_FOREIGN);
	unlink(path);
	rmdir(dir);
	assert_int_equal(report_identity_write(dir, &model, NULL), STATUS_NOT_FOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sides_are_told_apart),
		cmocka_unit_test(this_process_is_known_and_fits_itself),
		cmocka_unit_test(what_is_written_is_read_and_garbage_is_not),
	};

	return cmocka_run_group_tests_name("side", tests, NULL, NULL);
}
