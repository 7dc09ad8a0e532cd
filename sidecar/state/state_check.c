/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Is a state environment whole? Read through LMDB, which trusts its pages: a damaged one may
 * lead it anywhere, so this runs in a process of its own (livezoned --check-state), whose
 * crash is an answer.
 *
 * One pass in key order reads every value against its checksum and every index against the
 * RRsets. Index entries have no value that could carry a checksum: each index is compared as
 * a set, by the sum of hashes over its entries, which a changed, missing or extra entry
 * changes. That the same entries are found from the root of the tree as well is tried for the
 * first and the last one of each page; those between them lie on the same way down. The list
 * of free pages must name none that is in use: LMDB would write to it. A page of an older
 * commit, whole in itself, is found by the change log, which says at which revision an RRset
 * was written last.
 */
#include <endian.h>
#include <limits.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/base/status.h"
#include "lib/serve/mdb.h"
#include "sidecar/state/state.h"
#include "sidecar/state/state_txn.h"

#define READERS_MAX 512     /* as state_env.c has it */
#define LOG_ITEMS_MAX (1u << 20) /* compared with the RRsets, the newest first: bounds memory */

/* A set of index entries, so that two can be compared. */
struct tally {
	uint64_t count, sum;
};

struct zone_tally {
	struct name_key apex;
	struct state_zone record, counted;
};

struct check {
	struct state_check *out;
	struct state_txn txn; /* for reading functions of state */
	struct state_log_entry log; /* items only */
	struct state_meta_record meta;
	uint64_t log_first, log_last, log_bytes; /* as found */
	uint64_t revision;                       /* the highest of all records */
	struct tally owners, leases;             /* the index minus the RRsets */
	uint64_t pointers;
	/* the source whose entries of table O are read, and how many sources there were */
	uint8_t source_len;
	char source[STATE_SOURCE_MAX];
	uint64_t source_rrsets, source_runs, source_records;
	struct zone_tally *zone;
	size_t zone_count, zone_room;
};

typedef int (*table_fn)(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason);

static int
corrupt(struct reason *reason, const char *what)
{
	return reason_set(reason, STATUS_CORRUPT, "state: %s", what);
}

