/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The state environment: the durable truth, private to livezoned. Every RRset as it was
 * written, with source, lease and revision, and the indexes that the API needs. LMDB
 * with full sync: a commit that returned is on the disk.
 *
 * One unnamed database, a prefix byte per table. N is a name key (name.h), 00 ends it
 * (no label has length 0), T is the type as u16 big-endian, R a revision as u64
 * big-endian, so that ranges are in the order that readers want:
 *
 *	  'A' | name                alarm
 *	  'M'                       meta record
 *	  'R' | N | 00 | T          RRset
 *	  'S' | source              source record
 *	  'O' | len u8 | source | N | 00 | T   empty: RRset belongs to source
 *	  'L' | expires u64 BE | N | 00 | T    empty: lease ends (wall clock, ms)
 *	  'P' | V | 00 | N | 00 | T     empty: an address of that RRset has reverse name V
 *	  'Z' | N                   zone record, N = apex
 *	  'C' | R                   change log: what revision R touched
 *
 * Values, version 2, little-endian, crc32c over the key and then all that follows it, so
 * that a value under a wrong key is found out:
 *
 *	meta    crc32c u32 | "LZT2" | revision u64 | instance[16] |
 *	        zones u32 | sum u32 | log first u64 | log bytes u64
 *	RRset   crc32c u32 | ttl u32 | revision u64 | expires u64 | lease u32 |
 *	        records u16 | source_len u8 | 0 u8 | source | rdata block (rrset.h)
 *	source  crc32c u32 | rrsets u32 | revision u64 | written u64 | heartbeat u64
 *	zone    crc32c u32 | rrsets u32 | revision u64 | wildcards u32 | cuts u32 |
 *	        pointers u32 | pointless u32
 *	change  crc32c u32 | flags u32 | n x { verb u8 | key_len u8 | type u16 | key }
 *
 *	alarm   crc32c u32 | 0 u32 | raised u64 | text, not terminated
 *
 * zones is a checksum over the zones (apex, auto-ptr) for which zone records were counted and
 * P entries made, or 0 when they are to be made; P has the addresses of zones with auto-ptr whose reverse names lie in a
 * live zone. sum is what all other entries add up to (state_hash_entry in state.c), so that one
 * that is lost, or old, is found out; 0 = not known. log first is the oldest revision in the log, log bytes the size of its values.
 * Flag 1 of a change is "reset"; verb 0 is a put, 1 a delete.
 *
 * A failed check is STATUS_CORRUPT and names the table. Callbacks of the walks below
 * may read meta, source and zone records and pointers of their transaction, and nothing
 * else of it.
 */
#pragma once

#include <stdbool.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/dns/name.h"
#include "lib/base/reason.h"
#include "lib/dns/rrset.h"

struct rrset_json;
struct zone;
struct zones;

#define STATE_INSTANCE_SIZE 16
#define STATE_INSTANCE_TEXT (2 * STATE_INSTANCE_SIZE + 1) /* hexadecimal, with its end */
#define STATE_SOURCE_MAX 64         /* bytes of a source's name */
#define STATE_LOG_ITEMS_MAX 4096    /* a bigger change is logged as "reset": list again */
#define STATE_LOG_REVISIONS 100000  /* kept; older ones are trimmed as new ones come */
#define STATE_LOG_BYTES (64u << 20) /* the same, by size: big batches */
#define STATE_QUOTA_PUT 70     /* percent of the map: above it puts are STATUS_FULL */
#define STATE_QUOTA_DELETE 90  /* deletes need new pages too, and may go on to here */

/* The end of a lease that ran out and whose RRset stays, so that it is known that it did. No
 * walk of leases finds it again. */
#define STATE_LEASE_OVER 1

struct state;
struct state_txn;

struct state_meta {
	uint64_t revision;
	uint8_t instance[STATE_INSTANCE_SIZE]; /* random, made with the environment */
};

/* An RRset as stored; rrset.rdata and source point into the map until the transaction
 * ends or is written to. */
