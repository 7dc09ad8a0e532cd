/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The live zones and their policies: made from the configuration, const afterwards,
 * read by any thread without a lock. zones_match is the only cost that a foreign
 * query pays.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/dns/name.h"
#include "lib/base/reason.h"
#include "lib/dns/rrset.h"

enum zone_on_miss {
	ZONE_MISS_NXDOMAIN, /* a name that does not exist does not exist */
	ZONE_MISS_RECURSE,  /* the next module may know it */
	ZONE_MISS_REFUSE,
};

enum zone_on_failure {
	ZONE_FAILURE_SERVFAIL,
	ZONE_FAILURE_RECURSE,
};

enum zone_delegation {
	ZONE_DELEGATION_REFER,
	ZONE_DELEGATION_RECURSE,
};

enum zone_on_expiry {
	ZONE_EXPIRY_FALLBACK, /* a lease that ran out leaves nothing: fallback records answer */
	ZONE_EXPIRY_REMOVE,   /* it says that there is nothing: they do not */
};

enum zone_soa_serial {
	ZONE_SERIAL_AUTO,   /* low 32 bits of the last revision that touched the zone */
	ZONE_SERIAL_STORED, /* as written */
};

enum zone_any {
	ZONE_ANY_MINIMAL, /* one RRset (RFC 8482 section 4.1) */
	ZONE_ANY_FULL,    /* all RRsets at the name */
};

struct rule;

#define ZONE_NS_MAX 16
#define ZONE_RULES_MAX 64 /* each is matched with every name that does not exist */
#define ZONE_FALLBACK_MAX 1024

struct zone {
	struct name name;      /* lower case */
	struct name_key key;
	uint32_t ttl;          /* for writes that give none */
	uint32_t negative_ttl; /* SOA MINIMUM and TTL of a made SOA */
	enum zone_on_miss on_miss;
	enum zone_on_failure on_failure;
	enum zone_on_expiry on_expiry;
	enum zone_delegation delegation;
	enum zone_soa_serial soa_serial;
	enum zone_any any;
	bool auto_ptr;         /* its addresses have PTR records in live reverse zones */
	uint64_t stale_ms;     /* how old a snapshot may answer */
	struct name contact;   /* SOA RNAME; len 0: hostmaster.<zone> */
	struct name ns[ZONE_NS_MAX];
	size_t ns_count;
	struct rrset *fallback; /* sorted by owner key, then type; owned, with their rdata */
	size_t fallback_count;
	struct rule **rule; /* for names that the store does not have; owned */
	size_t rule_count;
	size_t parent;          /* index of the enclosing live zone, or ZONES_NONE */
};

#define ZONES_NONE ((size_t)-1)

struct zones {
	struct zone *zone; /* sorted by key */
	size_t count;
	bool has_auto_ptr; /* some zone has; set by zones_finish */
};

/* Sorts, links parents, refuses doubles (STATUS_INVALID, names the zone). Call once
 * after the array is filled. */
int zones_finish(struct zones *zones, struct reason *reason);

/* Frees the array and what its zones own. */
void zones_done(struct zones *zones);

/* The longest live zone at or above the key, or NULL. No allocation, no lock. */
const struct zone *zones_match(const struct zones *zones, const struct name_key *key);

/* The zone of exactly this apex, or NULL. */
const struct zone *zones_find(const struct zones *zones, const struct name_key *apex);

/* Is the zone answered whole by the module, whatever happens, so that the resolver may be
 * set to forward it to itself? Passing a query on would send it round in a circle. */
bool zone_is_answered_whole(const struct zone *zone);

/* The SOA's RNAME: the zone's, else hostmaster.<zone>, or the zone's own name where that is too
 * long. */
struct name zone_contact(const struct zone *zone);

/* Room for the rdata block of zone_make_soa. */
#define ZONE_SOA_MAX (2 + 2 * NAME_WIRE_MAX + 20)

/* The zone's own SOA as a one-record block: MNAME is the first `ns` (the apex without
 * one), RNAME the contact, MINIMUM negative_ttl. Returns the bytes written. */
size_t zone_make_soa(const struct zone *zone, uint32_t serial,
	uint8_t block[ZONE_SOA_MAX]);

/* The zone's configured NS RRset as a block in `block` (ZONE_NS_MAX * (2 + 255) bytes).
 * Returns the bytes written; 0 when the configuration names none. */
size_t zone_make_ns(const struct zone *zone, uint8_t *block);

/* --- a zone's fallback records, as the configuration has them: what a name has when the live
 * data has nothing there, or cannot be read. Const, any thread. --- */

/* The RRset of that name and type; without one the name's CNAME; for ANY the first at the
 * name. NULL: there is none. */
const struct rrset *zone_find_fallback(
	const struct zone *zone, const struct name_key *key, uint16_t type);

/* The first RRset at the name or below it, and the next after one; NULL: there is none. */
const struct rrset *zone_first_fallback(const struct zone *zone, const struct name_key *key);
const struct rrset *zone_next_fallback(const struct zone *zone, const struct rrset *set,
	const struct name_key *key);
