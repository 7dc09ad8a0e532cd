/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Preloaded: the machine has pages of 16 KiB, as far as LMDB can tell.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

long
sysconf(int name)
{
	static long (*real)(int);

	if (name == _SC_PAGESIZE)
		return 16384;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sysconf");
	return real(name);
}
