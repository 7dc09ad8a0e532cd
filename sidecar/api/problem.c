/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One row per kind of problem.
 */
#include "sidecar/api/problem.h"

#include <stdio.h>

#include "lib/base/reason.h"
#include "lib/base/status.h"
#include "sidecar/json/json_writer.h"
#include "sidecar/http/http.h"

static const struct row {
	const char *name;
	const char *title;
	unsigned code;
	unsigned retry_after;
} rows[] = {
	[PROBLEM_BAD_REQUEST] = { "bad-request", "Bad request", 400, 0 },
	[PROBLEM_UNAUTHORIZED] = { "unauthorized", "Unauthorized", 401, 0 },
	[PROBLEM_FORBIDDEN] = { "forbidden", "Forbidden", 403, 0 },
	[PROBLEM_NOT_FOUND] = { "not-found", "Not found", 404, 0 },
	[PROBLEM_METHOD_NOT_ALLOWED] = { "method-not-allowed", "Method not allowed", 405,
		0 },
	[PROBLEM_OWNED] = { "owned", "Belongs to another source", 409, 0 },
	[PROBLEM_MAX_DELETE] = { "max-delete", "Would delete too much", 409, 0 },
	[PROBLEM_PRECONDITION_FAILED] = { "precondition-failed", "Precondition failed",
		412, 0 },
	[PROBLEM_TOO_LARGE] = { "too-large", "Body too large", 413, 0 },
	[PROBLEM_UNSUPPORTED_MEDIA_TYPE] = { "unsupported-media-type",
		"Unsupported media type", 415, 0 },
	[PROBLEM_INVALID] = { "invalid", "Invalid data", 422, 0 },
	[PROBLEM_TOO_MANY_REQUESTS] = { "too-many-requests", "Too many requests", 429,
		10 },
	[PROBLEM_INTERNAL] = { "internal", "Internal error", 500, 0 },
	[PROBLEM_UNAVAILABLE] = { "unavailable", "Unavailable", 503, 1 },
	[PROBLEM_STORE_FULL] = { "store-full", "Store full", 507, 0 },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

void
problem_write(const struct problem *problem, struct http_reply *reply)
{
	const struct row *row = &rows[problem->kind];
	struct json_writer json = { .out = &reply->body };
	char type[64];

	buffer_done(&reply->body);
	buffer_init(&reply->body, HTTP_PROBLEM_MAX, NULL);
	reply->status = row->code;
	reply->type = "application/problem+json";
	reply->retry_after = row->retry_after;
	reply->wants_token = problem->kind == PROBLEM_UNAUTHORIZED;
	reply->etag[0] = '\0';
	snprintf(type, sizeof(type), "urn:livezone:%s", row->name);
	json_writer_begin(&json, '{');
	json_writer_member(&json, "type", type);
	json_writer_member(&json, "title", row->title);
	json_writer_member_number(&json, "status", row->code);
	json_writer_member(&json, "detail", problem->detail);
	if (problem->path && problem->path[0])
		json_writer_member(&json, "path", problem->path);
	if (problem->owner && problem->owner[0])
		json_writer_member(&json, "owner", problem->owner);
	if (problem->is_outcome_unknown)
		json_writer_member(&json, "outcome", "unknown");
	if (problem->has_revision)
		json_writer_member_number(&json, "revision", problem->revision);
	json_writer_end(&json, '}');
}

void
problem_set(struct http_reply *reply, enum problem_kind kind, const char *path,
	const char *format, ...)
{
	char detail[REASON_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	problem_write(
		&(struct problem){ .kind = kind, .detail = detail, .path = path }, reply);
}

enum problem_kind
problem_from_status(int status)
{
	switch (status) {
	case STATUS_NOT_FOUND:
		return PROBLEM_NOT_FOUND;
	case STATUS_INVALID:
	case STATUS_TOO_LARGE:
		return PROBLEM_INVALID;
	case STATUS_FULL:
		return PROBLEM_STORE_FULL;
	case STATUS_NO_MEMORY:
	case STATUS_UNAVAILABLE:
	case STATUS_CORRUPT: /* a start that is on its way restores it */
		return PROBLEM_UNAVAILABLE;
	default:
		return PROBLEM_INTERNAL;
	}
}

enum problem_kind
problem_from_code(unsigned code)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].code == code)
			return (enum problem_kind)i;
	return PROBLEM_INTERNAL;
}
