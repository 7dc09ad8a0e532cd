/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The neutral answer: filled by lookup.c, emptied by the module for every query.
 */
#include "lib/answer.h"

#include <stdlib.h>
#include <string.h>

#include "lib/rule.h"
#include "lib/status.h"

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
