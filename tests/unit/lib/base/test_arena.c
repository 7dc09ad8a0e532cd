/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include "lib/base/arena.h"

static void
test_memory_is_aligned_and_kept(void **state)
{
	struct arena arena = { 0 };
	uint8_t *block[2000];
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(block); i++) {
		block[i] = arena_alloc(&arena, 1 + i % 97);
		assert_non_null(block[i]);
		assert_int_equal((uintptr_t)block[i] % 8, 0);
		memset(block[i], (int)(i & 0xff), 1 + i % 97);
	}
	for (i = 0; i < UNIT_COUNT(block); i++)
		assert_int_equal(block[i][i % 97], i & 0xff);
	assert_true(arena.total > UNIT_COUNT(block) * 48);
	arena_done(&arena);
	assert_null(arena.chunk);
	assert_int_equal(arena.total, 0);
}

static void
test_what_is_larger_than_a_chunk_fits(void **state)
{
	struct arena arena = { 0 };
	uint8_t *large = arena_alloc(&arena, 3 << 20);

	(void)state;
	assert_non_null(large);
	memset(large, 1, 3 << 20);
	assert_string_equal(arena_copy(&arena, "after", 6), "after");
	assert_null(arena_alloc(&arena, SIZE_MAX - 3));
	arena_done(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_is_aligned_and_kept),
		cmocka_unit_test(test_what_is_larger_than_a_chunk_fits),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
