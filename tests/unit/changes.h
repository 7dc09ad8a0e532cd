/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Changes for tests of what checks, plans and writes them.
 */
#pragma once

#include "lib/base/status.h"
#include "sidecar/write/change.h"
#include "tests/unit/unit.h"

/* `source` may be NULL, and outlives the change. */
static inline struct change *
changes_of(enum change_kind kind, const char *source)
{
	struct change *change = change_new(kind);

	assert_non_null(change);
	change->source = source;
	change->source_len = source ? strlen(source) : 0;
	return change;
}

/* A put of one record, `rdata` with its length in front; NULL: a delete. */
static inline struct change_item *
changes_add(struct change *change, const char *owner, uint16_t type, const uint8_t *rdata)
{
	struct change_item *item = change_add(change);

	assert_non_null(item);
	item->is_delete = !rdata;
	item->source = change->source ? change->source : "api";
	item->source_len = (uint8_t)strlen(item->source);
	assert_int_equal(change_take_rrset(change, item,
				 &(struct rrset){ .owner = unit_key(owner),
					 .type = type,
					 .count = 1,
					 .ttl = 5,
					 .rdata_len = rdata ? 2u + rdata[1] : 0,
					 .rdata = rdata }),
		STATUS_OK);
	return item;
}
