/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What kind of file system a directory lies on, as far as LMDB cares: its map and its locks
 * are one for all processes of one machine only.
 */
#pragma once

#include <stdint.h>

#include "lib/base/reason.h"

enum filesystem {
	FILESYSTEM_DISK,    /* whatever is not known to be one of these: */
	FILESYSTEM_MEMORY,  /* tmpfs, ramfs: empty after a boot, counted as memory */
	FILESYSTEM_OVERLAY, /* a map made before a file is copied up stays the old file */
	FILESYSTEM_NETWORK, /* or FUSE: no map in common with others, locks of any kind */
};

/* By statfs's f_type. *out_name, when known, is what people call it. */
enum filesystem filesystem_of_type(uint32_t type, const char **out_name);

/* Of the directory, or of the one that it will be made in. Blocks as long as a dead server of
 * a network file system lets it. */
int filesystem_of(const char *dir, enum filesystem *out, const char **out_name,
	struct reason *reason);

/* STATUS_FOREIGN with the reason for a directory on a network file system. One that cannot be
 * looked at is fine: opening it will say more. */
int filesystem_refuse_network(const char *dir, struct reason *reason);
