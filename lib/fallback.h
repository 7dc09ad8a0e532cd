/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A zone's fallback records, as the configuration has them: what a name has when the live
 * data has nothing there, or cannot be read. Const, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/name.h"
#include "lib/rrset.h"

struct zone;

/* The RRset of that name and type; without one the name's CNAME; for ANY the first at the
 * name. NULL: there is none. */
const struct rrset *fallback_find(
	const struct zone *zone, const struct name_key *key, uint16_t type);

/* The first RRset at the name or below it, and the next after one; NULL: there is none. */
const struct rrset *fallback_first(const struct zone *zone, const struct name_key *key);
const struct rrset *fallback_next(const struct zone *zone, const struct rrset *set,
	const struct name_key *key);
