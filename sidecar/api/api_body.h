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

#include "sidecar/api/api.h"
#include "sidecar/json/rrset_json.h"

struct json_object;

/* Prepares a reader for the call: no lease, source "api". */
void api_body_init(
	struct api_call *call, struct change *change, struct rrset_json_reader *out);

/* The whole body as one readable piece. */
bool api_body_view(struct api_call *call, const char **out_text, size_t *out_len);

/* The body {"records": ...} of one RRset whose name and type item has. */
bool api_body_read_one(struct api_call *call, struct rrset_json_reader *reader,
	struct change_item *item);

/* The text/plain body: one rdata a line. */
bool api_body_read_text(struct api_call *call, struct rrset_json_reader *reader,
	struct change_item *item);

/* The body {"<list>": [...], ...}: `list` is "changes" of a batch, or "rrsets". Members
 * beside the list are refused unless in `allowed`; those come back in *out_rest (may be
 * NULL when nothing is allowed), to be given to json_free. */
bool api_body_read_list(struct api_call *call, struct rrset_json_reader *reader,
	const char *list, const char *const *allowed, struct json_object **out_rest);

/* A master file of the zone. *out_lines, one per item, is the caller's to free. */
bool api_body_read_zone(struct api_call *call, struct rrset_json_reader *reader,
	const struct zone *zone, uint32_t **out_lines);
