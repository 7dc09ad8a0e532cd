/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Changes on their way to the journal's disk, encoded as journal.h draws it. The writer thread
 * fills one at a time, and appends it to those that wait; the journal's thread adds the
 * checksums and writes. For journal.c.
 */
#pragma once

#include "sidecar/journal/journal.h"

/* Changes that follow each other, encoded: parts without their checksums, which the journal's
 * thread adds. */
struct journal_batch {
	struct journal_batch *next;
	uint64_t previous; /* revision before the first change */
	uint64_t revision; /* of the last */
	uint64_t queued_ms; /* monotonic clock */
	uint8_t *bytes;
	size_t len, room;
	size_t part; /* offset of the part in hand */
	bool has_failed; /* no memory, or above JOURNAL_CHANGE_MAX */
};

/* Makes the batch one change without items; what was in it is dropped. Failures, here and
 * below, stay in has_failed. */
void journal_batch_begin(struct journal_batch *batch, const struct journal_head *head);

/* An RRset of the change; `head` is the same. */
void journal_batch_add(struct journal_batch *batch, const struct journal_head *head,
	const struct name_key *owner, uint16_t type, const struct state_record *before,
	const struct state_record *after);

/* The change is complete: sets how much of it follows each of its parts. */
void journal_batch_end(struct journal_batch *batch);

/* Copies a change that follows the last one in `batch` behind it. False: no memory. */
bool journal_batch_append(struct journal_batch *batch, const struct journal_batch *change);

/* Sets the checksums of all parts. */
void journal_batch_seal(struct journal_batch *batch);

/* The list that begins here; NULL is allowed. */
void journal_batch_free(struct journal_batch *batch);
