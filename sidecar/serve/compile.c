/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Nodes from RRsets: of one name that a change touched, of all names for a rebuild, and the
 * names that a serve which is behind has to catch up with.
 */
#include "sidecar/serve/compile.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
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
	name_key_copy(&compile->owner, owner);
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
		|| !state_reverse_is_wanted(zones_match(compile->zones, owner), owner, record->rrset.type)
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

	if (!compile->zones->has_auto_ptr || !state_reverse_is_below(&compile->owner)
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
	if (record.wildcards > 0 || !state_has_counts(txn))
		compile->flags |= NODE_HAS_WILDCARDS;
	if (record.cuts > 0 || !state_has_counts(txn))
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

/* --- all names --- */

#define CHUNK_NAMES 500000 /* names per commit of a rebuild: bounds dirty pages */

struct rebuild {
	struct compile *compile;
	struct state_txn *from;
	struct serve_writer *store;
	struct serve_txn *to;
	bool has_name;
	bool *has_apex; /* per zone: its node is written */
	size_t written;
	uint64_t records, owned; /* read; as the sources count */
};

static int
fill(struct rebuild *rebuild, struct serve_meta *out_meta, struct reason *reason);
static int
rebuild_record(void *context, const struct state_record *record, struct reason *reason);
static int finish_name(struct rebuild *rebuild, struct reason *reason);
static int
rebuild_reverse_name(void *context, const struct name_key *name, struct reason *reason);
static int rebuild_apexes(struct rebuild *rebuild, struct reason *reason);
static int check_count(struct rebuild *rebuild, struct reason *reason);
static int add_owned(void *context, const char *source, size_t source_len,
	const struct state_source *record, struct reason *reason);

int
compile_all(struct compile *compile, struct state *state, struct serve_writer *store,
	struct serve_meta *out_meta, struct reason *reason)
{
	struct rebuild rebuild = { .compile = compile, .store = store };
	int status = state_begin_read(state, &rebuild.from, reason);

	if (status != STATUS_OK)
		return status;
	rebuild.has_apex = calloc(compile->zones->count + 1, sizeof(bool));
	status = rebuild.has_apex ? fill(&rebuild, out_meta, reason)
				  : reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	free(rebuild.has_apex);
	state_abort(rebuild.from);
	if (!rebuild.to)
		return status;
	if (status == STATUS_OK)
		return serve_writer_commit(rebuild.to, reason);
	serve_writer_abort(rebuild.to);
	return status;
}

static int
fill(struct rebuild *rebuild, struct serve_meta *out_meta, struct reason *reason)
{
	static const struct name_key root;
	struct state_meta meta;
	int status = state_read_meta(rebuild->from, &meta, reason);

	if (status == STATUS_OK)
		status = serve_writer_begin(rebuild->store, &rebuild->to, reason);
	if (status == STATUS_OK)
		status = state_walk_below(
			rebuild->from, &root, rebuild_record, rebuild, reason);
	if (status == STATUS_OK && rebuild->has_name)
		status = finish_name(rebuild, reason);
	if (status == STATUS_OK)
		status = check_count(rebuild, reason);
	if (status == STATUS_OK)
		status = state_walk_reverse_names(
			rebuild->from, rebuild_reverse_name, rebuild, reason);
	if (status == STATUS_OK)
		status = rebuild_apexes(rebuild, reason);
	if (status != STATUS_OK)
		return status;
	out_meta->revision = meta.revision;
	memcpy(out_meta->instance, meta.instance, sizeof(meta.instance));
	return serve_writer_put_meta(rebuild->to, out_meta, reason);
}

static int
rebuild_record(void *context, const struct state_record *record, struct reason *reason)
{
	struct rebuild *rebuild = context;
	struct compile *compile = rebuild->compile;
	const struct name_key *owner = &record->rrset.owner;
	int status = STATUS_OK;

	rebuild->records++;
	if (rebuild->has_name
		&& (compile->owner.len != owner->len
			|| memcmp(compile->owner.bytes, owner->bytes, owner->len) != 0))
		status = finish_name(rebuild, reason);
	if (status != STATUS_OK)
		return status;
	if (!rebuild->has_name)
		compile_begin(compile, owner);
	rebuild->has_name = true;
	return compile_add(compile, record, reason);
}

static int
finish_name(struct rebuild *rebuild, struct reason *reason)
{
	struct compile *compile = rebuild->compile;
	const struct zone *zone = zones_find(compile->zones, &compile->owner);
	int status = compile_finish(compile, rebuild->from, reason);

	rebuild->has_name = false;
	if (zone)
		rebuild->has_apex[zone - compile->zones->zone] = true;
	if (status == STATUS_OK)
		status = compile_put(compile, rebuild->to, reason);
	if (status == STATUS_OK && ++rebuild->written % CHUNK_NAMES == 0) {
		struct serve_txn *txn = rebuild->to;

		rebuild->to = NULL;
		status = serve_writer_commit(txn, reason);
		if (status == STATUS_OK)
			status = serve_writer_begin(rebuild->store, &rebuild->to, reason);
	}
	return status;
}

/* A reverse name of auto-ptr; one that has records of its own is written once more. */
static int
rebuild_reverse_name(void *context, const struct name_key *name, struct reason *reason)
{
	struct rebuild *rebuild = context;
	int status = compile_begin_name(
		rebuild->compile, rebuild->from, name, reason);

	return status == STATUS_OK ? finish_name(rebuild, reason) : status;
}

/* Apexes at which nothing is stored have an SOA all the same. */
static int
rebuild_apexes(struct rebuild *rebuild, struct reason *reason)
{
	struct compile *compile = rebuild->compile;
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < compile->zones->count; i++) {
		if (rebuild->has_apex[i])
			continue;
		compile_begin(compile, &compile->zones->zone[i].key);
		status = finish_name(rebuild, reason);
	}
	return status;
}

