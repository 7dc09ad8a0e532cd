/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The algorithm of RFC 1034 section 4.3.2, with wildcards (RFC 4592) and DNAME (RFC 6672),
 * on the way of every query for a live zone: take_step() is the whole of it. How a way
 * ends, or goes on along a chain, is in outcome.c.
 */
#include "lib/lookup/lookup.h"

#include "lib/serve/guard.h"
#include "lib/lookup/outcome.h"
#include "lib/dns/rule.h"
#include "lib/base/status.h"

/* Records of a whole node: a message has 65,535 octets, less header, question and EDNS. */
#define ANY_SIZE_MAX (UINT16_MAX - 512)

static enum search_step take_step(struct search *search);
static enum search_step take_fallback_step(struct search *search);
static int read_flags(struct search *search, uint32_t *out);
static enum search_step
look_above(struct search *search, bool has_cuts, size_t *out_encloser);
static int find_above(struct search *search, size_t len, struct node *out);
static enum search_step
check_ancestor(struct search *search, size_t len, const struct node *node);
static enum search_step look_at_name(struct search *search);
static enum search_step answer_from_node(struct search *search, const struct node *node);
static enum search_step answer_whole_node(struct search *search, const struct node *node);
static enum search_step check_below(struct search *search, const struct name_key *key);
static enum search_step try_rules(struct search *search);
static int apply_rule(
	const struct search *search, const struct rule *rule, struct node_rrset *out);
static int
find_any(const struct search *search, const struct node *node, struct node_rrset *out);
static bool has_answered(const struct search *search, size_t first, uint16_t type);
static enum search_step try_wildcard(struct search *search, size_t encloser);

void
lookup_answer(const struct zones *zones, const struct zone *zone,
	const struct name_key *key, const struct lookup_query *query,
	struct serve_txn *txn, struct answer *out)
{
	struct search search = {
		.zones = zones,
		.zone = zone,
		.query = query,
		.txn = txn,
		.answer = out,
		.name = query->name,
		.key = *key,
	};
	enum search_step step = SEARCH_FOLLOW;

	answer_reset(out);
	while (step == SEARCH_FOLLOW)
		step = txn ? take_step(&search) : take_fallback_step(&search);
	if (step == SEARCH_BROKEN) {
		search_note(&search, LOOKUP_BROKEN, search.key.len);
		answer_reset(out);
		out->failure = search.failure ? search.failure : STATUS_CORRUPT;
	}
}

/* One link of a chain: what the zone says to search->name. The order is RFC 1034's, with
 * the zone's rules before wildcards, as a pattern says more than a "*". */
static enum search_step
take_step(struct search *search)
{
	size_t encloser = search->zone->key.len;
	enum search_step step = SEARCH_ON;
	uint32_t flags;

	search_note(search, LOOKUP_ZONE, search->key.len);
	if (search->zone->stale_ms < search->query->age_ms) {
		search->failure = STATUS_UNAVAILABLE;
		return SEARCH_BROKEN;
	}
	if (read_flags(search, &flags) != STATUS_OK)
		return SEARCH_BROKEN;
	if (flags & NODE_HAS_CUTS)
		step = look_above(search, true, &encloser);
	if (step == SEARCH_ON)
		step = look_at_name(search);
	if (step == SEARCH_ON && search->zone->rule_count > 0)
		step = try_rules(search);
	if (step == SEARCH_ON && !(flags & NODE_HAS_CUTS)
		&& (flags & NODE_HAS_WILDCARDS || search->query->trace))
		step = look_above(search, false, &encloser);
	if (step != SEARCH_ON)
		return step;
	search_note(search, LOOKUP_ENCLOSER, encloser);
	if (flags & NODE_HAS_WILDCARDS)
		return try_wildcard(search, encloser);
	return outcome_missing(search);
}

/* Without any data: what else there is at a name is unknown, so that only records that
 * are there can be answered. */
static enum search_step
take_fallback_step(struct search *search)
{
	enum search_step step;

	search_note(search, LOOKUP_ZONE, search->key.len);
	step = outcome_fallback(search);
	if (step != SEARCH_ON)
		return step;
	search->failure = STATUS_UNAVAILABLE;
	return SEARCH_BROKEN;
}