struct state_record {
	struct rrset rrset;
	uint64_t revision;
	uint64_t expires_ms; /* wall clock; 0 = no lease */
	uint32_t lease_ms;   /* what a heartbeat renews to; 0 = none */
	uint8_t source_len;
	const char *source;  /* not terminated */
};

struct state_source {
	uint32_t rrsets;
	uint64_t revision;     /* of its last write */
	uint64_t written_ms;   /* wall clock */
	uint64_t heartbeat_ms; /* wall clock; 0 = never */
};

struct state_zone {
	uint32_t rrsets;
	uint32_t wildcards; /* of these, under an owner name with a "*" label */
	uint32_t cuts;      /* NS below the apex, and DNAME */
	uint32_t pointers;  /* auto-ptr: addresses with a reverse name in a live zone */
	uint32_t pointless; /* and without */
	uint64_t revision; /* of the last change that touched it: the SOA serial */
};

/* Opens or creates the environment in `dir` (which must exist); size_limit is LMDB's map
 * size. STATUS_FOREIGN for a newer schema or another LMDB format, STATUS_CORRUPT for a
 * damaged file: nothing is deleted or changed then. STATUS_CONFLICT when another
 * process holds "<dir>/livezoned.lock"; the reason has its pid. Once in a process. */
int state_open(const char *dir, uint64_t size_limit, struct state **out,
	struct reason *reason);

/* The same in steps, for what is to be done to the files in between: the lock is held from
 * the first on, and taken over by the second. */
int state_lock(const char *dir, int *out_fd, struct reason *reason);
void state_unlock(int lock_fd); /* when it was not taken over; -1 is allowed */
int state_open_locked(const char *dir, uint64_t size_limit, int lock_fd, struct state **out,
	struct reason *reason);

void state_write_instance(const struct state_meta *meta, char out[STATE_INSTANCE_TEXT]);
bool state_read_instance(const char *text, uint8_t out[STATE_INSTANCE_SIZE]);

/* Makes an empty environment in "<dir>/new", of this instance (NULL: a new one), for
 * state_file_adopt after it was closed. */
int state_create(const char *dir, uint64_t size_limit, const uint8_t *instance,
	struct state **out, struct reason *reason);
void state_close(struct state *state); /* all transactions have ended; NULL is allowed */

/* Transactions. Any number of readers on any threads, each used by one thread; one writer at a
 * time. A failed commit (STATUS_FULL, STATUS_IO) leaves the last committed state and needs no
 * abort; the environment is reopened by the next begin when LMDB asks for it (doc/lmdb.md,
 * "failed writes"). After a function failed with another status than those it names, a writer
 * can only abort. */
int state_begin_read(struct state *state, struct state_txn **out, struct reason *reason);
int state_begin_write(struct state *state, struct state_txn **out, struct reason *reason);
int state_commit(struct state_txn *txn, struct reason *reason);
void state_abort(struct state_txn *txn); /* ends a reader too; NULL is allowed */

int state_read_meta(struct state_txn *txn, struct state_meta *out, struct reason *reason);
int state_set_revision(struct state_txn *txn, uint64_t revision, struct reason *reason);

/* One RRset. STATUS_NOT_FOUND without a reason text when there is none. */
int state_get(struct state_txn *txn, const struct name_key *owner, uint16_t type,
	struct state_record *out, struct reason *reason);

/* Stores an RRset and keeps owner, lease, source and zone records true. `apex` is the
 * key of the zone it lies in; NULL when that zone is not live (any more). `record` must
 * not point into this transaction. STATUS_FULL above the quota: nothing is written. */
int state_put(struct state_txn *txn, const struct name_key *apex,
	const struct state_record *record, struct reason *reason);

/* Gives an RRset's lease a new end; data and revisions stay. STATUS_NOT_FOUND when there
 * is no such RRset. */
int state_renew(struct state_txn *txn, const struct name_key *owner, uint16_t type,
	uint64_t expires_ms, struct reason *reason);

