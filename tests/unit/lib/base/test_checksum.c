/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include "lib/base/checksum.h"

static uint8_t bytes[700];

/* Bit by bit. */
static uint32_t
slow(uint32_t raw, const uint8_t *data, size_t len)
{
	for (; len > 0; len--) {
		raw ^= *data++;
		for (int bit = 0; bit < 8; bit++)
			raw = raw >> 1 ^ (raw & 1 ? 0x82f63b78u : 0);
	}
	return raw;
}

static void
known_answers_are_given(void **state)
{
	uint8_t zeros[32] = { 0 }, ones[32];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	/* RFC 3720 appendix B.4 */
	assert_int_equal(checksum_crc32c(zeros, sizeof(zeros)), 0x8a9136aau);
	assert_int_equal(checksum_crc32c(ones, sizeof(ones)), 0x62a8ab43u);
	assert_int_equal(checksum_crc32c((const uint8_t *)"123456789", 9), 0xe3069283u);
}

static void
every_length_and_alignment_gives_the_same_as_bit_by_bit(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i + 7 * i);
	for (size_t len = 0; len <= sizeof(bytes) - 8; len++) {
		const uint8_t *at = bytes + len % 8;

		assert_int_equal(checksum_crc32c(at, len), ~slow(0xffffffffu, at, len));
		assert_int_equal(checksum_crc32c_two(at, len / 3, at + len / 3, len - len / 3),
			checksum_crc32c(at, len));
	}
}

static void
a_pair_is_told_from_another_border(void **state)
{
	(void)state;
	for (size_t border = 0; border < 40; border++)
		for (size_t other = 0; other < border; other++)
			assert_int_not_equal(
				checksum_crc32c_pair(bytes, border, bytes + border, 40 - border),
				checksum_crc32c_pair(bytes, other, bytes + other, 40 - other));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers_are_given),
		cmocka_unit_test(every_length_and_alignment_gives_the_same_as_bit_by_bit),
		cmocka_unit_test(a_pair_is_told_from_another_border),
	};

	return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}
