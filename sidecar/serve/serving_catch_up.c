/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The change log read for names.
 */
#include "sidecar/serve/serving_catch_up.h"

#include <stdbool.h>
#include <stddef.h>

#include "sidecar/state/reverse.h"
#include "lib/base/status.h"

#define CATCH_UP_MAX 100000 /* names; more are rebuilt */

static int catch_up_entry(void *context, uint64_t revision, bool reset,
	const struct state_log_item *items, size_t count, struct reason *reason);
static int
catch_up_lease(void *context, const struct state_record *record, struct reason *reason);
static int catch_up_name(struct serving_catch_up *catch_up, const struct name_key *owner);
static bool has_pointers(const struct serving_catch_up *catch_up,
	const struct name_key *owner, uint16_t type);

int
serving_catch_up_collect(struct serving *serving, struct serving_catch_up *catch_up,
	uint64_t since, struct state_meta *out_meta)
{
	const struct zones *zones = serving->compile.zones;
	struct state_txn *txn;
	size_t i;
	int status = state_begin_read(serving->state, &txn, &serving->reason);

	if (status != STATUS_OK)
		return status;
	status = state_read_meta(txn, out_meta, &serving->reason);
	if (status == STATUS_OK)
		status = state_walk_log(
			txn, since, SIZE_MAX, catch_up_entry, catch_up, &serving->reason);
	if (status == STATUS_OK)
		status = state_walk_expired(
			txn, UINT64_MAX, catch_up_lease, catch_up, &serving->reason);
	/* the configuration may say another ns, contact or ttl than before */
	for (i = 0; status == STATUS_OK && i < zones->count; i++)
		status = touched_add(&catch_up->touched.apexes, &zones->zone[i].key);
	state_abort(txn);
	return status;
}

static int
catch_up_entry(void *context, uint64_t revision, bool reset,
	const struct state_log_item *items, size_t count, struct reason *reason)
{
	const struct serving_catch_up *catch_up = context;
	int status = reset ? STATUS_TOO_LARGE : STATUS_OK;
	size_t i;

	(void)revision;
	(void)reason;
	for (i = 0; status == STATUS_OK && i < count; i++) {
		/* nobody knows which addresses it had before: rebuild */
		if (has_pointers(catch_up, &items[i].owner, items[i].type))
			status = STATUS_TOO_LARGE;
		else
			status = catch_up_name(context, &items[i].owner);
	}
	return status;
}

/* A heartbeat makes no revision, so leases may be newer than serve has them. */
static int
catch_up_lease(void *context, const struct state_record *record, struct reason *reason)
{
	const struct rrset *rrset = &record->rrset;
	bool points = has_pointers(context, &rrset->owner, rrset->type);
	size_t at, len;
	int status = catch_up_name(context, &rrset->owner);

	(void)reason;
	for (at = 0; points && status == STATUS_OK && at < rrset->rdata_len;
		at += 2 + len) {
		struct name_key reverse;

		len = (size_t)rrset->rdata[at] << 8 | rrset->rdata[at + 1];
		if (reverse_key(rrset->type, rrset->rdata + at + 2, len, &reverse)
			== STATUS_OK)
			status = catch_up_name(context, &reverse);
	}
	return status;
}

static int
catch_up_name(struct serving_catch_up *catch_up, const struct name_key *owner)
{
	const struct name_key *copy;

	if (catch_up->touched.names.count == CATCH_UP_MAX)
		return STATUS_TOO_LARGE;
	copy = arena_copy(&catch_up->arena, owner, sizeof(*owner));
	return copy ? touched_add(&catch_up->touched.names, copy) : STATUS_NO_MEMORY;
}

static bool
has_pointers(const struct serving_catch_up *catch_up, const struct name_key *owner,
	uint16_t type)
{
	const struct zones *zones = catch_up->serving->compile.zones;

	return zones->has_auto_ptr
	       && reverse_is_wanted(zones_match(zones, owner), owner, type);
}
