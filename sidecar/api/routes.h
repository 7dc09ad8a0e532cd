/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The table of what the API answers, and the way of each request through it: recognise
 * the peer, find the row, check verb, media type and parameters, read the body, call the
 * row's handler.
 */
#pragma once

#include <stdbool.h>

#include "lib/dns/zones.h"
#include "sidecar/write/credentials.h"
#include "sidecar/api/api.h"
#include "sidecar/http/http.h"

struct change;
struct change_result;
struct journal_entry;
struct json_writer;

struct route {
	enum http_method method;
	const char *pattern; /* "/v1/rrsets/{}/{}" */
	enum credentials_verb verb;
	bool is_public;         /* no credentials: health only */
	bool is_long;           /* reads or writes whole zones: runs on a worker */
	unsigned media;         /* enum api_media bits of the body; 0: no body */
	uint64_t limit;         /* bytes of the body */
	const char *parameters; /* "ttl source lease"; NULL: none */
	void (*handle)(struct api_call *call);
};

/* The row of a method and path, or NULL. Copies the variable parts to `variable` (owned by the
 * caller, NULL where unused; all of them for want of memory). *out_allow, when not NULL and no
 * row fits, becomes the methods of the path ("GET, PUT") or stays empty for an unknown path. */
const struct route *routes_find(enum http_method method, const char *path,
	char *variable[API_VARIABLES_MAX], char out_allow[48]);

/* The handler for http_start; `api` is borrowed. */
struct http_handler routes_handler(struct api *api);

/* Rows of the table, for tests; the last has no pattern. */
const struct route *routes_table(void);

/* The handlers, by file. Each fills call->reply; see api.h. */

/* api_rrsets.c: one RRset by name and type, all at a name, and lists of changes */
void api_rrsets_get(struct api_call *call);
void api_rrsets_put(struct api_call *call);
void api_rrsets_delete(struct api_call *call);
void api_rrsets_find(struct api_call *call);
void api_rrsets_batch(struct api_call *call);

/* api_sources.c: each RRset belongs to one */
void api_sources_list(struct api_call *call);
void api_sources_get(struct api_call *call);
void api_sources_put(struct api_call *call);
void api_sources_heartbeat(struct api_call *call);

/* The member "difference" of a reply. A source is named where it is not the change's. */
void api_sources_write_difference(struct json_writer *json, const struct change *change,
	const struct change_result *result);

/* api_zones.c: zones come from the configuration; their content is read and replaced */
void api_zones_list(struct api_call *call);
void api_zones_get(struct api_call *call);
void api_zones_put(struct api_call *call);

/* Names of a zone's policies. */
const char *api_zones_on_miss(enum zone_on_miss policy);
const char *api_zones_on_failure(enum zone_on_failure policy);
const char *api_zones_on_expiry(enum zone_on_expiry policy);
const char *api_zones_delegation(enum zone_delegation policy);

/* api_changes.c: the change log */
void api_changes_get(struct api_call *call);

/* api_history.c: what changed, from what to what, by whom; and the way back */
void api_history_get(struct api_call *call);
void api_history_rollback(struct api_call *call);

/* `zone` of the query, whose names the caller may read. False: *reply is the problem. */
bool api_history_read_zone(struct api_call *call, struct name_key *out, bool *out_is_given);

/* Is the name in that zone, and not in a live zone inside it? */
bool api_history_is_in_zone(
	const struct api_call *call, const struct name_key *zone, const struct name_key *owner);

/* The members time, caller and verb of a revision; name, type, op, before and after of an
 * RRset; and about how many bytes of JSON these are. */
void api_history_write_head(struct json_writer *json, const struct journal_entry *entry);
void api_history_write_item(struct json_writer *json, const struct journal_entry *entry);
uint64_t api_history_size(const struct journal_entry *entry);

/* api_explain.c: what DNS answers, and why */
void api_explain_get(struct api_call *call);

/* api_status.c: how it goes, alarms, and what probes ask */
void api_status_get(struct api_call *call);
void api_status_health(struct api_call *call);
void api_status_ready(struct api_call *call);
void api_status_acknowledge(struct api_call *call);

/* api_backup.c: the whole state, out and in */
void api_backup_get(struct api_call *call);
void api_backup_restore(struct api_call *call);
