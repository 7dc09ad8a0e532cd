/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Errors as clients see them: application/problem+json (RFC 9457). The table in
 * problem.c is the one of doc/openapi.yaml.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct http_reply;

enum problem_kind {
	PROBLEM_BAD_REQUEST,
	PROBLEM_UNAUTHORIZED,
	PROBLEM_FORBIDDEN,
	PROBLEM_NOT_FOUND,
	PROBLEM_METHOD_NOT_ALLOWED,
	PROBLEM_OWNED,
	PROBLEM_MAX_DELETE,
	PROBLEM_PRECONDITION_FAILED,
	PROBLEM_TOO_LARGE,
	PROBLEM_UNSUPPORTED_MEDIA_TYPE,
	PROBLEM_INVALID,
	PROBLEM_TOO_MANY_REQUESTS,
	PROBLEM_INTERNAL,
	PROBLEM_UNAVAILABLE,
	PROBLEM_STORE_FULL,
};

struct problem {
	enum problem_kind kind;
	const char *detail;
	const char *path;  /* NULL or "": none */
	const char *owner; /* NULL or "": none */
	bool is_outcome_unknown;
	bool has_revision;
	uint64_t revision;
};

/* Makes *reply the problem; what was in its body is dropped. */
void problem_write(const struct problem *problem, struct http_reply *reply);

/* The same for the common case. `path` may be NULL. */
void problem_set(struct http_reply *reply, enum problem_kind kind, const char *path,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What a negative status of lib means to a client. */
enum problem_kind problem_from_status(int status);

/* The kind that has this HTTP status; PROBLEM_INTERNAL for an unknown one. */
enum problem_kind problem_from_code(unsigned code);
