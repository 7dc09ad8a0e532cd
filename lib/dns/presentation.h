/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The words of presentation format (RFC 1035 section 5.1) in and out: names, types, TTLs.
 * rdata.h has the data of a record, masterfile.h records and files. Only presentation.c,
 * rdata.c and rdata_field.c know libldns. Called by livezoned and
 * livezonectl at any time, by the module at start, and on the way of a query only for
 * names that rules (rule.h) are asked about. No function keeps what it is given.
 */
#pragma once

#include <stdint.h>

#include "lib/dns/name.h"
#include "lib/base/reason.h"

#define PRESENTATION_NAME_MAX 1024 /* 255 octets, each as \DDD, dots and NUL */
#define PRESENTATION_TYPE_MAX 16   /* "NSEC3PARAM", "TYPE65535" and NUL, with room */

/* Reads a fully qualified name; the trailing dot may be left out, an empty text is
 * refused, "." is the root. Escapes \DDD and \X. Case is kept. */
int presentation_read_name(const char *text, struct name *out, struct reason *reason);

/* The same for a name of a master file: without the trailing dot it is relative to
 * `origin`, and "@" is the origin itself. `origin` NULL: like presentation_read_name. */
int presentation_read_relative_name(const char *text, const struct name *origin,
	struct name *out, struct reason *reason);

/* The first octet that must be escaped in a name, because it means something else in
 * master files or is most likely a mistake; NULL when there is none. */
const char *presentation_find_bad_octet(const char *text);

/* Writes a name with its trailing dot into `out` (PRESENTATION_NAME_MAX bytes). */
void presentation_write_name(const struct name *name, char *out);

/* "A", "svcb", "TYPE65280" (RFC 3597) to number. Meta types (OPT, ANY, AXFR, ...)
 * are refused: they cannot be stored. */
int presentation_read_type(const char *text, uint16_t *out, struct reason *reason);

/* Writes the mnemonic or TYPEn. */
void presentation_write_type(uint16_t type, char out[PRESENTATION_TYPE_MAX]);

/* Reads seconds, or numbers with units (BIND's 1h30m), up to 2^31 - 1 (RFC 2181 section
 * 8). Returns 0 or STATUS_INVALID; the caller knows what to say. */
int presentation_read_ttl(const char *text, uint32_t *out);
