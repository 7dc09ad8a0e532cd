/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * RFC 1034 section 4.3.2 over one transaction on serve: which RRsets answer a query for
 * a name in a live zone. No host, no clock of its own, and no allocation but what a zone's
 * rules (rule.h) take for names that are not there: the module runs it for every query,
 * livezoned inside its write transaction, unit tests without a server.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/lookup/answer.h"
#include "lib/serve/layout.h"
#include "lib/dns/zones.h"

#define LOOKUP_CHAIN_MAX 8 /* CNAMEs and DNAMEs followed inside live zones */

/* What a worker remembers of a zone from one query to the next, good for one transaction
 * id of one environment. An array of them, one for each of zones->zone, starts zeroed and
 * is zeroed again when the environment changes. */
struct lookup_memory {
	uint64_t txn_id;
	uint32_t flags; /* of the apex, enum node_flags */
};

/* What a look-up did, in order, for people who ask why. */
enum lookup_event {
	LOOKUP_ZONE,        /* the name is looked for in this zone; begins each link of a chain */
	LOOKUP_NODE,        /* something is stored at the name */
	LOOKUP_EMPTY,       /* nothing, but names below it: an empty non-terminal */
	LOOKUP_ABSENT,      /* nothing */
	LOOKUP_EXPIRED,     /* something whose leases have all run out: as nothing */
	LOOKUP_RULE,        /* the name matches a rule of the zone, which makes its RRset */
	LOOKUP_ENCLOSER,    /* the closest encloser */
	LOOKUP_WILDCARD,    /* the source of synthesis exists */
	LOOKUP_NO_WILDCARD, /* it does not */
	LOOKUP_RRSET,       /* the RRset that answers */
	LOOKUP_NO_RRSET,    /* the node has none of that type */
	LOOKUP_CNAME,       /* followed to its target */
	LOOKUP_DNAME,
	LOOKUP_MADE,        /* the name's CNAME is made from it */
	LOOKUP_CUT,         /* NS of a delegation, at or above the name */
	LOOKUP_FALLBACK,    /* the data has nothing, but the zone's fallback records have */
	LOOKUP_HELD_BACK,   /* and has not: its own lease ran out, and on-expiry is remove */
	LOOKUP_MISSING,     /* the name does not exist: on-miss decides */
	LOOKUP_SOA,         /* the zone's, for a negative answer */
	LOOKUP_OUTSIDE,     /* a target in no live zone */
	LOOKUP_LOOP,        /* a target that was followed before */
	LOOKUP_CAP,         /* LOOKUP_CHAIN_MAX was reached */
	LOOKUP_BROKEN,      /* the store, or a limit of the answer, failed us */
	LOOKUP_EVENTS
};

/* A link of a chain makes eight at most. */
#define LOOKUP_STEPS_MAX (8 * (LOOKUP_CHAIN_MAX + 1))

struct lookup_step {
	enum lookup_event event;
	uint16_t type;           /* of the RRset; 0: none is meant */
	struct name_key name;    /* of the node: "*.live" for what it synthesises */
	const struct zone *zone; /* in which the step was made; NULL: outside */
};

struct lookup_trace {
	size_t count;
	struct lookup_step step[LOOKUP_STEPS_MAX];
	struct name_key node; /* the name whose RRsets are looked at: RRset steps are of it */
};

struct lookup_query {
	const uint8_t *name; /* wire, in the client's case, which the answer keeps */
	uint16_t type;
	bool wants_additional; /* addresses of SRV, MX, NS and SVCB targets */
	uint64_t now_ms;       /* boot clock, for leases */
	uint64_t age_ms;       /* of what `txn` sees: at least 1; 0: it is live */
	struct lookup_memory *memory; /* NULL: remember nothing */
	struct lookup_trace *trace;   /* zeroed; NULL: tell nothing, as for every query */
};

/* Answers a query whose name lies in `zone` (zones_match of its key). The outcome is
 * answer->kind; the function itself does not fail. `txn` is open; NULL means that there
 * is no readable store: answered by the zone's fallback records or ANSWER_FAILED. The
 * latter also for a zone that wants no data that old. */
void lookup_answer(const struct zones *zones, const struct zone *zone,
	const struct name_key *key, const struct lookup_query *query,
	struct serve_txn *txn, struct answer *out);
