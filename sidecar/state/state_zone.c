/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Zone records: how many RRsets, what look-ups must look for, last revision. A writer changes
 * them in memory and writes each once, at commit; when the configuration has other zones, they
 * are counted again from all RRsets, and so is the index of addresses.
 */
#include "sidecar/state/state.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/base/cursor.h"
#include "lib/base/status.h"
#include "lib/dns/zones.h"
#include "lib/serve/mdb.h"
#include "sidecar/state/state_txn.h"

#define ZONE_SIZE 32

/* --- records --- */

static MDB_val
zone_key(const struct name_key *apex, uint8_t *out)
{
	out[0] = STATE_TABLE_ZONE;
	memcpy(out + 1, apex->bytes, apex->len);
	return (MDB_val){ 1u + apex->len, out };
}

static int
decode_zone(const MDB_val *key, const MDB_val *value, struct state_zone *out,
	struct reason *reason)
{
	struct cursor cursor = cursor_init(value->mv_data, value->mv_size);

	if (!state_is_sealed(key, value) || value->mv_size != ZONE_SIZE)
		return reason_set(reason, STATUS_CORRUPT, "state: damaged value in table Z");
	cursor_u32(&cursor);
	out->rrsets = cursor_u32(&cursor);
	out->revision = cursor_u64(&cursor);
	out->wildcards = cursor_u32(&cursor);
	out->cuts = cursor_u32(&cursor);
	out->pointers = cursor_u32(&cursor);
	out->pointless = cursor_u32(&cursor);
	return STATUS_OK;
}

int
state_read_zone(struct state_txn *txn, const struct name_key *apex, struct state_zone *out,
	struct reason *reason)
{
	uint8_t bytes[STATE_KEY_MAX];
	MDB_val key = zone_key(apex, bytes), value;
	int code = mdb_get(txn->txn, txn->dbi, &key, &value);

	if (code == MDB_NOTFOUND)
		return STATUS_NOT_FOUND;
	if (code != 0)
		return status_from_mdb_reason(code, "state", reason);
	return decode_zone(&key, &value, out, reason);
}

int
state_write_zone(struct state_txn *txn, const struct state_zone_counter *counter,
	struct reason *reason)
{
	uint8_t bytes[STATE_KEY_MAX], data[ZONE_SIZE];
	MDB_val key = zone_key(&counter->apex, bytes), value = { sizeof(data), data };
	struct cursor_out cursor = cursor_out_init(data, sizeof(data));

	cursor_put_u32(&cursor, 0);
	cursor_put_u32(&cursor, counter->record.rrsets);
	cursor_put_u64(&cursor, counter->record.revision);
	cursor_put_u32(&cursor, counter->record.wildcards);
	cursor_put_u32(&cursor, counter->record.cuts);
	cursor_put_u32(&cursor, counter->record.pointers);
	cursor_put_u32(&cursor, counter->record.pointless);
	state_seal(&key, data, sizeof(data));
	return status_from_mdb_reason(state_store(txn, NULL, key, value, 0), "state", reason);
}

int
state_flush_zones(struct state_txn *txn, struct reason *reason)
{
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < txn->zone_count; i++)
		status = state_write_zone(txn, &txn->zone[i], reason);
	txn->zone_count = txn->zone_last = 0;
	return status;
}

/* --- counters of a writer --- */

static bool
is_zone(const struct state_zone_counter *counter, const struct name_key *apex)
{
	return counter->apex.len == apex->len
		&& memcmp(counter->apex.bytes, apex->bytes, apex->len) == 0;
}

static struct state_zone_counter *
find_zone(struct state_txn *txn, const struct name_key *apex)
{
	size_t i;

	if (txn->zone_last < txn->zone_count && is_zone(&txn->zone[txn->zone_last], apex))
		return &txn->zone[txn->zone_last];
	for (i = 0; i < txn->zone_count; i++) {
		if (is_zone(&txn->zone[i], apex)) {
			txn->zone_last = i;
			return &txn->zone[i];
		}
	}
	return NULL;
}

/* Room for one more. */
static int
make_room(struct state_txn *txn, struct reason *reason)
{
	if (!txn->zone)
		txn->zone = malloc(STATE_COUNTERS_MAX * sizeof(*txn->zone));
	if (!txn->zone)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	return txn->zone_count < STATE_COUNTERS_MAX ? STATUS_OK
						    : state_flush_zones(txn, reason);
}

/* The counter of a zone, read from its record when it is new here. */
static int
load_zone(struct state_txn *txn, const struct name_key *apex,
	struct state_zone_counter **out, struct reason *reason)
{
	struct state_zone_counter *counter = find_zone(txn, apex);

