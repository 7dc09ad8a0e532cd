/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Result codes that shared code returns: 0 or one of these. Foreign codes are
 * translated once per library (mdb.h, presentation.c). Text for people travels
 * beside them in struct reason (reason.h).
 */
#pragma once

#include <stdbool.h>

enum status {
	STATUS_OK = 0,
	STATUS_NOT_FOUND = -1,   /* no such key, file or zone */
	STATUS_INVALID = -2,     /* input from outside breaks a rule */
	STATUS_TOO_LARGE = -3,   /* a named limit was passed */
	STATUS_CORRUPT = -4,     /* stored bytes are not what we wrote */
	STATUS_FOREIGN = -5,     /* another format, schema or instance: not ours to touch */
	STATUS_FULL = -6,        /* the store or its disk has no room */
	STATUS_NO_MEMORY = -7,
	STATUS_IO = -8,          /* the system refused; the reason has errno's text */
	STATUS_CONFLICT = -9,    /* a precondition or an owner stands against it */
	STATUS_UNAVAILABLE = -10, /* not now: no reader slot, store absent, read-only, stopping */
};

/* Does it say something of a file that was to be read? Else it is the reader that lacked
 * something, and the next attempt may find more. */
static inline bool
status_is_of_file(int status)
{
	return status == STATUS_NOT_FOUND || status == STATUS_CORRUPT || status == STATUS_FOREIGN;
}