/* Removes an RRset with all that refers to it; a source whose last RRset went is removed
 * too. `revision` is the change's. STATUS_NOT_FOUND when there is none. */
int state_delete(struct state_txn *txn, const struct name_key *apex,
	const struct name_key *owner, uint16_t type, uint64_t revision,
	struct reason *reason);

/* What JSON says of the record at `now_ms` of writer_lease_clock; with 0 nothing of what is
 * left of a lease, unless that has ended. It borrows what the record points to. */
void state_record_to_json(
	const struct state_record *record, uint64_t now_ms, struct rrset_json *out);

/* Called per RRset in key order; a value other than 0 ends the walk and is returned. */
typedef int (*state_record_fn)(void *context, const struct state_record *record,
	struct reason *reason);

/* The RRsets at exactly this owner name. */
int state_walk_name(struct state_txn *txn, const struct name_key *owner,
	state_record_fn fn, void *context, struct reason *reason);

/* All RRsets at and below `apex` (the root: everything). */
int state_walk_below(struct state_txn *txn, const struct name_key *apex,
	state_record_fn fn, void *context, struct reason *reason);

/* All RRsets that belong to a source. */
int state_walk_source(struct state_txn *txn, const char *source, size_t source_len,
	state_record_fn fn, void *context, struct reason *reason);

/* All RRsets whose lease ended at or before wall_ms, but for STATE_LEASE_OVER. */
int state_walk_expired(struct state_txn *txn, uint64_t wall_ms, state_record_fn fn,
	void *context, struct reason *reason);

/* Wall clock of the first lease to end, behind STATE_LEASE_OVER; 0 = none. */
int state_next_expiry(struct state_txn *txn, uint64_t *out_ms, struct reason *reason);

/* A source exists as long as it owns RRsets. STATUS_NOT_FOUND. */
int state_get_source(struct state_txn *txn, const char *source, size_t source_len,
	struct state_source *out, struct reason *reason);
/* Notes a heartbeat. STATUS_NOT_FOUND. */
int state_touch_source(struct state_txn *txn, const char *source, size_t source_len,
	uint64_t heartbeat_ms, struct reason *reason);
typedef int (*state_source_fn)(void *context, const char *source, size_t source_len,
	const struct state_source *record, struct reason *reason);
int state_walk_sources(struct state_txn *txn, state_source_fn fn, void *context,
	struct reason *reason);

/* STATUS_NOT_FOUND before the first write to the zone. */
int state_get_zone(struct state_txn *txn, const struct name_key *apex,
	struct state_zone *out, struct reason *reason);

/* A change of other zones touched what this one serves: its serial moves. */
int state_touch_zone(struct state_txn *txn, const struct name_key *apex, uint64_t revision,
	struct reason *reason);

/* The reverse names of addresses (RFC 1035 section 3.5, RFC 3596 section 2.5), and which
 * addresses get PTR records by themselves: `auto-ptr: true` in livezone.yaml. */
#define STATE_REVERSE_BLOCK_MAX (RRSET_RECORDS_MAX * (2 + 16)) /* of an RRset of addresses */

/* Do the records of this owner and type point back? Those of A and AAAA in a zone with
 * auto-ptr, but for wildcards, which are no host's name. */
bool state_reverse_is_wanted(const struct zone *zone, const struct name_key *owner, uint16_t type);

/* The name below in-addr.arpa or ip6.arpa of an address of type A or AAAA. Returns 0, or
 * STATUS_INVALID when `len` is not the length of one. */
int state_reverse_key(uint16_t type, const uint8_t *address, size_t len, struct name_key *out);

/* Can the name be one that state_reverse_key makes? */
bool state_reverse_is_below(const struct name_key *key);

typedef int (*state_name_fn)(void *context, const struct name_key *name,
	struct reason *reason);

