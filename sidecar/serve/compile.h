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

#include "lib/base/arena.h"
#include "lib/base/reason.h"
#include "lib/dns/zones.h"
#include "lib/serve/node.h"
#include "lib/serve/writer.h"
#include "sidecar/serve/touched.h"
#include "sidecar/state/state.h"

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

/* Puts the node that was made; deletes it when nothing is left at the name. */
int compile_put(struct compile *compile, struct serve_txn *txn, struct reason *reason);

/* Fills a new store from state in one consistent read; *out_meta gets revision and instance.
 * STATUS_CORRUPT is state's. */
int compile_all(struct compile *compile, struct state *state, struct serve_writer *store,
	struct serve_meta *out_meta, struct reason *reason);

/* Names to catch up with; owners are copied into the arena. Starts zeroed. */
struct compile_changes {
	const struct zones *zones;
	struct touched touched;
	struct arena arena;
};

/* Collects the names that the change log has after revision `since`, those with leases, and
 * all apexes. *out_meta is state's. A failure means: rebuild; STATUS_TOO_LARGE also when the
 * log does not say enough. The caller frees arena and names, whatever is returned. */
int compile_find_changes(const struct compile *compile, struct state *state, uint64_t since,
	struct compile_changes *changes, struct state_meta *out_meta, struct reason *reason);
