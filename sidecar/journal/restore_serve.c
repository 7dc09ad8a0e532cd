/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * From what is served back to what was written: compile.c the other way round.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "sidecar/state/reverse.h"
#include "lib/base/status.h"
#include "sidecar/serve/compile.h"
#include "sidecar/state/lease_clock.h"
#include "sidecar/journal/restore.h"
#include "sidecar/journal/restore_work.h"

#define SERIAL_END 20 /* of an SOA: the serial is the first of five numbers at its end */

void
restore_init(struct restore *restore)
{
	restore->wall_offset_ms = lease_clock_look(restore->config->store.state);
	restore->now_ms = clock_boot_ms() + restore->wall_offset_ms;
}

/* --- one record --- */

static bool
is_same_boot(const struct restore *restore)
{
	uint8_t boot_id[SERVE_INSTANCE_SIZE];

	clock_read_boot_id(boot_id);
	return memcmp(boot_id, restore->serve.meta.boot_id, sizeof(boot_id)) == 0;
}

/* What serve has of a lease is its end, on the clock of the boot that it was made in. */
static void
set_lease(const struct restore *restore, const struct node_rrset *served,
	const struct state_record *known, struct state_record *record)
{
	if (served->expires_ms == 0)
		return;
	if (served->expires_ms == STATE_LEASE_OVER)
		record->expires_ms = STATE_LEASE_OVER;
	else if (restore->is_same_boot)
		record->expires_ms = served->expires_ms + restore->wall_offset_ms;
	else if (known && known->expires_ms != STATE_LEASE_OVER)
		record->expires_ms = known->expires_ms;
	if (known && known->lease_ms != 0)
		record->lease_ms = known->lease_ms;
	else if (record->expires_ms > restore->now_ms
		&& record->expires_ms - restore->now_ms < UINT32_MAX - 1000)
		record->lease_ms =
			(uint32_t)(record->expires_ms - restore->now_ms + 999) / 1000 * 1000;
	else
		record->lease_ms = RESTORE_LEASE_MS;
	if (record->expires_ms == 0)
		record->expires_ms = restore->now_ms + record->lease_ms;
}

/* The same TTL and records, but for the serial of an SOA: what is served has another one than
 * what was written, and what is made for the new state yet another. */
static bool
has_same_data(const struct node_rrset *served, uint32_t ttl, const uint8_t *rdata,
	uint32_t rdata_len)
{
	size_t serial;

	if (served->ttl != ttl || served->rdata_len != rdata_len)
		return false;
	if (served->type != RRSET_SOA || rdata_len < SERIAL_END)
		return memcmp(served->rdata, rdata, rdata_len) == 0;
	serial = rdata_len - SERIAL_END;
	return memcmp(served->rdata, rdata, serial) == 0
		&& memcmp(served->rdata + serial + 4, rdata + serial + 4, SERIAL_END - 4) == 0;
}

static int
put_served(struct restore *restore, const struct name_key *owner, const struct node *node,
	const struct node_rrset *served, struct reason *reason)
{
	struct state_record known, record = {
		.rrset = { .owner = *owner,
			.type = served->type,
			.count = served->count,
			.ttl = served->ttl,
			.rdata_len = served->rdata_len,
			.rdata = served->rdata },
		.revision = node->revision,
		.source_len = sizeof(RESTORE_SOURCE) - 1,
		.source = RESTORE_SOURCE,
	};
	bool is_known = known_find(&restore->known, owner, served->type, &known)
		&& has_same_data(served, known.rrset.ttl, known.rrset.rdata, known.rrset.rdata_len);

	if (is_known) {
		record.rrset = known.rrset;
		record.revision = known.revision;
		record.source = known.source;
		record.source_len = known.source_len;
	} else {
		restore->unowned++;
	}
	set_lease(restore, served, is_known ? &known : NULL, &record);
	restore->rrsets++;
	return restore_put(restore, &record, reason);
}

/* --- records that livezoned may have made --- */

static bool
may_be_made(const struct restore *restore, const struct name_key *owner, uint16_t type)
{
	const struct zones *zones = &restore->config->zones;

	switch (type) {
	case RRSET_SOA:
	case RRSET_NS:
		return zones_find(zones, owner) != NULL;
	case RRSET_PTR:
		return zones->has_auto_ptr && reverse_is_below(owner);
	default:
		return false;
	}
}

