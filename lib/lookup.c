/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The algorithm of RFC 1034 section 4.3.2, on the way of every query for a live zone.
 */
#include "lib/lookup.h"

#include <string.h>

#include "lib/status.h"

/* One query on its way; `name` and `zone` move along a chain of CNAMEs. */
struct search {
	const struct zones *zones;
	const struct zone *zone;
	const struct lookup_query *query;
	struct store_txn *txn;
	struct answer *answer;
	const uint8_t *name; /* the client's bytes, or a CNAME's target in the answer */
	struct name_key key;
	unsigned followed;
};

/* What one step decides. */
enum step {
	STEP_DONE,
	STEP_FOLLOW, /* a CNAME was added; search.name is its target */
	STEP_BROKEN, /* the store or the answer's limits failed us */
};

static int
add(struct search *search, enum answer_section section, const uint8_t *owner,
	const struct node_rrset *rrset)
{
	return answer_add(search->answer, section, owner,
		name_wire_length(owner, NAME_WIRE_MAX), rrset);
}

/* The negative TTL is the smaller of the SOA's own TTL and its MINIMUM, the last four
 * octets (RFC 2308 section 5). */
static uint32_t
negative_ttl(const struct node_rrset *soa)
{
	const uint8_t *end = soa->rdata + soa->rdata_len;
	uint32_t minimum = (uint32_t)end[-4] << 24 | (uint32_t)end[-3] << 16
		| (uint32_t)end[-2] << 8 | end[-1];

	return minimum < soa->ttl ? minimum : soa->ttl;
}

/* Both names, then five 32-bit numbers; node_rrset has checked the block. */
static bool
is_soa_block(const struct node_rrset *rrset)
{
	return rrset->count == 1 && rrset->rdata_len >= 2 + 2 + 20;
}

static enum step
finish_negative(struct search *search, enum answer_kind kind)
{
	uint8_t made[ZONE_SOA_MAX];
	const struct zone *zone = search->zone;
	struct node_rrset soa = { .type = RRSET_SOA, .count = 1 };
	struct node node;
	int found = store_find(search->txn, &zone->key, &node);

	if (found < 0)
		return STEP_BROKEN;
	if (found != STORE_EXACT
		|| node_find(&node, RRSET_SOA, search->query->now_ms, &soa) != STATUS_OK
		|| !is_soa_block(&soa)) {
		/* a zone that livezoned has not compiled yet */
		soa.ttl = zone->negative_ttl;
		soa.rdata = made;
		soa.rdata_len = (uint32_t)zone_make_soa(zone, 0, made);
	}
	soa.ttl = negative_ttl(&soa);
	if (add(search, ANSWER_AUTHORITY, zone->name.wire, &soa) != STATUS_OK)
		return STEP_BROKEN;
	search->answer->kind = kind;
	return STEP_DONE;
}

/* The rest of the resolver shall look for search->name. */
static enum step
finish_elsewhere(struct search *search)
{
	name_from_wire(search->name, NAME_WIRE_MAX, &search->answer->target);
	search->answer->kind = ANSWER_ELSEWHERE;
	return STEP_DONE;
}

static enum step
finish_missing(struct search *search)
{
	switch (search->zone->on_miss) {
	case ZONE_MISS_RECURSE:
		return finish_elsewhere(search);
	case ZONE_MISS_REFUSE:
		if (search->followed == 0) {
			search->answer->kind = ANSWER_REFUSED;
			return STEP_DONE;
		}
		break;
	case ZONE_MISS_NXDOMAIN:
		break;
	}
	return finish_negative(search, ANSWER_NXDOMAIN);
}

static enum step
finish_found(struct search *search, const struct node_rrset *rrset)
{
	if (add(search, ANSWER_ANSWER, search->name, rrset) != STATUS_OK)
		return STEP_BROKEN;
	search->answer->kind = ANSWER_FOUND;
	return STEP_DONE;
}

