/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What a damaged state still says. Every value has a checksum that covers its key, so that a
 * record that passes is one that was written, whatever happened around it. livezoned's main
 * thread, when it restores.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/serve/mdb_image.h"
#include "lib/base/reason.h"
#include "sidecar/state/state.h"

struct state_salvage {
	void *bytes;
	uint64_t size;
	struct mdb_image image;
	bool has_meta; /* the meta record is good: what follows is set */
	struct state_meta meta;
};

/* Reads data.mdb of `dir` into memory. A failure: nothing of it can be read. */
int state_salvage_open(const char *dir, struct state_salvage *out, struct reason *reason);
void state_salvage_close(struct state_salvage *salvage); /* zeroed is allowed */

/* All RRsets that can be read; their data points into the salvage. *out_is_complete: no page
 * and no value was left out, and there are as many as the sources count. */
int state_salvage_walk(const struct state_salvage *salvage, state_record_fn fn,
	void *context, bool *out_is_complete, struct reason *reason);

/* The alarms that can be read. */
int state_salvage_walk_alarms(const struct state_salvage *salvage, state_alarm_fn fn,
	void *context, struct reason *reason);

/* The highest revision that anything in it says: meta record, RRsets, sources, zones, log. */
int state_salvage_revision(const struct state_salvage *salvage, uint64_t *out,
	struct reason *reason);

/* What the change log says of revisions above `since`, as far as it can be read. */
int state_salvage_walk_log(const struct state_salvage *salvage, uint64_t since,
	state_log_fn fn, void *context, struct reason *reason);