/* Did somebody write it? With the whole of the old state, that is known; else it was written
 * when it is not what livezoned makes. */
static int
is_by_hand(struct restore *restore, struct compile *compile, const struct name_key *owner,
	const struct node_rrset *served, bool *out, struct reason *reason)
{
	struct state_record known;
	size_t i;
	int status;

	*out = known_find(&restore->known, owner, served->type, &known);
	if (*out || restore->is_salvage_complete)
		return STATUS_OK;
	status = compile_name(compile, restore->txn, owner, reason);
	*out = true;
	for (i = 0; status == STATUS_OK && i < compile->count; i++)
		if (compile->rrset[i].type == served->type)
			*out = !has_same_data(served, compile->rrset[i].ttl,
				compile->rrset[i].rdata, compile->rrset[i].rdata_len);
	return status;
}

/* --- walks --- */

struct walk {
	struct restore *restore;
	struct compile *compile; /* NULL: what may be made is left out, else all but that */
};

static int
visit_node(void *context, const struct name_key *owner, const struct node *node,
	struct reason *reason)
{
	const struct walk *walk = context;
	struct restore *restore = walk->restore;
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < node->count; i++) {
		struct node_rrset served;
		bool is_wanted = !walk->compile;

		status = node_rrset(node, i, &served);
		if (status != STATUS_OK
			|| may_be_made(restore, owner, served.type) == is_wanted)
			continue;
		if (walk->compile)
			status = is_by_hand(restore, walk->compile, owner, &served, &is_wanted,
				reason);
		if (status == STATUS_OK && is_wanted)
			status = put_served(restore, owner, node, &served, reason);
	}
	return status;
}

/* Zones of the configuration whose apex serve has: it has all of their names, too. */
struct unserved {
	struct restore *restore;
	bool *is_served; /* per zone */
};

static int
note_apex(void *context, const struct name_key *owner, const struct node *node,
	struct reason *reason)
{
	const struct unserved *unserved = context;
	const struct zones *zones = &unserved->restore->config->zones;
	const struct zone *zone = zones_find(zones, owner);

	(void)node;
	(void)reason;
	if (zone)
		unserved->is_served[zone - zones->zone] = true;
	return STATUS_OK;
}

static int
put_unserved(void *context, const struct state_record *record, struct reason *reason)
{
	const struct unserved *unserved = context;
	struct restore *restore = unserved->restore;
	const struct zones *zones = &restore->config->zones;
	const struct zone *zone = zones_match(zones, &record->rrset.owner);
	struct state_record copy = *record;

	if (zone && unserved->is_served[zone - zones->zone])
		return STATUS_OK;
	if (copy.lease_ms != 0 && copy.expires_ms == 0)
		copy.expires_ms = restore->now_ms + copy.lease_ms;
	restore->rrsets++;
	return restore_put(restore, &copy, reason);
}

int
restore_from_serve(struct restore *restore, struct reason *reason)
{
	struct walk walk = { .restore = restore };
	struct unserved unserved = { restore,
		calloc(restore->config->zones.count + 1, sizeof(bool)) };
	int status;

	if (!unserved.is_served)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	restore->is_same_boot = is_same_boot(restore);
	status = serve_image_walk(&restore->serve, visit_node, &walk, reason);
	if (status == STATUS_OK)
		status = serve_image_walk(&restore->serve, note_apex, &unserved, reason);
	if (status == STATUS_OK)
		status = known_walk(&restore->known, put_unserved, &unserved, reason);
	free(unserved.is_served);
	return status;
}

int
restore_made_by_hand(struct restore *restore, struct reason *reason)
{
	struct walk walk = { restore, malloc(sizeof(*walk.compile)) };
	int status;

	if (!walk.compile)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	*walk.compile = (struct compile){
		.zones = &restore->config->zones,
		.wall_offset_ms = restore->wall_offset_ms,
	};
	status = serve_image_walk(&restore->serve, visit_node, &walk, reason);
	free(walk.compile);
	return status;
}
