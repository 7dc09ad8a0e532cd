/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A look-up on its way: what its files share. lookup.c decides which way to go, outcome.c
 * ends a way, alias.c goes on with another name. For these files only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/lookup.h"
#include "lib/status.h"

/* One query on its way; `name` and `zone` move along a chain of CNAMEs and DNAMEs. */
struct search {
	const struct zones *zones;
	const struct zone *zone;
	const struct lookup_query *query;
	struct store_txn *txn; /* NULL: only fallback records can be answered */
	struct answer *answer;
	const uint8_t *name; /* the client's bytes, or a CNAME's target in the answer */
	struct name_key key;
	unsigned followed;
	int failure; /* why SEARCH_BROKEN, when it is not what is stored: a status */
};

/* What one step decides. */
enum search_step {
	SEARCH_ON,     /* nothing yet: look further in this zone */
	SEARCH_DONE,   /* the answer is complete */
	SEARCH_FOLLOW, /* a CNAME was added; search.name is its target */
	SEARCH_BROKEN, /* the store or the answer's limits failed us */
};

/* The first RRset of the node that lives: one is enough of an answer to ANY (RFC 8482
 * section 4.1). STATUS_NOT_FOUND: all leases have run out. */
int search_find_any(
	const struct search *search, const struct node *node, struct node_rrset *out);

/* For search_note and search_note_rrset. `key` NULL: the node that was found last. */
void search_record(const struct search *search, enum lookup_event event,
	const struct name_key *key, size_t len, uint16_t type)
	__attribute__((cold, noinline));

/* Tells the trace, if there is one. `key` NULL: the node that was found last. */
static inline void
search_note_rrset(const struct search *search, enum lookup_event event,
	const struct name_key *key, uint16_t type)
{
	if (__builtin_expect(search->query->trace != NULL, 0))
		search_record(search, event, key, key ? key->len : 0, type);
}

/* The same of the first `len` bytes of the name. */
static inline void
search_note(const struct search *search, enum lookup_event event, size_t len)
{
	if (__builtin_expect(search->query->trace != NULL, 0))
		search_record(search, event, &search->key, len, 0);
}

/* The first `len` bytes of the search's key: an ancestor. */
static inline struct name_key
search_ancestor_key(const struct search *search, size_t len)
{
	struct name_key key = { .len = (uint8_t)len };

	memcpy(key.bytes, search->key.bytes, len);
	return key;
}

/* That ancestor's name is the tail of the name: a label is as long in both forms. */
static inline const uint8_t *
search_ancestor_name(const struct search *search, size_t len)
{
	return search->name + (search->key.len - len);
}

static inline int
search_find_type(const struct search *search, const struct node *node, uint16_t type,
	struct node_rrset *out)
{
	return node_find(node, type, search->query->now_ms, out);
}

/* Adds an RRset to the answer. STATUS_OK, or a failure: it does not fit or is not whole. */
static inline int
search_add(struct search *search, enum answer_section section, const uint8_t *owner,
	const struct node_rrset *rrset)
{
	int status = answer_add(search->answer, section, owner,
		name_wire_length(owner, NAME_WIRE_MAX), rrset);

	if (__builtin_expect(status != STATUS_OK, 0))
		search->failure = status;
	return status;
}
