/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Changes without items: a source's heartbeat, and leases that ran out.
 */
#pragma once

#include "sidecar/write/planner.h"

/* Plans a CHANGE_HEARTBEAT or CHANGE_EXPIRE; results as plan_make's. */
int plan_leases_make(struct planner *planner);
