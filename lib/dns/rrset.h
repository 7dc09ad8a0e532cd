/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One RRset (RFC 2181 section 5) as bytes, and its canonical block of rdata:
 *
 *	 count x { u16 length, network order | rdata, names uncompressed }
 *
 * This block is what a client's text becomes once, at write time; state and serve
 * store it as it is, and Unbound's packed_rrset_data wants exactly it (one memcpy).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/dns/name.h"

#define RRSET_RECORDS_MAX 512     /* bounds compression work per answer */
#define RRSET_RDATA_MAX (64 * 1024 - 1) /* the block must fit in a DNS message */
#define RRSET_MESSAGE_MAX 65535     /* RFC 1035 section 4.2.2 */
#define RRSET_TTL_MAX 86400       /* a day: a forgotten record must end some time */

/* Types that the rules speak of; all others are numbers only. */
enum rrset_type {
	RRSET_A = 1,
	RRSET_NS = 2,
	RRSET_CNAME = 5,
	RRSET_SOA = 6,
	RRSET_PTR = 12,
	RRSET_MX = 15,
	RRSET_AAAA = 28,
	RRSET_SRV = 33,
	RRSET_DNAME = 39,
	RRSET_DS = 43,
	RRSET_SVCB = 64,
	RRSET_HTTPS = 65,
	RRSET_ANY = 255,
};

/* A record of facts; everything it points to is borrowed. */
struct rrset {
	struct name_key owner;
	uint16_t type;
	uint16_t count;
	uint32_t ttl;
	uint32_t rdata_len;
	const uint8_t *rdata; /* the block drawn above */
};

/* Is the block well formed: `count` records that fill rdata_len exactly? */
bool rrset_is_well_formed(const uint8_t *rdata, size_t rdata_len, size_t count);

/* Sorts the records of a block and drops doubles, in place (a set has no order;
 * equal sets become equal bytes). `scratch` has room for rdata_len bytes.
 * Returns the new count and sets *inout_len. */
uint16_t rrset_canonicalize(uint8_t *rdata, size_t *inout_len, uint16_t count,
	uint8_t *scratch);

/* Octets of the largest answer that has just this RRset: EDNS, and nothing compressed but
 * the owner. Above RRSET_MESSAGE_MAX it fits in no message to a client. */
size_t rrset_message_size(const struct rrset *rrset);

/* Same TTL and records? Owners and types are not compared. */
bool rrset_has_same_data(const struct rrset *a, const struct rrset *b);
