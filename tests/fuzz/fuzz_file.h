/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * For targets whose code reads a file by its path: a file and a directory in memory where
 * there is such a place, made once for each process.
 */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define FUZZ_PATH_MAX 64

/* Writes the input into the one memory file of the process; its path. */
static inline const char *
fuzz_file(const uint8_t *data, size_t size)
{
	static char path[FUZZ_PATH_MAX];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		if (fd < 0 || fchmod(fd, 0600) != 0)
			abort();
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	return path;
}

/* A new directory; the caller empties and removes it. */
static inline const char *
fuzz_directory(void)
{
	static char path[FUZZ_PATH_MAX];

	snprintf(path, sizeof(path), "%s/livezone-fuzz-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(path))
		abort();
	return path;
}
