/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Sealing and checking, for livezoned and livezonectl.
 */
#include "lib/base/backup_line.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/checksum.h"

void
backup_line_seal(uint32_t *chain, const char *text, size_t len,
	char out_end[BACKUP_LINE_SEAL + 2])
{
	*chain = checksum_crc32c_more(*chain, text, len);
	snprintf(out_end, BACKUP_LINE_SEAL + 2, ",\"crc\":\"%08x\"}\n", ~*chain);
	*chain = checksum_crc32c_more(*chain, out_end, BACKUP_LINE_SEAL + 1);
}

bool
backup_line_check(uint32_t *chain, const char *line, size_t len)
{
	char end[BACKUP_LINE_SEAL + 2];
	uint32_t next = *chain;

	if (len <= BACKUP_LINE_SEAL || len > BACKUP_LINE_MAX)
		return false;
	backup_line_seal(&next, line, len - BACKUP_LINE_SEAL, end);
	if (memcmp(line + len - BACKUP_LINE_SEAL, end, BACKUP_LINE_SEAL) != 0)
		return false;
	*chain = next;
	return true;
}
