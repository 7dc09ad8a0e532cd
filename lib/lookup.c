/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The algorithm of RFC 1034 section 4.3.2, with wildcards (RFC 4592) and DNAME (RFC 6672),
 * on the way of every query for a live zone.
 */
#include "lib/lookup.h"

#include <string.h>

#include "lib/fallback.h"
#include "lib/rule.h"
#include "lib/status.h"

/* Records of a whole node: a message has 65,535 octets, less header, question and EDNS. */
#define ANY_SIZE_MAX (UINT16_MAX - 512)

/* One query on its way; `name` and `zone` move along a chain of CNAMEs and DNAMEs. */
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
	STEP_ON,     /* nothing yet: look further in this zone */
	STEP_DONE,   /* the answer is complete */
	STEP_FOLLOW, /* a CNAME was added; search.name is its target */
	STEP_BROKEN, /* the store or the answer's limits failed us */
};

static void record(const struct search *search, enum lookup_event event,
	const struct name_key *key, size_t len, uint16_t type)
	__attribute__((cold, noinline));
static enum step take_step(struct search *search);
static enum step look_above(struct search *search, bool has_cuts, size_t *out_encloser);
static enum step try_rules(struct search *search);
static enum step try_fallback(struct search *search);
static enum step take_fallback_step(struct search *search);
static enum step try_wildcard(struct search *search, size_t encloser);
static enum step answer_from_node(struct search *search, const struct node *node);
static enum step refer(struct search *search, size_t cut, const struct node_rrset *ns);
static enum step redirect(struct search *search, size_t above,
	const struct node_rrset *dname);
static enum step add_cname(struct search *search, const struct node_rrset *cname);
static enum step follow(struct search *search, const uint8_t *target);
static enum step finish_found(struct search *search, const struct node_rrset *rrset);
static enum step finish_missing(struct search *search);
static enum step finish_nodata(struct search *search);
static enum step finish_negative(struct search *search, enum answer_kind kind);
static enum step finish_elsewhere(struct search *search);

/* Tells the trace, if there is one. `key` NULL: the node that was found last. */
static inline void
note_rrset(const struct search *search, enum lookup_event event, const struct name_key *key,
	uint16_t type)
{
	if (__builtin_expect(search->query->trace != NULL, 0))
		record(search, event, key, key ? key->len : 0, type);
}

/* The same of the first `len` bytes of the name. */
static inline void
note(const struct search *search, enum lookup_event event, size_t len)
{
	if (__builtin_expect(search->query->trace != NULL, 0))
		record(search, event, &search->key, len, 0);
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
	enum step step = STEP_FOLLOW;

	answer_reset(out);
	while (step == STEP_FOLLOW)
		step = txn ? take_step(&search) : take_fallback_step(&search);
	if (step == STEP_BROKEN) {
		note(&search, LOOKUP_BROKEN, search.key.len);
		answer_reset(out);
	}
}

/* `key` NULL: the node that was found last. */
static void
record(const struct search *search, enum lookup_event event, const struct name_key *key,
	size_t len, uint16_t type)
{
	struct lookup_trace *trace = search->query->trace;
	struct lookup_step *step = &trace->step[trace->count];

	if (trace->count == LOOKUP_STEPS_MAX)
		return;
	trace->count++;
	*step = (struct lookup_step){ .event = event, .type = type, .zone = search->zone };
	step->name = trace->node;
	if (key) {
		step->name.len = (uint8_t)len;
		memcpy(step->name.bytes, key->bytes, len);
	}
	if (event == LOOKUP_NODE || event == LOOKUP_RULE || event == LOOKUP_MADE
		|| event == LOOKUP_WILDCARD || event == LOOKUP_FALLBACK)
		trace->node = step->name;
}

/* The first `len` bytes of the search's key: an ancestor. */
static struct name_key
ancestor_key(const struct search *search, size_t len)
{
	struct name_key key = { .len = (uint8_t)len };

	memcpy(key.bytes, search->key.bytes, len);
	return key;
}

/* That ancestor's name is the tail of the name: a label is as long in both forms. */
static const uint8_t *
ancestor_name(const struct search *search, size_t len)
{
	return search->name + (search->key.len - len);
}

