/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Presentation format (RFC 1035 section 5.1) in and out: names, types, rdata, one
 * record, a whole master file. The one place that knows libldns. Called by
 * livezoned and livezonectl at any time, by the module at start only. Nothing
 * here is on the way of a query. No function keeps what it is given.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/name.h"
#include "lib/reason.h"
#include "lib/rrset.h"

#define PRESENTATION_NAME_MAX 1024 /* 255 octets, each as \DDD, dots and NUL */

/* Reads a fully qualified name; the trailing dot may be left out, an empty text is
 * refused, "." is the root. Escapes \DDD and \X. Case is kept. */
int presentation_read_name(const char *text, struct name *out, struct reason *reason);

/* Writes a name with its trailing dot into `out` (PRESENTATION_NAME_MAX bytes). */
void presentation_write_name(const struct name *name, char *out);

/* "A", "svcb", "TYPE65280" (RFC 3597) to number. Meta types (OPT, ANY, AXFR, ...)
 * are refused: they cannot be stored. */
int presentation_read_type(const char *text, uint16_t *out, struct reason *reason);

/* Writes the mnemonic or TYPEn into `out` (16 bytes are enough). */
void presentation_write_type(uint16_t type, char out[16]);

/* Reads one rdata and appends it, as a record of an rrset block, at `block` which has
 * `room` bytes. Relative names inside rdata are refused or made absolute with the
 * root as origin, as ldns does. Returns the bytes appended (2 + rdata length) or a
 * negative status with the reason ("bad IPv4 address \"10.0.0\""). */
int presentation_read_rdata(uint16_t type, const char *text, uint8_t *block, size_t room,
	struct reason *reason);

/* Writes one rdata (without its length) as text. Returns a malloced string that the
 * caller frees, or NULL when out of memory. Rdata that the type's rules cannot
 * explain comes out in RFC 3597 form. */
char *presentation_write_rdata(uint16_t type, const uint8_t *rdata, size_t len);

/* Called once per record of a master file, in file order; `rr` has count 1 and points
 * into memory that is gone after the call. Return 0 to go on. */
typedef int (*presentation_record_fn)(void *context, const struct rrset *rr, int line,
	struct reason *reason);

/* Reads a master file with $ORIGIN, $TTL, parentheses and comments; $INCLUDE is refused.
 * `origin` is the zone. A record without TTL gets default_ttl. Errors have the line in
 * front. Returns the first failure, the callback's included. */
int presentation_read_zone(FILE *file, const struct name *origin, uint32_t default_ttl,
	presentation_record_fn fn, void *context, struct reason *reason);

/* One line "owner ttl IN type rdata", for fallback records in the configuration. The
 * block (RRSET_RDATA_MAX bytes room) receives the record, `out->rdata` points to it. */
int presentation_read_record(const char *text, uint8_t *block, size_t room,
	struct rrset *out, struct reason *reason);
