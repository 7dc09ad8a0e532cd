/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The API: its table of routes, the handlers by file, and what they share: the call they work
 * on, rights, preconditions, bodies, and the one way of a change to the writer and back. A
 * handler fills call->reply and returns; helpers that return false have filled it with a problem
 * already. A handler that has to wait calls api_submit, api_look, api_work or api_wait last of all
 * that it does: its connection is suspended then, and the reply is made after that. HTTP
 * threads, or a worker's where the route is_long.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/json.h"
#include "lib/config/config.h"
#include "lib/dns/zones.h"
#include "sidecar/api/auth.h"
#include "sidecar/api/problem.h"
#include "sidecar/http/http.h"
#include "sidecar/json/rrset_json.h"
#include "sidecar/state/state.h"
#include "sidecar/write/change.h"
#include "sidecar/write/writer.h"

struct api_call;
struct backup_thread;
struct history;
struct json_writer;

/* One reading of the configuration with what follows from it. Const and counted: a request
 * keeps the settings it began with until its end, a reload puts new ones beside them. */
struct api_settings {
	atomic_uint references;
	struct config *config;
	struct auth *auth;
};

/* Reads configuration and tokens; the caller holds the one reference. */
int api_settings_read(const char *path, struct api_settings **out, struct reason *reason);
void api_settings_release(struct api_settings *settings); /* NULL is allowed */

/* The daemon as the API sees it. */
struct api {
	struct state *state;
	struct writer *writer;
	struct backup_thread *backups;
	struct history *history;
	uint64_t started_ms; /* wall clock */
	uint64_t started_boot_ms;
	pthread_mutex_t lock;
	struct api_settings *settings; /* under the lock */
};

/* What a body may be, as bits. */
enum api_media {
	API_JSON = 1,  /* application/json */
	API_TEXT = 2,  /* text/plain */
	API_DNS = 4,   /* text/dns */
	API_LINES = 8, /* application/x-ndjson */
};

#define API_VARIABLES_MAX 2

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

/* Where items of a change stood in the body, for messages. */
struct api_places {
	const char *list; /* "changes": changes[3].ttl; NULL: the item is the body */
	uint32_t *lines;  /* not NULL: "line 17"; owned */
};

/* Adds the ETag to the reply to a change that is done, or unchanged. */
typedef void (*api_etag_fn)(struct api_call *call, const struct change_result *result);

struct api_call {
	struct api *api;
	const struct route *route;
	struct api_settings *settings; /* held */
	const struct zones *zones;     /* of settings */
	struct caller caller;
	struct http_request *request;
	struct http_reply *reply;
	char *variable[API_VARIABLES_MAX]; /* of the path: pieces of `path` */
	enum api_media media;              /* of the body */
	struct state_txn *txn;    /* open read transaction, ended with the call */
	struct api_places places; /* of the change's items */
	void *data;               /* the handler's, over a wait; freed with the call by: */
	void (*free_data)(void *data);
	struct write_request *submitted; /* owned, and its change; the writer's meanwhile */
	/* what the call waits for, once the handler has returned: */
	bool is_to_submit;
	bool is_to_work;
	bool is_to_wait;
	uint64_t wait_above, wait_until_ms;
	void (*resume)(struct api_call *call); /* goes on after that */
	api_etag_fn add_etag;                  /* api_submit's */
	char path[];
};

/* Says that there is no memory. Always false. */
bool api_no_memory(struct api_call *call);

/* Names an item of the change, "changes[3].ttl". `field` may be NULL. */
void api_write_place(const struct api_call *call, size_t item, const char *field,
	char out[CHANGE_PATH_MAX]);

/* May the caller? Else 403. */
bool api_authorise(struct api_call *call, enum credentials_verb verb,
	const struct name_key *name, uint16_t type);

/* The same for every zone of the configuration. */
bool api_authorise_all(struct api_call *call, enum credentials_verb verb);

/* May the caller read every RRset of the source? Else 403. Needs call->txn. */
bool api_authorise_source(struct api_call *call, const char *source);

/* Opens call->txn and reads the meta record. */
bool api_begin_read(struct api_call *call, struct state_meta *out_meta);

/* Has the reply become longer than there is room for? Then it is a problem instead, the
 * cause of whatever failed after that. */
bool api_has_no_room(struct api_call *call);

/* A failed call of lib as a problem. Always false. */
bool api_fail(
	struct api_call *call, int status, const struct reason *reason, const char *path);

/* A name or type of the URL; else 422 with `path`. */
bool api_read_name(
	struct api_call *call, const char *text, const char *path, struct name_key *out);
bool
api_read_type(struct api_call *call, const char *text, const char *path, uint16_t *out);

/* Source names are [A-Za-z0-9][A-Za-z0-9._-]{0,63}. */
bool api_check_source(struct api_call *call, const char *text, const char *path);

