/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The log that record.c writes and replay.c reads: what a process did to one file, in order,
 * and the marks that the test put in between. Native byte order.
 */
#pragma once

#include <stdint.h>

enum record_kind {
	RECORD_WRITE = 1, /* data follows */
	RECORD_SYNC,      /* of the whole file, completed */
	RECORD_TRUNCATE,  /* offset: the new size */
	RECORD_RENAME, /* from here on the file is at its place, if the directory is synced */
	RECORD_SYNC_DIRECTORY,
	RECORD_ACK, /* of the test: offset is the revision that was acknowledged */
};

#define RECORD_DURABLE 1u /* a write through an O_DSYNC or O_SYNC descriptor */

struct record {
	uint32_t kind;
	uint32_t flags;
	uint64_t inode;
	uint64_t offset;
	uint64_t length; /* of the data that follows */
};
