/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Lines of a backup (sidecar/journal/backup_lines.h), divided by newlines. A line that does not end in
 * a seal gets the right one, so that what stands behind it is read; one that does is taken as
 * it is.
 */
#include "lib/base/backup_line.h"

#include "lib/base/status.h"
#include "sidecar/journal/backup_lines.h"
#include "tests/fuzz/fuzz.h"

static int
see_record(void *context, struct json_value object, struct reason *reason)
{
	uint64_t *count = context;

	(void)reason;
	FUZZ_CHECK(object.len > 0);
	++*count;
	return 0;
}

/* The line as it would have been written, when it has no seal: the last brace goes, and the
 * seal has one. */
static size_t
complete(uint32_t chain, const uint8_t *line, size_t len, char *out)
{
	static const char member[] = ",\"crc\":\"";
	char end[BACKUP_LINE_SEAL + 2];

	memcpy(out, line, len);
	if (len == 0 || line[len - 1] != '}'
		|| (len >= BACKUP_LINE_SEAL
			&& memcmp(line + len - BACKUP_LINE_SEAL, member, sizeof(member) - 1)
				== 0))
		return len;
	backup_line_seal(&chain, out, len - 1, end);
	memcpy(out + len - 1, end, BACKUP_LINE_SEAL);
	return len - 1 + BACKUP_LINE_SEAL;
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
		char *line = fuzz_must(malloc(len + BACKUP_LINE_SEAL + 1));
		size_t full = complete(lines.line ? lines.chain : BACKUP_LINE_FIRST, data, len,
			line);

		status = backup_lines_take(&lines, line, full, &reason);
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
