/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One descent for all: a page is checked, then its nodes are visited in order, each key
 * between its neighbours and between those that the page above says. Called by the child
 * that checks state, and by livezoned when it restores; never on the way of a query.
 */
#include "lib/serve/mdb_image.h"

#include <stdlib.h>
#include <string.h>

#include "lib/serve/mdb_meta.h"
#include "lib/base/status.h"

#define PAGE_HEAD 16u
#define NODE_HEAD 8u
#define KEY_MAX 511u

enum {
	PAGE_BRANCH = 0x01,
	PAGE_LEAF = 0x02,
	PAGE_OVERFLOW = 0x04,
	NODE_BIG = 0x01,
};

struct walk {
	const struct mdb_image *image;
	int tree;
	uint8_t first, last; /* of the first byte of a key */
	mdb_image_fn fn;
	void *context;
	struct reason *reason;
	uint64_t *damaged;   /* NULL: the first is the end */
	bool is_ended;       /* by fn, whatever its status says */
	uint8_t *used;       /* a bit per page; NULL: not looked after */
	uint64_t branch_pages, leaf_pages, overflow_pages, entries;
};

struct page {
	const uint8_t *bytes;
	uint64_t number;
	unsigned count; /* of nodes */
};

struct node {
	struct mdb_image_text key;
	uint64_t child;  /* of a branch */
	size_t size;     /* of a leaf's value */
	bool is_big;
	const uint8_t *data;
};

/* Keys of a subtree are from `low` on and below `high`; NULL: no bound. */
struct bounds {
	const struct mdb_image_text *low, *high;
};

static int visit_page(struct walk *walk, uint64_t number, unsigned level, struct bounds bounds);

/* --- pages --- */

static uint16_t
read_u16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t
read_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static int
corrupt(struct walk *walk, uint64_t page, const char *what)
{
	return reason_set(walk->reason, STATUS_CORRUPT, "page %llu: %s",
		(unsigned long long)page, what);
}

/* Notes that a page is in use; a second user is damage. */
static int
use_page(struct walk *walk, uint64_t number)
{
	uint8_t bit = (uint8_t)(1u << (number & 7));

	if (number < 2 || number > walk->image->last_page || number >= walk->image->pages)
		return corrupt(walk, number, "there is no such page");
	if (!walk->used)
		return STATUS_OK;
	if (walk->used[number >> 3] & bit)
		return corrupt(walk, number, "used twice");
	walk->used[number >> 3] |= bit;
	return STATUS_OK;
}

static int
open_page(struct walk *walk, uint64_t number, unsigned kind, struct page *out)
{
	const uint8_t *bytes;
	unsigned lower, upper;
	int status = use_page(walk, number);

	if (status != STATUS_OK)
		return status;
	bytes = walk->image->bytes + number * walk->image->page_size;
	if (read_u64(bytes) != number)
		return corrupt(walk, number, "has the number of another page");
	if ((read_u16(bytes + 10) & MDB_IMAGE_PAGE_KINDS) != kind)
		return corrupt(walk, number, "of another kind than its place says");
	*out = (struct page){ .bytes = bytes, .number = number };
	if (kind == PAGE_OVERFLOW)
		return STATUS_OK;
	lower = read_u16(bytes + 12);
	upper = read_u16(bytes + 14);
	if (lower < PAGE_HEAD || lower % 2 != 0 || upper < lower
		|| upper > walk->image->page_size)
		return corrupt(walk, number, "bounds of its nodes");
	out->count = (lower - PAGE_HEAD) / 2;
	return STATUS_OK;
}

static int
read_node(struct walk *walk, const struct page *page, unsigned index, bool is_leaf,
	struct node *out)
{
	unsigned page_size = walk->image->page_size;
	unsigned at = read_u16(page->bytes + PAGE_HEAD + 2 * index);
	const uint8_t *bytes = page->bytes + at;
	unsigned flags, key_size;
	uint32_t size;

	if (at < read_u16(page->bytes + 14) || at % 2 != 0 || at + NODE_HEAD > page_size)
		return corrupt(walk, page->number, "place of a node");
	memcpy(&size, bytes, sizeof(size));
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		size = size << 16 | size >> 16;
	flags = read_u16(bytes + 4);
	key_size = read_u16(bytes + 6);
	if (key_size > KEY_MAX || at + NODE_HEAD + key_size > page_size)
		return corrupt(walk, page->number, "length of a key");
	*out = (struct node){
		.key = { bytes + NODE_HEAD, key_size },
		.size = size,
		.is_big = flags == NODE_BIG,
		.data = bytes + NODE_HEAD + key_size,
	};
	if (!is_leaf) {
		out->child = (uint64_t)flags << 32 | size;
		return STATUS_OK;
	}
	if (key_size == 0 || (flags != 0 && flags != NODE_BIG))
		return corrupt(walk, page->number, "a node of an unknown kind");
	if (at + NODE_HEAD + key_size + (out->is_big ? sizeof(uint64_t) : (uint64_t)size)
		> page_size)
		return corrupt(walk, page->number, "length of a value");
	return STATUS_OK;
}

