/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Reading the chain, on the way of every query for a name that is not there, and keeping
 * it, on livezoned's writer thread.
 */
#include "lib/serve/chain.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"

/* An entry, copied: what a cursor gives is gone with the next change. */
struct entry_key {
	MDB_val key;
	uint8_t bytes[SERVE_KEY_MAX];
};

static uint32_t link_of(const MDB_val *key, const MDB_val *next);
static int put_last(struct serve_txn *txn);
static int open_end(struct serve_txn *txn);
static int find_place(struct serve_txn *txn, const MDB_val *key, bool *out_is_there,
	struct entry_key *out_next);
static int insert_link(struct serve_txn *txn, const MDB_val *key, struct entry_key *next);
static int rewrite_link(struct serve_txn *txn, const MDB_val *before, const MDB_val *value,
	const MDB_val *next);
static bool is_behind_tail(const struct serve_chain_tail *tail, const MDB_val *key);
static void set_tail(struct serve_chain_tail *tail, uint8_t *link, const MDB_val *key,
	const MDB_val *next);
static int copy_key(struct entry_key *entry, const MDB_val *key);

bool
serve_chain_links(const MDB_val *key, const MDB_val *value, const MDB_val *next)
{
	uint32_t link;

	/* a damaged length must not lead far out of the page */
	if (value->mv_size < SERVE_LINK_SIZE || key->mv_size > SERVE_KEY_MAX
		|| next->mv_size > SERVE_KEY_MAX)
		return false;
	memcpy(&link, value->mv_data, sizeof(link));
	return le32toh(link) == link_of(key, next);
}

int
serve_chain_check(struct serve_txn *txn, const MDB_val *wanted, const MDB_val *behind,
	MDB_val *out_before, MDB_val *out_value)
{
	int code = mdb_cursor_get(txn->cursor, out_before, out_value, MDB_PREV);

	/* by our own comparisons: in a damaged page LMDB's search ends anywhere */
	return code == 0 && serve_chain_order(out_before, wanted) < 0
			&& serve_chain_order(wanted, behind) < 0
			&& serve_chain_links(out_before, out_value, behind)
		? STATUS_OK
		: STATUS_CORRUPT;
}

static uint32_t
link_of(const MDB_val *key, const MDB_val *next)
{
	return checksum_crc32c_pair(
		key->mv_data, key->mv_size, next->mv_data, next->mv_size);
}

int
serve_chain_create(struct serve_txn *txn)
{
	MDB_val first = { .mv_data = SERVE_FIRST_KEY, .mv_size = SERVE_FIRST_KEY_SIZE };
	MDB_val last = { .mv_data = SERVE_LAST_KEY, .mv_size = SERVE_LAST_KEY_SIZE };
	uint32_t link = htole32(link_of(&first, &last));
	MDB_val value = { .mv_data = &link, .mv_size = sizeof(link) };
	int code = mdb_put(txn->txn, txn->dbi, &first, &value, 0);

	return code == 0 ? put_last(txn) : code;
}

static int
put_last(struct serve_txn *txn)
{
	MDB_val last = { .mv_data = SERVE_LAST_KEY, .mv_size = SERVE_LAST_KEY_SIZE };
	MDB_val nothing = { .mv_data = SERVE_LAST_KEY, .mv_size = 0 };

	return mdb_put(txn->txn, txn->dbi, &last, &nothing, 0);
}

int
serve_chain_close(struct serve_txn *txn)
{
	if (!txn->tail || !txn->tail->is_open)
		return 0;
	txn->tail->is_open = false;
	txn->tail->link = NULL; /* pages may have moved */
	return put_last(txn);
}

/* The second of the names that are put at the end in order. */
static int
open_end(struct serve_txn *txn)
{
	MDB_val last = { .mv_data = SERVE_LAST_KEY, .mv_size = SERVE_LAST_KEY_SIZE };

	if (txn->tail->is_open || serve_chain_order(&txn->tail->next, &last) != 0)
		return 0;
	txn->tail->is_open = true;
	return mdb_del(txn->txn, txn->dbi, &last, NULL);
}

int
serve_chain_reserve(struct serve_txn *txn, const MDB_val *key, size_t size, uint8_t **out)
{
	struct serve_chain_tail *tail = txn->tail;
	MDB_val at = *key, value = { .mv_size = SERVE_LINK_SIZE + size };
	struct entry_key next;
	bool is_there = false;
	uint32_t link;
	int code;

	if (is_behind_tail(tail, key)) {
		link = htole32(link_of(&tail->key, key));
		memcpy(tail->link, &link, sizeof(link));
		code = copy_key(&next, &tail->next);
		if (code == 0)
			code = open_end(txn);
	} else {
		code = serve_chain_close(txn);
		if (code == 0)
			code = find_place(txn, key, &is_there, &next);
	}
	tail->link = NULL;
	/* by the cursor: the names of a bulk change are in order, and LMDB then finds the next
	 * one without a descent */
	if (code == 0)
		code = mdb_cursor_put(txn->cursor, &at, &value,
			is_there ? MDB_RESERVE : MDB_RESERVE | MDB_NOOVERWRITE);
	if (code != 0)
		return code == MDB_KEYEXIST ? MDB_CORRUPTED : code;
	link = htole32(link_of(key, &next.key));
	memcpy(value.mv_data, &link, sizeof(link));
	set_tail(tail, value.mv_data, key, &next.key);
	*out = (uint8_t *)value.mv_data + SERVE_LINK_SIZE;
	return 0;
}