/* The apex says what the zone is free of; a zone that is not compiled yet has nothing. */
static int
read_flags(struct search *search, uint32_t *out)
{
	struct lookup_memory *memory = search->query->memory;
	uint64_t txn_id = serve_txn_id(search->txn);
	struct node apex = { 0 };
	int found;

	if (memory) {
		memory += search->zone - search->zones->zone;
		if (memory->txn_id == txn_id) {
			*out = memory->flags;
			return STATUS_OK;
		}
	}
	found = serve_find(search->txn, &search->zone->key, &apex);
	if (found < 0)
		return found;
	*out = apex.flags;
	if (memory)
		*memory = (struct lookup_memory){ .txn_id = txn_id, .flags = apex.flags };
	return STATUS_OK;
}

/* From the apex down to the name's parent: the closest encloser, and on the way the
 * topmost cut or DNAME. Ends where nothing exists any more, so a name of 127 labels
 * costs no more than the zone is deep. */
static enum search_step
look_above(struct search *search, bool has_cuts, size_t *out_encloser)
{
	size_t len = search->zone->key.len;

	for (; len < search->key.len; len += 1u + search->key.bytes[len]) {
		struct node node;
		int found = find_above(search, len, &node);
		enum search_step step;

		if (found < 0)
			return SEARCH_BROKEN;
		if (found == SERVE_NONE && len > search->zone->key.len)
			break;
		*out_encloser = len;
		if (!has_cuts || found != SERVE_EXACT)
			continue;
		step = check_ancestor(search, len, &node);
		if (step != SEARCH_ON)
			return step;
	}
	return SEARCH_ON;
}

/* serve_find for the first `len` bytes of the key, a name above. One whose leases have all
 * run out is there only for the names below it, as in check_below. */
static int
find_above(struct search *search, size_t len, struct node *out)
{
	struct name_key key = search_ancestor_key(search, len);
	struct node_rrset any;
	int found = serve_find(search->txn, &key, out), status;

	if (found != SERVE_EXACT || !(out->flags & NODE_HAS_LEASES)
		|| len == search->zone->key.len)
		return found;
	status = find_any(search, out, &any);
	if (status != STATUS_NOT_FOUND)
		return status == STATUS_OK ? SERVE_EXACT : status;
	found = serve_find_below(search->txn, &key);
	if (found == SERVE_NONE)
		search_note(search, LOOKUP_EXPIRED, len);
	return found;
}

/* Does a node strictly above the name, `len` bytes of its key, take the name away? */
static enum search_step
check_ancestor(struct search *search, size_t len, const struct node *node)
{
	struct node_rrset rrset;
	int status = STATUS_NOT_FOUND;

	if (len > search->zone->key.len) {
		status = search_find_type(search, node, RRSET_NS, &rrset);
		if (status == STATUS_OK) {
			search_note(search, LOOKUP_NODE, len);
			return outcome_refer(search, len, &rrset);
		}
	}
	if (status == STATUS_NOT_FOUND) {
		status = search_find_type(search, node, RRSET_DNAME, &rrset);
		if (status == STATUS_OK) {
			search_note(search, LOOKUP_NODE, len);
			return outcome_add_dname(search, len, &rrset);
		}
	}
	return status == STATUS_NOT_FOUND ? SEARCH_ON : SEARCH_BROKEN;
}

/* The name itself. SEARCH_ON: it has nothing. */
static enum search_step
look_at_name(struct search *search)
{
	bool is_apex = search->key.len == search->zone->key.len;
	struct node_rrset any;
	struct node node;

	switch (serve_find(search->txn, &search->key, &node)) {
	case SERVE_EXACT:
		if (is_apex || !(node.flags & NODE_HAS_LEASES)
			|| find_any(search, &node, &any) != STATUS_NOT_FOUND) {
			search_note(search, LOOKUP_NODE, search->key.len);
			return answer_from_node(search, &node);
		}
		search_note(search, LOOKUP_EXPIRED, search->key.len);
		return check_below(search, &search->key);
	case SERVE_BELOW:
		/* an empty non-terminal exists (RFC 4592 section 2.2.2) */
		search_note(search, LOOKUP_EMPTY, search->key.len);
		return outcome_nodata(search);
	case SERVE_NONE:
		search_note(search, LOOKUP_ABSENT, search->key.len);
		/* the apex exists even before anything was written */
		return is_apex ? outcome_nodata(search) : SEARCH_ON;
	default:
		return SEARCH_BROKEN;
	}
}