/* --- keys --- */

static int
compare(const struct walk *walk, const struct mdb_image_text *a,
	const struct mdb_image_text *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int order;

	if (walk->tree == MDB_IMAGE_FREE && a->len == sizeof(uint64_t) && b->len == a->len) {
		uint64_t left = read_u64(a->at), right = read_u64(b->at);

		return (left > right) - (left < right);
	}
	order = memcmp(a->at, b->at, len);
	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static bool
is_wanted(const struct walk *walk, const struct mdb_image_text *key)
{
	return key->at[0] >= walk->first && key->at[0] <= walk->last;
}

/* --- values --- */

/* A value too large for its page has pages of its own, in a row. */
static int
read_big(struct walk *walk, const struct node *node, struct mdb_image_text *out)
{
	const struct mdb_image *image = walk->image;
	uint64_t number = read_u64(node->data), i;
	uint64_t pages = (PAGE_HEAD - 1 + node->size) / image->page_size + 1;
	struct page page;
	uint32_t said;
	int status;

	if (number >= image->pages || pages > image->pages - number)
		return corrupt(walk, number, "there are no such pages");
	status = open_page(walk, number, PAGE_OVERFLOW, &page);
	if (status != STATUS_OK)
		return status;
	memcpy(&said, page.bytes + 12, sizeof(said));
	if (said < pages || said > image->pages - number)
		return corrupt(walk, number, "number of pages of a value");
	for (i = 1; i < said; i++) {
		status = use_page(walk, number + i);
		if (status != STATUS_OK)
			return status;
	}
	walk->overflow_pages += said;
	*out = (struct mdb_image_text){ page.bytes + PAGE_HEAD, node->size };
	return STATUS_OK;
}

static int
visit_entry(struct walk *walk, const struct node *node)
{
	struct mdb_image_text value = { node->data, node->size };
	int status = node->is_big ? read_big(walk, node, &value) : STATUS_OK;

	walk->entries++;
	if (status != STATUS_OK || !walk->fn)
		return status;
	status = walk->fn(walk->context, &node->key, &value, walk->reason);
	walk->is_ended = status != STATUS_OK;
	return status;
}

/* --- descent --- */

/* Damage below: goes on with the next, when the caller wants what is left. */
static int
forgive(struct walk *walk, int status)
{
	if (status != STATUS_CORRUPT || walk->is_ended || !walk->damaged)
		return status;
	++*walk->damaged;
	return STATUS_OK;
}

static int
read_leaf_node(struct walk *walk, const struct page *page, unsigned index, struct node *out,
	bool *out_is_there)
{
	int status = read_node(walk, page, index, true, out);

	*out_is_there = status == STATUS_OK;
	return status;
}

static bool
is_misplaced(const struct walk *walk, const struct mdb_image_text *before,
	const struct mdb_image_text *key, struct bounds bounds)
{
	return (before->at && compare(walk, before, key) >= 0)
		|| (bounds.low && compare(walk, bounds.low, key) > 0)
		|| (bounds.high && compare(walk, key, bounds.high) >= 0);
}

static int
visit_leaf(struct walk *walk, const struct page *page, struct bounds bounds)
{
	struct mdb_image_text before = { NULL, 0 };
	struct node node;
	unsigned i;

	walk->leaf_pages++;
	for (i = 0; i < page->count; i++) {
		bool is_there = false;
		int status = forgive(walk, read_leaf_node(walk, page, i, &node, &is_there));

		if (status == STATUS_OK && is_there
			&& is_misplaced(walk, &before, &node.key, bounds))
			status = forgive(
				walk, corrupt(walk, page->number, "a key out of order"));
		if (status != STATUS_OK)
			return status;
		if (!is_there)
			continue;
		before = node.key;
		if (walk->tree == MDB_IMAGE_MAIN && !is_wanted(walk, &node.key))
			continue;
		status = forgive(walk, visit_entry(walk, &node));
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* Is the subtree from `low` to `high` out of the range that is walked? */
static bool
is_outside(const struct walk *walk, struct bounds bounds)
{
	return walk->tree == MDB_IMAGE_MAIN
		&& ((bounds.high && bounds.high->at[0] < walk->first)
			|| (bounds.low && bounds.low->at[0] > walk->last));
}

static int
visit_branch(struct walk *walk, const struct page *page, unsigned level, struct bounds bounds)
{
	struct node node, next;
	/* LMDB itself leaves a single child in the list of free pages (ITS#8336) */
	unsigned least = walk->tree == MDB_IMAGE_FREE ? 1 : 2;
	int status = page->count >= least ? read_node(walk, page, 0, false, &node)
					: corrupt(walk, page->number, "a branch of one");
	unsigned i;

	walk->branch_pages++;
	for (i = 0; status == STATUS_OK && i < page->count; i++) {
		/* the first key is not looked at by LMDB, and may be anything */
		struct bounds below = { i == 0 ? bounds.low : &node.key, bounds.high };

		if (i + 1 < page->count) {
			status = read_node(walk, page, i + 1, false, &next);
			if (status != STATUS_OK)
				return status;
			if (next.key.len == 0)
				return corrupt(walk, page->number, "a branch without key");
			below.high = &next.key;
		}
		if ((below.low && below.high && compare(walk, below.low, below.high) >= 0)
			|| (bounds.high && below.low
				&& compare(walk, below.low, bounds.high) >= 0))
			return corrupt(walk, page->number, "a key out of order");
		if (!is_outside(walk, below))
			status = forgive(
				walk, visit_page(walk, node.child, level + 1, below));
		node = next;
	}
	return status;
}

static int
visit_page(struct walk *walk, uint64_t number, unsigned level, struct bounds bounds)
{
	const struct mdb_image_tree *tree = &walk->image->tree[walk->tree];
	bool is_leaf = level + 1 == tree->depth;
	struct page page;
	int status = open_page(walk, number, is_leaf ? PAGE_LEAF : PAGE_BRANCH, &page);

	if (status != STATUS_OK)
		return status;
	return is_leaf ? visit_leaf(walk, &page, bounds)
		       : visit_branch(walk, &page, level, bounds);
}

static int
visit_tree(struct walk *walk)
{
	const struct mdb_image_tree *tree = &walk->image->tree[walk->tree];
	struct bounds all = { NULL, NULL };

	if (tree->root == MDB_META_NO_ROOT)
		return tree->depth == 0 && tree->entries == 0
			? STATUS_OK
			: corrupt(walk, walk->image->txn_id & 1, "a tree without root");
	return forgive(walk, visit_page(walk, tree->root, 0, all));
}

/* --- free pages --- */

static int
visit_free(void *context, const struct mdb_image_text *key,
	const struct mdb_image_text *value, struct reason *reason)
{
	struct walk *walk = context;
	uint64_t count, i;
	int status = STATUS_OK;

	(void)reason;
	if (key->len != sizeof(uint64_t) || value->len < sizeof(count)
		|| read_u64(key->at) > walk->image->txn_id)
		return corrupt(walk, 0, "list of free pages: an entry of another size");
	count = read_u64(value->at);
	if (count > (value->len - sizeof(count)) / sizeof(uint64_t))
		return corrupt(walk, 0, "list of free pages: a count");
	for (i = 1; status == STATUS_OK && i <= count; i++) {
		uint64_t number = read_u64(value->at + i * sizeof(uint64_t));

		if (number < walk->image->pages || number > walk->image->last_page)
			status = use_page(walk, number);
	}
	return status;
}

static int
check_counts(struct walk *walk)
{
	const struct mdb_image_tree *tree = &walk->image->tree[walk->tree];

	if (walk->branch_pages != tree->branch_pages || walk->leaf_pages != tree->leaf_pages
		|| walk->overflow_pages != tree->overflow_pages
		|| walk->entries != tree->entries)
		return corrupt(walk, walk->image->txn_id & 1,
			"counts other pages or entries than there are");
	return STATUS_OK;
}

int
mdb_image_verify(const struct mdb_image *image, mdb_image_fn fn, void *context,
	struct reason *reason)
{
	struct walk main = { .image = image, .tree = MDB_IMAGE_MAIN, .last = UINT8_MAX, .fn = fn,
		.context = context, .reason = reason };
	struct walk free_list = { .image = image, .tree = MDB_IMAGE_FREE, .fn = visit_free,
		.reason = reason };
	int status;

	main.used = calloc(image->pages / 8 + 1, 1);
	if (!main.used)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	free_list.used = main.used;
	free_list.context = &free_list;
	status = visit_tree(&main);
	if (status == STATUS_OK)
		status = check_counts(&main);
	if (status == STATUS_OK)
		status = visit_tree(&free_list);
	if (status == STATUS_OK)
		status = check_counts(&free_list);
	free(main.used);
	return status;
}

int
mdb_image_walk(const struct mdb_image *image, uint8_t first, uint8_t last, mdb_image_fn fn,
	void *context, uint64_t *out_damaged, struct reason *reason)
{
	struct walk walk = { .image = image, .tree = MDB_IMAGE_MAIN, .first = first, .last = last,
		.fn = fn, .context = context, .reason = reason, .damaged = out_damaged };
	int status;

	/* a page that leads back into the tree must not be walked for ever */
	walk.used = calloc(image->pages / 8 + 1, 1);
	if (!walk.used)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (out_damaged)
		*out_damaged = 0;
	status = visit_tree(&walk);
	free(walk.used);
	return status;
}
