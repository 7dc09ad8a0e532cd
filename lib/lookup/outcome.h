/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A look-up on its way: lookup.c decides which way to go, outcome.c ends a way or goes on with
 * another name. For these two files only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/lookup/lookup.h"
#include "lib/base/status.h"

/* One query on its way; `name` and `zone` move along a chain of CNAMEs and DNAMEs. */
struct search {
	const struct zones *zones;
	const struct zone *zone;
	const struct lookup_query *query;
	struct serve_txn *txn; /* NULL: only fallback records can be answered */
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

/* --- the ends of a look-up in a zone: each fills the answer and says what comes next --- */


/* The RRset answers the query, with the addresses of the names that it points to. */
enum search_step outcome_found(struct search *search, const struct node_rrset *rrset);

/* A referral: the cut's NS RRset in the authority section, with glue. `cut` bytes of the
 * key are the cut. Or what the zone wants instead (delegation: recurse). */
enum search_step
outcome_refer(struct search *search, size_t cut, const struct node_rrset *ns);

/* The name does not exist: fallback records, else what on-miss says. */
enum search_step outcome_missing(struct search *search);

/* It exists, but not with this type: fallback records, else NODATA. */
enum search_step outcome_nodata(struct search *search);

/* The rest of the resolver shall look for search->name. */
enum search_step outcome_elsewhere(struct search *search);

/* The fallback records of the configuration. SEARCH_ON: there are none for the name. */
enum search_step outcome_fallback(struct search *search);

/* --- the links of a chain, as far as loops and LOOKUP_CHAIN_MAX allow --- */


/* The CNAME of search->name. */
enum search_step outcome_add_cname(struct search *search, const struct node_rrset *cname);

/* The DNAME of the ancestor that is `above` bytes of the key, and a CNAME made from it (RFC
 * 6672 section 3.2), which is the answer itself when the query is for one. */
enum search_step
outcome_add_dname(struct search *search, size_t above, const struct node_rrset *dname);