	if (!counter) {
		int status = make_room(txn, reason);

		if (status != STATUS_OK)
			return status;
		counter = &txn->zone[txn->zone_count];
		*counter = (struct state_zone_counter){ .apex = *apex };
		status = state_read_zone(txn, apex, &counter->record, reason);
		if (status != STATUS_OK && status != STATUS_NOT_FOUND)
			return status;
		txn->zone_last = txn->zone_count++;
	}
	*out = counter;
	return STATUS_OK;
}

static uint32_t
add(uint32_t count, int delta)
{
	if (delta < 0)
		return count == 0 ? 0 : count - 1;
	return count + (uint32_t)delta;
}

static bool
has_wildcard(const struct name_key *owner)
{
	size_t at;

	for (at = 0; at < owner->len; at += 1u + owner->bytes[at])
		if (owner->bytes[at] == 1 && owner->bytes[at + 1] == '*')
			return true;
	return false;
}

static void
count_rrset(struct state_zone *zone, const struct name_key *apex,
	const struct state_delta *delta)
{
	zone->rrsets = add(zone->rrsets, delta->delta);
	if (has_wildcard(delta->owner))
		zone->wildcards = add(zone->wildcards, delta->delta);
	if (delta->type == RRSET_DNAME
		|| (delta->type == RRSET_NS && delta->owner->len != apex->len))
		zone->cuts = add(zone->cuts, delta->delta);
}

int
state_touch_zone(struct state_txn *txn, const struct name_key *apex, uint64_t revision,
	struct reason *reason)
{
	struct state_zone_counter *counter;
	int status = load_zone(txn, apex, &counter, reason);

	if (status == STATUS_OK && revision > counter->record.revision)
		counter->record.revision = revision;
	return status;
}

int
state_count_zone(struct state_txn *txn, const struct name_key *apex,
	const struct state_delta *delta, uint64_t revision, struct reason *reason)
{
	struct state_zone_counter *counter;
	int status;

	if (!apex)
		return STATUS_OK;
	status = load_zone(txn, apex, &counter, reason);
	if (status != STATUS_OK)
		return status;
	count_rrset(&counter->record, apex, delta);
	if (revision > counter->record.revision)
		counter->record.revision = revision;
	return STATUS_OK;
}

int
state_count_pointer(struct state_txn *txn, const struct name_key *apex, bool is_live,
	int delta, struct reason *reason)
{
	struct state_zone_counter *counter;
	uint32_t *count;
	int status = load_zone(txn, apex, &counter, reason);

	if (status != STATUS_OK)
		return status;
	count = is_live ? &counter->record.pointers : &counter->record.pointless;
	*count = add(*count, delta);
	return STATUS_OK;
}

int
state_get_zone(struct state_txn *txn, const struct name_key *apex, struct state_zone *out,
	struct reason *reason)
{
	struct state_zone_counter *counter = find_zone(txn, apex);

	if (!counter)
		return state_read_zone(txn, apex, out, reason);
	*out = counter->record;
	return STATUS_OK;
}

/* --- counted again --- */

struct auto_ptr {
	struct state_txn *txn;
	const struct zones *zones;
	const struct zone *zone; /* whose names are looked at; not those of zones inside it */
	uint8_t block[STATE_REVERSE_BLOCK_MAX];
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
	return checksum == STATE_ZONES_UNCOUNTED ? 1 : checksum;
}

/* What zones with auto-ptr want of the index; the walk reads table R and this writes table P,
 * so that the addresses are copied first. */
static int
point_record(void *context, const struct state_record *record, struct reason *reason)
{
	struct auto_ptr *pointing = context;
	struct rrset rrset = record->rrset;
	const struct zone *zone = zones_match(pointing->zones, &rrset.owner);

	if (zone != pointing->zone || !state_reverse_is_wanted(zone, &rrset.owner, rrset.type)
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
	status = decode_zone(key, value, &counter.record, reason);
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
		count_rrset(&tally->zone[zone - tally->zones->zone], &zone->key,
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

static int
count_all(struct state_txn *txn, const struct zones *zones, struct reason *reason)
{
	static const struct name_key root;
	struct tally tally = { .zones = zones };
	int status = state_flush_counters(txn, reason);

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
	return status;
}

int
state_recount_zones(struct state_txn *txn, const struct zones *zones, bool *out_changed,
	struct reason *reason)
{
	uint32_t checksum = checksum_zones(zones);
	int status = state_load_meta(txn, reason);

	if (status != STATUS_OK)
		return status;
	*out_changed = txn->meta.zones_checksum != checksum || txn->state->has_wrong_counts;
	if (!*out_changed)
		return STATUS_OK;
	status = count_all(txn, zones, reason);
	if (status != STATUS_OK)
		return status;
	txn->meta.zones_checksum = checksum;
	txn->has_counted = txn->is_meta_dirty = true;
	return STATUS_OK;
}

void
state_doubt_counts(struct state *state)
{
	state->has_wrong_counts = true;
}

bool
state_has_counts(const struct state_txn *txn)
{
	return !txn->state->has_wrong_counts;
}
