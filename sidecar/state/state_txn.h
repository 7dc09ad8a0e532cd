/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What the files of the state environment share: state_env.c (files), state.c (transactions,
 * meta, room), state_rrset.c (RRsets and their indexes), state_zone.c (zones), state_pointer.c
 * (index of addresses), state_source.c (sources, walks by lease), state_log.c (change log,
 * alarms), state_check.c (is all of it whole). For these only.
 */
#pragma once

#include <lmdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/state/state.h"

/* Prefix bytes of the tables, as drawn in state.h. */
#define STATE_TABLE_ALARM 'A'
#define STATE_TABLE_LOG 'C'
#define STATE_TABLE_LEASE 'L'
#define STATE_TABLE_META 'M'
#define STATE_TABLE_OWNER 'O'
#define STATE_TABLE_POINTER 'P'
#define STATE_TABLE_RRSET 'R'
#define STATE_TABLE_SOURCE 'S'
#define STATE_TABLE_ZONE 'Z'

/* prefix, reverse name, 00, name, 00, type: the longest of all keys */
#define STATE_REVERSE_MAX 80 /* arpa, ip6 and 32 nibbles are 73 */
#define STATE_KEY_MAX (2 + STATE_REVERSE_MAX + NAME_KEY_MAX + 3)
#define STATE_RRSET_HEAD 32
#define STATE_RRSET_VALUE_MAX (STATE_RRSET_HEAD + STATE_SOURCE_MAX + RRSET_RDATA_MAX)

/* Source and zone records that a writer changed; written at commit, so that a bulk change
 * touches each once. */
#define STATE_COUNTERS_MAX 256 /* then all are written early */

#define STATE_ZONES_UNCOUNTED 0 /* instead of the checksum of the zones */
#define STATE_SUM_EMPTY 1       /* the sum of no entries */
#define STATE_SUM_UNKNOWN 0     /* of a state that an earlier version made */

/* The whole of a meta record. */
struct state_meta_record {
	struct state_meta meta;
	uint32_t zones_checksum;
	uint32_t sum; /* of all other entries */
	uint64_t log_first, log_bytes;
};

struct state_source_counter {
	uint8_t len;
	char name[STATE_SOURCE_MAX];
	struct state_source record;
};

struct state_zone_counter {
	struct name_key apex;
	struct state_zone record;
};

struct state {
	char *dir;
	int lock_fd;
	uint64_t map_size;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t idle;
	MDB_env *env;         /* NULL after a failed attempt to open it anew */
	MDB_dbi dbi;
	unsigned users;       /* open transactions */
	bool is_suspect;      /* a write failed: open anew before the next transaction */
	bool is_read_only;    /* the file system is */
	uint64_t opened_ms;   /* monotonic clock */
	bool is_reopening;
	uint64_t reopens;
	bool has_wrong_counts; /* the writer's: state_doubt_counts, until a recount is committed */
};

struct state_txn {
	struct state *state;
	MDB_txn *txn;
	MDB_dbi dbi;
	bool is_writer;
	MDB_cursor *rrsets, *owners, *leases; /* opened when first used */
	uint64_t now_ms; /* wall clock at begin */
	/* writers only */
	bool has_meta, is_meta_dirty;
	bool has_counted; /* zone records are those of the zones in the meta record */
	struct state_meta_record meta;
	struct state_source_counter *source;
	struct state_zone_counter *zone;
	size_t source_count, zone_count;
	size_t source_last, zone_last; /* the one used last */
	uint64_t quota[2];             /* pages of LMDB: for puts, for deletes */
	uint8_t *scratch;              /* STATE_RRSET_VALUE_MAX bytes */
};


/* Counts the caller in as a user of a healthy environment, which is opened anew for that
 * when a write failed; and out again. must_reopen: LMDB may believe what is not on the
 * disk. */
int state_enter(struct state *state, struct reason *reason);
void state_leave(struct state *state, bool must_reopen);

