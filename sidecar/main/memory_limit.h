/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The memory limit of the control groups that this process is in, version 1 and 2.
 */
#pragma once

#include <stdint.h>

#define MEMORY_LIMIT_ROOT "/sys/fs/cgroup"
#define MEMORY_LIMIT_GROUPS "/proc/self/cgroup"

/* The least of the groups and of all above them, in bytes; UINT64_MAX when there is none, or
 * nothing that says so. `root` is where the hierarchies are mounted, `groups` the file that
 * names the groups. */
uint64_t memory_limit_read(const char *root, const char *groups);
