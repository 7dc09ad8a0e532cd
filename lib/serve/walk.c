/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * LMDB has no checksums of its own: what it says is checked by those of the values and by
 * the chain of links (serve_chain.h).
 */
#include "lib/serve/walk.h"

#include <stdbool.h>
#include <string.h>

#include "lib/serve/mdb.h"
#include "lib/base/throttle.h"
#include "lib/base/status.h"
#include "lib/serve/chain.h"
#include "lib/serve/txn.h"

/* Through all entries in order. */
struct walk {
	struct serve_txn *txn;
	serve_walk_fn fn;
	void *context;
	size_t page_size;
	size_t count;
	MDB_val key, value;
	int code; /* of LMDB, for key and value */
};

static int step(struct walk *walk);
static int take_entry(const struct walk *walk);
static int take_node(const struct walk *walk);
static int look_for(const struct walk *walk, const MDB_val *key);
static uintptr_t page_of(const struct walk *walk, const MDB_val *key);
static int check_rrsets(void *context, const struct name_key *key, const struct node *node);

int
serve_walk(struct serve_txn *txn, serve_walk_fn fn, void *context, struct reason *reason)
{
	struct walk walk = { .txn = txn, .fn = fn, .context = context };
	int status = STATUS_OK;
	MDB_stat stat;

	if (serve_chain_close(txn) != 0)
		return reason_set(reason, STATUS_IO, "serve: cannot end the chain");
	mdb_stat(txn->txn, txn->dbi, &stat);
	walk.page_size = stat.ms_psize;
	walk.code = mdb_cursor_get(txn->cursor, &walk.key, &walk.value, MDB_FIRST);
	/* the first entry of all is the meta record, and the chain begins behind it */
	if (walk.code != 0 || !serve_key_is(&walk.key, SERVE_META_KEY, 1)
		|| look_for(&walk, &walk.key) != STATUS_OK)
		status = STATUS_CORRUPT;
	while (status == STATUS_OK && walk.code == 0)
		status = step(&walk);
	if (status == STATUS_OK && (walk.code != MDB_NOTFOUND || walk.count != stat.ms_entries))
		status = STATUS_CORRUPT;
	return status != STATUS_CORRUPT
		? status
		: reason_set(reason, status, "serve is damaged at value %zu of %zu",
			  walk.count, stat.ms_entries);
}

/* Branch pages have been read by the first descent only: where the walk comes to another
 * leaf, the last key of the one and the first of the other are looked for from the root. */
static int
step(struct walk *walk)
{
	MDB_val before = walk->key, value = walk->value;
	int status = take_entry(walk);

	walk->count++;
	if (status != STATUS_OK)
		return status;
	walk->code = mdb_cursor_get(walk->txn->cursor, &walk->key, &walk->value, MDB_NEXT);
	if (walk->code != 0)
		return serve_key_is(&before, SERVE_LAST_KEY, SERVE_LAST_KEY_SIZE)
			? look_for(walk, &before)
			: STATUS_CORRUPT;
	if (serve_key_is(&before, SERVE_META_KEY, 1)
			? !serve_key_is(&walk->key, SERVE_FIRST_KEY, SERVE_FIRST_KEY_SIZE)
			: !serve_chain_links(&before, &value, &walk->key))
		return STATUS_CORRUPT;
	if (page_of(walk, &before) == page_of(walk, &walk->key))
		return STATUS_OK;
	status = look_for(walk, &before);
	return status == STATUS_OK ? look_for(walk, &walk->key) : status;
}

static int
take_entry(const struct walk *walk)
{
	if (walk->key.mv_size > 0 && *(const uint8_t *)walk->key.mv_data == 'N')
		return take_node(walk);
	if (serve_key_is(&walk->key, SERVE_META_KEY, 1))
		return walk->value.mv_size == SERVE_META_SIZE ? STATUS_OK : STATUS_CORRUPT;
	if (serve_key_is(&walk->key, SERVE_FIRST_KEY, SERVE_FIRST_KEY_SIZE))
		return walk->value.mv_size == SERVE_LINK_SIZE ? STATUS_OK : STATUS_CORRUPT;
	return serve_key_is(&walk->key, SERVE_LAST_KEY, SERVE_LAST_KEY_SIZE)
			&& walk->value.mv_size == 0
		? STATUS_OK
		: STATUS_CORRUPT;
}

static int
take_node(const struct walk *walk)
{
	const uint8_t *bytes = walk->key.mv_data;
	struct name_key name;
	struct node node;

	if (walk->key.mv_size > SERVE_KEY_MAX)
		return STATUS_CORRUPT;
	name.len = (uint8_t)(walk->key.mv_size - 1);
	memcpy(name.bytes, bytes + 1, name.len);
	return serve_open_node(&walk->value, &name, &node) == STATUS_OK
		? walk->fn(walk->context, &name, &node)
		: STATUS_CORRUPT;
}

static int
look_for(const struct walk *walk, const MDB_val *key)
{
	MDB_val wanted = *key, value;

	return mdb_get(walk->txn->txn, walk->txn->dbi, &wanted, &value) == 0
		? STATUS_OK
		: STATUS_CORRUPT;
}

static uintptr_t
page_of(const struct walk *walk, const MDB_val *key)
{
	return (uintptr_t)key->mv_data / walk->page_size;
}

int
serve_walk_verify(struct serve_reader *reader, struct serve_meta *out_meta,
	struct reason *reason)
{
	struct serve_txn *txn = serve_reader_slot(reader, 0);
	int status = serve_reader_begin(txn), fd;

	if (status != STATUS_OK)
		return reason_set(reason, status, "cannot begin a transaction");
	mdb_env_get_fd(mdb_txn_env(txn->txn), &fd);
	status = mdb_commit_check(fd, mdb_txn_id(txn->txn), reason);
	if (status == STATUS_OK)
		status = serve_read_meta(txn, out_meta, reason);
	if (status == STATUS_OK)
		status = serve_walk(txn, &check_rrsets, NULL, reason);
	serve_reader_end(txn);
	if (status == STATUS_UNAVAILABLE)
		return reason_set(reason, status, "serve was not read to its end");
	return status == STATUS_OK ? status : STATUS_CORRUPT;
}

/* A value with a good checksum may have been written by somebody else. */
static int
check_rrsets(void *context, const struct name_key *key, const struct node *node)
{
	(void)context, (void)key;
	if (throttle_rest())
		return STATUS_UNAVAILABLE;
	for (size_t i = 0; i < node->count; i++) {
		struct node_rrset rrset;
		int status = node_rrset(node, i, &rrset);

		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}
