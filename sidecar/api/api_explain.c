/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The module's own look-up, run on the writer thread inside a transaction on serve,
 * with its trace as sentences. Who wrote what comes from state at the same revision.
 */
#include "sidecar/api/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/clock.h"
#include "lib/base/duration.h"
#include "lib/lookup/lookup.h"
#include "lib/dns/presentation.h"
#include "lib/base/status.h"
#include "sidecar/json/json_writer.h"

/* What state knows of a step's RRset. */
struct origin {
	bool is_stored;
	uint64_t revision;
	uint64_t expires_ms; /* lease clock; 0: no lease */
	char source[STATE_SOURCE_MAX + 1];
};

struct explain {
	struct name name; /* in the caller's case */
	struct name_key key;
	uint16_t type;
	const struct zones *zones;
	const struct zone *zone; /* NULL: no live zone */
	/* the look-up's */
	uint64_t revision;
	int status;
	struct reason reason;
	struct answer answer;
	struct lookup_trace trace;
	struct origin origin[LOOKUP_STEPS_MAX];
};

static const struct {
	const char *name;
	const char *text; /* behind "www.live." or "A of www.live." */
} events[LOOKUP_EVENTS] = {
	[LOOKUP_ZONE] = { "zone", " is looked for in the live zone " },
	[LOOKUP_NODE] = { "node", " is stored" },
	[LOOKUP_EMPTY] = { "empty", " has nothing but names below it" },
	[LOOKUP_ABSENT] = { "absent", " is not stored" },
	[LOOKUP_EXPIRED] = { "expired", " is stored, but all its leases have run out" },
	[LOOKUP_RULE] = { "rule", " matches a rule of the zone" },
	[LOOKUP_ENCLOSER] = { "encloser", " is the closest encloser" },
	[LOOKUP_WILDCARD] = { "wildcard", " is the source of synthesis" },
	[LOOKUP_NO_WILDCARD] = { "no-wildcard",
		", which would stand for it, is not stored" },
	[LOOKUP_RRSET] = { "rrset", " is the answer" },
	[LOOKUP_NO_RRSET] = { "no-rrset", " does not exist" },
	[LOOKUP_CNAME] = { "cname", " is followed" },
	[LOOKUP_DNAME] = { "dname", " redirects what is below it" },
	[LOOKUP_MADE] = { "made", " gets a CNAME from it" },
	[LOOKUP_CUT] = { "cut", " delegates it" },
	[LOOKUP_FALLBACK] = { "fallback", " has fallback records in the configuration" },
	[LOOKUP_HELD_BACK] = { "held-back",
		" is a fallback record, which a lease that ran out keeps back" },
	[LOOKUP_MISSING] = { "missing", " does not exist" },
	[LOOKUP_SOA] = { "soa", " goes with the negative answer" },
	[LOOKUP_OUTSIDE] = { "outside",
		" is in no live zone: the rest of the resolver looks for it" },
	[LOOKUP_LOOP] = { "loop", " leads back into the chain, which ends here" },
	[LOOKUP_CAP] = { "cap", " is where the chain is as long as it may be, and ends" },
	[LOOKUP_BROKEN] = { "broken", " cannot be read from the store" },
};

static bool read_question(struct api_call *call, struct explain *explain);
static void free_explain(void *data);
static void answer(struct api_call *call);
static void look(struct write_request *request, struct serve_txn *serve,
	struct state_txn *state);
static void find_origin(struct explain *explain, size_t index, struct state_txn *state);
static void write_all(struct api_call *call, const struct explain *explain);
static void write_type(uint16_t type, char out[PRESENTATION_TYPE_MAX]);
static bool is_passed_on(const struct explain *explain);
static const char *stage_of(const struct explain *explain);
static void
write_steps(struct api_call *call, struct json_writer *json, const struct explain *explain);
static void write_step(struct api_call *call, struct json_writer *json,
	const struct explain *explain, size_t index);
static void
write_text(struct json_writer *json, const struct lookup_step *step, const struct name *name);
static void write_policy(
	struct json_writer *json, const struct lookup_step *step, const struct origin *origin);
static void write_origin(struct json_writer *json, const struct origin *origin, uint64_t now_ms);
static void write_answer(struct json_writer *json, const struct answer *answer);
static void write_section(struct json_writer *json, const char *key, const struct answer *answer,
	enum answer_section section);