/* Brings the index of addresses, and the counts of the zone, from what an RRset of type A
 * or AAAA was to what it is; NULL for none. Only for what
 * state_reverse_is_wanted says. `fn` (may be
 * NULL) is called for the reverse names in live zones of all addresses, also of those that
 * stay. Both RRsets are the caller's memory. */
int state_point(struct state_txn *txn, const struct zones *zones, const struct rrset *before,
	const struct rrset *after, state_name_fn fn, void *context, struct reason *reason);

/* The RRsets that have an address with this reverse name. */
int state_walk_pointers(struct state_txn *txn, const struct name_key *reverse,
	state_record_fn fn, void *context, struct reason *reason);

/* All reverse names of the index, in key order. */
int state_walk_reverse_names(struct state_txn *txn, state_name_fn fn, void *context,
	struct reason *reason);

/* Counts the RRsets of each zone again, and makes the index of addresses, when the live
 * zones or their auto-ptr are not those that they were counted for, or after
 * state_doubt_counts; *out_changed says so. */
int state_recount_zones(struct state_txn *txn, const struct zones *zones,
	bool *out_changed, struct reason *reason);

/* A recount could not be made or committed: what zone records count means nothing until one is.
 * The writer's thread; state_has_counts: its transactions. */
void state_doubt_counts(struct state *state);
bool state_has_counts(const struct state_txn *txn);

/* Alarms: what somebody must know of, until they say that they do. Durable, without a
 * revision, and in no backup. Raising one that stands puts the new text in its place. */
#define STATE_ALARM_NAME_MAX 32
#define STATE_ALARM_TEXT_MAX 1000 /* longer text is cut */
#define STATE_ALARMS_MAX 64       /* more are STATUS_FULL */
int state_raise_alarm(struct state_txn *txn, const char *name, const char *text,
	struct reason *reason);
/* STATUS_NOT_FOUND when it does not stand. */
int state_clear_alarm(struct state_txn *txn, const char *name, struct reason *reason);
/* Name and text are not terminated; raised_ms is the wall clock. */
typedef int (*state_alarm_fn)(void *context, const char *name, size_t name_len,
	const char *text, size_t text_len, uint64_t raised_ms, struct reason *reason);
int state_walk_alarms(struct state_txn *txn, state_alarm_fn fn, void *context,
	struct reason *reason);

/* The change log. state_log_append writes one revision's entry and trims old ones;
 * with more than STATE_LOG_ITEMS_MAX items, a reset entry. */
struct state_log_item {
	bool deleted;
	uint16_t type;
	struct name_key owner;
};
int state_log_append(struct state_txn *txn, uint64_t revision,
	const struct state_log_item *items, size_t count, struct reason *reason);

/* Called per revision, oldest first; `reset` with no items: too much changed to list. */
typedef int (*state_log_fn)(void *context, uint64_t revision, bool reset,
	const struct state_log_item *items, size_t count, struct reason *reason);

/* Entries with revision > since, at most `limit` of them. STATUS_NOT_FOUND when the log
 * does not reach back to `since`, or `since` is ahead: the caller must list again. */
int state_walk_log(struct state_txn *txn, uint64_t since, size_t limit, state_log_fn fn,
	void *context, struct reason *reason);

/* Bytes in use and bytes of the map, for status and quota; 0, 0 when it cannot be read. */
void state_usage(const struct state_txn *txn, uint64_t *out_used, uint64_t *out_size);

/* Does somebody wait for the readers to end, to reopen LMDB? A reader that
 * takes long asks now and then, and gives up. */
bool state_is_waiting(struct state *state);

/* Would a transaction that is begun now wait for that, or for LMDB to be reopened? Does not
 * wait itself, and rather says yes. */
bool state_may_wait(struct state *state);

/* Frees the reader slots of processes that are gone, and says how many: a tool that was
 * killed while it read state pins every page of its commit. */
unsigned state_sweep(struct state *state);

/* LMDB keeps the memory of its largest transaction for the next one. Gives that back by closing
 * and opening state, when no transaction is open at this moment; else false. */
bool state_release_memory(struct state *state);

