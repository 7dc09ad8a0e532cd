/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What a serve that is behind has to catch up with at a start. Writer thread only.
 */
#pragma once

#include <stdint.h>

#include "lib/base/arena.h"
#include "sidecar/serve/serving.h"

/* Names to catch up with; owners are copied into the arena. */
struct serving_catch_up {
	struct serving *serving;
	struct touched touched;
	struct arena arena;
};

/* Collects the names that the change log has after revision `since`, those with leases, and
 * all apexes. *out_meta is state's. A failure means: rebuild; STATUS_TOO_LARGE also when
 * the log does not say enough. The caller frees arena and names, whatever is returned. */
int serving_catch_up_collect(struct serving *serving, struct serving_catch_up *catch_up,
	uint64_t since, struct state_meta *out_meta);