/* The name's own node, or the wildcard's in its stead. */
static enum search_step
answer_from_node(struct search *search, const struct node *node)
{
	uint16_t type = search->query->type;
	struct node_rrset rrset;
	int status = STATUS_NOT_FOUND;

	/* at a cut only DS is the parent's own (RFC 4035 section 3.1.4.1) */
	if (search->key.len > search->zone->key.len && type != RRSET_DS) {
		status = search_find_type(search, node, RRSET_NS, &rrset);
		if (status == STATUS_OK)
			return outcome_refer(search, search->key.len, &rrset);
	}
	if (status == STATUS_NOT_FOUND && type == RRSET_ANY
		&& search->zone->any == ZONE_ANY_FULL)
		return answer_whole_node(search, node);
	if (status == STATUS_NOT_FOUND)
		status = type == RRSET_ANY ? find_any(search, node, &rrset)
					   : search_find_type(search, node, type, &rrset);
	if (status == STATUS_OK)
		return outcome_found(search, &rrset);
	if (status == STATUS_NOT_FOUND)
		status = search_find_type(search, node, RRSET_CNAME, &rrset);
	if (status == STATUS_NOT_FOUND) {
		search_note_rrset(search, LOOKUP_NO_RRSET, NULL, type);
		return outcome_nodata(search);
	}
	return status == STATUS_OK ? outcome_add_cname(search, &rrset) : SEARCH_BROKEN;
}

/* `any: full`: all that lives at the name, as far as it fits in a message. */
static enum search_step
answer_whole_node(struct search *search, const struct node *node)
{
	struct node_rrset rrset;
	size_t size = 0, i;

	for (i = 0; i < node->count; i++) {
		if (node_rrset(node, i, &rrset) != STATUS_OK)
			return SEARCH_BROKEN;
		if (!node_rrset_lives(&rrset, search->query->now_ms))
			continue;
		/* a record has 12 octets in front of its rdata, 2 of them in the block */
		size += rrset.rdata_len + 10u * rrset.count;
		if (search->answer->rrset_count > 0 && size > ANY_SIZE_MAX)
			break;
		if (search_add(search, ANSWER_ANSWER, search->name, &rrset) != STATUS_OK)
			break;
		search_note_rrset(search, LOOKUP_RRSET, NULL, rrset.type);
	}
	if (search->answer->rrset_count == 0)
		return outcome_nodata(search);
	search->answer->kind = ANSWER_FOUND;
	return SEARCH_DONE;
}

/* A node whose leases have all run out is gone: what is left of it is an empty non-terminal
 * when there are names below (RFC 4592 section 2.2.2), else nothing. Whether those are over,
 * too, is not looked at, as there may be any number: they count until livezoned deletes them. */
static enum search_step
check_below(struct search *search, const struct name_key *key)
{
	int found = serve_find_below(search->txn, key);

	if (found == SERVE_NONE)
		return SEARCH_ON;
	if (found < 0)
		return SEARCH_BROKEN;
	search_note_rrset(search, LOOKUP_EMPTY, key, 0);
	return outcome_nodata(search);
}

/* The zone's rules, in their order. A name that one of them matches exists, so that its
 * other types are NODATA. They go before wildcards: a pattern says more than a "*". */
