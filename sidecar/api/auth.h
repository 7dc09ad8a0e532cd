/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Who asks, and what they may. A peer of the unix socket is a user in api.allow-users and
 * may everything; a peer over TCP shows a token and may what its row says. There is one
 * function that answers "may they do this to that name?", and every route calls it on the
 * final canonical name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/config/config.h"
#include "lib/config/credentials.h"
#include "lib/base/reason.h"
#include "sidecar/write/change.h"

struct http_peer;
struct http_request;
struct http_reply;

/* The access part of one configuration; const afterwards, any thread. */
struct auth {
	uid_t *uid; /* of api.allow-users */
	size_t uid_count;
	struct credentials *credentials; /* NULL: no tokens */
	bool is_open;                    /* insecure-no-auth */
	const char *tcp;                 /* borrowed from the configuration: the Host */
};

/* Who was recognised; token belongs to the auth. */
struct auth_identity {
	bool is_local;
	uid_t uid;
	const struct credential *token; /* NULL: may everything */
};

#define AUTH_NAME_MAX CHANGE_CALLER_MAX

/* Looks users up, reads the token file. Fails closed: TCP without tokens and without the
 * opt-out is refused, as is the opt-out off loopback. */
int auth_read(const struct config *config, struct auth **out, struct reason *reason);
void auth_free(struct auth *auth); /* NULL is allowed */

/* Recognises the peer of a request. False: *reply is the refusal (401, 403 or 429). */
bool auth_identify(const struct auth *auth, const struct http_request *request,
	struct auth_identity *out, struct http_reply *reply);

/* The cross-site rules for TCP (Host, Origin, Sec-Fetch-Site). False: *reply is a 403. */
bool auth_check_origin(const struct auth *auth, const struct http_request *request,
	struct http_reply *reply);

/* May they? `type` is 0 when the whole name or zone is meant. The reason names what is
 * missing. */
bool auth_may(const struct auth_identity *identity, enum credentials_verb verb,
	const struct name_key *name, uint16_t type, struct reason *reason);

/* May they do this to the whole store, that is to every zone of the configuration? */
bool auth_may_all(const struct auth_identity *identity, enum credentials_verb verb,
	const struct zones *zones, struct reason *reason);

/* Do they have the verb anywhere? For replies that are filtered by name, and status. */
bool auth_has_verb(const struct auth_identity *identity, enum credentials_verb verb,
	struct reason *reason);

/* "uid 0" or "token sentinel", for the log. */
void auth_write_name(const struct auth_identity *identity, char out[AUTH_NAME_MAX]);
