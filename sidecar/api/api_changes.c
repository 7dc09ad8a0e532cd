/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What changed after a revision.
 */
#include "sidecar/api/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "sidecar/api/api.h"
#include "sidecar/json/json_writer.h"
#include "sidecar/http/http.h"
#include "sidecar/json/rrset_json.h"

#define REVISIONS_MAX 1000 /* in one reply */
#define WAIT_MAX_MS 60000

struct log_context {
	struct api_call *call;
	struct json_writer emit;
	uint64_t upto; /* what DNS has seen; later entries wait for the next call */
	uint64_t revision;
	size_t count;
	bool is_reset;
};

static bool read_since(struct api_call *call, uint64_t *out);
static void answer(struct api_call *call);
static int emit_entry(void *context, uint64_t revision, bool reset,
	const struct state_log_item *items, size_t count, struct reason *reason);
static void emit_item(struct log_context *log, const struct state_log_item *item);
static void answer_reset(struct api_call *call, uint64_t revision);

void
api_changes_get(struct api_call *call)
{
	uint64_t wait_ms = 0;

	if (read_since(call, &call->wait_above)
		&& api_read_duration(call, "wait", 0, WAIT_MAX_MS, &wait_ms)) {
		call->wait_until_ms = clock_read_ms(CLOCK_MONOTONIC) + wait_ms;
		answer(call);
	}
}

/* At once, and after each wait. */
static void
answer(struct api_call *call)
{
	const uint64_t since = call->wait_above;
	struct log_context log = { .call = call,
		.emit = { .out = &call->reply->body },
		.revision = since };
	struct writer_status writer;
	struct state_meta meta;
	struct reason reason = { "" };
	int status;

	writer_read_status(call->api->writer, &writer);
	if (writer.state_revision <= since
		&& clock_read_ms(CLOCK_MONOTONIC) < call->wait_until_ms
		&& !http_is_over(call->request)) {
		api_wait(call, since, call->wait_until_ms, answer);
		return;
	}
	log.upto = writer.state_revision;
	if (!api_begin_read(call, &meta))
		return;
	if (since > meta.revision) {
		answer_reset(call, meta.revision);
		return;
	}
	if (log.upto > meta.revision)
		log.upto = meta.revision;
	json_writer_begin(&log.emit, '{');
	json_writer_member_begin(&log.emit, "changes", '[');
	status = state_walk_log(
		call->txn, since, REVISIONS_MAX, emit_entry, &log, &reason);
	if (status == STATUS_NOT_FOUND || log.is_reset) {
		answer_reset(call, meta.revision);
		return;
	}
	if (status) {
		api_fail(call, status, &reason, NULL);
		return;
	}
	/* all there is: revisions without an entry are passed over too */
	if (log.count < REVISIONS_MAX && log.upto > log.revision)
		log.revision = log.upto;
	json_writer_end(&log.emit, ']');
	json_writer_member_number(&log.emit, "revision", log.revision);
	json_writer_member_bool(&log.emit, "reset", false);
	json_writer_end(&log.emit, '}');
}

static bool
read_since(struct api_call *call, uint64_t *out)
{
	const char *text = http_uri_parameter(call->request, "since");

	if (text && *text && strlen(text) <= 19
		&& strspn(text, "0123456789") == strlen(text)) {
		*out = strtoull(text, NULL, 10);
		return true;
	}
	problem_set(call->reply, PROBLEM_BAD_REQUEST, "?since", "%s",
		text ? "a revision is a whole number" : "the revision is missing");
	return false;
}

static int
emit_entry(void *context, uint64_t revision, bool reset,
	const struct state_log_item *items, size_t count, struct reason *reason)
{
	struct log_context *log = context;

	(void)reason;
	if (revision > log->upto)
		return 0;
	log->is_reset |= reset;
	log->revision = revision;
	log->count++;
	json_writer_begin(&log->emit, '{');
	json_writer_member_number(&log->emit, "revision", revision);
	json_writer_member_begin(&log->emit, "changes", '[');
	for (size_t i = 0; i < count; i++)
		emit_item(log, &items[i]);
	json_writer_end(&log->emit, ']');
	json_writer_end(&log->emit, '}');
	return 0;
}

/* A token sees its own zones only. */
static void
emit_item(struct log_context *log, const struct state_log_item *item)
{
	if (!authorize_name(&log->call->caller, CREDENTIALS_READ, &item->owner, 0, NULL))
		return;
	json_writer_begin(&log->emit, '{');
	rrset_json_write_name(&log->emit, "name", &item->owner);
	rrset_json_write_type(&log->emit, item->type);
	json_writer_member(&log->emit, "op", item->deleted ? "delete" : "put");
	json_writer_end(&log->emit, '}');
}

static void
answer_reset(struct api_call *call, uint64_t revision)
{
	struct json_writer emit = { .out = &call->reply->body };

	buffer_clear(&call->reply->body);
	json_writer_begin(&emit, '{');
	json_writer_member_number(&emit, "revision", revision);
	json_writer_member_bool(&emit, "reset", true);
	json_writer_member_begin(&emit, "changes", '[');
	json_writer_end(&emit, ']');
	json_writer_end(&emit, '}');
}
