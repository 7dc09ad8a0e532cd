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

#include "lib/answer.h"
#include "lib/store.h"
#include "lib/zones.h"

#define LOOKUP_CHAIN_MAX 8 /* CNAMEs and DNAMEs followed inside live zones */

/* What a worker remembers of a zone from one query to the next, good for one transaction
 * id of one environment. An array of them, one for each of zones->zone, starts zeroed and
 * is zeroed again when the environment changes. */
struct lookup_memory {
	uint64_t txn_id;
	uint32_t flags; /* of the apex, enum node_flags */
};

struct lookup_query {
	const uint8_t *name; /* wire, in the client's case, which the answer keeps */
	uint16_t type;
	bool wants_additional; /* addresses of SRV, MX, NS and SVCB targets */
	uint64_t now_ms;       /* boot clock, for leases */
	struct lookup_memory *memory; /* NULL: remember nothing */
};

/* Answers a query whose name lies in `zone` (zones_match of its key). The outcome is
 * answer->kind; the function itself does not fail. `txn` is open; NULL means that there
 * is no readable store: ANSWER_FAILED. */
void lookup_answer(const struct zones *zones, const struct zone *zone,
	const struct name_key *key, const struct lookup_query *query,
	struct store_txn *txn, struct answer *out);
