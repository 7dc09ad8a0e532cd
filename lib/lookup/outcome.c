/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The ends of a look-up, in the order of RFC 1034 section 4.3.2: found, referred, missing
 * (RFC 2308), elsewhere. Then the fallback records, which come before a negative answer, and
 * the links of a chain: CNAME (RFC 1034 section 3.6.2) and DNAME (RFC 6672).
 */
#include "lib/lookup/outcome.h"

#include "lib/dns/zones.h"
#include "lib/base/status.h"

static bool has_target(uint16_t type, size_t *out_at);
static enum search_step
add_addresses(struct search *search, const struct node_rrset *rrset, size_t name_at);
static int add_address(struct search *search, const struct node *node, uint16_t type,
	const uint8_t *owner);
static enum search_step finish_negative(struct search *search, enum answer_kind kind);
static uint32_t negative_ttl(const struct node_rrset *soa);
static bool is_soa_block(const struct node_rrset *rrset);
static const struct rrset *find_fallback(const struct search *search);
static bool has_fallback(const struct search *search);
static bool
is_held_back(const struct search *search, const struct rrset *set, uint16_t type);

static enum search_step follow(struct search *search, const uint8_t *target);
static bool was_followed(const struct search *search, const uint8_t *target);
static bool is_name(const uint8_t *wire, size_t len);

enum search_step
outcome_found(struct search *search, const struct node_rrset *rrset)
{
	size_t at;

	if (search_add(search, ANSWER_ANSWER, search->name, rrset) != STATUS_OK)
		return SEARCH_BROKEN;
	search_note_rrset(search, LOOKUP_RRSET, NULL, rrset->type);
	search->answer->kind = ANSWER_FOUND;
	return search->query->wants_additional && search->txn
			&& has_target(rrset->type, &at)
		? add_addresses(search, rrset, at)
		: SEARCH_DONE;
}

/* Where rdata of a type holds a name whose addresses are worth adding. */
static bool
has_target(uint16_t type, size_t *out_at)
{
	switch (type) {
	case RRSET_NS:
		*out_at = 0;
		return true;
	case RRSET_MX:
	case RRSET_SVCB:
	case RRSET_HTTPS:
		*out_at = 2;
		return true;
	case RRSET_SRV:
		*out_at = 6;
		return true;
	default:
		return false;
	}
}

enum search_step
outcome_refer(struct search *search, size_t cut, const struct node_rrset *ns)
{
	search_note_rrset(search, LOOKUP_CUT, NULL, RRSET_NS);
	if (search->zone->delegation == ZONE_DELEGATION_RECURSE)
		return outcome_elsewhere(search);
	if (search_add(search, ANSWER_AUTHORITY, search_ancestor_name(search, cut), ns)
		!= STATUS_OK)
		return SEARCH_BROKEN;
	search->answer->kind = ANSWER_REFERRAL;
	return add_addresses(search, ns, 0);
}

/* Addresses of the names that a record points to, as far as this zone has them; they are
 * a courtesy, so what does not fit is left out. What cannot be read is damage as elsewhere:
 * without glue a referral leads nowhere. */
static enum search_step
add_addresses(struct search *search, const struct node_rrset *rrset, size_t name_at)
{
	static const uint16_t types[] = { RRSET_A, RRSET_AAAA };
	size_t at = 0, i, t;
	int found;

	for (i = 0; i < rrset->count; i++) {
		size_t len = (size_t)rrset->rdata[at] << 8 | rrset->rdata[at + 1];
		const uint8_t *target = rrset->rdata + at + 2 + name_at;
		struct name_key key;
		struct node node;

		at += 2 + len;
		if (len <= name_at || name_wire_length(target, len - name_at) == 0)
			continue;
		name_to_key(target, &key);
		if (!name_key_is_within(key.bytes, key.len, &search->zone->key))
			continue;
		found = serve_find(search->txn, &key, &node);
		for (t = 0; t < 2 && found == SERVE_EXACT; t++)
			if (add_address(search, &node, types[t], target) != STATUS_OK)
				return SEARCH_BROKEN;
		if (found < 0)
			return SEARCH_BROKEN;
	}
	return SEARCH_DONE;
}

