/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What the handlers of the API share: the call they work on, rights, preconditions, and
 * the one way of a change to the writer and back. A handler fills call->reply and
 * returns; helpers that return false have filled it with a problem already. A handler that
 * has to wait calls api_submit, api_look or api_wait as the last thing that it does: its
 * connection is suspended then, and the function that it named makes the reply. HTTP threads,
 * or a worker's where the route is_long.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/state/state.h"
#include "sidecar/api/auth.h"
#include "sidecar/write/change.h"
#include "sidecar/http/http.h"
#include "sidecar/api/problem.h"
#include "sidecar/api/settings.h"
#include "sidecar/write/writer.h"

struct api_call;
struct backup_thread;
struct history;
struct json_writer;

/* The daemon as the API sees it. */
struct api {
	struct state *state;
	struct writer *writer;
	struct backup_thread *backups;
	struct history *history;
	uint64_t started_ms; /* wall clock */
	uint64_t started_boot_ms;
	pthread_mutex_t lock;
	struct settings *settings; /* under the lock */
};

/* What a body may be, as bits. */
enum api_media {
	API_JSON = 1,  /* application/json */
	API_TEXT = 2,  /* text/plain */
	API_DNS = 4,   /* text/dns */
	API_LINES = 8, /* application/x-ndjson */
};

#define API_VARIABLES_MAX 2

/* Where items of a change stood in the body, for messages. */
struct api_places {
	const char *list;      /* "changes": changes[3].ttl; NULL: the item is the body */
	const uint32_t *lines; /* not NULL: "line 17" */
};

/* Makes the reply to a change. is_done (or unchanged): reply->status is 200 or 202. Else *reply
 * is the problem. */
typedef void (*api_finish_fn)(struct api_call *call, const struct change *change,
	const struct change_result *result, bool is_done);

struct api_call {
	struct api *api;
	const struct route *route;
	struct settings *settings; /* held */
	const struct zones *zones; /* of settings */
	struct caller caller;
	struct http_request *request;
	struct http_reply *reply;
	char *variable[API_VARIABLES_MAX]; /* of the path, owned */
	enum api_media media;              /* of the body */
	struct state_txn *txn; /* open read transaction, ended with the call */
	uint32_t *lines;       /* of places, owned */
	void *data;            /* the handler's, over a wait; freed with the call by: */
	void (*free_data)(void *data);
	/* what the call waits for, once the handler has returned: */
	struct write_request *submitted; /* owned; not NULL until it was handed over: */
	bool is_to_submit;
	bool is_to_wait;
	uint64_t wait_above, wait_until_ms;
	void (*resume)(struct api_call *call); /* goes on after that */
	struct api_places places;              /* api_submit's */
	api_finish_fn finish;
};

/* Names a place: "changes[3].ttl". `field` may be NULL. */
void api_write_place(const struct api_places *places, size_t item, const char *field,
	char out[CHANGE_PATH_MAX]);

/* May the caller? Else 403. */
bool api_authorise(struct api_call *call, enum credentials_verb verb,
	const struct name_key *name, uint16_t type);

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

/* If-Match and If-None-Match. */
struct api_conditions {
	bool has_revision; /* If-Match: "N" */
	uint64_t revision;
	bool present; /* If-Match: * */
	bool absent;  /* If-None-Match: * */
};
bool api_read_conditions(struct api_call *call, struct api_conditions *out);

/* For a walk that may take long, at each record: STATUS_UNAVAILABLE when state waits for its
 * readers to end. */
int api_check_waiting(const struct api_call *call, struct reason *reason);

/* Takes the change over: checks it, ends call->txn and submits it as the caller's; then, or when
 * the change was refused, calls `finish`. `places` is copied. */
void api_submit(struct api_call *call, struct change *change,
	const struct api_places *places, api_finish_fn finish);

/* Runs `look` (writer.h) with call->data on the writer's thread, then `resume`: the outcome is
 * in call->submitted. */
void api_look(struct api_call *call, write_look_fn look, void (*resume)(struct api_call *));

/* Waits until the revision is above `above`, until_ms (monotonic), or until the client has gone
 * or the server ends; then calls `resume`. */
void api_wait(struct api_call *call, uint64_t above, uint64_t until_ms,
	void (*resume)(struct api_call *));

/* Begins the reply's object with revision, served and reason; the caller adds its own
 * members and ends it. */
void api_begin_written(
	struct api_call *call, const struct change_result *result, struct json_writer *json);
void api_write_counts(struct json_writer *json, const struct change_result *result);

void api_set_etag(struct http_reply *reply, uint64_t revision);

/* A stored RRset as an object; `now_ms` as for state_record_to_json. */
void api_write_record(
	struct json_writer *json, const struct state_record *record, uint64_t now_ms);
