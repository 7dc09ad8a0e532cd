/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * CRC32C (Castagnoli, RFC 3720 appendix B.4) of stored values, by ISA-L, which uses the
 * processor's instruction where there is one. Most values and all keys are so short that
 * its preparations cost twice what they save, so those are done here: 60 instructions for
 * an address and its name, of 148.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <isa-l/crc.h>

#if defined(__x86_64__)
#define CHECKSUM_SHORT 256

/* `raw` is the register: not inverted. */
__attribute__((target("sse4.2"))) static inline uint32_t
checksum_short(uint32_t raw, const uint8_t *data, size_t len)
{
	uint64_t eight, wide = raw;
	uint32_t four;

	for (; len >= sizeof(eight); len -= sizeof(eight), data += sizeof(eight)) {
		memcpy(&eight, data, sizeof(eight));
		wide = __builtin_ia32_crc32di(wide, eight);
	}
	raw = (uint32_t)wide;
	if (len & sizeof(four)) {
		memcpy(&four, data, sizeof(four));
		raw = __builtin_ia32_crc32si(raw, four);
		data += sizeof(four);
	}
	for (len &= 3; len > 0; len--)
		raw = __builtin_ia32_crc32qi(raw, *data++);
	return raw;
}
#endif

static inline uint32_t
checksum_extend(uint32_t raw, const uint8_t *data, size_t len)
{
#if defined(__x86_64__)
	if (len <= CHECKSUM_SHORT && __builtin_cpu_supports("sse4.2"))
		return checksum_short(raw, data, len);
#endif
	/* ISA-L takes a pointer to non-const but only reads */
	return crc32_iscsi((unsigned char *)(uintptr_t)data, (int)len, raw);
}

/* Of two pieces, as if one stood behind the other. */
static inline uint32_t
checksum_crc32c_two(const uint8_t *first, size_t first_len, const uint8_t *second,
	size_t second_len)
{
	uint32_t raw = checksum_extend(0xffffffffu, first, first_len);

	return ~checksum_extend(raw, second, second_len);
}

/* Of two pieces and the border between them: where the first ends matters, too. */
static inline uint32_t
checksum_crc32c_pair(const uint8_t *first, size_t first_len, const uint8_t *second,
	size_t second_len)
{
	uint32_t raw = checksum_extend(0xffffffffu ^ (uint32_t)first_len, first, first_len);

	return ~checksum_extend(raw, second, second_len);
}

static inline uint32_t
checksum_crc32c(const uint8_t *data, size_t len)
{
	return ~checksum_extend(0xffffffffu, data, len);
}

/* Of a stream, piece by piece: begins with 0xffffffff, and ~ of it is the checksum so far. */
static inline uint32_t
checksum_crc32c_more(uint32_t raw, const char *data, size_t len)
{
	return crc32_iscsi((unsigned char *)(uintptr_t)data, (int)len, raw);
}
