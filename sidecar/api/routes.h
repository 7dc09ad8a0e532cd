/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The table of what the API answers, and the way of each request through it: recognise
 * the peer, find the row, check verb, media type and parameters, read the body, call the
 * row's handler.
 */
#pragma once

#include <stdbool.h>

#include "sidecar/write/credentials.h"
#include "sidecar/api/api.h"
#include "sidecar/http/http.h"

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
