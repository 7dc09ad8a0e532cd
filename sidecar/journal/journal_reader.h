/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Reads the journal from a revision on, RRset by RRset, beside the thread that appends to it
 * or without livezoned. Any thread; each reader is used by one. Memory is bounded by
 * JOURNAL_PART_MAX whatever the journal holds.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"
#include "sidecar/journal/journal.h"

enum journal_event {
	JOURNAL_END,    /* of what is whole and in the files now */
	JOURNAL_CHANGE, /* an RRset that `revision` changed */
	JOURNAL_GAP,    /* nothing is known of the revisions above `previous`, up to `revision` */
};

/* What it points to lives until the next call. */
struct journal_entry {
	enum journal_event event;
	uint64_t previous; /* GAP only */
	uint64_t revision;
	/* CHANGE: */
	uint64_t wall_ms;
	enum journal_verb verb;
	char caller[JOURNAL_CALLER_MAX + 1];
	size_t index;  /* of the RRset in its revision, from 0 */
	bool is_last;  /* RRset of its revision */
	struct name_key owner;
	uint16_t type;
	bool has_before, has_after;
	struct state_record before, after; /* after.revision is `revision`, before.revision 0 */
};

struct journal_reader;

/* All revisions above `since`, in order; below the oldest segment that is a gap. A directory
 * that does not exist is an empty journal. STATUS_IO, STATUS_NO_MEMORY. */
int journal_reader_open(const char *state_dir, uint64_t since, struct journal_reader **out,
	struct reason *reason);
void journal_reader_close(struct journal_reader *reader); /* NULL is allowed */

/* Only whole revisions are shown: none of a revision's RRsets when one of its parts is torn or
 * damaged. What follows damage in a segment is a gap when there is a later segment, else the
 * end. After JOURNAL_END it may be called again, for what has come since. STATUS_IO. */
int journal_reader_next(
	struct journal_reader *reader, struct journal_entry *out, struct reason *reason);

/* Bytes of journal read so far: for those that stop after so much work. */
uint64_t journal_reader_bytes(const struct journal_reader *reader);

/* What is there, at a glance. */
struct journal_survey {
	uint64_t oldest;  /* base of the oldest segment */
	uint64_t base;    /* of the newest segment whose head is whole */
	uint64_t newest;  /* the last whole revision in that one, or its base */
	uint64_t wall_ms; /* when that revision was made; 0 when there is none */
	uint8_t instance[STATE_INSTANCE_SIZE]; /* of that segment; 0 when no head is whole */
};

/* Reads the newest segment whose head is whole; when there is none, `base` and `newest` are the
 * base of the newest one. STATUS_NOT_FOUND when there is no segment. */
int journal_reader_survey(
	const char *state_dir, struct journal_survey *out, struct reason *reason);

/* The segments, the oldest first; `segment` is the caller's to free. */
struct journal_segment {
	uint64_t base;
	uint64_t bytes;
	uint64_t changed_ms; /* wall clock */
};
struct journal_segments {
	struct journal_segment *segment;
	size_t count;
};
int journal_reader_list(
	const char *state_dir, struct journal_segments *out, struct reason *reason);

void journal_reader_path(const char *state_dir, uint64_t base, char out[PATH_MAX]);
