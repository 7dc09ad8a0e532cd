/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Lines of a backup (sidecar/journal/backup.h), divided by newlines. A trailer gets the right
 * checksum, so that what stands behind it is read.
 */
#include "lib/base/status.h"
#include "sidecar/journal/backup.h"
#include "tests/fuzz/fuzz.h"

#define CRC_MEMBER "\"crc\":\""
#define CRC_DIGITS 8

static int
see_record(void *context, struct json_value object, struct reason *reason)
{
	uint64_t *count = context;

	(void)reason;
	FUZZ_CHECK(object.len > 0);
	++*count;
	return 0;
}

static void
complete(uint32_t checksum, char *line, size_t len)
{
	static const char member[] = CRC_MEMBER;
	char digits[CRC_DIGITS + 1];
	char *at = memmem(line, len, member, sizeof(member) - 1);

	if (!at || line + len - (at + sizeof(member) - 1) < CRC_DIGITS)
		return;
	snprintf(digits, sizeof(digits), "%08x", ~checksum);
	memcpy(at + sizeof(member) - 1, digits, CRC_DIGITS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t count = 0;
	struct backup_lines lines = { .record = see_record, .context = &count };
	struct reason reason = { "" };
	int status = STATUS_OK;

	while (status == STATUS_OK && size > 0) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t len = newline ? (size_t)(newline - data) : size;
		char *line = fuzz_must(malloc(len + 1));

		memcpy(line, data, len);
		complete(lines.checksum, line, len);
		status = backup_lines_take(&lines, line, len, &reason);
		free(line);
		data += newline ? len + 1 : len;
		size -= newline ? len + 1 : len;
	}
	FUZZ_CHECK(status == STATUS_OK || reason.text[0] != '\0');
	FUZZ_CHECK(count == lines.records);
	FUZZ_CHECK(!lines.is_complete || lines.has_header);
	if (lines.has_header)
		FUZZ_CHECK(strlen(lines.instance) == sizeof(lines.instance) - 1);
	reason.text[0] = '\0';
	if (backup_lines_end(&lines, &reason) != STATUS_OK)
		FUZZ_CHECK(reason.text[0] != '\0');
	return 0;
}
