/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Who asks. A peer of the unix socket is a user in api.allow-users and may do everything; a
 * peer over TCP shows a token and may do what its row says (sidecar/write/authorize.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/config/config.h"
#include "sidecar/write/credentials.h"
#include "lib/base/reason.h"
#include "sidecar/write/authorize.h"

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

/* Looks users up, reads the token file. Fails closed: TCP without tokens and without the
 * opt-out is refused, as is the opt-out off loopback. */
int auth_read(const struct config *config, struct auth **out, struct reason *reason);
void auth_free(struct auth *auth); /* NULL is allowed */

/* Recognises the peer of a request; the caller's token belongs to the auth. False: *reply is the
 * refusal (401, 403 or 429). */
bool auth_identify(const struct auth *auth, const struct http_request *request,
	struct caller *out, struct http_reply *reply);

/* The cross-site rules for TCP (Host, Origin, Sec-Fetch-Site). False: *reply is a 403. */
bool auth_check_origin(const struct auth *auth, const struct http_request *request,
	struct http_reply *reply);
