/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The serve value: everything at one owner name, ready to be copied into an answer.
 * livezoned encodes it, the module decodes it on the way of a query; every byte of it
 * is treated as hostile by the decoder.
 *
 * Version 1, little-endian, nothing aligned or padded, because a million of these are in
 * memory (an address costs 36 bytes here, and its key):
 *
 *	  0 +------------+--------------------------------------+------------+
 *	    | crc32c u32 | 'N' u8 | version u8 | flags | count u8 | length u32 |
 *	 12 +------------+--------------------------------------+------------+
 *	    | revision u64                 |  of the last change that touched the name
 *	 20 +------------------------------+
 *	    | count x rrset head, 10 bytes |  sorted by type
 *	    |   type u16 | records u16     |  records | 0x8000: the RRset has an expiry
 *	    |   ttl u32 | rdata length u16 |
 *	    +------------------------------+
 *	    | count x                      |  in the order of the heads
 *	    |   [expires u64]              |  boot clock, ms; where the head says so (lease)
 *	    |   rdata block (rrset.h)      |
 *	    +------------------------------+ length
 *
 * flags is enum node_flags, length the size of the whole. crc32c (Castagnoli) covers the
 * name's key and then everything behind itself, so that a value under a wrong key is found
 * out without storing the key twice.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/dns/name.h"
#include "lib/dns/rrset.h"

#define NODE_RRSETS_MAX 255        /* types at one name */
#define NODE_SIZE_MAX (1024 * 1024) /* a value longer than this is not ours */

/* So that a look-up can leave steps out. The first two are said by an apex of its zone. */
enum node_flags {
	NODE_HAS_WILDCARDS = 1, /* a "*" label leads some owner name */
	NODE_HAS_CUTS = 2,      /* NS below the apex, or a DNAME anywhere */
	NODE_HAS_LEASES = 4,    /* an RRset of this node expires; set by node_encode */
};

/* One RRset of a node; rdata points into the value. */
struct node_rrset {
	uint16_t type;
	uint16_t count;
	uint32_t ttl;
	uint64_t expires_ms; /* boot clock; 0 = never */
	const uint8_t *rdata;
	uint32_t rdata_len;
};

/* Does it live at now_ms (boot clock)? Its TTL becomes what is left of its lease, in whole
 * seconds, when that is less: no cache keeps it longer than livezone would answer it. In its
 * last second that is 0. */
static inline bool
node_rrset_lives(struct node_rrset *rrset, uint64_t now_ms)
{
	if (__builtin_expect(rrset->expires_ms == 0, 1))
		return true;
	if (rrset->expires_ms <= now_ms)
		return false;
	if ((rrset->expires_ms - now_ms) / 1000 < rrset->ttl)
		rrset->ttl = (uint32_t)((rrset->expires_ms - now_ms) / 1000);
	return true;
}

/* A checked value; borrowed. */
struct node {
	const uint8_t *value;
	uint32_t length;
	uint64_t revision;
	uint32_t flags;  /* enum node_flags */
	uint16_t count;  /* RRsets */
};

/* Checks magic, length, checksum, key and all bounds. Returns 0, STATUS_FOREIGN
 * (another version) or STATUS_CORRUPT. No allocation. */
int node_open(const uint8_t *value, size_t len, const struct name_key *key,
	struct node *out);

/* The index-th RRset, index < node->count. STATUS_CORRUPT when its block is not well
 * formed. */
int node_rrset(const struct node *node, size_t index, struct node_rrset *out);

/* The RRset of a type, if it lives at now_ms: see node_rrset_lives. Returns 0,
 * STATUS_NOT_FOUND or STATUS_CORRUPT. */
int node_find(const struct node *node, uint16_t type, uint64_t now_ms,
	struct node_rrset *out);

/* Bytes that node_encode writes. */
size_t node_size(const struct node_rrset *rrsets, size_t count);

/* Encodes RRsets (sorted by type, at most NODE_RRSETS_MAX) into node_size() bytes.
 * Equal input gives equal bytes. */
void node_encode(const struct name_key *key, uint64_t revision, uint32_t flags,
	const struct node_rrset *rrsets, size_t count, uint8_t *out);