/* A page of state that is damaged may hide records, and a serve without them would deny
 * names that exist. */
static int
check_count(struct rebuild *rebuild, struct reason *reason)
{
	int status = state_walk_sources(rebuild->from, add_owned, rebuild, reason);

	if (status == STATUS_OK && rebuild->records != rebuild->owned)
		status = reason_set(reason, STATUS_CORRUPT,
			"state: %llu RRsets where its sources have %llu",
			(unsigned long long)rebuild->records,
			(unsigned long long)rebuild->owned);
	return status;
}

static int
add_owned(void *context, const char *source, size_t source_len,
	const struct state_source *record, struct reason *reason)
{
	struct rebuild *rebuild = context;

	(void)source;
	(void)source_len;
	(void)reason;
	rebuild->owned += record->rrsets;
	return STATUS_OK;
}

int
compile_put(struct compile *compile, struct serve_txn *txn, struct reason *reason)
{
	size_t size;
	uint8_t *value;
	int status;

	if (compile->count == 0)
		return serve_writer_delete(txn, &compile->owner, reason);
	size = node_size(compile->rrset, compile->count);
	status = serve_writer_reserve(txn, &compile->owner, size, &value, reason);
	if (status == STATUS_OK)
		node_encode(&compile->owner, compile->revision, compile->flags,
			compile->rrset, compile->count, value);
	return status;
}

/* --- what changed --- */

#define CHANGES_MAX 100000 /* names; more are rebuilt */

static int change_entry(void *context, uint64_t revision, bool reset,
	const struct state_log_item *items, size_t count, struct reason *reason);
static int
change_lease(void *context, const struct state_record *record, struct reason *reason);
static int change_name(struct compile_changes *changes, const struct name_key *owner);
static bool has_pointers(const struct compile_changes *changes,
	const struct name_key *owner, uint16_t type);

int
compile_find_changes(const struct compile *compile, struct state *state, uint64_t since,
	struct compile_changes *changes, struct state_meta *out_meta, struct reason *reason)
{
	const struct zones *zones = compile->zones;
	struct state_txn *txn;
	size_t i;
	int status = state_begin_read(state, &txn, reason);

	changes->zones = zones;

	if (status != STATUS_OK)
		return status;
	status = state_read_meta(txn, out_meta, reason);
	if (status == STATUS_OK)
		status = state_walk_log(
			txn, since, SIZE_MAX, change_entry, changes, reason);
	if (status == STATUS_OK)
		status = state_walk_expired(
			txn, UINT64_MAX, change_lease, changes, reason);
	/* the configuration may say another ns, contact or ttl than before */
	for (i = 0; status == STATUS_OK && i < zones->count; i++)
		status = touched_add(&changes->touched.apexes, &zones->zone[i].key);
	state_abort(txn);
	return status;
}

static int
change_entry(void *context, uint64_t revision, bool reset,
	const struct state_log_item *items, size_t count, struct reason *reason)
{
	const struct compile_changes *changes = context;
	int status = reset ? STATUS_TOO_LARGE : STATUS_OK;
	size_t i;

	(void)revision;
	(void)reason;
	for (i = 0; status == STATUS_OK && i < count; i++) {
		/* nobody knows which addresses it had before: rebuild */
		if (has_pointers(changes, &items[i].owner, items[i].type))
			status = STATUS_TOO_LARGE;
		else
			status = change_name(context, &items[i].owner);
	}
	return status;
}

/* A heartbeat makes no revision, so leases may be newer than serve has them. */
static int
change_lease(void *context, const struct state_record *record, struct reason *reason)
{
	const struct rrset *rrset = &record->rrset;
	bool points = has_pointers(context, &rrset->owner, rrset->type);
	size_t at, len;
	int status = change_name(context, &rrset->owner);

	(void)reason;
	for (at = 0; points && status == STATUS_OK && at < rrset->rdata_len;
		at += 2 + len) {
		struct name_key reverse;

		len = (size_t)rrset->rdata[at] << 8 | rrset->rdata[at + 1];
		if (state_reverse_key(rrset->type, rrset->rdata + at + 2, len, &reverse)
			== STATUS_OK)
			status = change_name(context, &reverse);
	}
	return status;
}

static int
change_name(struct compile_changes *changes, const struct name_key *owner)
{
	const struct name_key *copy;

	if (changes->touched.names.count == CHANGES_MAX)
		return STATUS_TOO_LARGE;
	copy = arena_copy(&changes->arena, owner, sizeof(*owner));
	return copy ? touched_add(&changes->touched.names, copy) : STATUS_NO_MEMORY;
}

static bool
has_pointers(const struct compile_changes *changes, const struct name_key *owner,
	uint16_t type)
{
	const struct zones *zones = changes->zones;

	return zones->has_auto_ptr
	       && state_reverse_is_wanted(zones_match(zones, owner), owner, type);
}