static int
find_type(const struct search *search, const struct node *node, uint16_t type,
	struct node_rrset *out)
{
	return node_find(node, type, search->query->now_ms, out);
}

/* One RRset is enough of an answer to ANY (RFC 8482 section 4.1). */
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

static int
add(struct search *search, enum answer_section section, const uint8_t *owner,
	const struct node_rrset *rrset)
{
	return answer_add(search->answer, section, owner,
		name_wire_length(owner, NAME_WIRE_MAX), rrset);
}

/* The apex says what the zone is free of; a zone that is not compiled yet has nothing. */
static int
read_flags(struct search *search, uint32_t *out)
{
	struct lookup_memory *memory = search->query->memory;
	uint64_t txn_id = store_txn_id(search->txn);
	struct node apex = { 0 };
	int found;

	if (memory) {
		memory += search->zone - search->zones->zone;
		if (memory->txn_id == txn_id) {
			*out = memory->flags;
			return STATUS_OK;
		}
	}
	found = store_find(search->txn, &search->zone->key, &apex);
	if (found < 0)
		return found;
	*out = apex.flags;
	if (memory)
		*memory = (struct lookup_memory){ .txn_id = txn_id, .flags = apex.flags };
	return STATUS_OK;
}

/* A node whose leases have all run out is gone: what is left of it is an empty non-terminal
 * when there are names below (RFC 4592 section 2.2.2), else nothing. */
static enum step
check_below(struct search *search, const struct name_key *key)
{
	int found = store_find_below(search->txn, key);

	if (found == STORE_NONE)
		return STEP_ON;
	if (found < 0)
		return STEP_BROKEN;
	note_rrset(search, LOOKUP_EMPTY, key, 0);
	return finish_nodata(search);
}

static enum step
take_step(struct search *search)
{
	size_t encloser = search->zone->key.len;
	bool is_apex = search->key.len == encloser;
	struct node_rrset any;
	struct node node;
	uint32_t flags;
	enum step step = STEP_ON;

	note(search, LOOKUP_ZONE, search->key.len);
	if (search->zone->stale_ms < search->query->age_ms)
		return STEP_BROKEN;
	if (read_flags(search, &flags) != STATUS_OK)
		return STEP_BROKEN;
	if (flags & NODE_HAS_CUTS)
		step = look_above(search, true, &encloser);
	if (step != STEP_ON)
		return step;
	switch (store_find(search->txn, &search->key, &node)) {
	case STORE_EXACT:
		if (is_apex || !(node.flags & NODE_HAS_LEASES)
			|| find_any(search, &node, &any) != STATUS_NOT_FOUND) {
			note(search, LOOKUP_NODE, search->key.len);
			return answer_from_node(search, &node);
		}
		note(search, LOOKUP_EXPIRED, search->key.len);
		step = check_below(search, &search->key);
		if (step != STEP_ON)
			return step;
		break;
	case STORE_BELOW:
		/* an empty non-terminal exists (RFC 4592 section 2.2.2) */
		note(search, LOOKUP_EMPTY, search->key.len);
		return finish_nodata(search);
	case STORE_NONE:
		note(search, LOOKUP_ABSENT, search->key.len);
		/* the apex exists even before anything was written */
		if (is_apex)
			return finish_nodata(search);
		break;
	default:
		return STEP_BROKEN;
	}
	if (search->zone->rule_count > 0) {
		step = try_rules(search);
		if (step != STEP_ON)
			return step;
	}
	if (!(flags & NODE_HAS_CUTS)
		&& (flags & NODE_HAS_WILDCARDS || search->query->trace))
		step = look_above(search, false, &encloser);
	if (step != STEP_ON)
		return step;
	note(search, LOOKUP_ENCLOSER, encloser);
	if (flags & NODE_HAS_WILDCARDS)
		return try_wildcard(search, encloser);
	return finish_missing(search);
}

