/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * CRC32C (Castagnoli, RFC 3720 appendix B.4) of stored values, by ISA-L, which uses the
 * processor's instruction where there is one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <isa-l/crc.h>

/* Of two pieces, as if one stood behind the other. ISA-L takes pointers to non-const but
 * only reads. */
static inline uint32_t
checksum_crc32c_two(const uint8_t *first, size_t first_len, const uint8_t *second,
	size_t second_len)
{
	uint32_t raw = crc32_iscsi((unsigned char *)(uintptr_t)first, (int)first_len,
		0xffffffffu);

	return ~crc32_iscsi((unsigned char *)(uintptr_t)second, (int)second_len, raw);
}

/* Of two pieces and the border between them: where the first ends matters, too. */
static inline uint32_t
checksum_crc32c_pair(const uint8_t *first, size_t first_len, const uint8_t *second,
	size_t second_len)
{
	uint32_t raw = crc32_iscsi((unsigned char *)(uintptr_t)first, (int)first_len,
		0xffffffffu ^ (uint32_t)first_len);

	return ~crc32_iscsi((unsigned char *)(uintptr_t)second, (int)second_len, raw);
}

static inline uint32_t
checksum_crc32c(const uint8_t *data, size_t len)
{
	return ~crc32_iscsi((unsigned char *)(uintptr_t)data, (int)len, 0xffffffffu);
}

/* Of a stream, piece by piece: begins with 0xffffffff, and ~ of it is the checksum so far. */
static inline uint32_t
checksum_crc32c_more(uint32_t raw, const char *data, size_t len)
{
	return crc32_iscsi((unsigned char *)(uintptr_t)data, (int)len, raw);
}
