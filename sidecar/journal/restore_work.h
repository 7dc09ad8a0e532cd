/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What the files of a restore share; for these only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/config/config.h"
#include "sidecar/state/state.h"
#include "sidecar/state/state_salvage.h"
#include "lib/serve/image.h"
#include "sidecar/journal/backup.h"
#include "sidecar/journal/known.h"

#define RESTORE_SOURCE "api"  /* owns what nobody is known to own */
#define RESTORE_CHUNK 100000  /* puts of one commit: bounds dirty pages */

enum restore_base {
	RESTORE_SERVE,
	RESTORE_BACKUP,
	RESTORE_SALVAGE, /* table R of the damaged state is whole, and the newest */
};

struct restore {
	const struct config *config;
	struct state *state;
	struct state_txn *txn;
	size_t pending; /* puts since the last commit */
	uint64_t now_ms;         /* lease clock */
	uint64_t wall_offset_ms; /* lease clock minus boot clock */
	bool is_same_boot;       /* ends of leases in serve mean something */
	/* what there is */
	struct state_salvage salvage;
	bool has_salvage, is_salvage_complete;
	struct serve_image serve;
	bool has_serve;
	struct backup_file backup;
	struct backup_verdict backup_verdict;
	char *backup_path;
	bool has_backup;
	struct known known;
	/* what is made of it */
	enum restore_base base;
	uint64_t base_revision, revision;
	uint64_t highest; /* revision of all that was found */
	bool may_lack_commit;      /* the last one of the damaged file */
	uint64_t log_entries;      /* found, of revisions behind base_revision */
	bool has_reset;            /* one of them names no RRsets */
	uint64_t rrsets, later, unowned;
};

/* What was made of what, and what may be missing: text for `size` bytes. */
void restore_describe(const struct restore *restore, const char *why, char *out, size_t size);

/* Raises RESTORE_ALARM with that text, and those that the damaged file has. */
int restore_raise_alarms(struct restore *restore, const char *what, struct reason *reason);

void restore_init(struct restore *restore);

/* Writes a record into the new state, and commits now and then. */
int restore_put(struct restore *restore, const struct state_record *record,
	struct reason *reason);

/* Everything that serve has and somebody may have written, and what zones that are not live
 * have elsewhere. SOA, NS and PTR that livezoned makes by itself are left out, for: */
int restore_from_serve(struct restore *restore, struct reason *reason);

/* Those of them that somebody wrote all the same; after all else was counted. */
int restore_made_by_hand(struct restore *restore, struct reason *reason);
