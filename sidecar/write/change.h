/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A change: what one request (or the clock) wants written, all or nothing. Made and
 * checked for form by an API thread, handed to the writer thread, which checks it
 * against the state and applies it. Everything in it lives in its arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/dns/presentation.h"
#include "lib/base/reason.h"
#include "lib/dns/rrset.h"
#include "sidecar/state/state.h"
#include "lib/dns/zones.h"
#include "sidecar/write/authorize.h"

#define CHANGE_ITEMS_MAX 4000000 /* what a bulk body can hold at its tersest, with room */
#define CHANGE_PATH_MAX 128
#define CHANGE_DIFF_MAX 1000 /* lines of a difference that a reply shows */

enum change_kind {
	CHANGE_ITEMS,     /* the puts and deletes as they are: PUT, DELETE, batch */
	CHANGE_SOURCE,    /* items are all that the source wants to have */
	CHANGE_ZONE,      /* items are all that the zone shall hold */
	CHANGE_HEARTBEAT, /* renew the leases of the source; no items */
	CHANGE_EXPIRE,    /* remove what has run out; no items */
	CHANGE_RESTORE,   /* items are all that the store shall hold */
	CHANGE_ROLLBACK,  /* items are found by change->prepare */
	CHANGE_ALARM,     /* raise one, or end one; no items, no revision */
};

struct change;
struct change_result;

/* Fills a change without items, inside the transaction that will write them, and has
 * change_check accept them; may be called more than once. STATUS_INVALID when *out says why the
 * change is refused, another status when the state cannot be read. Writer thread. */
typedef int (*change_prepare_fn)(struct change *change, struct state_txn *txn,
	const struct zones *zones, struct change_result *out);

/* An RRset without the 255 octets that its name might have: a change may have a million. */
struct change_rrset {
	const struct name_key *owner; /* of which only the `len` octets are there */
	const uint8_t *rdata;         /* the block of struct rrset */
	uint32_t ttl;
	uint32_t rdata_len;
	uint16_t type;
	uint16_t count;
};

struct change_item {
	bool is_delete;
	bool if_absent;        /* create only */
	bool if_present;       /* If-Match: * */
	bool has_if_revision;
	uint64_t if_revision;  /* the RRset's revision must be this */
	uint32_t lease_ms;     /* 0 = none; begins when the change is applied */
	bool is_lease_over;    /* it has ended: STATE_LEASE_OVER (RESTORE only) */
	uint8_t source_len;
	const char *source;    /* owner of the RRset after a put */
	struct change_rrset rrset; /* canonical; a delete has owner and type only */
};

struct change {
	enum change_kind kind;
	struct caller caller;      /* whose rights the plan checks */
	struct arena arena;
	struct change_item *items; /* malloced, grown by change_add */
	size_t count, room;
	uint32_t *order;           /* indexes of items by owner and type; made by change_check */
	const char *source;        /* SOURCE, HEARTBEAT */
	size_t source_len;
	const char *only_source;   /* ITEMS: what stands must belong to this one; NULL: any */
	struct name_key zone;      /* ZONE: its apex */
	bool has_if_revision;      /* SOURCE, ZONE: of the source or zone */
	uint64_t if_revision;
	bool if_absent;            /* SOURCE: If-None-Match: * */
	bool if_present;           /* SOURCE, ZONE: If-Match: *, it has RRsets */
	bool force;                /* SOURCE; EXPIRE: cut leases to their length, too */
	bool dry_run;
	uint32_t max_delete_percent; /* SOURCE: above 10 RRsets; default 50 */
	const char *alarm;         /* ALARM: its name */
	const char *alarm_text;    /* ALARM: raise it with this text; NULL: end it */
	change_prepare_fn prepare; /* NULL: the items are there */
	void *prepare_context;
	uint64_t base_revision;    /* RESTORE: the backup's; the new one is above it */
};

/*
 * What became of it. A put with the data, TTL, source and lease length that are stored
 * already changes nothing: CHANGE_UNCHANGED when no lease is in play (cheap reconcile
 * loops), else the lease is renewed and only that is written. Neither makes a new
 * revision, nor does a heartbeat. Deleting what is absent is an error only for a change
 * of one item, or when a precondition asks for it.
 */
