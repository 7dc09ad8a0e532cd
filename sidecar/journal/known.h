/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * RRsets in memory by owner and type, with all that state knows of them: what a restore finds
 * out about source, lease and revision of records that serve has without those. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "sidecar/state/state.h"

struct known_entry;

struct known {
	struct known_entry **entry; /* by hash, a power of two of them */
	size_t count, room;
	struct arena arena;
};

/* Copies the record; of two with one owner and type the one with the higher revision stays.
 * STATUS_NO_MEMORY. A zeroed struct known is empty. */
int known_add(struct known *known, const struct state_record *record, struct reason *reason);

/* False: there is none. The record points into `known`. */
bool known_find(const struct known *known, const struct name_key *owner, uint16_t type,
	struct state_record *out);

/* All, in no order, until fn returns another value than 0. */
int known_walk(const struct known *known, state_record_fn fn, void *context,
	struct reason *reason);

void known_done(struct known *known);
