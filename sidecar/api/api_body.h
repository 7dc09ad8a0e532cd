/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Bodies of requests to items of a change. Helpers that return false have filled
 * call->reply. Threads of connections.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/json.h"
#include "sidecar/api/api.h"
#include "sidecar/json/rrset_json.h"

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

/* A master file of the zone. *out_lines, one per item, is the caller's to free. */
bool api_body_read_zone(
	struct api_body *body, const struct zone *zone, uint32_t **out_lines);

/* Makes an item of what was read: copies what lies in the reader. STATUS_NO_MEMORY. */
int api_body_take(
	struct api_body *body, const struct rrset_json *from, struct change_item *item);

/* The problem that a status of rrset_json_read means. */
enum problem_kind api_body_problem(int status, const struct rrset_json_fault *fault);
