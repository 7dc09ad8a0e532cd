/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * malloc and its friends of this program. A function of the executable stands in front of
 * libc's for all libraries, and in front of that of gcc's AddressSanitizer, to which it goes on.
 */
#include "tests/unit/no_memory.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/status.h"
#include "tests/unit/unit.h"

#define FRAMES_MAX 16
#define CALLS_MAX 100000 /* of one fn: more is a test that does not end */

#if defined(__clang__) && defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_IMPOSSIBLE
#endif
#endif
#ifdef __SANITIZE_THREAD__ /* calls malloc before it can be called */
#define IS_IMPOSSIBLE
#endif

#ifndef IS_IMPOSSIBLE

#ifdef __SANITIZE_ADDRESS__
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

#define EXPORT __attribute__((visibility("default")))

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *memory, size_t size);
void *REAL(memalign)(size_t alignment, size_t size);
void REAL(free)(void *memory);

static atomic_ulong calls, from, until; /* calls from <= n < until fail */
static atomic_long live;
static void *frames[FRAMES_MAX]; /* of the call that failed first */
static int frame_count;

/* For a debugger: `break refuse`, `ignore 1 <n - 1>`. */
static __attribute__((noinline)) bool
refuse(void)
{
	if (frame_count == 0)
		frame_count = backtrace(frames, FRAMES_MAX);
	errno = ENOMEM;
	return true;
}

static bool
must_fail(void)
{
	unsigned long n;

	if (atomic_load(&until) == 0)
		return false;
	n = atomic_fetch_add(&calls, 1) + 1;
	return n >= atomic_load(&from) && n < atomic_load(&until) && refuse();
}

static void *
count(void *memory)
{
	if (memory)
		atomic_fetch_add(&live, 1);
	return memory;
}

EXPORT void *
malloc(size_t size)
{
	return must_fail() ? NULL : count(REAL(malloc)(size));
}

EXPORT void *
calloc(size_t members, size_t size)
{
	return must_fail() ? NULL : count(REAL(calloc)(members, size));
}

EXPORT void *
realloc(void *memory, size_t size)
{
	void *now;

	if (must_fail())
		return NULL;
	now = REAL(realloc)(memory, size);
	if (!memory)
		count(now);
	else if (size == 0 && !now)
		atomic_fetch_sub(&live, 1);
	return now;
}

EXPORT void *
reallocarray(void *memory, size_t members, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(members, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(memory, all);
}

EXPORT void *
memalign(size_t alignment, size_t size)
{
	return must_fail() ? NULL : count(REAL(memalign)(alignment, size));
}

EXPORT void *
aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

EXPORT int
posix_memalign(void **out, size_t alignment, size_t size)
{
	void *memory = memalign(alignment, size);

	if (!memory)
		return ENOMEM;
	*out = memory;
	return 0;
}

/* AddressSanitizer's own take their memory from behind the functions above. */
EXPORT char *
strndup(const char *text, size_t max)
{
	size_t len = strnlen(text, max);
	char *copy = malloc(len + 1);

	if (copy) {
		memcpy(copy, text, len);
		copy[len] = '\0';
	}
	return copy;
}

EXPORT char *
strdup(const char *text)
{
	return strndup(text, strlen(text));
}

char *__strdup(const char *text);

EXPORT char *
__strdup(const char *text)
{
	return strdup(text);
}

#ifdef __SANITIZE_ADDRESS__
const char *__lsan_default_suppressions(void);

/* What libldns and ld.so lose when they get no memory. */
EXPORT const char *
__lsan_default_suppressions(void)
{
	return "leak:libldns\nleak:_dl_map_object_deps\n";
}
#endif

EXPORT void
free(void *memory)
{
	if (memory)
		atomic_fetch_sub(&live, 1);
	REAL(free)(memory);
}

bool
no_memory_is_possible(void)
{
	return true;
}

/* libldns loses what it was about to add to a record that it has no memory for, and does not
 * always say so: the record is refused as one with too few fields. */
static bool
is_of_ldns(void)
{
	Dl_info info;

	for (int i = 0; i < frame_count; i++)
		if (dladdr(frames[i], &info) && strstr(info.dli_fname, "libldns"))
			return true;
	return false;
}

static void
arm(unsigned long n, unsigned length)
{
	frame_count = 0;
	atomic_store(&calls, 0);
	atomic_store(&from, n);
	atomic_store(&until, n + length);
}

/* Was some call made to fail? */
static bool
disarm(void)
{
	atomic_store(&until, 0);
	return atomic_load(&calls) >= atomic_load(&from);
}

unsigned
no_memory_enumerate(no_memory_fn fn, void *context, unsigned length, int also)
{
	/* what libraries make once and keep is not ours to count */
	backtrace(frames, FRAMES_MAX);
	assert_int_equal(fn(context), STATUS_OK);
	for (unsigned n = 1; n < CALLS_MAX; n++) {
		long before = atomic_load(&live), after;
		bool has_failed;
		int status;

		arm(n, length);
		status = fn(context);
		has_failed = disarm();
		after = atomic_load(&live);
		if (after != before && !is_of_ldns())
			fail_msg("allocation %u fails: %ld more are left (status %d)", n,
				after - before, status);
		if (!has_failed) {
			assert_int_equal(status, STATUS_OK);
			return n - 1;
		}
		if (status != STATUS_OK && status != STATUS_NO_MEMORY
			&& (also == 0 || status != also) && !is_of_ldns())
			fail_msg("allocation %u fails: status %d", n, status);
	}
	fail_msg("no end after %d allocations", CALLS_MAX);
	return 0;
}

#else

bool
no_memory_is_possible(void)
{
	return false;
}

unsigned
no_memory_enumerate(no_memory_fn fn, void *context, unsigned length, int also)
{
	(void)fn, (void)context, (void)length, (void)also;
	return 0;
}

#endif
