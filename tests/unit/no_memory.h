/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * For test_no_memory.c: this program's own malloc and friends, which fail when they are told
 * to, for every library that it uses, and which count what is allocated.
 */
#pragma once

#include <stdbool.h>

/* Tries what may run out of memory: 0 when all went well, and then nothing of it is left
 * allocated; otherwise a negative status. */
typedef int (*no_memory_fn)(void *context);

/* Calls fn with its n-th allocation failing, for n = 1, 2, ... until there are not so many.
 * With `length` 1 that allocation alone fails, with more so many in a row. A call may fail
 * with STATUS_NO_MEMORY, or with `also` (0: with nothing else), and must leave no memory
 * allocated whatever happened. Returns the n that was enough. */
unsigned no_memory_enumerate(no_memory_fn fn, void *context, unsigned length, int also);

/* False where a sanitizer has a malloc that cannot be stood in front of. */
bool no_memory_is_possible(void);
