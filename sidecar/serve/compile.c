/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Nodes from RRsets; on the writer thread, once for each name that a change touched.
 */
#include "sidecar/serve/compile.h"

#include <endian.h>
#include <string.h>

#include "lib/base/clock.h"
#include "sidecar/state/reverse.h"
#include "lib/base/status.h"

/* The end of a lease on the boot clock. A lease never has more left than its own length,
 * whatever the wall clock did while livezoned was down. */
static uint64_t
end_of_lease(const struct compile *compile, const struct state_record *record)
{
	uint64_t end = record->expires_ms, latest;

	if (end == 0)
		return 0;
	end = end > compile->wall_offset_ms ? end - compile->wall_offset_ms : 1;
	latest = clock_boot_ms() + record->lease_ms;
	return end < latest ? end : latest;
}

void
compile_begin(struct compile *compile, const struct name_key *owner)
{
	compile->owner = *owner;
	compile->revision = 0;
	compile->flags = 0;
	compile->count = 0;
}

int
compile_add(struct compile *compile, const struct state_record *record,
	struct reason *reason)
{
	if (compile->count == NODE_RRSETS_MAX)
		return reason_set(reason, STATUS_TOO_LARGE, "more than %d types at a name",
			NODE_RRSETS_MAX);
	compile->rrset[compile->count++] = (struct node_rrset){
		.type = record->rrset.type,
		.count = record->rrset.count,
		.ttl = record->rrset.ttl,
		.expires_ms = end_of_lease(compile, record),
		.rdata = record->rrset.rdata,
		.rdata_len = record->rrset.rdata_len,
	};
	if (record->revision > compile->revision)
		compile->revision = record->revision;
	return STATUS_OK;
}

/* The place of a type in the node, or where it belongs. */
static size_t
find_type(const struct compile *compile, uint16_t type)
{
	size_t i = 0;

	while (i < compile->count && compile->rrset[i].type < type)
		i++;
	return i;
}

static bool
has_type(const struct compile *compile, size_t at, uint16_t type)
{
	return at < compile->count && compile->rrset[at].type == type;
}

static void
insert(struct compile *compile, size_t at, const struct node_rrset *rrset)
{
	if (compile->count == NODE_RRSETS_MAX)
		return; /* plan.c keeps two places free at an apex */
	memmove(&compile->rrset[at + 1], &compile->rrset[at],
		(compile->count - at) * sizeof(compile->rrset[0]));
	compile->rrset[at] = *rrset;
	compile->count++;
}

/* Replaces the serial of the stored SOA: a copy of its block, behind the two names. */
static void
set_serial(struct compile *compile, struct node_rrset *soa, uint32_t serial)
{
	uint32_t big = htobe32(serial);
	size_t at = 2;
	int i;

	if (soa->rdata_len > sizeof(compile->soa))
		return;
	memcpy(compile->soa, soa->rdata, soa->rdata_len);
	for (i = 0; i < 2; i++) {
		size_t len = name_wire_length(compile->soa + at, soa->rdata_len - at);

		if (len == 0)
			return;
		at += len;
	}
	if (soa->rdata_len - at != 20)
		return;
	memcpy(compile->soa + at, &big, sizeof(big));
	soa->rdata = compile->soa;
}

static void
complete_soa(struct compile *compile, const struct zone *zone, uint32_t serial)
{
	size_t at = find_type(compile, RRSET_SOA);
	struct node_rrset soa = {
		.type = RRSET_SOA,
		.count = 1,
		.ttl = zone->negative_ttl,
		.rdata = compile->soa,
	};

	if (!has_type(compile, at, RRSET_SOA)) {
		soa.rdata_len = (uint32_t)zone_make_soa(zone, serial, compile->soa);
		insert(compile, at, &soa);
	} else if (zone->soa_serial == ZONE_SERIAL_AUTO) {
		set_serial(compile, &compile->rrset[at], serial);
	}
}

static void
complete_ns(struct compile *compile, const struct zone *zone)
{
	size_t at = find_type(compile, RRSET_NS);
	struct node_rrset ns = {
		.type = RRSET_NS,
		.count = (uint16_t)zone->ns_count,
		.ttl = zone->ttl,
		.rdata = compile->ns,
	};

	if (zone->ns_count == 0 || has_type(compile, at, RRSET_NS))
		return;
	ns.rdata_len = (uint32_t)zone_make_ns(zone, compile->ns);
	insert(compile, at, &ns);
}

