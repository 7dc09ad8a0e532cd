/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The journal: what each revision changed, with the values before and after, who did it and
 * when. Recovery replays it on top of a backup; history and rollback read it
 * (journal_reader.h).
 *
 * It lies in "<state>/journal" as segments "journal-<base>.log", base = 20 decimal digits: the
 * revision that state had when the segment was begun. A segment holds the revisions above its
 * base without a gap; where the last revision of a segment is not the base of the next one,
 * revisions are missing in between. Nothing is ever changed or cut in a segment: bytes behind
 * its last whole revision are ignored, and each start begins another segment.
 *
 * Version 1, little-endian, crc32c over all that follows it:
 *
 *	segment   crc32c u32 | "LZJ1" | instance[16] | base u64 | n x part
 *	part      crc32c u32 | length u32 | revision u64 | rest u64 | wall clock ms u64 |
 *	          verb u8 | caller_len u8 | 0 u16 | caller | n x item
 *	item      flags u8 | key_len u8 | type u16 | key | [value before] | [value after]
 *	value     ttl u32 | lease ms u32 | expires u64 | rdata_len u32 | records u16 |
 *	          source_len u8 | 0 u8 | source | rdata block (rrset.h)
 *
 * length is that of the whole part; a revision is one or more parts with the same head, and
 * rest says how many bytes of parts of this revision follow (0: the last one). A revision is
 * whole when all its parts are. Flag 1 of an item: it has a value before; 2: a value after.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"
#include "sidecar/state/state.h"

#define JOURNAL_MAGIC "LZJ1"
#define JOURNAL_SEGMENT_HEAD 32
#define JOURNAL_PART_HEAD 36
#define JOURNAL_VALUE_HEAD 24
#define JOURNAL_PART_MAX (512 * 1024) /* two values of the largest kind, and what fits beside */
#define JOURNAL_CALLER_MAX 80         /* bytes; a longer name is cut */
#define JOURNAL_HAS_BEFORE 1u
#define JOURNAL_HAS_AFTER 2u

#define JOURNAL_SYNC_MS 1000 /* between two fdatasync: what a power loss may take */
#define JOURNAL_LATE_MS 10000 /* a change that waits so long for the disk is an alarm */

/* Bytes that may wait for the disk, so that one that is full for a while, or slow, costs
 * memory and not history; what comes above that is dropped, and there is a gap. A change that
 * is bigger by itself is taken when nothing waits, up to JOURNAL_CHANGE_MAX: more than the
 * largest body of the API makes, but for a restore. */
#define JOURNAL_QUEUE_MAX (64u << 20)
#define JOURNAL_CHANGE_MAX (512u << 20)

#define JOURNAL_ALARM "journal"

/* What a change was; stored, so values stay. */
enum journal_verb {
	JOURNAL_ITEMS = 1, /* PUT, DELETE, PATCH, batch: the items say which */
	JOURNAL_SOURCE,
	JOURNAL_ZONE,
	JOURNAL_RESTORE,
	JOURNAL_EXPIRE, /* leases ran out; the caller is livezoned */
	JOURNAL_ROLLBACK,
	JOURNAL_VERBS
};

struct journal;

struct journal_head {
	uint64_t previous; /* the revision before this change */
	uint64_t revision;
	enum journal_verb verb;
	const char *caller; /* "uid 0", "token sentinel", "livezoned" */
};

struct journal_settings {
	uint64_t size;   /* bytes: `history.size` */
	uint64_t age_ms; /* `history.age`; 0 = no limit */
};

struct journal_status {
	uint64_t oldest; /* base of the oldest segment */
	uint64_t last;   /* the last revision in the files */
	uint64_t bytes;  /* of all segments */
	uint64_t size;   /* of the settings */
	size_t queued;   /* bytes */
	uint64_t gaps;   /* since the start, with one that the start found */
	char error[REASON_MAX]; /* of the last write to the disk; "" = it succeeded */
};

/* Raises JOURNAL_ALARM with this text. Called without locks, on the writer's thread or the
 * journal's; must not wait for either. */
typedef void (*journal_alarm_fn)(void *context, const char *text);

/* Starts the thread. `state_dir` is state's directory; `revision` and `instance` are state's
 * at this moment, and what is appended comes after it. A directory that cannot be used is no
 * failure: changes wait in memory, the alarm is raised, and it is tried again each second. When
 * segments are of another instance or have revisions above `revision`, they are set aside:
 * renamed to "*.aside" (recovery, which runs before, leaves state above them). `settings` is
 * copied. */
int journal_open(const char *state_dir, const uint8_t instance[STATE_INSTANCE_SIZE],
	uint64_t revision, const struct journal_settings *settings, journal_alarm_fn alarm,
	void *context, struct journal **out, struct reason *reason);

/* Writes and syncs what is queued, 5 s at most, then ends the thread. False: the disk hangs,
 * and the thread stays behind with what it was given. NULL is allowed. */
bool journal_close(struct journal *journal);

void journal_use(struct journal *journal, const struct journal_settings *settings);

/* One committed change. Writer thread, after state's commit, in the order of revisions; never
 * waits and never fails: what there is no room for is a gap. `before` and `after` are NULL
 * where there was or is no RRset; their revisions are not kept. */
void journal_begin(struct journal *journal, const struct journal_head *head);
void journal_add(struct journal *journal, const struct name_key *owner, uint16_t type,
	const struct state_record *before, const struct state_record *after);
void journal_end(struct journal *journal);

/* A backup at this revision is complete: the next change begins a new segment, and segments
 * that are not needed to replay from there are deleted when they are older than `age`, or the
 * oldest while all are larger than `size`, or very many. UINT64_MAX when no backups are made. Any thread. */
void journal_trim(struct journal *journal, uint64_t backup_revision);

/* Waits until all that was appended is in the files (not: synced), or the time is up: false.
 * Any thread. */
bool journal_flush(struct journal *journal, uint32_t wait_ms);

/* Raises JOURNAL_ALARM with this text, and logs it. Any thread. */
void journal_raise(struct journal *journal, const char *text);

void journal_read_status(struct journal *journal, struct journal_status *out);
