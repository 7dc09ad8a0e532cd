/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One request to livezoned over HTTP, and its reply. The one place of the client that
 * knows libcurl: http only, no redirects, no proxy, every wait and size bounded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/reason.h"

struct api;

/* About 600 thousand small RRsets, which take 0.9 GB once json-c has parsed them; export and
 * backup stream and have no such limit. */
#define API_REPLY_MAX (64 * 1024 * 1024)

#define API_TIMEOUT_S 30         /* a durable commit takes milliseconds */
#define API_BULK_TIMEOUT_S 3600  /* a gigabyte over a slow link */

struct api_request {
	const char *method;
	const char *path;         /* with its query, percent-encoded */
	const char *content_type; /* of the body */
	const char *accept;       /* NULL = whatever livezoned likes */
	const char *if_match;     /* header value; NULL = none */
	bool if_absent;           /* If-None-Match: * */
	const char *body;         /* NULL = none, or body_file */
	size_t body_len;
	FILE *body_file;          /* read from where it stands to its end */
	FILE *sink;               /* a 2xx body is written here and not kept */
	unsigned timeout_s;       /* 0 = API_TIMEOUT_S */
};

struct api_reply {
	long status;
	char *body; /* NUL-terminated; owned */
	size_t len;
};

/* Opens "unix:/path" or "http(s)://host[:port]". No connection is made yet. STATUS_INVALID
 * when the address is neither. The token may be NULL. */
int api_open(const char *address, const char *token, struct api **out,
	struct reason *reason);

/* NULL is allowed. */
void api_close(struct api *api);

/* Sends and waits for the whole reply. 0 when livezoned answered, whatever it said;
 * STATUS_UNAVAILABLE when it could not be reached (the reason says what to do);
 * STATUS_TOO_LARGE; STATUS_IO when the sink or the body's file failed. */
int api_send(struct api *api, const struct api_request *request, struct api_reply *out,
	struct reason *reason);

void api_reply_done(struct api_reply *reply);
