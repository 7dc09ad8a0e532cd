/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What a step does to the index of addresses, and what is to be compiled anew for it.
 */
#include "sidecar/write/auto_ptr.h"

#include <string.h>

#include "lib/base/status.h"

static int touch_reverse(void *context, const struct name_key *name, struct reason *reason);

int
auto_ptr_note(struct auto_ptr *pointing, const struct plan_step *step,
	struct reason *reason)
{
	struct state_record record;
	int status = state_get(pointing->txn, step->owner, step->type, &record, reason);

	pointing->before = (struct rrset){ .count = 0 };
	if (status == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (status != STATUS_OK || record.rrset.rdata_len > sizeof(pointing->block))
		return status;
	pointing->before = record.rrset;
	pointing->before.rdata = pointing->block;
	memcpy(pointing->block, record.rrset.rdata, record.rrset.rdata_len);
	return STATUS_OK;
}

int
auto_ptr_follow(struct auto_ptr *pointing, const struct plan_step *step,
	const struct change *change, uint64_t revision, struct reason *reason)
{
	const struct rrset *before = pointing->before.count > 0 ? &pointing->before : NULL;
	const struct rrset *after = step->verb == PLAN_PUT ? &change->items[step->item].rrset
		: step->verb == PLAN_DELETE		   ? NULL
							   : before;

	pointing->revision = step->verb == PLAN_RENEW ? 0 : revision;
	if (!before && !after)
		return STATUS_OK;
	return state_point(pointing->txn, pointing->zones, before, after, touch_reverse,
		pointing, reason);
}

static int
touch_reverse(void *context, const struct name_key *name, struct reason *reason)
{
	struct auto_ptr *pointing = context;
	const struct zone *zone = zones_match(pointing->zones, name);
	const struct name_key *copy = arena_copy(&pointing->plan->arena, name, sizeof(*name));
	int status = copy ? plan_names_add(&pointing->touched->reverse, copy)
			  : STATUS_NO_MEMORY;

	if (status != STATUS_OK)
		return reason_set(reason, status, "out of memory");
	if (pointing->revision == 0 || !zone || zone == pointing->last)
		return STATUS_OK;
	pointing->last = zone;
	status = plan_names_add(&pointing->touched->apexes, &zone->key);
	return status == STATUS_OK
		? state_touch_zone(pointing->txn, &zone->key, pointing->revision, reason)
		: status;
}
