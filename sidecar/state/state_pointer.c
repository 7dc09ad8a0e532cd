/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The index from a reverse name to the RRsets whose addresses it belongs to. It holds what
 * the zones of the configuration want, and is made anew when they change.
 */
#include <stdio.h>
#include <string.h>

#include "lib/serve/mdb.h"
#include "sidecar/state/state.h"
#include "sidecar/state/state_txn.h"
#include "lib/base/status.h"
#include "lib/dns/zones.h"

/* --- reverse names: keys have the root's side first, so the octets of an address come in
 * their own order --- */

static const struct name_key below4 = { 13, "\4arpa\7in-addr" };
static const struct name_key below6 = { 9, "\4arpa\3ip6" };

bool
state_reverse_is_wanted(const struct zone *zone, const struct name_key *owner, uint16_t type)
{
	return zone && zone->auto_ptr && (type == RRSET_A || type == RRSET_AAAA)
		&& !name_key_is_wildcard(owner);
}

int
state_reverse_key(uint16_t type, const uint8_t *address, size_t len, struct name_key *out)
{
	static const char digits[] = "0123456789abcdef";
	char label[4];

	if (len != (type == RRSET_A ? 4 : 16))
		return STATUS_INVALID;
	*out = type == RRSET_A ? below4 : below6;
	for (size_t i = 0; i < len; i++) {
		if (type == RRSET_A) {
			out->bytes[out->len] = (uint8_t)snprintf(
				label, sizeof(label), "%u", address[i]);
			memcpy(out->bytes + out->len + 1, label, out->bytes[out->len]);
			out->len = (uint8_t)(out->len + 1 + out->bytes[out->len]);
			continue;
		}
		out->bytes[out->len++] = 1;
		out->bytes[out->len++] = (uint8_t)digits[address[i] >> 4];
		out->bytes[out->len++] = 1;
		out->bytes[out->len++] = (uint8_t)digits[address[i] & 15];
	}
	return STATUS_OK;
}

bool
state_reverse_is_below(const struct name_key *key)
{
	return name_key_is_within(key->bytes, key->len, &below4)
		|| name_key_is_within(key->bytes, key->len, &below6);
}

/* --- entries --- */

static MDB_val
pointer_key(const struct name_key *reverse, const struct rrset *rrset, uint8_t *out)
{
	size_t len = 1u + reverse->len;

	out[0] = STATE_TABLE_POINTER;
	memcpy(out + 1, reverse->bytes, reverse->len);
	out[len++] = 0;
	len += state_append_rrset_key(&rrset->owner, rrset->type, out + len);
	return (MDB_val){ len, out };
}

/* --- following an RRset --- */

/* The next address of an RRset; NULL at its end. */
static const uint8_t *
next_address(const struct rrset *rrset, size_t *inout_at, size_t *out_len)
{
	const uint8_t *record;

	if (*inout_at + 2 > rrset->rdata_len)
		return NULL;
	record = rrset->rdata + *inout_at;
	*out_len = (size_t)record[0] << 8 | record[1];
	*inout_at += 2 + *out_len;
	return *inout_at <= rrset->rdata_len ? record + 2 : NULL;
}

static bool
has_address(const struct rrset *rrset, const uint8_t *address, size_t len)
{
	const uint8_t *mine;
	size_t at = 0, mine_len;

	while (rrset && (mine = next_address(rrset, &at, &mine_len)))
		if (mine_len == len && memcmp(mine, address, len) == 0)
			return true;
	return false;
}

struct follower {
	struct state_txn *txn;
	const struct zones *zones;
	const struct zone *zone; /* of the addresses */
	state_name_fn fn;
	void *context;
	struct reason *reason;
};

static int
write_entry(struct follower *follower, const struct name_key *reverse,
	const struct rrset *rrset, int delta)
{
	uint8_t bytes[STATE_KEY_MAX];
	struct state_txn *txn = follower->txn;
	MDB_val key = pointer_key(reverse, rrset, bytes), empty = { 0, NULL };
	int code;

	if (delta > 0)
		code = state_store(txn, NULL, key, empty, 0);
	else
		code = state_remove(txn, key);
	if (delta < 0 && code == MDB_NOTFOUND)
		code = 0;
	return status_from_mdb_reason(code, "state", follower->reason);
}

/* One address that comes (delta 1), goes (-1) or stays (0). */
static int
follow_address(struct follower *follower, const struct rrset *rrset, const uint8_t *address,
	size_t len, int delta)
{
	struct name_key reverse;
	bool is_live;
	int status = STATUS_OK;

	if (state_reverse_key(rrset->type, address, len, &reverse) != STATUS_OK)
		return STATUS_OK;
	is_live = zones_match(follower->zones, &reverse) != NULL;
	if (delta != 0)
		status = state_count_pointer(follower->txn, &follower->zone->key, is_live, delta,
			follower->reason);
	if (status != STATUS_OK || !is_live)
		return status;
	if (delta != 0)
		status = write_entry(follower, &reverse, rrset, delta);
	if (status == STATUS_OK && follower->fn)
		status = follower->fn(follower->context, &reverse, follower->reason);
	return status;
}

