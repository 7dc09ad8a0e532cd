/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What a look-up found, without a host: RRsets in sections, all bytes copied out of the
 * store into a buffer that the worker owns and reuses for every query. Made by lookup.c
 * inside the read transaction, turned into the host's message after it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/dns/name.h"
#include "lib/serve/node.h"

#define ANSWER_RRSETS_MAX 64
#define ANSWER_BUFFER_SIZE (1024 * 1024) /* touched only as far as answers need it */

enum answer_section {
	ANSWER_ANSWER,
	ANSWER_AUTHORITY,
	ANSWER_ADDITIONAL,
};

/* The outcome, in the words of RFC 1034 section 4.3.2. */
enum answer_kind {
	ANSWER_FOUND,     /* NOERROR with the RRset (or a chain that ends in the store) */
	ANSWER_NODATA,    /* NOERROR without it; SOA in the authority section */
	ANSWER_NXDOMAIN,  /* SOA in the authority section */
	ANSWER_REFERRAL,  /* NS of a zone cut in the authority section, not authoritative */
	ANSWER_YXDOMAIN,  /* a DNAME would make the name too long (RFC 6672 section 2.2) */
	ANSWER_REFUSED,   /* on-miss: refuse */
	ANSWER_ELSEWHERE, /* `target` is for the rest of the resolver; with rrset_count 0 it
			   * is the query itself, else the end of a chain */
	ANSWER_FAILED,    /* the store could not be read: on-failure decides */
};

/* Response codes (RFC 1035 section 4.1.1, RFC 6672). */
enum answer_rcode {
	ANSWER_RCODE_NOERROR = 0,
	ANSWER_RCODE_SERVFAIL = 2,
	ANSWER_RCODE_NXDOMAIN = 3,
	ANSWER_RCODE_REFUSED = 5,
	ANSWER_RCODE_YXDOMAIN = 6,
};

struct answer_rrset {
	enum answer_section section;
	uint16_t type;
	uint16_t count;
	uint32_t ttl;
	uint32_t rdata_len;
	uint32_t owner_len;
	const uint8_t *owner; /* wire */
	const uint8_t *rdata; /* block, rrset.h */
};

struct rule_scratch;

struct answer {
	enum answer_kind kind;
	int failure; /* of ANSWER_FAILED, a status; STATUS_CORRUPT: what is stored is damaged */
	bool is_fallback; /* it would be another one without the fallback records */
	size_t rrset_count;
	struct answer_rrset rrset[ANSWER_RRSETS_MAX];
	struct name target;
	size_t used;     /* of buffer */
	uint8_t *buffer; /* ANSWER_BUFFER_SIZE bytes, owned by whoever called answer_init */
	struct rule_scratch *scratch; /* for the zone's rules; likewise */
};

/* Allocates buffer and scratch. Returns 0 or STATUS_NO_MEMORY. */
int answer_init(struct answer *answer);
void answer_done(struct answer *answer);

/* Empties it for the next query. */
void answer_reset(struct answer *answer);

/* Copies an RRset in. Returns 0 or STATUS_TOO_LARGE; then the answer is unchanged. */
int answer_add(struct answer *answer, enum answer_section section, const uint8_t *owner,
	size_t owner_len, const struct node_rrset *data);

/* The header of the message that the answer becomes, as far as it is ours: without the rest
 * of a chain that leads elsewhere, and where on-failure does not pass the query on. */
enum answer_rcode answer_rcode(const struct answer *answer);
bool answer_is_authoritative(const struct answer *answer);
