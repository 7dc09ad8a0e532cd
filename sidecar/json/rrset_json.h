/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One RRset between JSON (the schemas RRset, RRsetBody and RRsetFull of doc/openapi.yaml, and
 * a line of a backup) and its bytes. Who may write it, and where it goes, is for the callers:
 * sidecar/api/api_body makes a change of it, sidecar/journal a record. A reader is used by one
 * thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/json.h"
#include "lib/base/reason.h"
#include "lib/dns/rrset.h"

struct json_writer;
struct zones;

#define RRSET_JSON_LEASE_MIN_MS 1000
#define RRSET_JSON_LEASE_MAX_MS (7 * 24 * 3600 * 1000)
#define RRSET_JSON_SOURCE_MAX 64

/* All that JSON says of an RRset. */
struct rrset_json {
	struct rrset rrset;   /* a delete has owner and type only */
	const char *source;   /* NULL: none was given */
	uint8_t source_len;
	bool is_delete;
	bool if_absent;
	bool has_if_revision;
	uint64_t if_revision;
	bool has_lease;
	uint32_t lease_ms;
	bool has_lease_left;  /* read from a backup: only whether it is "0s" */
	uint64_t lease_left_ms;
	uint64_t revision;    /* read from a backup; 0: none */
};

/* Which keys an object may have, and which it must. */
enum rrset_json_form {
	RRSET_JSON_BODY,   /* name and type are known: rrset.owner and type have them */
	RRSET_JSON_FULL,   /* name and type are needed */
	RRSET_JSON_PUT,    /* and preconditions may be there */
	RRSET_JSON_DELETE, /* name and type, if-revision */
	RRSET_JSON_BACKUP, /* all that a line of a backup has */
};

/* Where inside the object something is wrong. */
struct rrset_json_fault {
	bool is_form;  /* the object has not the schema's form; else a value breaks a rule */
	char path[32]; /* "records[0]"; "" = the object */
};

/* Room to read into; too much for a stack. */
struct rrset_json_reader {
	const struct zones *zones; /* borrowed: the TTL of an RRset that has none */
	struct rrset_json_fault fault;
	char source[RRSET_JSON_SOURCE_MAX + 1];
	uint8_t block[RRSET_RDATA_MAX];
	char text[JSON_STRING_MAX + 1]; /* a decoded string; scratch of the sorting */
};

/* NULL when out of memory. */
struct rrset_json_reader *rrset_json_reader_new(const struct zones *zones);
void rrset_json_reader_free(struct rrset_json_reader *reader); /* NULL is allowed */

/* Reads an object. out->rrset.rdata and out->source point into the reader, until its next
 * call. Returns 0; STATUS_INVALID with reader->fault and the reason; another status when it is
 * not the object's fault. */
int rrset_json_read(struct rrset_json_reader *reader, struct json_value object,
	enum rrset_json_form form, struct rrset_json *out, struct reason *reason);

/* One change of a batch: {"put": {...}} or {"delete": {...}}. */
int rrset_json_read_change(struct rrset_json_reader *reader, struct json_value object,
	struct rrset_json *out, struct reason *reason);

/* The pieces, for text/plain and master files: rdata is added to reader->block, which
 * inout->count and rdata_len describe, and brought into order at the end. */
int rrset_json_add_record(struct rrset_json_reader *reader, const char *text,
	struct rrset *inout, struct reason *reason);
int rrset_json_finish_records(
	struct rrset_json_reader *reader, struct rrset *inout, struct reason *reason);

/* The TTL of the zone that the owner is in; STATUS_INVALID when it is in none. */
int rrset_json_default_ttl(
	const struct zones *zones, struct rrset *inout, struct reason *reason);

/* Is it a source's name: [A-Za-z0-9][A-Za-z0-9._-]{0,63}? */
bool rrset_json_is_source(const char *text);

/* Writes an object with all that is there. */
void rrset_json_write(struct json_writer *json, const struct rrset_json *record);

/* Writes "ttl" and "records". */
void rrset_json_write_data(struct json_writer *json, const struct rrset *rrset);

/* And "source" (NULL: none) and "lease" (0: none). */
void rrset_json_write_value(struct json_writer *json, const struct rrset *rrset,
	const char *source, size_t source_len, uint32_t lease_ms);

/* A member that is a name, and "type". */
void rrset_json_write_name(
	struct json_writer *json, const char *key, const struct name_key *name);
void rrset_json_write_type(struct json_writer *json, uint16_t type);
