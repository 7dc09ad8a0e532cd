/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Zone records and the index of addresses, made anew from all RRsets: when the configuration
 * has other zones, and when a check found the counts wrong. Writer thread, at start and reload.
 */
#include "sidecar/state/state.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "sidecar/state/reverse.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"
#include "lib/dns/zones.h"

struct auto_ptr {
	struct state_txn *txn;
	const struct zones *zones;
	const struct zone *zone; /* whose names are looked at; not those of zones inside it */
	uint8_t block[REVERSE_BLOCK_MAX];
};

static uint32_t
checksum_zones(const struct zones *zones)
{
	uint32_t checksum = 0;
	size_t i;

	for (i = 0; i < zones->count; i++) {
		const struct name_key *apex = &zones->zone[i].key;
		uint8_t bytes[6 + NAME_KEY_MAX];
		size_t len = 5u + apex->len;

		memcpy(bytes, &checksum, sizeof(checksum));
		bytes[4] = apex->len;
		memcpy(bytes + 5, apex->bytes, apex->len);
		if (zones->zone[i].auto_ptr)
			bytes[len++] = STATE_TABLE_POINTER;
		checksum = checksum_crc32c(bytes, len);
	}
	return checksum;
}

/* What zones with auto-ptr want of the index; the walk reads table R and this writes table P,
 * so that the addresses are copied first. */
static int
point_record(void *context, const struct state_record *record, struct reason *reason)
{
	struct auto_ptr *pointing = context;
	struct rrset rrset = record->rrset;
	const struct zone *zone = zones_match(pointing->zones, &rrset.owner);

	if (zone != pointing->zone || !reverse_is_wanted(zone, &rrset.owner, rrset.type)
		|| rrset.rdata_len > sizeof(pointing->block))
		return STATUS_OK;
	memcpy(pointing->block, rrset.rdata, rrset.rdata_len);
	rrset.rdata = pointing->block;
	return state_point(pointing->txn, pointing->zones, NULL, &rrset, NULL, NULL, reason);
}

/* Makes the index for these zones, whose counts are 0. */
static int
make_pointers(struct state_txn *txn, const struct zones *zones, struct reason *reason)
{
	struct auto_ptr pointing = { .txn = txn, .zones = zones };
	int status = state_clear_pointers(txn, reason);
	size_t i;

	for (i = 0; status == STATUS_OK && i < zones->count; i++) {
		pointing.zone = &zones->zone[i];
		if (pointing.zone->auto_ptr)
			status = state_walk_below(txn, &pointing.zone->key, point_record,
				&pointing, reason);
	}
	return status;
}

static int
clear_zone(void *context, const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	struct state_zone_counter counter = { .apex.len = 0 };
	int status;

	if (key->mv_size > 1 + NAME_KEY_MAX)
		return reason_set(reason, STATUS_CORRUPT, "state: damaged key in table Z");
	counter.apex.len = (uint8_t)(key->mv_size - 1);
	memcpy(counter.apex.bytes, (const uint8_t *)key->mv_data + 1, counter.apex.len);
	status = state_decode_zone(key, value, &counter.record, reason);
	counter.record = (struct state_zone){ .revision = counter.record.revision };
	return status == STATUS_OK ? state_write_zone(context, &counter, reason) : status;
}

/* Sets the counts of every zone record to 0; revisions stay, they are serials. */
static int
clear_zones(struct state_txn *txn, struct reason *reason)
{
	const uint8_t table = STATE_TABLE_ZONE;

	return state_walk_prefix(txn, &table, 1, clear_zone, txn, reason);
}

struct tally {
	const struct zones *zones;
	struct state_zone *zone; /* per zone, without revisions */
};

static int
tally_record(void *context, const struct state_record *record, struct reason *reason)
{
	struct tally *tally = context;
	const struct zone *zone = zones_match(tally->zones, &record->rrset.owner);

	(void)reason;
	if (zone)
		state_count_rrset(&tally->zone[zone - tally->zones->zone], &zone->key,
			&(struct state_delta){ &record->rrset.owner, record->rrset.type, 1 });
	return STATUS_OK;
}

static int
write_tally(struct state_txn *txn, const struct tally *tally, struct reason *reason)
{
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < tally->zones->count; i++) {
		struct state_zone_counter counter = { .apex = tally->zones->zone[i].key };

		status = state_read_zone(txn, &counter.apex, &counter.record, reason);
		if (status == STATUS_NOT_FOUND && tally->zone[i].rrsets == 0) {
			status = STATUS_OK;
			continue;
		}
		if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
			tally->zone[i].revision = counter.record.revision;
			counter.record = tally->zone[i];
			status = state_write_zone(txn, &counter, reason);
		}
	}
	return status;
}

int
state_recount_zones(struct state_txn *txn, const struct zones *zones, bool *out_changed,
	struct reason *reason)
{
	static const struct name_key root;
	uint32_t checksum = checksum_zones(zones);
	struct tally tally = { .zones = zones };
	int status = state_load_meta(txn, reason);

	if (status == STATUS_OK)
		*out_changed = txn->meta.zones_checksum != checksum
			|| txn->state->must_recount;
	if (status != STATUS_OK || !*out_changed)
		return status;
	status = state_flush_counters(txn, reason);
	if (status != STATUS_OK)
		return status;
	tally.zone = calloc(zones->count + 1, sizeof(*tally.zone));
	if (!tally.zone)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	status = clear_zones(txn, reason);
	if (status == STATUS_OK)
		status = state_walk_below(txn, &root, tally_record, &tally, reason);
	if (status == STATUS_OK)
		status = write_tally(txn, &tally, reason);
	if (status == STATUS_OK)
		status = make_pointers(txn, zones, reason);
	free(tally.zone);
	txn->meta.zones_checksum = checksum;
	txn->state->must_recount = false;
	txn->is_meta_dirty = true;
	return status;
}
