/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What livezoned may use: whether the stores can be kept where the configuration puts them (the
 * kinds of their file systems), and how much memory there is.
 */
#pragma once

#include <stdint.h>

#include "lib/config/config.h"
#include "lib/base/reason.h"

#define STORAGE_LIMIT_ROOT "/sys/fs/cgroup"
#define STORAGE_LIMIT_GROUPS "/proc/self/cgroup"

/* Before the stores are opened. Refuses what would lose or mix up data; logs what is only
 * unwise, as a memory limit that looks too small. */
int storage_check(const struct config *config, struct reason *reason);

/* The least memory limit of the control groups that this process is in and of all above them,
 * version 1 and 2, in bytes; UINT64_MAX when there is none, or nothing that says so. `root` is
 * where the hierarchies are mounted, `groups` the file that names the groups. */
uint64_t storage_memory_limit(const char *root, const char *groups);