static enum search_step
try_rules(struct search *search)
{
	const struct zone *zone = search->zone;
	size_t first = search->answer->rrset_count, i;
	uint16_t type = search->query->type;
	struct node_rrset rrset;
	bool matched = false;

	rule_take_name(search->answer->scratch, &search->key);
	for (i = 0; i < zone->rule_count; i++) {
		int status = apply_rule(search, zone->rule[i], &rrset);

		if (status == STATUS_NOT_FOUND)
			continue;
		if (status != STATUS_OK) { /* no reason to deny the name */
			search->failure = status;
			return SEARCH_BROKEN;
		}
		if (!matched)
			search_note(search, LOOKUP_RULE, search->key.len);
		matched = true;
		if (rrset.type == type)
			return outcome_found(search, &rrset);
		if (type == RRSET_ANY) {
			if (!has_answered(search, first, rrset.type)
				&& search_add(search, ANSWER_ANSWER, search->name, &rrset)
					   != STATUS_OK)
				return SEARCH_BROKEN;
			search_note_rrset(search, LOOKUP_RRSET, NULL, rrset.type);
			if (zone->any == ZONE_ANY_MINIMAL)
				break;
		} else if (rrset.type == RRSET_CNAME) {
			return outcome_add_cname(search, &rrset);
		}
	}
	if (search->answer->rrset_count > first) {
		search->answer->kind = ANSWER_FOUND;
		return SEARCH_DONE;
	}
	if (!matched)
		return SEARCH_ON;
	search_note_rrset(search, LOOKUP_NO_RRSET, NULL, type);
	return outcome_nodata(search);
}

/* PCRE2 and ldns allocate, and touch no store. */
static int
apply_rule(const struct search *search, const struct rule *rule, struct node_rrset *out)
{
	struct guard_pause *pause = guard_pause();
	struct rrset made;
	int status = rule_apply(rule, search->answer->scratch, &made);

	guard_resume(pause);
	if (status != STATUS_OK)
		return status;
	*out = (struct node_rrset){
		.type = made.type,
		.count = made.count,
		.ttl = made.ttl,
		.rdata = made.rdata,
		.rdata_len = made.rdata_len,
	};
	return STATUS_OK;
}

static bool
has_answered(const struct search *search, size_t first, uint16_t type)
{
	size_t i;

	for (i = first; i < search->answer->rrset_count; i++)
		if (search->answer->rrset[i].type == type)
			return true;
	return false;
}

/* The source of synthesis is "*" under the closest encloser and no other (RFC 4592
 * section 3.3.1); what it has is answered under the name that was asked for. */
static enum search_step
try_wildcard(struct search *search, size_t encloser)
{
	struct name_key key = search_ancestor_key(search, encloser);
	struct node_rrset any;
	struct node node;
	enum search_step step;

	if (key.len + 2 > NAME_KEY_MAX)
		return outcome_missing(search);
	key.bytes[key.len++] = 1;
	key.bytes[key.len++] = '*';
	switch (serve_find(search->txn, &key, &node)) {
	case SERVE_EXACT:
		if (find_any(search, &node, &any) == STATUS_NOT_FOUND) {
			search_note_rrset(search, LOOKUP_EXPIRED, &key, 0);
			step = check_below(search, &key);
			return step == SEARCH_ON ? outcome_missing(search) : step;
		}
		search_note_rrset(search, LOOKUP_WILDCARD, &key, 0);
		return answer_from_node(search, &node);
	case SERVE_BELOW:
		search_note_rrset(search, LOOKUP_EMPTY, &key, 0);
		return outcome_nodata(search);
	case SERVE_NONE:
		search_note_rrset(search, LOOKUP_NO_WILDCARD, &key, 0);
		return outcome_missing(search);
	default:
		return SEARCH_BROKEN;
	}
}

/* The first RRset of the node that lives: one is enough of an answer to ANY (RFC 8482
 * section 4.1). STATUS_NOT_FOUND: all leases have run out. */
static int
find_any(const struct search *search, const struct node *node, struct node_rrset *out)
{
	size_t i;

	for (i = 0; i < node->count; i++) {
		int status = node_rrset(node, i, out);

		if (status != STATUS_OK || node_rrset_lives(out, search->query->now_ms))
			return status;
	}
	return STATUS_NOT_FOUND;
}