static void write_name(struct json_writer *json, const char *key, const struct name *name);

void
api_explain_get(struct api_call *call)
{
	struct explain *explain = calloc(1, sizeof(*explain));
	struct writer_status writer;

	call->data = explain;
	call->free_data = free_explain;
	if (!explain || answer_init(&explain->answer) != STATUS_OK) {
		api_no_memory(call);
		return;
	}
	if (!read_question(call, explain))
		return;
	explain->zones = call->zones;
	explain->zone = zones_match(call->zones, &explain->key);
	if (explain->zone) {
		if (api_authorise(call, CREDENTIALS_READ, &explain->key, 0))
			api_look(call, look, answer);
		return;
	}
	writer_read_status(call->api->writer, &writer);
	explain->revision = writer.serve_revision;
	explain->answer.kind = ANSWER_ELSEWHERE;
	write_all(call, explain);
}

static void
free_explain(void *data)
{
	struct explain *explain = data;

	if (explain)
		answer_done(&explain->answer);
	free(explain);
}

/* After the look. */
static void
answer(struct api_call *call)
{
	const struct write_request *looked = call->submitted;
	const struct explain *explain = call->data;

	if (looked->status)
		api_fail(call, looked->status, &looked->result.reason, NULL);
	else if (explain->status)
		api_fail(call, explain->status, &explain->reason, NULL);
	else
		write_all(call, explain);
}

static bool
read_question(struct api_call *call, struct explain *explain)
{
	const char *name = http_uri_parameter(call->request, "name");
	const char *type = http_uri_parameter(call->request, "type");
	struct reason reason = { "" };
	int status;

	if (!name || !type) {
		problem_set(call->reply, PROBLEM_BAD_REQUEST, name ? "?type" : "?name",
			"the %s is missing", name ? "type" : "name");
		return false;
	}
	status = presentation_read_name(name, &explain->name, &reason);
	if (status)
		return api_fail(call, status, &reason, "?name");
	name_to_key(explain->name.wire, &explain->key);
	if (strcasecmp(type, "ANY") != 0)
		return api_read_type(call, type, "?type", &explain->type);
	explain->type = RRSET_ANY;
	return true;
}

/* On the writer thread. */
static void
look(struct write_request *request, struct serve_txn *serve, struct state_txn *state)
{
	struct explain *explain = request->look_context;
	struct lookup_query query = { .name = explain->name.wire,
		.type = explain->type,
		/* as of a resolver whose responses are minimal */
		.wants_additional = explain->type == RRSET_NS,
		.now_ms = clock_boot_ms(),
		.trace = &explain->trace };
	bool is_made = false; /* by a rule or a DNAME: state knows nothing of it */
	struct serve_meta meta;

	explain->status = serve_read_meta(serve, &meta, &explain->reason);
	if (explain->status)
		return;
	explain->revision = meta.revision;
	lookup_answer(explain->zones, explain->zone, &explain->key, &query, serve,
		&explain->answer);
	for (size_t i = 0; i < explain->trace.count && !explain->status; i++) {
		const struct lookup_step *step = &explain->trace.step[i];

		if (step->event == LOOKUP_ZONE || step->event == LOOKUP_SOA)
			is_made = false;
		else if (step->event == LOOKUP_RULE || step->event == LOOKUP_MADE)
			is_made = true;
		if (step->type && !is_made)
			find_origin(explain, i, state);
	}
}

/* What is not there was made by livezoned: an SOA, the NS RRset of the configuration. */
static void
find_origin(struct explain *explain, size_t index, struct state_txn *state)
{
	const struct lookup_step *step = &explain->trace.step[index];
	struct origin *origin = &explain->origin[index];
	struct state_record record;
	int status = state_get(state, &step->name, step->type, &record, &explain->reason);

	if (status == STATUS_NOT_FOUND)
		return;
	explain->status = status;
	if (status)
		return;
	*origin = (struct origin){ .is_stored = true,
		.revision = record.revision,
		.expires_ms = record.expires_ms };
	snprintf(origin->source, sizeof(origin->source), "%.*s", (int)record.source_len,
		record.source);
}

