/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The input as what follows the head of a journal's segment. Checksums are made right first,
 * so that the code behind them is reached.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/checksum.h"
#include "lib/base/cursor.h"
#include "lib/base/status.h"
#include "sidecar/journal/journal_reader.h"
#include "tests/fuzz/fuzz_file.h"

#define SIZE_MAX_USED (1 << 20)

static void
seal(uint8_t *at, size_t len)
{
	const uint32_t sum = htole32(checksum_crc32c(at + 4, len - 4));

	memcpy(at, &sum, sizeof(sum));
}

static void
write_segment(const char *path, const uint8_t *data, size_t size)
{
	uint8_t *bytes = fuzz_must(calloc(1, JOURNAL_SEGMENT_HEAD + size));
	size_t at = JOURNAL_SEGMENT_HEAD;
	int fd;

	memcpy(bytes + 4, JOURNAL_MAGIC, 4);
	seal(bytes, JOURNAL_SEGMENT_HEAD);
	if (size > 0)
		memcpy(bytes + at, data, size);
	while (size >= JOURNAL_PART_HEAD) {
		struct cursor cursor = cursor_init(bytes + at + 4, 4);
		uint32_t len = cursor_u32(&cursor);

		if (len < JOURNAL_PART_HEAD || len > size)
			break;
		seal(bytes + at, len);
		at += len;
		size -= len;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, bytes, at + size) != (ssize_t)(at + size))
		abort();
	close(fd);
	free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *dir = fuzz_directory();
	struct journal_reader *reader = NULL;
	struct journal_entry entry;
	struct journal_survey survey;
	struct reason reason;
	uint64_t last = 0;
	char path[PATH_MAX];

	if (size > SIZE_MAX_USED)
		return 0;
	snprintf(path, sizeof(path), "%s/journal", dir);
	if (mkdir(path, 0700) != 0)
		abort();
	journal_reader_path(dir, 0, path);
	write_segment(path, data, size);
	FUZZ_CHECK(journal_reader_open(dir, 0, &reader, &reason) == STATUS_OK);
	do {
		FUZZ_CHECK(journal_reader_next(reader, &entry, &reason) == STATUS_OK);
		FUZZ_CHECK(entry.event != JOURNAL_GAP); /* there is no later segment */
		FUZZ_CHECK(entry.revision >= last);
		last = entry.revision;
		if (entry.event == JOURNAL_CHANGE && entry.has_after)
			FUZZ_CHECK(rrset_is_well_formed(entry.after.rrset.rdata,
				entry.after.rrset.rdata_len, entry.after.rrset.count));
	} while (entry.event != JOURNAL_END);
	journal_reader_close(reader);
	FUZZ_CHECK(journal_reader_survey(dir, &survey, &reason) == STATUS_OK);
	FUZZ_CHECK(survey.newest >= last);
	unlink(path);
	snprintf(path, sizeof(path), "%s/journal", dir);
	rmdir(path);
	rmdir(dir);
	return 0;
}
