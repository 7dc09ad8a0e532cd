/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What both sides of serve must have in common. The lock file is memory that they share:
 * mutexes of the C library, in LMDB's layout, with process ids in them, and LMDB itself notices
 * next to nothing of what may differ (doc/lmdb.md, "formats"). So each side says what it is:
 * the module in its report, livezoned in "livezoned.identity", which lies in serve before serve is
 * published. "key value" lines, first line "livezone-identity 1".
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "lib/base/clock.h"
#include "lib/base/reason.h"


/* Empty or 0: not known, as of an older version; that differs from nothing. */
struct identity {
	uint64_t pid;
	uint64_t pid_namespace;           /* inode */
	char boot_id[CLOCK_BOOT_TEXT_SIZE];  /* the kernel's */
	char lmdb[16];                    /* "0.9.24" */
	char libc[32];                    /* "glibc 2.36" */
	unsigned mutex_size;              /* sizeof(pthread_mutex_t) */
};

enum identity_verdict {
	IDENTITY_FITS,
	IDENTITY_SHARES_PID, /* the same process id in another pid namespace */
	IDENTITY_DIFFERS,    /* must not share a lock file */
};

/* What the calling process is. */
void identity_init(struct identity *out);

/* May both use one lock file? Else the reason says what differs, and what to do. */
enum identity_verdict identity_compare(const struct identity *own, const struct identity *other,
	struct reason *reason);

/* Writes livezoned's file into `dir`. */
int identity_write(const char *dir, const struct identity *side, struct reason *reason);

/* Reads it. STATUS_NOT_FOUND: there is none, as of an older livezoned. */
int identity_read(const char *dir, struct identity *out, struct reason *reason);