static void
write_all(struct api_call *call, const struct explain *explain)
{
	static const char *const outcomes[] = {
		[ANSWER_FOUND] = "found",
		[ANSWER_NODATA] = "nodata",
		[ANSWER_NXDOMAIN] = "nxdomain",
		[ANSWER_REFERRAL] = "referral",
		[ANSWER_YXDOMAIN] = "yxdomain",
		[ANSWER_REFUSED] = "refused",
		[ANSWER_ELSEWHERE] = "elsewhere",
		[ANSWER_FAILED] = "failed",
	};
	struct json_writer json = { .out = &call->reply->body };
	char type[PRESENTATION_TYPE_MAX];

	json_writer_begin(&json, '{');
	json_writer_member_number(&json, "revision", explain->revision);
	write_name(&json, "name", &explain->name);
	write_type(explain->type, type);
	json_writer_member(&json, "type", type);
	if (explain->zone)
		write_name(&json, "zone", &explain->zone->name);
	json_writer_member(&json, "stage", stage_of(explain));
	json_writer_member(&json, "outcome", outcomes[explain->answer.kind]);
	write_steps(call, &json, explain);
	if (explain->answer.kind == ANSWER_ELSEWHERE)
		write_name(&json, "target",
			explain->zone ? &explain->answer.target : &explain->name);
	if (!is_passed_on(explain))
		write_answer(&json, &explain->answer);
	json_writer_end(&json, '}');
}

/* As presentation_write_type, which knows what can be stored. */
static void
write_type(uint16_t type, char out[PRESENTATION_TYPE_MAX])
{
	if (type == RRSET_ANY)
		snprintf(out, PRESENTATION_TYPE_MAX, "ANY");
	else
		presentation_write_type(type, out);
}

/* Is the whole query the next module's, so that the answer is not ours to tell? */
static bool
is_passed_on(const struct explain *explain)
{
	const struct answer *answer = &explain->answer;

	return (answer->kind == ANSWER_ELSEWHERE && answer->rrset_count == 0)
	       || (answer->kind == ANSWER_FAILED
		       && explain->zone->on_failure == ZONE_FAILURE_RECURSE);
}

static const char *
stage_of(const struct explain *explain)
{
	if (is_passed_on(explain))
		return "next";
	if (explain->answer.kind == ANSWER_FAILED)
		return "failed";
	return explain->answer.is_fallback ? "fallback" : "live";
}

static void
write_steps(struct api_call *call, struct json_writer *json, const struct explain *explain)
{
	json_writer_member_begin(json, "steps", '[');
	for (size_t i = 0; i < explain->trace.count; i++)
		write_step(call, json, explain, i);
	if (!explain->zone) {
		json_writer_begin(json, '{');
		json_writer_member(json, "event", "no-zone");
		write_name(json, "name", &explain->name);
		json_writer_member(json, "text", "no live zone: passed on to the next module");
		json_writer_end(json, '}');
	}
	json_writer_end(json, ']');
}

static void
write_step(struct api_call *call, struct json_writer *json, const struct explain *explain,
	size_t index)
{
	const struct lookup_step *step = &explain->trace.step[index];
	char type[PRESENTATION_TYPE_MAX];
	struct reason reason = { "" };
	struct name name;

	if (name_from_key(step->name.bytes, step->name.len, &name) != STATUS_OK)
		return;
	json_writer_begin(json, '{');
	json_writer_member(json, "event", events[step->event].name);
	write_name(json, "name", &name);
	if (step->type) {
		write_type(step->type, type);
		json_writer_member(json, "type", type);
	}
	write_text(json, step, &name);
	write_policy(json, step, &explain->origin[index]);
	/* a chain may lead into a zone whose answers the caller sees, but not its books
	 */
	if (explain->origin[index].is_stored
		&& authorize_name(&call->caller, CREDENTIALS_READ, &step->name, 0, &reason))
		write_origin(json, &explain->origin[index],
			writer_lease_clock(call->api->writer));
	json_writer_end(json, '}');
}

