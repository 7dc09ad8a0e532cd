/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A list of puts and deletes as one change.
 */
#include "sidecar/api/api_batch.h"

#include "sidecar/api/api_body.h"
#include "sidecar/json/json_writer.h"

void
api_batch_post(struct api_call *call)
{
	const struct api_places places = { .list = "changes" };
	struct change *change = change_new(CHANGE_ITEMS);
	struct rrset_json_reader reader;
	struct change_result result;
	struct json_writer emit;

	if (!change) {
		problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	api_body_init(call, change, &reader);
	if (!api_body_read_list(call, &reader, places.list, NULL, NULL)) {
		change_free(change);
		return;
	}
	if (change->count == 0) {
		problem_set(call->reply, PROBLEM_BAD_REQUEST, "changes",
			"at least one change is needed");
	} else if (api_submit(call, change, &places, &result)) {
		api_begin_written(call, &result, &emit);
		json_writer_end(&emit, '}');
	}
	change_free(change);
}
