/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One RRset between JSON (the schemas RRset, RRsetBody and RRsetFull of doc/openapi.yaml)
 * and an item of a change. Used by one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/dns/zones.h"
#include "sidecar/write/change.h"
#include "sidecar/api/problem.h"

struct json_writer;
struct json_object;
struct state_record;

#define RRSET_JSON_LEASE_MIN_MS 1000
#define RRSET_JSON_LEASE_MAX_MS (7 * 24 * 3600 * 1000)

/* Which keys an object may have, and which it must. */
enum rrset_json_form {
	RRSET_JSON_BODY,   /* name and type are known: item->rrset has them */
	RRSET_JSON_FULL,   /* name and type are needed */
	RRSET_JSON_PUT,    /* and preconditions may be there */
	RRSET_JSON_DELETE, /* name and type, if-revision */
	RRSET_JSON_BACKUP, /* all that a line of a backup has */
};

/* What is wrong, and where inside the object. */
struct rrset_json_fault {
	enum problem_kind kind;
	char path[32]; /* "records[0]"; "" = the object */
};

/* What a request's items have in common, and room to read into (128 KiB: a stack frame
 * of the handler). */
struct rrset_json_reader {
	const struct zones *zones;
	struct change *change;
	const char *source; /* for items that name none */
	uint32_t lease_ms;  /* likewise */
	struct rrset_json_fault fault;
	uint8_t block[RRSET_RDATA_MAX];
	uint8_t scratch[RRSET_RDATA_MAX];
};

/* Fills the item; its bytes are in the change's arena. A negative status leaves the fault
 * and the reason. */
int rrset_json_read(struct rrset_json_reader *reader, struct json_object *object,
	enum rrset_json_form form, struct change_item *item, struct reason *reason);

/* One change of a batch: {"put": {...}} or {"delete": {...}}. */
int rrset_json_read_change(struct rrset_json_reader *reader, struct json_object *object,
	struct change_item *item, struct reason *reason);

/* The pieces, for text/plain and master files. */
int rrset_json_add_record(struct rrset_json_reader *reader, const char *text,
	struct rrset *inout, struct reason *reason);
int rrset_json_finish_records(
	struct rrset_json_reader *reader, struct rrset *inout, struct reason *reason);
int rrset_json_default_ttl(
	struct rrset_json_reader *reader, struct rrset *inout, struct reason *reason);

/* Writes a stored RRset as an object, at `now_ms` of writer_lease_clock; 0: without
 * lease-left, but for STATE_LEASE_OVER. */
void
rrset_json_write(struct json_writer *emit, const struct state_record *record, uint64_t now_ms);

/* Writes "ttl" and "records". */
void rrset_json_write_data(struct json_writer *emit, const struct rrset *rrset);