static void
write_text(struct json_writer *json, const struct lookup_step *step, const struct name *name)
{
	char owner[PRESENTATION_NAME_MAX], zone[PRESENTATION_NAME_MAX] = "";
	char type[PRESENTATION_TYPE_MAX] = "", text[2 * PRESENTATION_NAME_MAX + 128];

	presentation_write_name(name, owner);
	if (step->event == LOOKUP_ZONE)
		presentation_write_name(&step->zone->name, zone);
	if (step->type)
		write_type(step->type, type);
	snprintf(text, sizeof(text), "%s%s%s%s%s", type, step->type ? " of " : "", owner,
		events[step->event].text, zone);
	json_writer_member(json, "text", text);
}

/* What the zone's configuration had to say in this step. */
static void
write_policy(
	struct json_writer *json, const struct lookup_step *step, const struct origin *origin)
{
	static const char *const keys[LOOKUP_EVENTS] = {
		[LOOKUP_MISSING] = "on-miss",
		[LOOKUP_HELD_BACK] = "on-expiry",
		[LOOKUP_CUT] = "delegation",
		[LOOKUP_BROKEN] = "on-failure",
		[LOOKUP_SOA] = "negative-ttl",
	};
	const char *key = keys[step->event];
	char ttl[24];

	if (!key || (step->event == LOOKUP_SOA && origin->is_stored))
		return;
	snprintf(ttl, sizeof(ttl), "%u", (unsigned)step->zone->negative_ttl);
	json_writer_member_begin(json, "policy", '{');
	json_writer_member(json, key,
		step->event == LOOKUP_SOA ? ttl : api_zones_policy(step->zone, key));
	json_writer_end(json, '}');
}

static void
write_origin(struct json_writer *json, const struct origin *origin, uint64_t now_ms)
{
	char left[DURATION_TEXT_MAX];

	json_writer_member(json, "source", origin->source);
	json_writer_member_number(json, "revision", origin->revision);
	if (!origin->expires_ms)
		return;
	duration_write_seconds(
		origin->expires_ms > now_ms ? origin->expires_ms - now_ms : 0, left);
	json_writer_member(json, "lease-left", left);
}

/* As a client sees it that asked for recursion. */
static void
write_answer(struct json_writer *json, const struct answer *answer)
{
	static const char *const rcodes[] = {
		[ANSWER_RCODE_NOERROR] = "NOERROR",
		[ANSWER_RCODE_SERVFAIL] = "SERVFAIL",
		[ANSWER_RCODE_NXDOMAIN] = "NXDOMAIN",
		[ANSWER_RCODE_REFUSED] = "REFUSED",
		[ANSWER_RCODE_YXDOMAIN] = "YXDOMAIN",
	};

	json_writer_member_begin(json, "message", '{');
	json_writer_member(json, "rcode", rcodes[answer_rcode(answer)]);
	json_writer_member_begin(json, "flags", '[');
	json_writer_string(json, "qr");
	if (answer_is_authoritative(answer))
		json_writer_string(json, "aa");
	json_writer_string(json, "rd");
	json_writer_string(json, "ra");
	json_writer_end(json, ']');
	write_section(json, "answer", answer, ANSWER_ANSWER);
	write_section(json, "authority", answer, ANSWER_AUTHORITY);
	write_section(json, "additional", answer, ANSWER_ADDITIONAL);
	json_writer_end(json, '}');
}

static void
write_section(struct json_writer *json, const char *key, const struct answer *answer,
	enum answer_section section)
{
	json_writer_member_begin(json, key, '[');
	for (size_t i = 0; i < answer->rrset_count; i++) {
		const struct answer_rrset *from = &answer->rrset[i];
		struct rrset rrset = { .type = from->type,
			.count = from->count,
			.ttl = from->ttl,
			.rdata_len = from->rdata_len,
			.rdata = from->rdata };
		struct name owner;

		if (from->section != section
			|| name_from_wire(from->owner, from->owner_len, &owner)
				   != STATUS_OK)
			continue;
		json_writer_begin(json, '{');
		write_name(json, "name", &owner);
		rrset_json_write_type(json, rrset.type);
		rrset_json_write_data(json, &rrset);
		json_writer_end(json, '}');
	}
	json_writer_end(json, ']');
}

static void
write_name(struct json_writer *json, const char *key, const struct name *name)
{
	char text[PRESENTATION_NAME_MAX];

	presentation_write_name(name, text);
	json_writer_member(json, key, text);
}
