/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A rebuild's work: every name of state compiled and written in key order.
 */
#include "sidecar/serve/serving_fill.h"

#include <stdlib.h>
#include <string.h>

#include "lib/serve/node.h"
#include "lib/base/status.h"

#define CHUNK_NAMES 500000 /* names per commit of a rebuild: bounds dirty pages */

struct rebuild {
	struct serving *serving;
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
serving_fill_store(
	struct serving *serving, struct serve_writer *store, struct serve_meta *out_meta)
{
	struct rebuild rebuild = { .serving = serving, .store = store };
	int status = state_begin_read(serving->state, &rebuild.from, &serving->reason);

	if (status != STATUS_OK)
		return status;
	rebuild.has_apex = calloc(serving->compile.zones->count + 1, sizeof(bool));
	status = rebuild.has_apex ? fill(&rebuild, out_meta, &serving->reason)
				  : reason_set(&serving->reason, STATUS_NO_MEMORY,
					  "out of memory");
	free(rebuild.has_apex);
	state_abort(rebuild.from);
	if (!rebuild.to)
		return status;
	if (status == STATUS_OK)
		return serve_writer_commit(rebuild.to, &serving->reason);
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
	struct compile *compile = &rebuild->serving->compile;
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
	struct compile *compile = &rebuild->serving->compile;
	const struct zone *zone = zones_find(compile->zones, &compile->owner);
	int status = compile_finish(compile, rebuild->from, reason);

	rebuild->has_name = false;
	if (zone)
		rebuild->has_apex[zone - compile->zones->zone] = true;
	if (status == STATUS_OK)
		status = serving_fill_node(compile, rebuild->to, reason);
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
		&rebuild->serving->compile, rebuild->from, name, reason);

	return status == STATUS_OK ? finish_name(rebuild, reason) : status;
}

/* Apexes at which nothing is stored have an SOA all the same. */
static int
rebuild_apexes(struct rebuild *rebuild, struct reason *reason)
{
	struct compile *compile = &rebuild->serving->compile;
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
serving_fill_node(struct compile *compile, struct serve_txn *txn, struct reason *reason)
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
