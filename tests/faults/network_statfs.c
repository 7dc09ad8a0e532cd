/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Preloaded: statfs of the directory that NETWORK_DIRECTORY names says NFS. A test has no server
 * of a network file system.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

int
statfs(const char *path, struct statfs *out)
{
	int (*next)(const char *, struct statfs *) =
		(int (*)(const char *, struct statfs *))dlsym(RTLD_NEXT, "statfs");
	const char *directory = getenv("NETWORK_DIRECTORY");
	int code = next(path, out);

	if (code == 0 && directory && strcmp(path, directory) == 0)
		out->f_type = NFS_SUPER_MAGIC;
	return code;
}