enum change_outcome {
	CHANGE_DONE,         /* durable */
	CHANGE_UNCHANGED,    /* nothing to do (a dry run, equal data): no new revision */
	CHANGE_NOT_FOUND,    /* DELETE of what is not there: 404 */
	CHANGE_FORBIDDEN,    /* the caller has not the right: 403 */
	CHANGE_INVALID,      /* breaks a rule: 422, path and reason say which */
	CHANGE_STALE,        /* If-Match or If-None-Match: 412 */
	CHANGE_CONFLICT,     /* belongs to another source, or too many deletes: 409 */
	CHANGE_FULL,         /* 507, nothing written */
	CHANGE_BUSY,         /* queue full or stopping: 503, nothing written */
	CHANGE_FAILED,       /* 500, nothing written */
	CHANGE_UNKNOWN,      /* the commit failed and may be on the disk all the same: 503 */
};

struct change_result {
	enum change_outcome outcome;
	bool is_unserved;            /* DONE, UNCHANGED: DNS does not have it yet, and the reason
				      * says why: 202 */
	uint64_t revision;           /* of the change, or the present one */
	uint64_t rrset_revision;     /* single-item changes: the RRset's revision now; 0 = none.
				      * CHANGE_STALE: the one that did not match */
	uint64_t old_revision;       /* single-item changes: before, for the audit line */
	size_t added, changed, removed, unchanged; /* RRsets */
	size_t renewed;              /* leases; these RRsets are `unchanged`, too */
	size_t item;                 /* index of the item at fault, or CHANGE_WHOLE */
	const char *field;           /* static: "name", "ttl", ...; NULL = the item as such */
	char path[CHANGE_PATH_MAX];  /* "changes[3].ttl": made by the API from the two above */
	struct reason reason;        /* text for `detail` */
	char owner[STATE_SOURCE_MAX + 1]; /* CONFLICT: who owns it; "" for too many deletes */
	struct change_diff *diff;    /* SOURCE, ROLLBACK, dry run or not: the first CHANGE_DIFF_MAX
				      * (dry run of a ROLLBACK: all), in
				      * key order, in the change's arena */
	size_t diff_count;
};

#define CHANGE_WHOLE ((size_t)-1)

/* One line of the difference that a desired state makes. */
struct change_diff {
	char sign;            /* '+', '-', '~' */
	size_t item;          /* what it will be; CHANGE_WHOLE for '-' */
	struct rrset before;  /* owner and type always; data not for '+' */
	uint32_t before_lease_ms;
	char before_source[STATE_SOURCE_MAX + 1]; /* "" for '+' */
};

struct change *change_new(enum change_kind kind);
void change_free(struct change *change); /* NULL is allowed */

/* The line of the log that says who wanted what, and what came of it. The writer writes it for
 * each change that was submitted; what is refused before goes here, too. */
void change_audit(const struct change *change, const struct change_result *result);

/* Appends a zeroed item; NULL when out of memory or over CHANGE_ITEMS_MAX. */
struct change_item *change_add(struct change *change);

/* Copies an RRset, which is canonical, into the change's arena, for the item. STATUS_NO_MEMORY. */
int change_take_rrset(
	struct change *change, struct change_item *item, const struct rrset *rrset);

/* The item's RRset; its rdata is borrowed. */
void change_read_rrset(const struct change_item *item, struct rrset *out);

/* Sets outcome, item, field and reason of a refusal; returns STATUS_INVALID. */
int change_refuse(struct change_result *result, enum change_outcome outcome, size_t item,
	const char *field, const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * Checks the whole change against the rules that need no state: owners in a live zone
 * (ZONE: in that one), SOA only at the apex and single, CNAME and DNAME single, TTL and
 * size limits, no owner and type twice. Leaves change->items sorted by owner key and type in
 * change->order. Returns 0, or STATUS_INVALID with out->item, field and reason set
 * (STATUS_NO_MEMORY: CHANGE_FAILED). API thread.
 */
int change_check(struct change *change, const struct zones *zones,
	struct change_result *out);

/* "www.service.internal. A", for messages. */
#define CHANGE_TEXT_MAX (PRESENTATION_NAME_MAX + 16)
void change_describe(const struct name_key *owner, uint16_t type,
	char out[CHANGE_TEXT_MAX]);

/* Order of owner and type, as in the store. */
int change_compare(const struct change_item *item, const struct name_key *owner, uint16_t type);