static bool
was_followed(const struct search *search, const uint8_t *target)
{
	size_t i;

	for (i = 0; i < search->answer->rrset_count; i++)
		if (name_equal(search->answer->rrset[i].owner, target))
			return true;
	return false;
}

static enum step
follow(struct search *search, const struct node_rrset *cname)
{
	struct answer *answer = search->answer;
	const uint8_t *target;

	if (name_wire_length(cname->rdata + 2, cname->rdata_len - 2)
		!= cname->rdata_len - 2u)
		return STEP_BROKEN;
	if (add(search, ANSWER_ANSWER, search->name, cname) != STATUS_OK)
		return STEP_BROKEN;
	target = answer->rrset[answer->rrset_count - 1].rdata + 2;
	/* a loop, or a chain over the cap, ends with what there is, as authorities do */
	if (was_followed(search, target) || ++search->followed > LOOKUP_CHAIN_MAX) {
		answer->kind = ANSWER_FOUND;
		return STEP_DONE;
	}
	search->name = target;
	name_to_key(target, &search->key);
	search->zone = zones_match(search->zones, &search->key);
	return search->zone ? STEP_FOLLOW : finish_elsewhere(search);
}

/* One RRset is enough of an answer to ANY (RFC 8482 section 4.1). */
static int
find_any(const struct node *node, uint64_t now_ms, struct node_rrset *out)
{
	size_t i;

	for (i = 0; i < node->count; i++) {
		int status = node_rrset(node, i, out);

		if (status != STATUS_OK)
			return status;
		if (out->expires_ms == 0 || out->expires_ms > now_ms)
			return STATUS_OK;
	}
	return STATUS_NOT_FOUND;
}

static enum step
answer_from_node(struct search *search, const struct node *node)
{
	uint64_t now_ms = search->query->now_ms;
	uint16_t type = search->query->type;
	struct node_rrset rrset;
	int status = type == RRSET_ANY ? find_any(node, now_ms, &rrset)
				       : node_find(node, type, now_ms, &rrset);

	if (status == STATUS_OK)
		return finish_found(search, &rrset);
	if (status == STATUS_NOT_FOUND) {
		status = node_find(node, RRSET_CNAME, now_ms, &rrset);
		if (status == STATUS_OK)
			return follow(search, &rrset);
	}
	if (status != STATUS_NOT_FOUND)
		return STEP_BROKEN;
	return finish_negative(search, ANSWER_NODATA);
}

/* Is there nothing at the node any more, because every lease ran out? */
static bool
is_expired(const struct node *node, uint64_t now_ms)
{
	struct node_rrset rrset;

	return find_any(node, now_ms, &rrset) == STATUS_NOT_FOUND;
}

static enum step
take_step(struct search *search)
{
	struct node node;
	bool is_apex = search->key.len == search->zone->key.len;

	switch (store_find(search->txn, &search->key, &node)) {
	case STORE_EXACT:
		if (!is_apex && is_expired(&node, search->query->now_ms))
			return finish_missing(search);
		return answer_from_node(search, &node);
	case STORE_BELOW:
		/* an empty non-terminal exists (RFC 4592 section 2.2.2) */
		return finish_negative(search, ANSWER_NODATA);
	case STORE_NONE:
		/* the apex exists even before anything was written */
		return is_apex ? finish_negative(search, ANSWER_NODATA)
			       : finish_missing(search);
	default:
		return STEP_BROKEN;
	}
}

void
lookup_answer(const struct zones *zones, const struct zone *zone,
	const struct name_key *key, const struct lookup_query *query,
	struct store_txn *txn, struct answer *out)
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
	enum step step = txn ? STEP_FOLLOW : STEP_BROKEN;

	answer_reset(out);
	while (step == STEP_FOLLOW)
		step = take_step(&search);
	if (step == STEP_BROKEN)
		answer_reset(out);
}
