/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The request target as it was sent, before any library decodes it: "%2f" must not become
 * a slash nor "%00" an end (security: one meaning for every byte of a path).
 */
#pragma once

#include "lib/base/reason.h"

struct http_request;

/* Splits and checks a raw target into request->path and request->parameter, in place: the
 * request keeps pointers into `target`. A path with '%', '\\', "//", ".." or a control or
 * non-ASCII byte is STATUS_INVALID, as are a bad percent-encoding, a parameter that is
 * given twice and more than HTTP_PARAMETERS_MAX of them. */
int http_uri_split(char *target, struct http_request *request, struct reason *reason);

/* A query parameter's value, or NULL. */
const char *http_uri_parameter(const struct http_request *request, const char *key);