/* Finds where the entry is or belongs, and the next one. A new one is linked to already. */
static int
find_place(struct serve_txn *txn, const MDB_val *key, bool *out_is_there,
	struct entry_key *out_next)
{
	MDB_val found = *key, value, next, next_value;
	int code = mdb_cursor_get(txn->cursor, &found, &value, MDB_SET_RANGE);

	if (code != 0) /* the last entry is behind every name */
		return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
	*out_is_there = serve_chain_order(&found, key) == 0;
	if (!*out_is_there) {
		code = copy_key(out_next, &found);
		return code == 0 ? insert_link(txn, key, out_next) : code;
	}
	if (mdb_cursor_get(txn->cursor, &next, &next_value, MDB_NEXT) != 0
		|| !serve_chain_links(&found, &value, &next))
		return MDB_CORRUPTED;
	return copy_key(out_next, &next);
}

/* The cursor is at `next`. */
static int
insert_link(struct serve_txn *txn, const MDB_val *key, struct entry_key *next)
{
	MDB_val before, value;

	return serve_chain_check(txn, key, &next->key, &before, &value) == STATUS_OK
		? rewrite_link(txn, &before, &value, key)
		: MDB_CORRUPTED;
}

/* The cursor is at `before`. What is behind the link stays as it is, its damage too. */
static int
rewrite_link(struct serve_txn *txn, const MDB_val *before, const MDB_val *value,
	const MDB_val *next)
{
	uint32_t link = htole32(link_of(before, next));
	struct entry_key at;
	MDB_val new = { .mv_size = value->mv_size };
	int code = copy_key(&at, before);

	if (code != 0 || value->mv_size > SERVE_LINK_SIZE + NODE_SIZE_MAX)
		return MDB_CORRUPTED;
	new.mv_data = malloc(new.mv_size);
	if (!new.mv_data)
		return ENOMEM;
	memcpy(new.mv_data, value->mv_data, new.mv_size);
	memcpy(new.mv_data, &link, sizeof(link));
	code = mdb_cursor_put(txn->cursor, &at.key, &new, MDB_CURRENT);
	free(new.mv_data);
	return code;
}

int
serve_chain_delete(struct serve_txn *txn, const MDB_val *key)
{
	MDB_val found = *key, value, before, before_value;
	struct entry_key next;
	int code = serve_chain_close(txn);

	txn->tail->link = NULL;
	if (code != 0)
		return code;
	code = mdb_cursor_get(txn->cursor, &found, &value, MDB_SET_RANGE);
	if (code != 0)
		return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
	if (serve_chain_order(&found, key) != 0)
		return serve_chain_check(txn, key, &found, &before, &before_value) == STATUS_OK
			? 0
			: MDB_CORRUPTED;
	if (mdb_cursor_get(txn->cursor, &next.key, &before_value, MDB_NEXT) != 0
		|| !serve_chain_links(&found, &value, &next.key)
		|| mdb_cursor_get(txn->cursor, &found, &value, MDB_PREV) != 0
		|| mdb_cursor_get(txn->cursor, &before, &before_value, MDB_PREV) != 0
		|| !serve_chain_links(&before, &before_value, key)
		|| copy_key(&next, &next.key) != 0)
		return MDB_CORRUPTED;
	code = rewrite_link(txn, &before, &before_value, &next.key);
	found = *key;
	return code == 0 ? mdb_del(txn->txn, txn->dbi, &found, NULL) : code;
}

static bool
is_behind_tail(const struct serve_chain_tail *tail, const MDB_val *key)
{
	return tail->link && serve_chain_order(&tail->key, key) < 0
		&& serve_chain_order(key, &tail->next) < 0;
}

static void
set_tail(struct serve_chain_tail *tail, uint8_t *link, const MDB_val *key,
	const MDB_val *next)
{
	memcpy(tail->key_bytes, key->mv_data, key->mv_size);
	memcpy(tail->next_bytes, next->mv_data, next->mv_size);
	tail->key = (MDB_val){ .mv_data = tail->key_bytes, .mv_size = key->mv_size };
	tail->next = (MDB_val){ .mv_data = tail->next_bytes, .mv_size = next->mv_size };
	tail->link = link;
}

static int
copy_key(struct entry_key *entry, const MDB_val *key)
{
	if (key->mv_size > SERVE_KEY_MAX)
		return MDB_CORRUPTED;
	memcpy(entry->bytes, key->mv_data, key->mv_size);
	entry->key = (MDB_val){ .mv_data = entry->bytes, .mv_size = key->mv_size };
	return 0;
}