/* Reads the meta record into the transaction, once. */
int state_load_meta(struct state_txn *txn, struct reason *reason);

/* The cursor kept in *cursor, opened when it is not. */
int state_cursor(struct state_txn *txn, MDB_cursor **cursor, struct reason *reason);

/* Walks the entries whose keys begin with `prefix`, in order, until fn fails; what it returns
 * is returned. fn may change the entry that it is shown. */
typedef int (*state_entry_fn)(void *context, const MDB_val *key, const MDB_val *value,
	struct reason *reason);
int state_walk_prefix(struct state_txn *txn, const uint8_t *prefix, size_t len,
	state_entry_fn fn, void *context, struct reason *reason);

/* Appends N | 00 | T at `out`; returns the bytes. The reverse: STATUS_CORRUPT. */
size_t state_append_rrset_key(const struct name_key *owner, uint16_t type, uint8_t *out);
int state_parse_rrset_key(const uint8_t *key, size_t len, struct name_key *out_owner,
	uint16_t *out_type);

/* A value with its checksum in front, of its key and what follows: sets the first four
 * bytes; checks them. */
void state_seal(const MDB_val *key, uint8_t *value, size_t len);
bool state_is_sealed(const MDB_val *key, const MDB_val *value);

/* Is the key one of the tables whose values are empty? */
bool state_is_index(const MDB_val *key);

/* What an entry adds to the sum in the meta record, which finds one that is lost or old. */
uint32_t state_hash_entry(const MDB_val *key, const MDB_val *value);

/* All that is written to tables but the meta record goes through these, which keep the sum.
 * They return LMDB's code. state_store: `cursor` may be NULL; with MDB_NOOVERWRITE the key must
 * be new. state_remove_at: what the cursor stands on, and has just read. */
int state_store(struct state_txn *txn, MDB_cursor *cursor, MDB_val key, MDB_val value,
	unsigned flags);
int state_remove(struct state_txn *txn, MDB_val key);
int state_remove_at(struct state_txn *txn, MDB_cursor *cursor, const MDB_val *key,
	const MDB_val *value);

/* Of a new writing transaction. */
int state_begin_quota(struct state_txn *txn, struct reason *reason);

/* STATUS_FULL when the map is used above the quota of puts or deletes. */
int state_check_quota(struct state_txn *txn, bool is_delete, struct reason *reason);

/* Adds `delta` RRsets to a source and notes the revision and time of the write. */
int state_count_source(struct state_txn *txn, const char *source, size_t source_len,
	int delta, uint64_t revision, struct reason *reason);

/* The same for a zone, with `delta` RRsets of this owner and type; a NULL apex is counted
 * nowhere. */
struct state_delta {
	const struct name_key *owner;
	uint16_t type;
	int delta;
};
int state_count_zone(struct state_txn *txn, const struct name_key *apex,
	const struct state_delta *delta, uint64_t revision, struct reason *reason);

/* A zone's record as it is stored, past the counters of a writer. STATUS_NOT_FOUND. */
int state_read_zone(struct state_txn *txn, const struct name_key *apex,
	struct state_zone *out, struct reason *reason);
int state_write_zone(struct state_txn *txn, const struct state_zone_counter *counter,
	struct reason *reason);

/* Counts an address of the zone: with a pointer, or without one for want of a live reverse
 * zone. */
int state_count_pointer(struct state_txn *txn, const struct name_key *apex, bool is_live,
	int delta, struct reason *reason);

/* Empties the index of addresses. */
int state_clear_pointers(struct state_txn *txn, struct reason *reason);

/* Writes the changed source and zone records and forgets them. */
int state_flush_sources(struct state_txn *txn, struct reason *reason);
int state_flush_zones(struct state_txn *txn, struct reason *reason);
int state_flush_counters(struct state_txn *txn, struct reason *reason);