/* A duration of a query parameter within bounds; absent leaves *out as it is. */
bool api_read_duration(struct api_call *call, const char *key, uint64_t min_ms,
	uint64_t max_ms, uint64_t *out);

/* true or false of a query parameter; absent leaves *out as it is. */
bool api_read_flag(struct api_call *call, const char *key, bool *out);

/* A whole number of a query parameter within bounds; absent leaves *out as it is. */
bool api_read_number(struct api_call *call, const char *key, uint64_t min, uint64_t max,
	uint64_t *out);

/* If-Match and If-None-Match, for the one item of an ITEMS change and else for the change. */
bool api_read_conditions(struct api_call *call, struct change *change);

/* For a walk that may take long, at each record: STATUS_UNAVAILABLE when state waits for its
 * readers to end. */
int api_check_waiting(const struct api_call *call, struct reason *reason);

/* The change that the call is to submit; freed with the call. NULL: out of memory. */
struct change *api_new_change(struct api_call *call, enum change_kind kind);

/* Checks the call's change, ends call->txn and submits it as the caller's. Then, or when the
 * change was refused, makes the reply. `add_etag` may be NULL. */
void api_submit(struct api_call *call, api_etag_fn add_etag);

/* Runs `look` (writer.h) with call->data on the writer's thread, then `resume`: the outcome is
 * in call->submitted. */
void api_look(struct api_call *call, write_look_fn look, void (*resume)(struct api_call *));

/* Calls `resume` on a thread that may block. */
void api_work(struct api_call *call, void (*resume)(struct api_call *));

/* Waits until the revision is above `above`, until_ms (monotonic), or until the client has gone
 * or the server ends; then calls `resume`. */
void api_wait(struct api_call *call, uint64_t above, uint64_t until_ms,
	void (*resume)(struct api_call *));

void api_set_etag(struct http_reply *reply, uint64_t revision);

/* A stored RRset as an object; `now_ms` as for state_record_to_json. */
void api_write_record(
	struct json_writer *json, const struct state_record *record, uint64_t now_ms);

/* --- api_body.c: bodies to items of a change --- */

/* What a body is read with: where its items go, and what they have in common. */
struct api_body {
	struct api_call *call;
	struct change *change;
	const char *source; /* for items that name none */
	uint32_t lease_ms;  /* likewise */
};

/* No lease, the source of the caller. */
void api_body_init(struct api_call *call, struct change *change, struct api_body *out);

/* The whole body as one readable piece. */
bool api_body_view(struct api_call *call, const char **out_text, size_t *out_len);

/* The body {"records": ...} of one RRset whose name and type `place` has. */
bool api_body_read_one(
	struct api_body *body, const struct rrset *place, struct change_item *item);

/* The text/plain body: one rdata a line; `place` has name, type and TTL. */
bool api_body_read_text(
	struct api_body *body, const struct rrset *place, struct change_item *item);

/* The body {"<list>": [...], ...}: `list` is "changes" of a batch, or "rrsets". Of members
 * beside the list only `allowed` (NULL: none) is taken: *out_allowed, which is set with
 * `at` NULL when it is absent. */
bool api_body_read_list(struct api_body *body, const char *list, const char *allowed,
	struct json_value *out_allowed);

/* A master file of the zone; makes call->places.lines. */
bool api_body_read_zone(struct api_body *body, const struct zone *zone);

/* Makes an item of what was read: copies what lies in the reader. STATUS_NO_MEMORY. */
int api_body_take(
	struct api_body *body, const struct rrset_json *from, struct change_item *item);

/* The problem that a status of rrset_json_read means. */
enum problem_kind api_body_problem(int status, const struct rrset_json_fault *fault);

/* --- routes.c: the way of each request: recognise the peer, find the row, check verb, media
 * type and parameters, read the body, call the row's handler --- */

/* The row of a method and path, or NULL. The variable parts of the path are cut out of it in
 * place; NULL where unused. *out_allow, when no row fits, becomes the methods of the path
 * ("GET, PUT"), or empty for an unknown path. */
const struct route *routes_find(enum http_method method, char *path,
	char *variable[API_VARIABLES_MAX], char out_allow[48]);

/* The handler for http_start; `api` is borrowed. */
struct http_handler routes_handler(struct api *api);

/* Rows of the table, for tests; the last has no pattern. */
const struct route *routes_table(void);

/* --- the handlers, by file; each fills call->reply --- */

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

/* api_zones.c: zones come from the configuration; their content is read and replaced */
void api_zones_list(struct api_call *call);
void api_zones_get(struct api_call *call);
void api_zones_put(struct api_call *call);

/* The name of a zone's policy: api_zones_policy(zone, "on-miss") is "nxdomain". */
const char *api_zones_policy(const struct zone *zone, const char *key);

/* api_history.c: what changed, from what to what, by whom; the feed of that; and the way back */
void api_history_changes(struct api_call *call);
void api_history_get(struct api_call *call);
void api_history_rollback(struct api_call *call);

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
