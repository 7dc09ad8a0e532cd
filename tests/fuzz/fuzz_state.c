/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The values of state (sidecar/state/state.h), in a real environment whose transaction is never
 * committed. The input is a list of entries { key length u8, value length u16, key, value };
 * with bit 7 of the length set, the key is used without it and the value's checksum is left
 * as it is, otherwise it is made right: what is behind a checksum must not be trusted, either.
 */
#include <lmdb.h>
#include <unistd.h>

#include "lib/dns/presentation.h"
#include "sidecar/state/state.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"
#include "lib/dns/zones.h"
#include "tests/fuzz/fuzz_file.h"

#define MAP_SIZE (16u << 20)
#define ENTRIES_MAX 64
#define AS_IT_IS 0x80u

static struct state *state;
static struct zones zones;
static const struct name_key root;

static void
open_state(void)
{
	const char *const files[] = { "data.mdb", "lock.mdb", "livezoned.lock" };
	const char *directory = fuzz_directory();
	char path[FUZZ_PATH_MAX + 32];

	if (state_open(directory, MAP_SIZE, &state, NULL) != STATUS_OK)
		abort();
	/* the open files live on, and nothing is left behind */
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		unlink(path);
	}
	rmdir(directory);
	zones.zone = fuzz_must(calloc(1, sizeof(*zones.zone)));
	zones.count = 1;
	zones.zone[0].auto_ptr = true;
	zones.zone[0].name.len = 1;
	if (zones_finish(&zones, NULL) != STATUS_OK)
		abort();
}

/* Puts the entries in; false when there is nothing to look at. */
static bool
fill(struct state_txn *txn, const uint8_t *data, size_t size)
{
	for (size_t i = 0; size > 3 && i < ENTRIES_MAX; i++) {
		uint8_t head = fuzz_take_u8(&data, &size);
		size_t key_len = head & ~AS_IT_IS;
		size_t value_len = fuzz_take_u16(&data, &size);
		MDB_val key, value;

		if (key_len > size)
			key_len = size;
		key = (MDB_val){ key_len, (void *)(uintptr_t)data };
		data += key_len, size -= key_len;
		if (value_len > size)
			value_len = size;
		value = (MDB_val){ value_len, fuzz_text(data, value_len) };
		data += value_len, size -= value_len;
		if (value_len >= 4 && !(head & AS_IT_IS))
			state_seal(&key, value.mv_data, value_len);
		if (key_len > 0)
			FUZZ_CHECK(mdb_put(txn->txn, txn->dbi, &key, &value, 0) == 0);
		free(value.mv_data);
	}
	return size < 4;
}

/* The last record of a walk, as the caller's memory. */
struct seen {
	size_t count;
	struct state_record record;
	char source[STATE_SOURCE_MAX];
	uint8_t rdata[RRSET_RDATA_MAX];
};

static int
see_record(void *context, const struct state_record *record, struct reason *reason)
{
	const struct rrset *rrset = &record->rrset;
	struct seen *seen = context;
	struct name name;

	(void)reason;
	FUZZ_CHECK(name_from_key(rrset->owner.bytes, rrset->owner.len, &name) == STATUS_OK);
	FUZZ_CHECK(record->source_len <= STATE_SOURCE_MAX);
	FUZZ_CHECK(rrset->count >= 1 && rrset->count <= RRSET_RECORDS_MAX);
	FUZZ_CHECK(rrset->rdata_len <= RRSET_RDATA_MAX);
	FUZZ_CHECK(rrset_is_well_formed(rrset->rdata, rrset->rdata_len, rrset->count));
	seen->count++;
	seen->record = *record;
	memcpy(seen->source, record->source, record->source_len);
	memcpy(seen->rdata, rrset->rdata, rrset->rdata_len);
	seen->record.source = seen->source;
	seen->record.rrset.rdata = seen->rdata;
	return 0;
}

static int
see_source(void *context, const char *source, size_t len, const struct state_source *record,
	struct reason *reason)
{
	struct state_source again;