int
state_point(struct state_txn *txn, const struct zones *zones, const struct rrset *before,
	const struct rrset *after, state_name_fn fn, void *context, struct reason *reason)
{
	const struct rrset *any = after ? after : before;
	struct follower follower = { txn, zones, zones_match(zones, &any->owner), fn, context,
		reason };
	const uint8_t *address;
	size_t at = 0, len;
	int status = STATUS_OK;

	while (before && status == STATUS_OK && (address = next_address(before, &at, &len)))
		if (!has_address(after, address, len))
			status = follow_address(&follower, before, address, len, -1);
	at = 0;
	while (after && status == STATUS_OK && (address = next_address(after, &at, &len)))
		status = follow_address(&follower, after, address, len,
			has_address(before, address, len) ? 0 : 1);
	return status;
}

/* --- walks --- */

struct pointer_walk {
	struct state_txn *txn;
	size_t prefix_len;
	state_record_fn fn;
	void *context;
};

static int
visit_pointer(void *context, const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	const struct pointer_walk *walk = context;
	struct state_record record;
	struct name_key owner;
	uint16_t type;
	int status = state_parse_rrset_key((const uint8_t *)key->mv_data + walk->prefix_len,
		key->mv_size - walk->prefix_len, &owner, &type);

	(void)value;
	if (status != STATUS_OK)
		return reason_set(reason, status, "state: damaged key in table P");
	/* an entry without its RRset costs that PTR, not the whole of serve */
	status = state_get(walk->txn, &owner, type, &record, reason);
	if (status == STATUS_NOT_FOUND)
		return STATUS_OK;
	return status == STATUS_OK ? walk->fn(walk->context, &record, reason) : status;
}

int
state_walk_pointers(struct state_txn *txn, const struct name_key *reverse,
	state_record_fn fn, void *context, struct reason *reason)
{
	uint8_t prefix[2 + NAME_KEY_MAX] = { STATE_TABLE_POINTER };
	struct pointer_walk walk = { txn, 2u + reverse->len, fn, context };

	memcpy(prefix + 1, reverse->bytes, reverse->len);
	return state_walk_prefix(txn, prefix, walk.prefix_len, visit_pointer, &walk, reason);
}

/* The reverse name in front of an entry's 00. */
static int
parse_reverse(const MDB_val *key, struct name_key *out)
{
	const uint8_t *bytes = key->mv_data;
	struct name name;
	size_t at = 1;

	while (at < key->mv_size && bytes[at] != 0)
		at += 1u + bytes[at];
	if (at >= key->mv_size || name_from_key(bytes + 1, at - 1, &name) != STATUS_OK)
		return STATUS_CORRUPT;
	out->len = (uint8_t)(at - 1);
	memcpy(out->bytes, bytes + 1, out->len);
	return STATUS_OK;
}

struct reverse_walk {
	struct name_key last;
	state_name_fn fn;
	void *context;
};

static int
visit_reverse(void *context, const MDB_val *key, const MDB_val *value, struct reason *reason)
{
	struct reverse_walk *walk = context;
	struct name_key name;
	int status = parse_reverse(key, &name);

	(void)value;
	if (status != STATUS_OK)
		return reason_set(reason, status, "state: damaged key in table P");
	if (name.len == walk->last.len && memcmp(name.bytes, walk->last.bytes, name.len) == 0)
		return STATUS_OK;
	walk->last = name;
	return walk->fn(walk->context, &name, reason);
}

int
state_walk_reverse_names(struct state_txn *txn, state_name_fn fn, void *context,
	struct reason *reason)
{
	const uint8_t table = STATE_TABLE_POINTER;
	struct reverse_walk walk = { .fn = fn, .context = context };

	return state_walk_prefix(txn, &table, 1, visit_reverse, &walk, reason);
}

int
state_clear_pointers(struct state_txn *txn, struct reason *reason)
{
	uint8_t table = STATE_TABLE_POINTER;
	MDB_val key = { 1, &table }, value;
	MDB_cursor *cursor = NULL;
	int code, status = state_cursor(txn, &cursor, reason);

	if (status != STATUS_OK)
		return status;
	/* each time from the front: where a cursor stands after a delete differs at a page's end */
	while ((code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE)) == 0
		&& *(const uint8_t *)key.mv_data == STATE_TABLE_POINTER) {
		code = state_remove_at(txn, cursor, &key, &value);
		if (code != 0)
			break;
		key = (MDB_val){ 1, &table };
	}
	mdb_cursor_close(cursor);
	return code == 0 || code == MDB_NOTFOUND
		? STATUS_OK
		: status_from_mdb_reason(code, "state", reason);
}
