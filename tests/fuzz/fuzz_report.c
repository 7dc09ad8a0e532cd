/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A report file of the module (lib/report/report.h): what is read is written again and read as the
 * same.
 */
#include "lib/report/report.h"

#include "lib/base/status.h"
#include "tests/fuzz/fuzz_file.h"

#define TEXT_MAX 4096

static const char *directory;
static char path[FUZZ_PATH_MAX + 32];

static void
write_input(const uint8_t *data, size_t size)
{
	FILE *file = fuzz_must(fopen(path, "wb"));

	if (size > 0 && fwrite(data, 1, size, file) != size)
		abort();
	fclose(file);
}

static size_t
text_length(const char *text, size_t room)
{
	size_t len = strnlen(text, room);

	FUZZ_CHECK(len < room);
	return len;
}

#define CHECK_TEXT(report, member) \
	text_length((report)->member, sizeof((report)->member))

static void
check_report(void *context, const struct report *report)
{
	unsigned *count = context;

	++*count;
	FUZZ_CHECK(report->pid == getpid() && report->zone_count <= REPORT_ZONES_MAX);
	CHECK_TEXT(report, unbound);
	CHECK_TEXT(report, store);
	CHECK_TEXT(report, store_reason);
	CHECK_TEXT(report, serve_instance);
	for (size_t i = 0; i < report->zone_count; i++)
		CHECK_TEXT(&report->zone[i], name);
}

/* The file that the report makes. */
static size_t
write_again(const struct report *report, char *out)
{
	FILE *file;
	size_t len;

	FUZZ_CHECK(report_write(directory, report, NULL) == STATUS_OK);
	file = fuzz_must(fopen(path, "rb"));
	len = fread(out, 1, TEXT_MAX, file);
	fclose(file);
	return len;
}

static void
copy_text(void *context, const struct report *report)
{
	static char first[TEXT_MAX];
	char *second = context;
	size_t len = write_again(report, first);

	memcpy(second, first, len);
	second[len < TEXT_MAX ? len : TEXT_MAX - 1] = '\0';
}

static void
remove_directory(void)
{
	unlink(path);
	rmdir(directory);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char first[TEXT_MAX], second[TEXT_MAX];
	unsigned count = 0;

	if (!directory) {
		directory = fuzz_directory();
		snprintf(path, sizeof(path), "%s/unbound-%d.report", directory,
			(int)getpid());
		atexit(remove_directory);
	}
	write_input(data, size);
	FUZZ_CHECK(report_read_all(directory, check_report, &count, NULL) == STATUS_OK);
	FUZZ_CHECK(count <= 1);
	if (count == 0 || size >= TEXT_MAX / 2)
		return 0;
	first[0] = second[0] = '\0';
	FUZZ_CHECK(report_read_all(directory, copy_text, first, NULL) == STATUS_OK);
	FUZZ_CHECK(report_read_all(directory, copy_text, second, NULL) == STATUS_OK);
	FUZZ_CHECK(first[0] != '\0' && strcmp(first, second) == 0);
	return 0;
}