static int
add_address(struct search *search, const struct node *node, uint16_t type,
	const uint8_t *owner)
{
	struct node_rrset address;
	int status = search_find_type(search, node, type, &address);

	if (status == STATUS_OK)
		(void)answer_add(search->answer, ANSWER_ADDITIONAL, owner,
			name_wire_length(owner, NAME_WIRE_MAX), &address);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum search_step
outcome_missing(struct search *search)
{
	enum search_step step = outcome_fallback(search);

	if (step != SEARCH_ON)
		return step;
	search_note(search, LOOKUP_MISSING, search->key.len);
	switch (search->zone->on_miss) {
	case ZONE_MISS_RECURSE:
		return outcome_elsewhere(search);
	case ZONE_MISS_REFUSE:
		if (search->followed == 0) {
			search->answer->kind = ANSWER_REFUSED;
			return SEARCH_DONE;
		}
		break;
	case ZONE_MISS_NXDOMAIN:
		break;
	}
	if (search->zone->fallback_count > 0 && has_fallback(search)) {
		/* NXDOMAIN would deny the fallback records, too (RFC 8020) */
		search->answer->is_fallback = true;
		return finish_negative(search, ANSWER_NODATA);
	}
	return finish_negative(search, ANSWER_NXDOMAIN);
}

enum search_step
outcome_nodata(struct search *search)
{
	enum search_step step = outcome_fallback(search);

	return step == SEARCH_ON ? finish_negative(search, ANSWER_NODATA) : step;
}

static enum search_step
finish_negative(struct search *search, enum answer_kind kind)
{
	uint8_t made[ZONE_SOA_MAX];
	const struct zone *zone = search->zone;
	struct node_rrset soa = { .type = RRSET_SOA, .count = 1 };
	struct node apex;
	int found = serve_find(search->txn, &zone->key, &apex);

	if (found < 0)
		return SEARCH_BROKEN;
	if (found != SERVE_EXACT
		|| search_find_type(search, &apex, RRSET_SOA, &soa) != STATUS_OK
		|| !is_soa_block(&soa)) {
		/* a zone that livezoned has not compiled yet */
		soa.ttl = zone->negative_ttl;
		soa.rdata = made;
		soa.rdata_len = (uint32_t)zone_make_soa(zone, 0, made);
	}
	search_note_rrset(search, LOOKUP_SOA, &zone->key, RRSET_SOA);
	soa.ttl = negative_ttl(&soa);
	if (search_add(search, ANSWER_AUTHORITY, zone->name.wire, &soa) != STATUS_OK)
		return SEARCH_BROKEN;
	search->answer->kind = kind;
	return SEARCH_DONE;
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

/* Two names at least, then five 32-bit numbers. */
static bool
is_soa_block(const struct node_rrset *rrset)
{
	return rrset->count == 1 && rrset->rdata_len >= 2 + 2 + 20;
}

enum search_step
outcome_elsewhere(struct search *search)
{
	name_from_wire(search->name, NAME_WIRE_MAX, &search->answer->target);
	search->answer->kind = ANSWER_ELSEWHERE;
	return SEARCH_DONE;
}

enum search_step
outcome_fallback(struct search *search)
{
	uint16_t type = search->query->type;
	const struct rrset *set = NULL;
	struct node_rrset rrset;

	if (search->zone->fallback_count > 0)
		set = find_fallback(search);
	if (!set)
		return SEARCH_ON;
	search_note(search, LOOKUP_FALLBACK, search->key.len);
	search->answer->is_fallback = true;
	rrset = (struct node_rrset){
		.type = set->type,
		.count = set->count,
		.ttl = set->ttl,
		.rdata = set->rdata,
		.rdata_len = set->rdata_len,
	};
	if (set->type == RRSET_CNAME && type != RRSET_CNAME && type != RRSET_ANY)
		return outcome_add_cname(search, &rrset);
	return outcome_found(search, &rrset);
}

/* The zone's fallback records for the name, as far as they are not held back. */
static const struct rrset *
find_fallback(const struct search *search)
{
	const struct zone *zone = search->zone;
	uint16_t type = search->query->type;
	const struct rrset *set = zone_find_fallback(zone, &search->key, type);

	if (zone->on_expiry != ZONE_EXPIRY_REMOVE)
		return set;
	while (set && is_held_back(search, set, type)) {
		search_note_rrset(search, LOOKUP_HELD_BACK, &search->key, set->type);
		set = type == RRSET_ANY ? zone_next_fallback(zone, set, &search->key) : NULL;
		if (set && set->owner.len != search->key.len)
			set = NULL;
	}
	return set;
}

/* Do the fallback records make the name exist, for some type? */
static bool
has_fallback(const struct search *search)
{
	const struct zone *zone = search->zone;
	const struct rrset *set = zone_first_fallback(zone, &search->key);

	while (set && zone->on_expiry == ZONE_EXPIRY_REMOVE
		&& set->owner.len == search->key.len
		&& is_held_back(search, set, set->type))
		set = zone_next_fallback(zone, set, &search->key);
	return set != NULL;
}

/* on-expiry: remove. An RRset whose lease ran out says that there is nothing: nothing of its
 * type, a CNAME's included, and of any type when it was a CNAME itself. */
static bool
is_held_back(const struct search *search, const struct rrset *set, uint16_t type)
{
	struct node_rrset over;
	struct node node;
	size_t i;

	if (!search->txn || serve_find(search->txn, &search->key, &node) != SERVE_EXACT
		|| !(node.flags & NODE_HAS_LEASES))
		return false;
	for (i = 0; i < node.count; i++)
		if (node_rrset(&node, i, &over) == STATUS_OK
			&& !node_rrset_lives(&over, search->query->now_ms)
			&& (over.type == set->type || over.type == type
				|| over.type == RRSET_CNAME))
			return true;
	return false;
}

/* --- chains --- */

enum search_step
outcome_add_cname(struct search *search, const struct node_rrset *cname)
{
	if (search_add(search, ANSWER_ANSWER, search->name, cname) != STATUS_OK)
		return SEARCH_BROKEN;
	search_note_rrset(search, LOOKUP_CNAME, NULL, RRSET_CNAME);
	return follow(
		search, search->answer->rrset[search->answer->rrset_count - 1].rdata + 2);
}

enum search_step
outcome_add_dname(struct search *search, size_t above, const struct node_rrset *dname)
{
	uint8_t block[2 + NAME_WIRE_MAX];
	size_t kept = (size_t)search->key.len - above;
	size_t target_len = dname->rdata_len - 2u;
	struct node_rrset cname = *dname;

	if (!is_name(dname->rdata + 2, target_len)
		|| search_add(search, ANSWER_ANSWER, search_ancestor_name(search, above),
			   dname)
			   != STATUS_OK)
		return SEARCH_BROKEN;
	search_note_rrset(search, LOOKUP_DNAME, NULL, RRSET_DNAME);
	if (kept + target_len > NAME_WIRE_MAX) {
		search->answer->kind = ANSWER_YXDOMAIN;
		return SEARCH_DONE;
	}
	search_note(search, LOOKUP_MADE, search->key.len);
	block[0] = 0;
	block[1] = (uint8_t)(kept + target_len);
	memcpy(block + 2, search->name, kept);
	memcpy(block + 2 + kept, dname->rdata + 2, target_len);
	cname.type = RRSET_CNAME;
	cname.rdata = block;
	cname.rdata_len = (uint32_t)(2 + kept + target_len);
	if (search->query->type == RRSET_CNAME || search->query->type == RRSET_ANY)
		return outcome_found(search, &cname);
	return outcome_add_cname(search, &cname);
}

/* Goes on with the target of the CNAME that was added last; `target` is in the answer. */
static enum search_step
follow(struct search *search, const uint8_t *target)
{
	const struct answer *answer = search->answer;
	const struct answer_rrset *cname = &answer->rrset[answer->rrset_count - 1];

	if (!is_name(target, cname->rdata_len - 2u))
		return SEARCH_BROKEN;
	/* a loop, or a chain over the cap, ends with what there is, as authorities do */
	if (was_followed(search, target)) {
		search_note_rrset(search, LOOKUP_LOOP, NULL, 0);
		search->answer->kind = ANSWER_FOUND;
		return SEARCH_DONE;
	}
	if (++search->followed > LOOKUP_CHAIN_MAX) {
		search_note_rrset(search, LOOKUP_CAP, NULL, 0);
		search->answer->kind = ANSWER_FOUND;
		return SEARCH_DONE;
	}
	search->name = target;
	name_to_key(target, &search->key);
	search->zone = zones_match(search->zones, &search->key);
	if (search->zone)
		return SEARCH_FOLLOW;
	search_note(search, LOOKUP_OUTSIDE, search->key.len);
	return outcome_elsewhere(search);
}

static bool
was_followed(const struct search *search, const uint8_t *target)
{
	const struct answer *answer = search->answer;
	size_t i;

	for (i = 0; i < answer->rrset_count; i++)
		if (answer->rrset[i].type == RRSET_CNAME
			&& name_equal(answer->rrset[i].owner, target))
			return true;
	return false;
}

/* Is all of it one name? A stored value may have none. */
static bool
is_name(const uint8_t *wire, size_t len)
{
	return len > 0 && name_wire_length(wire, len) == len;
}

/* --- the trace --- */

void
search_record(const struct search *search, enum lookup_event event,
	const struct name_key *key, size_t len, uint16_t type)
{
	struct lookup_trace *trace = search->query->trace;
	struct lookup_step *step = &trace->step[trace->count];

	if (trace->count == LOOKUP_STEPS_MAX)
		return;
	trace->count++;
	*step = (struct lookup_step){
		.event = event, .type = type, .zone = search->zone
	};
	step->name = trace->node;
	if (key) {
		step->name.len = (uint8_t)len;
		memcpy(step->name.bytes, key->bytes, len);
	}
	if (event == LOOKUP_NODE || event == LOOKUP_RULE || event == LOOKUP_MADE
		|| event == LOOKUP_WILDCARD || event == LOOKUP_FALLBACK)
		trace->node = step->name;
}