/* The PTR RRset of a reverse name while it is gathered. */
struct gather {
	struct compile *compile;
	struct node_rrset ptr;
	bool is_lasting; /* some record has no lease */
};

/* One TTL for all: the shortest. The set ends with the last of the leases; livezoned takes
 * each name out at its own end, and a name that stays must not go with one that ends. */
static int
add_pointer(void *context, const struct state_record *record, struct reason *reason)
{
	struct gather *gather = context;
	struct compile *compile = gather->compile;
	struct node_rrset *ptr = &gather->ptr;
	const struct name_key *owner = &record->rrset.owner;
	uint64_t end = end_of_lease(compile, record);
	struct name name;

	(void)reason;
	if (record->expires_ms == STATE_LEASE_OVER
		|| !reverse_is_wanted(zones_match(compile->zones, owner), owner, record->rrset.type)
		|| name_from_key(owner->bytes, owner->len, &name) != STATUS_OK
		|| ptr->count == RRSET_RECORDS_MAX
		|| ptr->rdata_len + 2 + name.len > sizeof(compile->ptr))
		return STATUS_OK;
	compile->ptr[ptr->rdata_len] = 0;
	compile->ptr[ptr->rdata_len + 1] = name.len;
	memcpy(compile->ptr + ptr->rdata_len + 2, name.wire, name.len);
	ptr->rdata_len += 2u + name.len;
	if (ptr->count++ == 0 || record->rrset.ttl < ptr->ttl)
		ptr->ttl = record->rrset.ttl;
	if (end == 0)
		gather->is_lasting = true;
	else if (end > ptr->expires_ms)
		ptr->expires_ms = end;
	if (record->revision > compile->revision)
		compile->revision = record->revision;
	return STATUS_OK;
}

/* What somebody wrote at the name wins: a PTR RRset, or a CNAME (RFC 2317), which is alone. */
static int
complete_ptr(struct compile *compile, struct state_txn *txn, struct reason *reason)
{
	struct gather gather = { .compile = compile,
		.ptr = { .type = RRSET_PTR, .rdata = compile->ptr } };
	size_t at = find_type(compile, RRSET_PTR);
	int status;

	if (!compile->zones->has_auto_ptr || !reverse_is_below(&compile->owner)
		|| has_type(compile, at, RRSET_PTR)
		|| has_type(compile, find_type(compile, RRSET_CNAME), RRSET_CNAME)
		|| !zones_match(compile->zones, &compile->owner))
		return STATUS_OK;
	status = state_walk_pointers(txn, &compile->owner, add_pointer, &gather, reason);
	if (status != STATUS_OK || gather.ptr.count == 0)
		return status;
	if (gather.is_lasting)
		gather.ptr.expires_ms = 0;
	insert(compile, at, &gather.ptr);
	return STATUS_OK;
}

int
compile_finish(struct compile *compile, struct state_txn *txn, struct reason *reason)
{
	const struct zone *zone = zones_find(compile->zones, &compile->owner);
	struct state_zone record = { 0 };
	int status = complete_ptr(compile, txn, reason);

	if (status != STATUS_OK || !zone)
		return status;
	status = state_get_zone(txn, &zone->key, &record, reason);
	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		return status;
	complete_soa(compile, zone, (uint32_t)record.revision);
	complete_ns(compile, zone);
	if (record.wildcards > 0)
		compile->flags |= NODE_HAS_WILDCARDS;
	if (record.cuts > 0)
		compile->flags |= NODE_HAS_CUTS;
	if (record.revision > compile->revision)
		compile->revision = record.revision;
	return STATUS_OK;
}

static int
add_record(void *context, const struct state_record *record, struct reason *reason)
{
	return compile_add(context, record, reason);
}

int
compile_begin_name(struct compile *compile, struct state_txn *txn,
	const struct name_key *owner, struct reason *reason)
{
	compile_begin(compile, owner);
	return state_walk_name(txn, owner, add_record, compile, reason);
}

int
compile_name(struct compile *compile, struct state_txn *txn, const struct name_key *owner,
	struct reason *reason)
{
	int status = compile_begin_name(compile, txn, owner, reason);

	return status == STATUS_OK ? compile_finish(compile, txn, reason) : status;
}