/* How often LMDB had to be reopened after a failed write. */
uint64_t state_reopens(struct state *state);

/*
 * data.mdb as a file that is made, put in place and put aside:
 *
 *	<dir>/data.mdb                     the environment
 *	<dir>/new/data.mdb                 one that is being made; removed when found at a start
 *	<dir>/quarantine/<time>/data.mdb   one that was damaged; never removed by livezoned
 *
 * Each step is one rename or link: killed at any point, data.mdb is the old one or the new
 * one, whole. Only with "<dir>/livezoned.lock" held and the environment closed.
 */

/* Makes an empty "<dir>/new" and writes its path. */
int state_file_make_new(const char *dir, char out_path[PATH_MAX], struct reason *reason);
void state_file_remove_new(const char *dir);

/* Puts "<dir>/new/data.mdb" in the place of "<dir>/data.mdb", durably. */
int state_file_adopt(const char *dir, struct reason *reason);

/* Gives data.mdb a second name in quarantine, durably, and writes the path of that; the
 * first name goes when another environment is adopted. */
int state_file_quarantine(const char *dir, char out_path[PATH_MAX], struct reason *reason);

/* Is the environment in `dir` whole? livezoned may have it open and write to it: one commit is
 * checked. For a process of its own: a damaged file may crash it. */
struct state_check {
	struct state_meta meta;
	uint64_t txn_id;
	uint64_t rrsets; /* after state_check_run */
	/* its own */
	struct MDB_env *env;
	struct MDB_txn *txn;
	unsigned dbi;
};

/* Opens it, begins to read (a reader's slot) and reads the meta record. STATUS_CORRUPT,
 * STATUS_FOREIGN (of another schema or format), STATUS_NOT_FOUND (an environment, but without our
 * meta record), STATUS_IO. */
int state_check_begin(const char *dir, struct state_check *out, struct reason *reason);

/* Every value against its checksum, all entries against their sum, the way to every page.
 * STATUS_CORRUPT: the reason says what; STATUS_NO_MEMORY. */
int state_check_run(struct state_check *check, struct reason *reason);

/* Closes it, also after a failed begin. Not where livezoned has it open: closing may end locks
 * of others (doc/lmdb.md, "closing"). */
void state_check_end(struct state_check *check);

/* A damaged file may do anything to a process that reads it, so livezoned asks another process of
 * its own program (`--check-state`): a crash of that is an answer. */
enum state_verdict {
	STATE_WHOLE,
	STATE_DAMAGED,
	STATE_FOREIGN,   /* another schema or format */
	STATE_NO_RECORD, /* an environment without our meta record: damaged, or never ours */
	STATE_UNKNOWN,   /* could not be checked: no answer in time, no memory, killed */
};

/* What `livezoned --check-state DIR` does: prints what it finds, returns the exit status. */
int state_check_child(const char *dir);

/* Runs that and waits for it, with a deadline. The reason is the last line that it printed, or
 * how it ended; *out_meta what it read of the meta record, zeroed when it could not. */
enum state_verdict state_check_spawn(
	const char *dir, struct state_meta *out_meta, struct reason *reason);

/* From what waitpid says. A signal that the child brought upon itself is damage. */
enum state_verdict state_check_verdict(int wait_status);

/*
 * The clock that leases end on: the boot clock, which neither jumps nor stands still while
 * the machine sleeps, plus an offset that makes wall-clock time of it. The offset is taken
 * once for each boot and kept in "<state>/lease-clock", so that neither a wall clock that is
 * set, nor a start of livezoned after that, ends or prolongs a lease. Over a boot the wall
 * clock is all there is.
 */

/* Lease clock minus boot clock, in ms. *out_is_new: it was not known, the machine has booted
 * since; it is kept from now on. A file that cannot be read or written costs only what it is
 * for. At the start, one thread. */
uint64_t lease_clock_offset(const char *state_dir, bool *out_is_new);

/* The same, and keeps nothing. */
uint64_t lease_clock_look(const char *state_dir);
