/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The seal of a backup's lines. A backup is JSON lines; each object's last member is
 *
 *	,"crc":"1a2b3c4d"}
 *
 * the CRC32C of all bytes of the backup before this member, seals and line ends of the
 * lines above included. So the first line that fails says where the damage begins, and a
 * line that is missing, doubled or in another place is damage, too. No state, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKUP_LINE_SEAL 18          /* bytes, the closing brace included */
#define BACKUP_LINE_MAX (1024 * 1024) /* 64 KiB of rdata, five bytes for each octet at most */

#define BACKUP_LINE_FIRST 0xffffffffu /* what a chain, the checksum so far, begins as */

/* The end of a line: `text` is the object without its closing brace. Writes the seal and a
 * line end, BACKUP_LINE_SEAL + 1 bytes and a NUL. */
void backup_line_seal(uint32_t *chain, const char *text, size_t len,
	char out_end[BACKUP_LINE_SEAL + 2]);

/* Is the line, without its line end, what was sealed, and the next after those before it?
 * The chain moves on only then. */
bool backup_line_check(uint32_t *chain, const char *line, size_t len);
