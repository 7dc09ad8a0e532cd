/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * From the truth to what is served: the RRsets of one name as a node (node.h). An apex gets the
 * SOA and NS RRset that nobody wrote, and the serial of its zone; a reverse name gets the PTR
 * records that zones with auto-ptr make, unless somebody wrote one; wall-clock leases become
 * ends on the boot clock. Used by the writer thread; what it makes points into the state's
 * transaction.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/serve/node.h"
#include "lib/base/reason.h"
#include "sidecar/state/state.h"
#include "lib/dns/zones.h"

struct compile {
	const struct zones *zones;
	uint64_t wall_offset_ms; /* lease clock minus boot clock, fixed while livezoned runs */
	/* the node */
	struct name_key owner;
	uint64_t revision;
	uint32_t flags; /* enum node_flags, at an apex */
	size_t count; /* 0: nothing is served at the name */
	struct node_rrset rrset[NODE_RRSETS_MAX];
	uint8_t soa[ZONE_SOA_MAX];
	uint8_t ns[ZONE_NS_MAX * (2 + NAME_WIRE_MAX)];
	uint8_t ptr[RRSET_RDATA_MAX];
};

/* Reads the name's RRsets and makes its node in *compile. */
int compile_name(struct compile *compile, struct state_txn *txn,
	const struct name_key *owner, struct reason *reason);

/* Its first half: the node is to be finished. */
int compile_begin_name(struct compile *compile, struct state_txn *txn,
	const struct name_key *owner, struct reason *reason);

/* The same in steps, for a walk over many names: begin, add each RRset in order of types,
 * finish. */
void compile_begin(struct compile *compile, const struct name_key *owner);
int compile_add(struct compile *compile, const struct state_record *record,
	struct reason *reason);
int compile_finish(struct compile *compile, struct state_txn *txn, struct reason *reason);
