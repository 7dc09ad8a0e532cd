/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * RFC 1034 section 4.3.2 over one transaction on serve: which RRsets answer a query for
 * a name in a live zone. No host, no clock of its own, no allocation: the module runs it
 * for every query, livezoned inside its write transaction, unit tests without a server.
 */
#pragma once

#include <stdint.h>

#include "lib/answer.h"
#include "lib/store.h"
#include "lib/zones.h"

#define LOOKUP_CHAIN_MAX 8 /* CNAMEs followed inside live zones, as in design section 3 */

struct lookup_query {
	const uint8_t *name; /* wire, in the client's case, which the answer keeps */
	uint16_t type;
	uint64_t now_ms;     /* boot clock, for leases */
};

/* Answers a query whose name lies in `zone` (zones_match of its key). The outcome is
 * answer->kind; the function itself does not fail. `txn` is open; NULL means that there
 * is no readable store: ANSWER_FAILED. */
void lookup_answer(const struct zones *zones, const struct zone *zone,
	const struct name_key *key, const struct lookup_query *query,
	struct store_txn *txn, struct answer *out);
