/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Preloaded into a program (support/malloc_shim.py): fails allocations by number. What to fail
 * and how many there were stands in a file that the test maps too, so that it may change its
 * mind while the program runs. With LIVEZONE_SHIM_OBJECTS, a list of names divided by colons,
 * only calls that come from these libraries are counted; those that libc makes count for who
 * called libc.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#define OBJECTS_MAX 128
#define OBJECTS_TEXT_MAX 512
#define FRAMES_MAX 12

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

/* The file. Calls are counted while `until` is not 0; of those from <= n < until fails one in
 * `one_in`, by chance. */
struct control {
	_Atomic uint64_t calls, from, until, failed, one_in;
};

enum kind {
	KIND_OTHER,
	KIND_COUNTED,
	KIND_LIBC, /* who called it? */
};

struct object {
	uintptr_t start, end;
	enum kind kind;
};

static struct control *control;
static char objects_text[OBJECTS_TEXT_MAX];
/* Two tables: one is read while the other is made; an object is never unloaded here. */
static struct object table[2][OBJECTS_MAX];
static _Atomic unsigned current, count[2];
static atomic_flag is_making = ATOMIC_FLAG_INIT;
static __thread bool is_inside __attribute__((tls_model("initial-exec")));

static __attribute__((constructor)) void
open_control(void)
{
	const char *path = getenv("LIVEZONE_SHIM_CONTROL");
	const char *objects = getenv("LIVEZONE_SHIM_OBJECTS");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	if (objects && strlen(objects) < sizeof(objects_text))
		strcpy(objects_text, objects);
	map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		control = map;
}

static bool
begins_with_one_of(const char *base)
{
	for (const char *at = objects_text; *at;) {
		size_t len = strcspn(at, ":");

		if (len > 0 && strncmp(base, at, len) == 0)
			return true;
		at += len + (at[len] == ':');
	}
	return false;
}

static enum kind
kind_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;

	if (begins_with_one_of(base))
		return KIND_COUNTED;
	if (strncmp(base, "libc.so", 7) == 0 || strncmp(base, "ld-linux", 8) == 0
		|| strncmp(base, "shim_malloc", 11) == 0)
		return KIND_LIBC;
	return KIND_OTHER;
}

static int
add_object(struct dl_phdr_info *info, size_t size, void *context)
{
	unsigned which = *(unsigned *)context;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		unsigned n = atomic_load(&count[which]);

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X) || n == OBJECTS_MAX)
			continue;
		table[which][n] = (struct object){ info->dlpi_addr + part->p_vaddr,
			info->dlpi_addr + part->p_vaddr + part->p_memsz,
			kind_of(info->dlpi_name) };
		atomic_store(&count[which], n + 1);
	}
	return 0;
}

static bool
look_up(uintptr_t address, enum kind *out)
{
	unsigned which = atomic_load(&current);

	for (unsigned i = 0; i < atomic_load(&count[which]); i++) {
		const struct object *object = &table[which][i];

		if (address < object->start || address >= object->end)
			continue;
		*out = object->kind;
		return true;
	}
	return false;
}

static enum kind
kind_at(uintptr_t address)
{
	enum kind kind = KIND_OTHER;
	unsigned other;

	if (look_up(address, &kind) || atomic_flag_test_and_set(&is_making))
		return kind;
	other = !atomic_load(&current);
	atomic_store(&count[other], 0);
	dl_iterate_phdr(add_object, &other);
	atomic_store(&current, other);
	atomic_flag_clear(&is_making);
	look_up(address, &kind);
	return kind;
}

struct walk {
	unsigned frames;
	enum kind kind;
};

static _Unwind_Reason_Code
visit(struct _Unwind_Context *context, void *argument)
{
	struct walk *walk = argument;

	walk->kind = kind_at((uintptr_t)_Unwind_GetIP(context));
	return walk->kind != KIND_LIBC || ++walk->frames == FRAMES_MAX ? _URC_END_OF_STACK
								     : _URC_NO_REASON;
}

static bool
is_counted(const void *caller)
{
	struct walk walk = { 0, KIND_OTHER };

	if (!objects_text[0])
		return true;
	walk.kind = kind_at((uintptr_t)caller);
	if (walk.kind == KIND_LIBC)
		_Unwind_Backtrace(visit, &walk);
	return walk.kind == KIND_COUNTED;
}

/* splitmix64's last step: which numbers fail is the same in each run. */
static uint64_t
spread(uint64_t n)
{
	n += 0x9e3779b97f4a7c15u;
	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9u;
	n = (n ^ n >> 27) * 0x94d049bb133111ebu;
	return n ^ n >> 31;
}

static bool
must_fail(const void *caller)
{
	int error = errno;
	uint64_t n;
	bool counts;

	if (!control || is_inside || atomic_load(&control->until) == 0)
		return false;
	is_inside = true;
	counts = is_counted(caller);
	is_inside = false;
	errno = error;
	if (!counts)
		return false;
	n = atomic_fetch_add(&control->calls, 1) + 1;
	if (n < atomic_load(&control->from) || n >= atomic_load(&control->until)
		|| spread(n) % atomic_load(&control->one_in) != 0)
		return false;
	atomic_fetch_add(&control->failed, 1);
	errno = ENOMEM;
	return true;
}

#define CALLER __builtin_return_address(0)

void *
malloc(size_t size)
{
	return must_fail(CALLER) ? NULL : __libc_malloc(size);
}

void *
calloc(size_t members, size_t size)
{
	return must_fail(CALLER) ? NULL : __libc_calloc(members, size);
}

void *
realloc(void *memory, size_t size)
{
	return must_fail(CALLER) ? NULL : __libc_realloc(memory, size);
}

void *
reallocarray(void *memory, size_t members, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(members, size, &all) || must_fail(CALLER)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(memory, all);
}

void *
memalign(size_t alignment, size_t size)
{
	return must_fail(CALLER) ? NULL : __libc_memalign(alignment, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return must_fail(CALLER) ? NULL : __libc_memalign(alignment, size);
}

int
posix_memalign(void **out, size_t alignment, size_t size)
{
	void *memory = must_fail(CALLER) ? NULL : __libc_memalign(alignment, size);

	if (!memory)
		return ENOMEM;
	*out = memory;
	return 0;
}
