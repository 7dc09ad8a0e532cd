/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Records as lines and files of lines (RFC 1035 section 5): one for the configuration's
 * fallback, a whole master file for a zone. Called by livezoned and livezonectl at any
 * time, by the module at start only. No state.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/dns/name.h"
#include "lib/base/reason.h"
#include "lib/dns/rrset.h"

/* Called once per record of a master file, in file order; `rr` has count 1 and points
 * into memory that is gone after the call. Return 0 to go on. */
typedef int (*masterfile_record_fn)(void *context, const struct rrset *rr, int line,
	struct reason *reason);

/* Reads a master file with $ORIGIN, $TTL, parentheses and comments; $INCLUDE is refused.
 * `origin` is the zone. A record without TTL gets default_ttl. Errors have the line in
 * front. Returns the first failure, the callback's included. */
int masterfile_read(FILE *file, const struct name *origin, uint32_t default_ttl,
	masterfile_record_fn fn, void *context, struct reason *reason);

/* One line "owner ttl IN type rdata", for fallback records in the configuration. The
 * block (RRSET_RDATA_MAX bytes room) receives the record, `out->rdata` points to it. */
int masterfile_read_record(const char *text, uint8_t *block, size_t room,
	struct rrset *out, struct reason *reason);