/* splitmix64's last step: a difference in any bit changes all. */
static uint64_t
spread(uint32_t checksum)
{
	uint64_t value = checksum + 0x9e3779b97f4a7c15u;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

static void
add(struct tally *tally, uint64_t hash)
{
	tally->count++;
	tally->sum += hash;
}

static void
take(struct tally *tally, uint64_t hash)
{
	tally->count--;
	tally->sum -= hash;
}

/* --- zones --- */

static int
compare_keys(const struct name_key *a, const uint8_t *bytes, size_t len)
{
	int order = memcmp(a->bytes, bytes, a->len < len ? a->len : len);

	return order != 0 ? order : (a->len > len) - (a->len < len);
}

static struct zone_tally *
find_apex(struct check *check, const uint8_t *bytes, size_t len)
{
	size_t low = 0, high = check->zone_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_keys(&check->zone[middle].apex, bytes, len);

		if (order == 0)
			return &check->zone[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The zone that counts an owner: the longest, as a zone that is not live counts none. */
static struct zone_tally *
find_zone(struct check *check, const struct name_key *owner)
{
	uint8_t ends[NAME_KEY_MAX + 1];
	struct zone_tally *zone = NULL;
	size_t labels = 0, at;

	for (at = 0; at < owner->len; at += 1u + owner->bytes[at])
		ends[labels++] = (uint8_t)at;
	zone = check->zone_count > 0 ? find_apex(check, owner->bytes, owner->len) : NULL;
	while (!zone && check->zone_count > 0 && labels > 0)
		zone = find_apex(check, owner->bytes, ends[--labels]);
	return zone;
}

/* Before all else, as their table comes last. */
static int
read_zone(void *context, const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	struct check *check = context;
	struct zone_tally zone = { .apex.len = 0 };
	int status = state_decode_zone(key, value, &zone.record, reason);

	if (status != STATUS_OK)
		return status;
	if (key->mv_size > 1 + NAME_KEY_MAX)
		return corrupt(reason, "damaged key in table Z");
	if (zone.record.revision > check->revision)
		check->revision = zone.record.revision;
	if (zone.record.rrsets == 0)
		return STATUS_OK;
	zone.apex.len = (uint8_t)(key->mv_size - 1);
	memcpy(zone.apex.bytes, (const uint8_t *)key->mv_data + 1, zone.apex.len);
	if (check->zone_count == check->zone_room) {
		size_t room = check->zone_room ? check->zone_room * 2 : 16;
		struct zone_tally *grown = reallocarray(check->zone, room, sizeof(zone));

		if (!grown)
			return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
		check->zone = grown;
		check->zone_room = room;
	}
	check->zone[check->zone_count++] = zone;
	return STATUS_OK;
}

/* Zones that are to be counted have counts of nothing. */
static int
compare_zones(const struct check *check, struct reason *reason)
{
	uint64_t pointers = 0;
	size_t i;

	if (check->meta.zones_checksum == STATE_ZONES_UNCOUNTED)
		return STATUS_OK;
	for (i = 0; i < check->zone_count; i++) {
		const struct state_zone *record = &check->zone[i].record;
		const struct state_zone *counted = &check->zone[i].counted;

		pointers += record->pointers;
		if (record->rrsets != counted->rrsets || record->wildcards != counted->wildcards
			|| record->cuts != counted->cuts)
			return corrupt(reason, "a zone record's counts are wrong");
	}
	return pointers == check->pointers
		? STATUS_OK
		: corrupt(reason, "the reverse names are not those that zones count");
}

/* --- tables --- */

static int
check_alarm(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	(void)check;
	return state_is_sealed(key, value) ? STATUS_OK
					   : corrupt(reason, "damaged value in table A");
}

static int
check_log(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	int status = state_decode_log(key, value, &check->log, reason);

	if (status != STATUS_OK)
		return status;
	if (check->log_first == 0)
		check->log_first = check->log.revision;
	check->log_last = check->log.revision;
	check->log_bytes += value->mv_size;
	return STATUS_OK;
}

static int
check_lease(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	if (value->mv_size != 0)
		return corrupt(reason, "damaged value in table L");
	add(&check->leases,
		spread(checksum_crc32c((const uint8_t *)key->mv_data + 1, key->mv_size - 1)));
	return STATUS_OK;
}

static int
check_meta(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	(void)check;
	(void)value;
	return key->mv_size == 1 ? STATUS_OK /* state_check_begin read it */
				 : corrupt(reason, "damaged key in table M");
}

/* The entries of one source stand side by side. */
static int
end_source(struct check *check, struct reason *reason)
{
	struct state_source record;
	int status;

	if (check->source_rrsets == 0)
		return STATUS_OK;
	status = state_get_source(
		&check->txn, check->source, check->source_len, &record, reason);
	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		return status;
	if (status == STATUS_NOT_FOUND || record.rrsets != check->source_rrsets)
		return corrupt(reason, "source record's RRset count is wrong");
	check->source_runs++;
	check->source_rrsets = 0;
	return STATUS_OK;
}

static int
check_owner(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	const uint8_t *bytes = key->mv_data;
	size_t len = key->mv_size > 1 ? bytes[1] : 0;

	if (value->mv_size != 0 || len > STATE_SOURCE_MAX || key->mv_size < 2 + len + 3)
		return corrupt(reason, "damaged entry in table O");
	if (check->source_len != len || memcmp(check->source, bytes + 2, len) != 0) {
		int status = end_source(check, reason);

		if (status != STATUS_OK)
			return status;
		check->source_len = (uint8_t)len;
		memcpy(check->source, bytes + 2, len);
	}
	check->source_rrsets++;
	add(&check->owners, spread(checksum_crc32c(bytes + 1, key->mv_size - 1)));
	return STATUS_OK;
}

static int
check_pointer(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	check->pointers++;
	if (value->mv_size != 0)
		return corrupt(reason, "damaged value in table P");
	return state_check_pointer(&check->txn, key, reason);
}

static int
check_rrset(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	const uint8_t *name = (const uint8_t *)key->mv_data + 1;
	uint8_t source[1 + STATE_SOURCE_MAX];
	struct state_record record;
	struct zone_tally *zone;
	int status = state_decode_rrset(key, value, &record, reason);

	if (status != STATUS_OK)
		return status;
	source[0] = record.source_len;
	memcpy(source + 1, record.source, record.source_len);
	take(&check->owners,
		spread(checksum_crc32c_two(
			source, 1u + record.source_len, name, key->mv_size - 1)));
	if (record.expires_ms != 0) {
		uint64_t big = htobe64(record.expires_ms);

		take(&check->leases,
			spread(checksum_crc32c_two(
				(uint8_t *)&big, sizeof(big), name, key->mv_size - 1)));
	}
	zone = find_zone(check, &record.rrset.owner);
	if (zone)
		state_count_rrset(&zone->counted, &zone->apex,
			&(struct state_delta){ &record.rrset.owner, record.rrset.type, 1 });
	if (record.revision > check->revision)
		check->revision = record.revision;
	check->out->rrsets++;
	return STATUS_OK;
}

static int
check_source(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	struct state_source record;
	int status = state_decode_source(key, value, &record, reason);

	if (status == STATUS_OK && record.revision > check->revision)
		check->revision = record.revision;
	check->source_records++;
	return status;
}

static int
check_zone(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	(void)check;
	(void)key;
	(void)value;
	(void)reason;
	return STATUS_OK; /* read_zone did */
}

static int
check_entry(struct check *check, const MDB_val *key, const MDB_val *value,
	struct reason *reason)
{
	static const table_fn tables[UINT8_MAX + 1] = {
		[STATE_TABLE_ALARM] = check_alarm,
		[STATE_TABLE_LOG] = check_log,
		[STATE_TABLE_LEASE] = check_lease,
		[STATE_TABLE_META] = check_meta,
		[STATE_TABLE_OWNER] = check_owner,
		[STATE_TABLE_POINTER] = check_pointer,
		[STATE_TABLE_RRSET] = check_rrset,
		[STATE_TABLE_SOURCE] = check_source,
		[STATE_TABLE_ZONE] = check_zone,
	};
	table_fn fn = key->mv_size > 0 ? tables[*(const uint8_t *)key->mv_data] : NULL;

	return fn ? fn(check, key, value, reason) : corrupt(reason, "an entry of no table");
}

static int
compare_order(const MDB_val *a, const MDB_val *b)
{
	int order = memcmp(a->mv_data, b->mv_data, a->mv_size < b->mv_size ? a->mv_size : b->mv_size);

	return order != 0 ? order : (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
}

static int
check_entries(struct check *check, struct state_pages *pages, struct reason *reason)
{
	struct state_page_walk walk = { .txn = check->txn.txn, .dbi = check->txn.dbi, .pages = pages };
	MDB_cursor *cursor = NULL;
	MDB_val key, value;
	int code = 0, status = state_cursor(&check->txn, &cursor, reason);

	while (status == STATUS_OK
		&& (code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		if (walk.entries > 0 && compare_order(&walk.last, &key) >= 0)
			status = corrupt(reason, "keys are out of order");
		if (status == STATUS_OK)
			status = state_pages_visit(&walk, &key, &value, reason);
		walk.last = key;
		if (status == STATUS_OK)
			status = check_entry(check, &key, &value, reason);
	}
	if (cursor)
		mdb_cursor_close(cursor);
	if (status == STATUS_OK && code != MDB_NOTFOUND)
		status = status_from_mdb_reason(code, "state", reason);
	if (status == STATUS_OK)
		status = end_source(check, reason);
	return status == STATUS_OK ? state_pages_finish(&walk, reason) : status;
}

/* --- the log against the RRsets --- */

/* RRsets that a newer entry of the log had, by hash. */
struct seen {
	uint64_t *hash; /* 0: free */
	size_t room, count;
};

/* False: it was there. */
static bool
note(struct seen *seen, uint64_t hash)
{
	size_t at = hash & (seen->room - 1);

	while (seen->hash[at] != 0 && seen->hash[at] != hash)
		at = (at + 1) & (seen->room - 1);
	if (seen->hash[at] == hash)
		return false;
	seen->hash[at] = hash;
	seen->count++;
	return true;
}

static int
compare_item(struct check *check, const struct state_log_item *item, uint64_t revision,
	struct reason *reason)
{
	struct state_record record;
	int status = state_get(&check->txn, &item->owner, item->type, &record, reason);

	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		return status;
	/* the end of a lease is logged as a delete, and may leave the RRset */
	if (item->deleted
			? status == STATUS_NOT_FOUND || record.expires_ms == STATE_LEASE_OVER
				|| record.revision > revision
			: status == STATUS_OK && record.revision >= revision)
		return STATUS_OK;
	return reason_set(reason, STATUS_CORRUPT,
		"state: an RRset is not as revision %llu left it", (unsigned long long)revision);
}

/* One revision, its items from the last to the first. */
static int
compare_revision(struct check *check, struct seen *seen, struct reason *reason)
{
	size_t i = check->log.count;
	int status = STATUS_OK;

	while (status == STATUS_OK && i-- > 0) {
		const struct state_log_item *item = &check->log.items[i];
		const uint8_t type[2] = { (uint8_t)(item->type >> 8), (uint8_t)item->type };
		uint64_t hash = spread(checksum_crc32c_two(
					item->owner.bytes, item->owner.len, type, sizeof(type)))
			| 1;

		if (note(seen, hash))
			status = compare_item(check, item, check->log.revision, reason);
	}
	return status;
}

/* From the newest revision on down, to the first whose items are not known. */
static int
walk_log(struct check *check, MDB_cursor *cursor, struct seen *seen, struct reason *reason)
{
	uint8_t behind = STATE_TABLE_LOG + 1;
	MDB_val key = { 1, &behind }, value;
	int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE), status = STATUS_OK;

	code = mdb_cursor_get(cursor, &key, &value, code == 0 ? MDB_PREV : MDB_LAST);
	while (status == STATUS_OK && code == 0
		&& *(const uint8_t *)key.mv_data == STATE_TABLE_LOG) {
		status = state_decode_log(&key, &value, &check->log, reason);
		if (status != STATUS_OK || check->log.is_reset
			|| seen->count + check->log.count > seen->room / 2)
			break;
		status = compare_revision(check, seen, reason);
		code = mdb_cursor_get(cursor, &key, &value, MDB_PREV);
	}
	return code == 0 || code == MDB_NOTFOUND ? status
						 : status_from_mdb_reason(code, "state", reason);
}

static int
compare_log(struct check *check, struct reason *reason)
{
	struct seen seen = { .room = 1024 };
	MDB_cursor *cursor = NULL;
	int status;

	/* an item has 10 bytes at least */
	while (seen.room < 2 * LOG_ITEMS_MAX && seen.room < check->log_bytes / 5)
		seen.room *= 2;
	seen.hash = calloc(seen.room, sizeof(*seen.hash));
	status = seen.hash ? state_cursor(&check->txn, &cursor, reason)
			   : reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (status == STATUS_OK)
		status = walk_log(check, cursor, &seen, reason);
	if (cursor)
		mdb_cursor_close(cursor);
	free(seen.hash);
	return status;
}

/* --- the whole --- */

static int
compare_sums(struct check *check, struct reason *reason)
{
	const struct state_meta_record *meta = &check->meta;

	if (check->owners.count != 0 || check->owners.sum != 0)
		return corrupt(reason, "the RRsets are not those that sources own");
	if (check->leases.count != 0 || check->leases.sum != 0)
		return corrupt(reason, "the leases are not those of the RRsets");
	if (check->source_runs != check->source_records)
		return corrupt(reason, "a source without RRsets");
	if (check->revision > meta->meta.revision || check->log_last > meta->meta.revision
		|| check->log_bytes != meta->log_bytes
		|| (check->log_first != 0 && check->log_first < meta->log_first))
		return corrupt(reason, "the meta record is not that of the tables");
	return compare_zones(check, reason);
}

int
state_check_run(struct state_check *out, struct reason *reason)
{
	const uint8_t zones = STATE_TABLE_ZONE;
	struct check check = {
		.out = out,
		.txn = { .txn = out->txn, .dbi = out->dbi },
		.log.items = malloc(STATE_LOG_ITEMS_MAX * sizeof(struct state_log_item)),
	};
	struct state_pages pages = { .used = NULL };
	int status = check.log.items ? state_load_meta(&check.txn, reason)
				     : reason_set(reason, STATUS_NO_MEMORY, "out of memory");

	check.meta = check.txn.meta;
	out->rrsets = 0;
	if (status == STATUS_OK)
		status = state_pages_begin(&pages, out->txn, out->dbi, reason);
	if (status == STATUS_OK)
		status = state_walk_prefix(&check.txn, &zones, 1, read_zone, &check, reason);
	if (status == STATUS_OK)
		status = check_entries(&check, &pages, reason);
	if (status == STATUS_OK)
		status = state_pages_check_free(&pages, out->txn, reason);
	if (status == STATUS_OK)
		status = compare_sums(&check, reason);
	if (status == STATUS_OK)
		status = compare_log(&check, reason);
	if (check.txn.rrsets)
		mdb_cursor_close(check.txn.rrsets);
	free(pages.used);
	free(check.log.items);
	free(check.zone);
	return status;
}

/* --- the environment --- */

int
state_check_begin(const char *dir, struct state_check *out, struct reason *reason)
{
	struct state_txn txn = { .txn = NULL };
	int code, status = mdb_files_check(dir, reason);

	*out = (struct state_check){ .env = NULL };
	if (status != STATUS_OK)
		return status;
	code = mdb_env_create(&out->env);
	if (code == 0)
		code = mdb_env_set_maxreaders(out->env, READERS_MAX);
	if (code == 0)
		code = mdb_env_open(out->env, dir, MDB_RDONLY | MDB_NOTLS, 0600);
	if (code == 0)
		code = mdb_txn_begin(out->env, NULL, MDB_RDONLY, &out->txn);
	if (code == 0)
		code = mdb_dbi_open(out->txn, NULL, 0, &out->dbi);
	/* mdb_files_check has found one of ours: it is the other one */
	if (code == MDB_INVALID || code == MDB_VERSION_MISMATCH)
		return corrupt(reason, "a meta page is damaged");
	if (code != 0)
		return status_from_mdb_reason(code, dir, reason);
	txn.txn = out->txn;
	txn.dbi = out->dbi;
	status = state_load_meta(&txn, reason);
	if (status == STATUS_NOT_FOUND)
		return reason_set(reason, STATUS_NOT_FOUND,
			"data.mdb has no record of livezone: it belongs to another program");
	out->txn_id = mdb_txn_id(out->txn);
	out->meta = txn.meta.meta;
	return status;
}

void
state_check_end(struct state_check *check)
{
	if (check->txn)
		mdb_txn_abort(check->txn);
	if (check->env)
		mdb_env_close(check->env);
}
