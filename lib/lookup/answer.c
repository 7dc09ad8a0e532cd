/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The neutral answer: filled by lookup.c, emptied by the module for every query.
 */
#include "lib/lookup/answer.h"

#include <stdlib.h>
#include <string.h>

#include "lib/dns/rule.h"
#include "lib/base/status.h"

int
answer_init(struct answer *answer)
{
	*answer = (struct answer){
		.buffer = malloc(ANSWER_BUFFER_SIZE),
		.scratch = rule_scratch_new(),
	};
	if (answer->buffer && answer->scratch)
		return STATUS_OK;
	answer_done(answer);
	return STATUS_NO_MEMORY;
}

void
answer_done(struct answer *answer)
{
	free(answer->buffer);
	answer->buffer = NULL;
	rule_scratch_free(answer->scratch);
	answer->scratch = NULL;
}

void
answer_reset(struct answer *answer)
{
	answer->kind = ANSWER_FAILED;
	answer->failure = STATUS_UNAVAILABLE;
	answer->is_fallback = false;
	answer->rrset_count = 0;
	answer->target.len = 0;
	answer->used = 0;
}

int
answer_add(struct answer *answer, enum answer_section section, const uint8_t *owner,
	size_t owner_len, const struct node_rrset *data)
{
	uint8_t *at = answer->buffer + answer->used;

	if (answer->rrset_count == ANSWER_RRSETS_MAX
		|| ANSWER_BUFFER_SIZE - answer->used < owner_len + data->rdata_len)
		return STATUS_TOO_LARGE;
	memcpy(at, owner, owner_len);
	memcpy(at + owner_len, data->rdata, data->rdata_len);
	answer->rrset[answer->rrset_count++] = (struct answer_rrset){
		.section = section,
		.type = data->type,
		.count = data->count,
		.ttl = data->ttl,
		.owner = at,
		.owner_len = (uint32_t)owner_len,
		.rdata = at + owner_len,
		.rdata_len = data->rdata_len,
	};
	answer->used += owner_len + data->rdata_len;
	return STATUS_OK;
}

enum answer_rcode
answer_rcode(const struct answer *answer)
{
	switch (answer->kind) {
	case ANSWER_NXDOMAIN:
		return ANSWER_RCODE_NXDOMAIN;
	case ANSWER_YXDOMAIN:
		return ANSWER_RCODE_YXDOMAIN;
	case ANSWER_REFUSED:
		return ANSWER_RCODE_REFUSED;
	case ANSWER_FAILED:
		return ANSWER_RCODE_SERVFAIL;
	case ANSWER_FOUND:
	case ANSWER_NODATA:
	case ANSWER_REFERRAL:
	case ANSWER_ELSEWHERE:
		break;
	}
	return ANSWER_RCODE_NOERROR;
}

bool
answer_is_authoritative(const struct answer *answer)
{
	size_t i;

	switch (answer->kind) {
	case ANSWER_REFUSED:
	case ANSWER_FAILED:
		return false;
	case ANSWER_REFERRAL:
		/* RFC 1034 section 4.3.2, step 3b; a chain before it is ours */
		for (i = 0; i < answer->rrset_count; i++)
			if (answer->rrset[i].section == ANSWER_ANSWER)
				return true;
		return false;
	default:
		return true;
	}
}
