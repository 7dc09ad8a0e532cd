/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Going on with another name, in this live zone, in another, or outside.
 */
#include "lib/alias.h"

#include <string.h>

#include "lib/outcome.h"
#include "lib/status.h"

static enum search_step follow(struct search *search, const uint8_t *target);
static bool was_followed(const struct search *search, const uint8_t *target);
static bool is_name(const uint8_t *wire, size_t len);

enum search_step
alias_add_cname(struct search *search, const struct node_rrset *cname)
{
	if (search_add(search, ANSWER_ANSWER, search->name, cname) != STATUS_OK)
		return SEARCH_BROKEN;
	search_note_rrset(search, LOOKUP_CNAME, NULL, RRSET_CNAME);
	return follow(
		search, search->answer->rrset[search->answer->rrset_count - 1].rdata + 2);
}

enum search_step
alias_add_dname(struct search *search, size_t above, const struct node_rrset *dname)
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
	return alias_add_cname(search, &cname);
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
