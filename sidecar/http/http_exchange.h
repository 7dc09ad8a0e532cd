/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A request on its way, as the library's callbacks of http.c: each runs on its connection's
 * thread. `context` is the struct http_server.
 */
#pragma once

#include <microhttpd.h>
#include <stddef.h>

/* Begins one with the target as it was sent; becomes the request's context. NULL: out of
 * memory, and the connection is closed. */
void *http_exchange_new(void *context, const char *target, struct MHD_Connection *mhd);

/* The header is complete; then for each piece of the body; then once with *size 0. */
enum MHD_Result http_exchange_advance(void *context, struct MHD_Connection *mhd,
	const char *url, const char *method, const char *version, const char *data,
	size_t *size, void **inout_exchange);

/* Ends it, whatever became of it. */
void http_exchange_free(void *context, struct MHD_Connection *mhd, void **inout_exchange,
	enum MHD_RequestTerminationCode code);