/* Does a node strictly above the name, `len` bytes of its key, take the name away? */
static enum step
check_ancestor(struct search *search, size_t len, const struct node *node)
{
	struct node_rrset rrset;
	int status = STATUS_NOT_FOUND;

	if (len > search->zone->key.len) {
		status = find_type(search, node, RRSET_NS, &rrset);
		if (status == STATUS_OK) {
			note(search, LOOKUP_NODE, len);
			return refer(search, len, &rrset);
		}
	}
	if (status == STATUS_NOT_FOUND) {
		status = find_type(search, node, RRSET_DNAME, &rrset);
		if (status == STATUS_OK) {
			note(search, LOOKUP_NODE, len);
			return redirect(search, len, &rrset);
		}
	}
	return status == STATUS_NOT_FOUND ? STEP_ON : STEP_BROKEN;
}

/* From the apex down to the name's parent: the closest encloser, and on the way the
 * topmost cut or DNAME. Ends where nothing exists any more, so a name of 127 labels
 * costs no more than the zone is deep. */
static enum step
look_above(struct search *search, bool has_cuts, size_t *out_encloser)
{
	size_t len = search->zone->key.len;

	for (; len < search->key.len; len += 1u + search->key.bytes[len]) {
		struct name_key key = ancestor_key(search, len);
		struct node node;
		int found = store_find(search->txn, &key, &node);
		enum step step;

		if (found < 0)
			return STEP_BROKEN;
		if (found == STORE_NONE && len > search->zone->key.len)
			break;
		*out_encloser = len;
		if (!has_cuts || found != STORE_EXACT)
			continue;
		step = check_ancestor(search, len, &node);
		if (step != STEP_ON)
			return step;
	}
	return STEP_ON;
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

/* The zone's rules, in their order. A name that one of them matches exists, so that its
 * other types are NODATA. They go before wildcards: a pattern says more than a "*". */
static enum step
try_rules(struct search *search)
{
	const struct zone *zone = search->zone;
	size_t first = search->answer->rrset_count, i;
	uint16_t type = search->query->type;
	struct node_rrset rrset;
	bool matched = false;

	rule_take_name(search->answer->scratch, &search->key);
	for (i = 0; i < zone->rule_count; i++) {
		int status = rule_apply(zone->rule[i], search->answer->scratch, &rrset);

		if (status == STATUS_NOT_FOUND)
			continue;
		if (status != STATUS_OK) /* no reason to deny the name */
			return STEP_BROKEN;
		if (!matched)
			note(search, LOOKUP_RULE, search->key.len);
		matched = true;
		if (rrset.type == type)
			return finish_found(search, &rrset);
		if (type == RRSET_ANY) {
			if (!has_answered(search, first, rrset.type)
				&& add(search, ANSWER_ANSWER, search->name, &rrset)
					!= STATUS_OK)
				return STEP_BROKEN;
			note_rrset(search, LOOKUP_RRSET, NULL, rrset.type);
			if (zone->any == ZONE_ANY_MINIMAL)
				break;
		} else if (rrset.type == RRSET_CNAME) {
			return add_cname(search, &rrset);
		}
	}
	if (search->answer->rrset_count > first) {
		search->answer->kind = ANSWER_FOUND;
		return STEP_DONE;
	}
	if (!matched)
		return STEP_ON;
	note_rrset(search, LOOKUP_NO_RRSET, NULL, type);
	return finish_nodata(search);
}

/* The source of synthesis is "*" under the closest encloser and no other (RFC 4592
 * section 3.3.1); what it has is answered under the name that was asked for. */
static enum step
try_wildcard(struct search *search, size_t encloser)
{
	struct name_key key = ancestor_key(search, encloser);
	struct node_rrset any;
	struct node node;
	enum step step;

	if (key.len + 2 > NAME_KEY_MAX)
		return finish_missing(search);
	key.bytes[key.len++] = 1;
	key.bytes[key.len++] = '*';
	switch (store_find(search->txn, &key, &node)) {
	case STORE_EXACT:
		if (find_any(search, &node, &any) == STATUS_NOT_FOUND) {
			note_rrset(search, LOOKUP_EXPIRED, &key, 0);
			step = check_below(search, &key);
			return step == STEP_ON ? finish_missing(search) : step;
		}
		note_rrset(search, LOOKUP_WILDCARD, &key, 0);
		return answer_from_node(search, &node);
	case STORE_BELOW:
		note_rrset(search, LOOKUP_EMPTY, &key, 0);
		return finish_nodata(search);
	case STORE_NONE:
		note_rrset(search, LOOKUP_NO_WILDCARD, &key, 0);
		return finish_missing(search);
	default:
		return STEP_BROKEN;
	}
}

/* `any: full`: all that lives at the name, as far as it fits in a message. */
static enum step
answer_whole_node(struct search *search, const struct node *node)
{
	struct node_rrset rrset;
	size_t size = 0, i;

	for (i = 0; i < node->count; i++) {
		if (node_rrset(node, i, &rrset) != STATUS_OK)
			return STEP_BROKEN;
		if (!node_rrset_lives(&rrset, search->query->now_ms))
			continue;
		/* a record has 12 octets in front of its rdata, 2 of them in the block */
		size += rrset.rdata_len + 10u * rrset.count;
		if (search->answer->rrset_count > 0 && size > ANY_SIZE_MAX)
			break;
		if (add(search, ANSWER_ANSWER, search->name, &rrset) != STATUS_OK)
			break;
		note_rrset(search, LOOKUP_RRSET, NULL, rrset.type);
	}
	if (search->answer->rrset_count == 0)
		return finish_nodata(search);
	search->answer->kind = ANSWER_FOUND;
	return STEP_DONE;
}

/* The name's own node, or the wildcard's in its stead. */
static enum step
answer_from_node(struct search *search, const struct node *node)
{
	uint16_t type = search->query->type;
	struct node_rrset rrset;
	int status = STATUS_NOT_FOUND;

	/* at a cut only DS is the parent's own (RFC 4035 section 3.1.4.1) */
	if (search->key.len > search->zone->key.len && type != RRSET_DS) {
		status = find_type(search, node, RRSET_NS, &rrset);
		if (status == STATUS_OK)
			return refer(search, search->key.len, &rrset);
	}
	if (status == STATUS_NOT_FOUND && type == RRSET_ANY
		&& search->zone->any == ZONE_ANY_FULL)
		return answer_whole_node(search, node);
	if (status == STATUS_NOT_FOUND)
		status = type == RRSET_ANY ? find_any(search, node, &rrset)
					   : find_type(search, node, type, &rrset);
	if (status == STATUS_OK)
		return finish_found(search, &rrset);
	if (status == STATUS_NOT_FOUND)
		status = find_type(search, node, RRSET_CNAME, &rrset);
	if (status == STATUS_NOT_FOUND) {
		note_rrset(search, LOOKUP_NO_RRSET, NULL, type);
		return finish_nodata(search);
	}
	return status == STATUS_OK ? add_cname(search, &rrset) : STEP_BROKEN;
}

/* Addresses of the names that a record points to, as far as this zone has them; they are
 * a courtesy, so what does not fit or cannot be read is left out. */
static void
add_addresses(struct search *search, const struct node_rrset *rrset, size_t name_at)
{
	static const uint16_t types[] = { RRSET_A, RRSET_AAAA };
	size_t at = 0, i, t;

	for (i = 0; i < rrset->count; i++) {
		size_t len = (size_t)rrset->rdata[at] << 8 | rrset->rdata[at + 1];
		const uint8_t *target = rrset->rdata + at + 2 + name_at;
		struct node_rrset address;
		struct name_key key;
		struct node node;

		at += 2 + len;
		if (len <= name_at || name_wire_length(target, len - name_at) == 0)
			continue;
		name_to_key(target, &key);
		if (!name_key_is_within(key.bytes, key.len, &search->zone->key)
			|| store_find(search->txn, &key, &node) != STORE_EXACT)
			continue;
		for (t = 0; t < 2; t++)
			if (find_type(search, &node, types[t], &address) == STATUS_OK)
				add(search, ANSWER_ADDITIONAL, target, &address);
	}
}

/* A referral: the cut's NS RRset in the authority section, with glue. `cut` bytes of the
 * key are the cut. */
static enum step
refer(struct search *search, size_t cut, const struct node_rrset *ns)
{
	note_rrset(search, LOOKUP_CUT, NULL, RRSET_NS);
	if (search->zone->delegation == ZONE_DELEGATION_RECURSE)
		return finish_elsewhere(search);
	if (add(search, ANSWER_AUTHORITY, ancestor_name(search, cut), ns) != STATUS_OK)
		return STEP_BROKEN;
	add_addresses(search, ns, 0);
	search->answer->kind = ANSWER_REFERRAL;
	return STEP_DONE;
}

/* Is all of it one name? A stored value may have none. */
static bool
is_name(const uint8_t *wire, size_t len)
{
	return len > 0 && name_wire_length(wire, len) == len;
}

/* RFC 6672 section 3.2: the DNAME, and a CNAME made from it. */
static enum step
redirect(struct search *search, size_t above, const struct node_rrset *dname)
{
	uint8_t block[2 + NAME_WIRE_MAX];
	size_t kept = (size_t)search->key.len - above;
	size_t target_len = dname->rdata_len - 2u;
	struct node_rrset cname = *dname;

	if (!is_name(dname->rdata + 2, target_len)
		|| add(search, ANSWER_ANSWER, ancestor_name(search, above), dname)
			!= STATUS_OK)
		return STEP_BROKEN;
	note_rrset(search, LOOKUP_DNAME, NULL, RRSET_DNAME);
	if (kept + target_len > NAME_WIRE_MAX) {
		search->answer->kind = ANSWER_YXDOMAIN;
		return STEP_DONE;
	}
	note(search, LOOKUP_MADE, search->key.len);
	block[0] = 0;
	block[1] = (uint8_t)(kept + target_len);
	memcpy(block + 2, search->name, kept);
	memcpy(block + 2 + kept, dname->rdata + 2, target_len);
	cname.type = RRSET_CNAME;
	cname.rdata = block;
	cname.rdata_len = (uint32_t)(2 + kept + target_len);
	if (search->query->type == RRSET_CNAME || search->query->type == RRSET_ANY)
		return finish_found(search, &cname);
	return add_cname(search, &cname);
}

static enum step
add_cname(struct search *search, const struct node_rrset *cname)
{
	if (add(search, ANSWER_ANSWER, search->name, cname) != STATUS_OK)
		return STEP_BROKEN;
	note_rrset(search, LOOKUP_CNAME, NULL, RRSET_CNAME);
	return follow(search, search->answer->rrset[search->answer->rrset_count - 1].rdata + 2);
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

/* Goes on with the target of the CNAME that was added last; `target` is in the answer. */
static enum step
follow(struct search *search, const uint8_t *target)
{
	const struct answer *answer = search->answer;
	const struct answer_rrset *cname = &answer->rrset[answer->rrset_count - 1];

	if (!is_name(target, cname->rdata_len - 2u))
		return STEP_BROKEN;
	/* a loop, or a chain over the cap, ends with what there is, as authorities do */
	if (was_followed(search, target)) {
		note_rrset(search, LOOKUP_LOOP, NULL, 0);
		search->answer->kind = ANSWER_FOUND;
		return STEP_DONE;
	}
	if (++search->followed > LOOKUP_CHAIN_MAX) {
		note_rrset(search, LOOKUP_CAP, NULL, 0);
		search->answer->kind = ANSWER_FOUND;
		return STEP_DONE;
	}
	search->name = target;
	name_to_key(target, &search->key);
	search->zone = zones_match(search->zones, &search->key);
	if (search->zone)
		return STEP_FOLLOW;
	note(search, LOOKUP_OUTSIDE, search->key.len);
	return finish_elsewhere(search);
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

static enum step
finish_found(struct search *search, const struct node_rrset *rrset)
{
	size_t at;

	if (add(search, ANSWER_ANSWER, search->name, rrset) != STATUS_OK)
		return STEP_BROKEN;
	note_rrset(search, LOOKUP_RRSET, NULL, rrset->type);
	if (search->query->wants_additional && search->txn && has_target(rrset->type, &at))
		add_addresses(search, rrset, at);
	search->answer->kind = ANSWER_FOUND;
	return STEP_DONE;
}

/* on-expiry: remove. An RRset whose lease ran out says that there is nothing: nothing of its
 * type, a CNAME's included, and of any type when it was a CNAME itself. */
static bool
is_held_back(const struct search *search, const struct rrset *set, uint16_t type)
{
	struct node_rrset over;
	struct node node;
	size_t i;

	if (!search->txn || store_find(search->txn, &search->key, &node) != STORE_EXACT
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

/* The zone's fallback records for the name, as far as they are not held back. */
static const struct rrset *
find_fallback(const struct search *search)
{
	const struct zone *zone = search->zone;
	uint16_t type = search->query->type;
	const struct rrset *set = fallback_find(zone, &search->key, type);

	if (zone->on_expiry != ZONE_EXPIRY_REMOVE)
		return set;
	while (set && is_held_back(search, set, type)) {
		note_rrset(search, LOOKUP_HELD_BACK, &search->key, set->type);
		set = type == RRSET_ANY ? fallback_next(zone, set, &search->key) : NULL;
		if (set && set->owner.len != search->key.len)
			set = NULL;
	}
	return set;
}

/* What the configuration has where the data has nothing. STEP_ON: nothing either. */
static enum step
try_fallback(struct search *search)
{
	uint16_t type = search->query->type;
	const struct rrset *set = NULL;
	struct node_rrset rrset;

	if (search->zone->fallback_count > 0)
		set = find_fallback(search);
	if (!set)
		return STEP_ON;
	note(search, LOOKUP_FALLBACK, search->key.len);
	search->answer->is_fallback = true;
	rrset = (struct node_rrset){
		.type = set->type,
		.count = set->count,
		.ttl = set->ttl,
		.rdata = set->rdata,
		.rdata_len = set->rdata_len,
	};
	if (set->type == RRSET_CNAME && type != RRSET_CNAME && type != RRSET_ANY)
		return add_cname(search, &rrset);
	return finish_found(search, &rrset);
}

/* Without any data: what else there is at a name is unknown, so that only records that
 * are there can be answered. */
static enum step
take_fallback_step(struct search *search)
{
	enum step step;

	note(search, LOOKUP_ZONE, search->key.len);
	step = try_fallback(search);
	return step == STEP_ON ? STEP_BROKEN : step;
}

/* Do the fallback records make the name exist, for some type? */
static bool
has_fallback(const struct search *search)
{
	const struct zone *zone = search->zone;
	const struct rrset *set = fallback_first(zone, &search->key);

	while (set && zone->on_expiry == ZONE_EXPIRY_REMOVE
		&& set->owner.len == search->key.len && is_held_back(search, set, set->type))
		set = fallback_next(zone, set, &search->key);
	return set != NULL;
}

static enum step
finish_missing(struct search *search)
{
	enum step step = try_fallback(search);

	if (step != STEP_ON)
		return step;
	note(search, LOOKUP_MISSING, search->key.len);
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
	if (search->zone->fallback_count > 0 && has_fallback(search)) {
		/* NXDOMAIN would deny the fallback records, too (RFC 8020) */
		search->answer->is_fallback = true;
		return finish_negative(search, ANSWER_NODATA);
	}
	return finish_negative(search, ANSWER_NXDOMAIN);
}

static enum step
finish_nodata(struct search *search)
{
	enum step step = try_fallback(search);

	return step == STEP_ON ? finish_negative(search, ANSWER_NODATA) : step;
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

static enum step
finish_negative(struct search *search, enum answer_kind kind)
{
	uint8_t made[ZONE_SOA_MAX];
	const struct zone *zone = search->zone;
	struct node_rrset soa = { .type = RRSET_SOA, .count = 1 };
	struct node apex;
	int found = store_find(search->txn, &zone->key, &apex);

	if (found < 0)
		return STEP_BROKEN;
	if (found != STORE_EXACT || find_type(search, &apex, RRSET_SOA, &soa) != STATUS_OK
		|| !is_soa_block(&soa)) {
		/* a zone that livezoned has not compiled yet */
		soa.ttl = zone->negative_ttl;
		soa.rdata = made;
		soa.rdata_len = (uint32_t)zone_make_soa(zone, 0, made);
	}
	note_rrset(search, LOOKUP_SOA, &zone->key, RRSET_SOA);
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
