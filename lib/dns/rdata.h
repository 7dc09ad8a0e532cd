/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The data of one record, presentation format to wire and back. Each type that libldns
 * knows has its text form, and every type that of RFC 3597. Called by livezoned and
 * livezonectl at any time, by the module at start and for rules (rule.h). No function
 * keeps what it is given.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"

struct name;
struct tokens;

/* The words of one rdata inside an entry: from token `first` to the last. */
struct rdata_words {
	struct tokens *tokens;
	size_t first;
	const struct name *origin; /* of relative names; NULL = the root */
};

/* Reads one rdata and appends it, as a record of an rrset block, at `block` which has
 * `room` bytes. Relative names inside rdata are refused or made absolute with the
 * root as origin, as ldns does. Returns the bytes appended (2 + rdata length) or a
 * negative status with the reason ("bad IPv4 address \"10.0.0\""). */
int rdata_read(uint16_t type, const char *text, uint8_t *block, size_t room,
	struct reason *reason);

/* The same for words that are split already; their tokens may be joined. */
int rdata_read_words(uint16_t type, const struct rdata_words *words, uint8_t *block, size_t room,
	struct reason *reason);

/* Writes one rdata (without its length) as text. Returns a malloced string that the
 * caller frees, or NULL when out of memory. Rdata that the type's rules cannot
 * explain comes out in RFC 3597 form. */
char *rdata_write(uint16_t type, const uint8_t *rdata, size_t len);
