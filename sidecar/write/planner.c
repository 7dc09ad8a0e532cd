/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What each part of the planning ends in: a step more, or a refusal.
 */
#include "sidecar/write/planner.h"

#include <stdlib.h>

#include "lib/base/status.h"

int
planner_no_memory(struct change_result *out)
{
	return reason_set(&out->reason, STATUS_NO_MEMORY, "out of memory");
}

int
planner_add_step(struct planner *planner, struct plan_step step)
{
	struct plan *plan = planner->plan;

	if (plan->count == plan->room) {
		size_t room = plan->room ? plan->room * 2 : 16;
		struct plan_step *steps = reallocarray(plan->step, room, sizeof(*steps));

		if (!steps)
			return planner_no_memory(planner->out);
		plan->step = steps;
		plan->room = room;
	}
	plan->step[plan->count++] = step;
	if (step.verb != PLAN_RENEW)
		plan->writes++;
	return STATUS_OK;
}

int
planner_refuse(struct planner *planner, enum change_outcome outcome, size_t item,
	const char *text)
{
	change_refuse(planner->out, outcome, item, NULL, "%s", text);
	return STATUS_INVALID;
}
