/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The names that a change of state touched: what is to be compiled again. Writer thread only.
 */
#pragma once

#include <stddef.h>

#include "lib/dns/name.h"

/* The names are borrowed. */
struct touched_names {
	const struct name_key **name;
	size_t count, room;
};

/* Apexes and reverse names (auto-ptr) are apart, because the names of a bulk change are in
 * order and stay so. */
struct touched {
	struct touched_names names, reverse, apexes;
};

/* Appends a name; STATUS_NO_MEMORY. */
int touched_add(struct touched_names *names, const struct name_key *name);

/* Sorts by key and drops duplicates. */
void touched_sort(struct touched_names *names);

void touched_clear(struct touched *touched);
void touched_done(struct touched *touched);
