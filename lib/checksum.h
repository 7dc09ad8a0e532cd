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

static inline uint32_t
checksum_crc32c(const uint8_t *data, size_t len)
{
	/* ISA-L takes a pointer to non-const but only reads */
	return ~crc32_iscsi((unsigned char *)(uintptr_t)data, (int)len, 0xffffffffu);
}
