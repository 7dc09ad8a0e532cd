/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What every part of a look-up may do, but a query that finds its name does not: try all
 * RRsets of a node, note a step for those who ask why.
 */
#include "lib/search.h"

#include "lib/status.h"

int
search_find_any(
	const struct search *search, const struct node *node, struct node_rrset *out)
{
	size_t i;

	for (i = 0; i < node->count; i++) {
		int status = node_rrset(node, i, out);

		if (status != STATUS_OK || node_rrset_lives(out, search->query->now_ms))
			return status;
	}
	return STATUS_NOT_FOUND;
}

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