	FUZZ_CHECK(len <= STATE_SOURCE_MAX);
	FUZZ_CHECK(state_get_source(context, source, len, &again, reason) == STATUS_OK);
	FUZZ_CHECK(again.rrsets == record->rrsets && again.revision == record->revision);
	return 0;
}

static int
see_name(void *context, const struct name_key *key, struct reason *reason)
{
	struct name name;

	(void)context, (void)reason;
	FUZZ_CHECK(name_from_key(key->bytes, key->len, &name) == STATUS_OK);
	return 0;
}

static int
see_log(void *context, uint64_t revision, bool reset, const struct state_log_item *items,
	size_t count, struct reason *reason)
{
	struct name name;

	(void)context, (void)revision, (void)reason;
	FUZZ_CHECK(count <= STATE_LOG_ITEMS_MAX && (!reset || count == 0));
	for (size_t i = 0; i < count; i++)
		FUZZ_CHECK(name_from_key(items[i].owner.bytes, items[i].owner.len, &name)
			== STATUS_OK);
	return 0;
}

/* Every failure has a text, but for "there is none". */
static void
check(int status, struct reason *reason)
{
	FUZZ_CHECK(status == STATUS_OK || status == STATUS_NOT_FOUND
		|| reason->text[0] != '\0');
	reason->text[0] = '\0';
}

static void
walk(struct state_txn *txn, struct seen *seen)
{
	struct reason reason = { "" };
	struct state_meta meta;
	struct state_zone zone;
	uint64_t expiry;

	check(state_read_meta(txn, &meta, &reason), &reason);
	check(state_walk_below(txn, &root, see_record, seen, &reason), &reason);
	check(state_walk_name(txn, &root, see_record, seen, &reason), &reason);
	check(state_walk_source(txn, "api", 3, see_record, seen, &reason), &reason);
	check(state_walk_expired(txn, UINT64_MAX, see_record, seen, &reason), &reason);
	check(state_next_expiry(txn, &expiry, &reason), &reason);
	check(state_get_zone(txn, &root, &zone, &reason), &reason);
	check(state_walk_sources(txn, see_source, txn, &reason), &reason);
	check(state_walk_reverse_names(txn, see_name, NULL, &reason), &reason);
	check(state_walk_pointers(txn, &root, see_record, seen, &reason), &reason);
	check(state_walk_log(txn, 0, SIZE_MAX, see_log, NULL, &reason), &reason);
	check(state_walk_log(txn, 1, SIZE_MAX, see_log, NULL, &reason), &reason);
}

/* Writes over what is there. */
static void
change(struct state_txn *txn, struct seen *seen)
{
	struct state_record *record = &seen->record, got;
	const struct state_log_item item = { false, 1, record->rrset.owner };
	struct reason reason = { "" };
	bool has_changed;

	check(state_renew(txn, &record->rrset.owner, record->rrset.type, 77, &reason), &reason);
	record->expires_ms = 99;
	if (state_put(txn, &root, record, &reason) == STATUS_OK) {
		FUZZ_CHECK(state_get(txn, &record->rrset.owner, record->rrset.type, &got,
				   &reason)
			== STATUS_OK);
		FUZZ_CHECK(got.expires_ms == 99 && got.source_len == record->source_len
			&& rrset_has_same_data(&got.rrset, &record->rrset));
	}
	check(state_log_append(txn, 1, &item, 1, &reason), &reason);
	if (state_delete(txn, &root, &record->rrset.owner, record->rrset.type, 2, &reason)
		== STATUS_OK)
		FUZZ_CHECK(state_get(txn, &record->rrset.owner, record->rrset.type, &got,
				   &reason)
			== STATUS_NOT_FOUND);
	check(state_recount_zones(txn, &zones, &has_changed, &reason), &reason);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct seen seen;
	struct state_txn *txn;

	if (!state)
		open_state();
	seen.count = 0;
	if (state_begin_write(state, &txn, NULL) != STATUS_OK)
		abort();
	if (fill(txn, data, size)) {
		walk(txn, &seen);
		if (seen.count > 0)
			change(txn, &seen);
	}
	state_abort(txn);
	return 0;
}
