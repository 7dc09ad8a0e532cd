/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Zones come from the configuration; their content is read and replaced here.
 */
#include "sidecar/api/api.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/duration.h"
#include "lib/base/status.h"
#include "lib/dns/presentation.h"
#include "lib/dns/rdata.h"
#include "sidecar/json/json_writer.h"

/* The policies that are one of a few words; each is an enum in struct zone. */
static const struct policy {
	const char *key;
	size_t offset;
	const char *name[3];
} policies[] = {
	{ "on-miss", offsetof(struct zone, on_miss),
		{ [ZONE_MISS_NXDOMAIN] = "nxdomain", [ZONE_MISS_RECURSE] = "recurse",
			[ZONE_MISS_REFUSE] = "refuse" } },
	{ "on-failure", offsetof(struct zone, on_failure),
		{ [ZONE_FAILURE_SERVFAIL] = "servfail", [ZONE_FAILURE_RECURSE] = "recurse" } },
	{ "on-expiry", offsetof(struct zone, on_expiry),
		{ [ZONE_EXPIRY_FALLBACK] = "fallback", [ZONE_EXPIRY_REMOVE] = "remove" } },
	{ "delegation", offsetof(struct zone, delegation),
		{ [ZONE_DELEGATION_REFER] = "refer", [ZONE_DELEGATION_RECURSE] = "recurse" } },
	{ "soa-serial", offsetof(struct zone, soa_serial),
		{ [ZONE_SERIAL_AUTO] = "auto", [ZONE_SERIAL_STORED] = "stored" } },
	{ "any", offsetof(struct zone, any),
		{ [ZONE_ANY_MINIMAL] = "minimal", [ZONE_ANY_FULL] = "full" } },
};

#define POLICIES (sizeof(policies) / sizeof(policies[0]))

/* A zone on its way out. */
struct content {
	const struct api_call *call;
	const struct zones *zones;
	const struct zone *zone;
	struct json_writer json;
	uint64_t now_ms;
};

static const struct zone *find_zone(struct api_call *call);
static void add_etag(struct api_call *call, const struct change_result *result);
static bool
read_state(struct api_call *call, const struct zone *zone, struct state_zone *out);
static bool make_soa(struct api_call *call, const struct zone *zone, uint64_t revision,
	struct rrset *out, uint8_t block[ZONE_SOA_MAX]);
static uint32_t soa_serial(const struct rrset *soa);
static bool write_facts(struct api_call *call, struct json_writer *json, const struct zone *zone,
	const struct state_zone *facts);
static void write_policy(struct json_writer *json, const struct zone *zone);
static void write_wire_name(struct json_writer *json, const struct name *name);
static int
write_record(void *context, const struct state_record *record, struct reason *reason);
static void
write_master_file(struct api_call *call, const struct zone *zone, uint64_t revision);
static int
write_line(void *context, const struct state_record *record, struct reason *reason);
static void write_lines(struct buffer *out, const struct rrset *rrset);
static bool is_soa(const struct zone *zone, const struct rrset *rrset);
static bool wants_master_file(const struct api_call *call);
static bool read_change(struct api_call *call, struct change *change, const struct zone *zone);

void
api_zones_list(struct api_call *call)
{
	struct json_writer json = { .out = &call->reply->body };
	struct state_meta meta;

	if (!api_begin_read(call, &meta))
		return;
	json_writer_begin(&json, '{');
	json_writer_member_number(&json, "revision", meta.revision);
	json_writer_member_begin(&json, "zones", '[');
	for (size_t i = 0; i < call->zones->count; i++) {
		const struct zone *zone = &call->zones->zone[i];
		struct state_zone facts;

		if (!authorize_name(&call->caller, CREDENTIALS_READ, &zone->key, 0, NULL))
			continue;
		if (!read_state(call, zone, &facts))
			return;
		json_writer_begin(&json, '{');
		if (!write_facts(call, &json, zone, &facts))
			return;
		json_writer_end(&json, '}');
	}
	json_writer_end(&json, ']');
	json_writer_end(&json, '}');
}

void
api_zones_get(struct api_call *call)
{
	const struct zone *zone = find_zone(call);
	struct content content = { .call = call,
		.zones = call->zones,
		.zone = zone,
		.json = { .out = &call->reply->body },
		.now_ms = writer_lease_clock(call->api->writer) };
	struct json_writer *json = &content.json;
	struct state_zone facts;
	struct state_meta meta;
	struct reason reason = { "" };
	int status;

	if (!zone || !api_authorise(call, CREDENTIALS_READ, &zone->key, 0)
		|| !api_begin_read(call, &meta) || !read_state(call, zone, &facts))
		return;
	api_set_etag(call->reply, facts.revision);
	if (wants_master_file(call)) {
		write_master_file(call, zone, facts.revision);
		return;
	}
	json_writer_begin(json, '{');
	if (!write_facts(call, json, zone, &facts))
		return;
	json_writer_member_begin(json, "rrsets", '[');
	status = state_walk_below(call->txn, &zone->key, write_record, &content, &reason);
	json_writer_end(json, ']');
	json_writer_end(json, '}');
	if (status)
		api_fail(call, status, &reason, NULL);
}

void
api_zones_put(struct api_call *call)
{
	const struct zone *zone = find_zone(call);
	struct change *change = zone ? api_new_change(call, CHANGE_ZONE) : NULL;

	if (change && read_change(call, change, zone))
		api_submit(call, add_etag);
}

const char *
api_zones_policy(const struct zone *zone, const char *key)
{
	for (size_t i = 0; i < POLICIES; i++) {
		unsigned value; /* what an enum is here */

		if (strcmp(policies[i].key, key) != 0)
			continue;
		memcpy(&value, (const char *)zone + policies[i].offset, sizeof(value));
		return policies[i].name[value];
	}
	return NULL;
}

/* The configured zone of the path, or a 404. */
static const struct zone *
find_zone(struct api_call *call)
{
	const struct zone *zone;
	struct name_key key;

	if (!api_read_name(call, call->variable[0], "zone", &key))
		return NULL;
	zone = zones_find(call->zones, &key);
	if (!zone)
		problem_set(call->reply, PROBLEM_NOT_FOUND, NULL,
			"%s is not a configured zone", call->variable[0]);
	return zone;
}

/* A zone that is as it was has an older revision than the store. */
static void
add_etag(struct api_call *call, const struct change_result *result)
{
	const struct zone *zone = zones_find(call->zones, &call->submitted->change->zone);
	struct state_zone facts;
	struct state_meta meta;

	if (result->outcome != CHANGE_UNCHANGED)
		api_set_etag(call->reply, result->revision);
	else if (api_begin_read(call, &meta) && read_state(call, zone, &facts))
		api_set_etag(call->reply, facts.revision);
}

/* A zone that nothing was written to has no record: all zero. */
static bool
read_state(struct api_call *call, const struct zone *zone, struct state_zone *out)
{
	struct reason reason = { "" };
	int status = state_get_zone(call->txn, &zone->key, out, &reason);

	if (status == STATUS_NOT_FOUND)
		*out = (struct state_zone){ 0 };
	else if (status)
		return api_fail(call, status, &reason, NULL);
	return true;
}

/* The SOA as it is served: the stored one or one made from the policy, with the serial
 * that the policy wants. */
static bool
make_soa(struct api_call *call, const struct zone *zone, uint64_t revision,
	struct rrset *out, uint8_t block[ZONE_SOA_MAX])
{
	const uint32_t serial = (uint32_t)revision;
	struct state_record record;
	struct reason reason = { "" };
	int status = state_get(call->txn, &zone->key, RRSET_SOA, &record, &reason);

	*out = (struct rrset){ .owner = zone->key,
		.type = RRSET_SOA,
		.count = 1,
		.ttl = zone->negative_ttl,
		.rdata = block };
	if (status == STATUS_NOT_FOUND) {
		out->rdata_len = (uint32_t)zone_make_soa(zone, serial, block);
		return true;
	}
	if (status)
		return api_fail(call, status, &reason, NULL);
	if (record.rrset.rdata_len < 22 || record.rrset.rdata_len > ZONE_SOA_MAX) {
		reason_set(&reason, STATUS_CORRUPT, "the stored SOA is damaged");
		return api_fail(call, STATUS_CORRUPT, &reason, NULL);
	}
	memcpy(block, record.rrset.rdata, record.rrset.rdata_len);
	out->ttl = record.rrset.ttl;
	out->rdata_len = record.rrset.rdata_len;
	if (zone->soa_serial == ZONE_SERIAL_AUTO)
		for (int i = 0; i < 4; i++)
			block[out->rdata_len - 20 + (uint32_t)i] =
				(uint8_t)(serial >> (24 - 8 * i));
	return true;
}

/* The five numbers are the last 20 bytes (RFC 1035 section 3.3.13). */
static uint32_t
soa_serial(const struct rrset *soa)
{
	const uint8_t *at = soa->rdata + soa->rdata_len - 20;

	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8
	       | at[3];
}

static bool
write_facts(struct api_call *call, struct json_writer *json, const struct zone *zone,
	const struct state_zone *facts)
{
	uint8_t block[ZONE_SOA_MAX];
	struct rrset soa;

	if (!make_soa(call, zone, facts->revision, &soa, block))
		return false;
	rrset_json_write_name(json, "name", &zone->key);
	json_writer_member_number(json, "count", facts->rrsets);
	json_writer_member_number(json, "revision", facts->revision);
	json_writer_member_number(json, "serial", soa_serial(&soa));
	if (zone->auto_ptr) {
		json_writer_member_number(json, "auto-ptr", facts->pointers);
		json_writer_member_number(json, "auto-ptr-skipped", facts->pointless);
	}
	write_policy(json, zone);
	return true;
}

static void
write_policy(struct json_writer *json, const struct zone *zone)
{
	const struct name contact = zone_contact(zone);
	char text[DURATION_TEXT_MAX];

	json_writer_member_begin(json, "policy", '{');
	json_writer_member_number(json, "ttl", zone->ttl);
	json_writer_member_number(json, "negative-ttl", zone->negative_ttl);
	for (size_t i = 0; i < POLICIES; i++)
		json_writer_member(
			json, policies[i].key, api_zones_policy(zone, policies[i].key));
	duration_write_seconds(zone->stale_ms, text);
	json_writer_member(json, "stale", text);
	json_writer_member_bool(json, "auto-ptr", zone->auto_ptr);
	json_writer_member_begin(json, "ns", '[');
	for (size_t i = 0; i < zone->ns_count; i++)
		write_wire_name(json, &zone->ns[i]);
	json_writer_end(json, ']');
	json_writer_key(json, "contact");
	write_wire_name(json, &contact);
	json_writer_member_number(json, "fallback", zone->fallback_count);
	json_writer_member_number(json, "rules", zone->rule_count);
	json_writer_end(json, '}');
}

static void
write_wire_name(struct json_writer *json, const struct name *name)
{
	char text[PRESENTATION_NAME_MAX];

	presentation_write_name(name, text);
	json_writer_string(json, text);
}

static int
write_record(void *context, const struct state_record *record, struct reason *reason)
{
	struct content *content = context;
	int status = api_check_waiting(content->call, reason);

	if (status)
		return status;
	if (zones_match(content->zones, &record->rrset.owner) == content->zone)
		api_write_record(&content->json, record, content->now_ms);
	return content->json.out->status;
}

static void
write_master_file(struct api_call *call, const struct zone *zone, uint64_t revision)
{
	struct content content = {
		.call = call, .zones = call->zones, .zone = zone, .json = { .out = &call->reply->body }
	};
	uint8_t block[ZONE_SOA_MAX];
	struct reason reason = { "" };
	struct rrset soa;
	int status;

	if (!make_soa(call, zone, revision, &soa, block))
		return;
	call->reply->type = "text/dns";
	write_lines(&call->reply->body, &soa);
	status = state_walk_below(call->txn, &zone->key, write_line, &content, &reason);
	if (status)
		api_fail(call, status, &reason, NULL);
}

static int
write_line(void *context, const struct state_record *record, struct reason *reason)
{
	struct content *content = context;
	int status = api_check_waiting(content->call, reason);

	if (status)
		return status;
	if (!is_soa(content->zone, &record->rrset) && record->expires_ms != STATE_LEASE_OVER
		&& zones_match(content->zones, &record->rrset.owner) == content->zone)
		write_lines(content->json.out, &record->rrset);
	return content->json.out->status;
}

static void
write_lines(struct buffer *out, const struct rrset *rrset)
{
	char owner[PRESENTATION_NAME_MAX] = "?", type[16];
	const uint8_t *at = rrset->rdata;
	struct name name;

	if (name_from_key(rrset->owner.bytes, rrset->owner.len, &name) == 0)
		presentation_write_name(&name, owner);
	presentation_write_type(rrset->type, type);
	for (unsigned i = 0; i < rrset->count; i++) {
		const size_t len = (size_t)(at[0] << 8 | at[1]);
		char *text = rdata_write(rrset->type, at + 2, len);

		buffer_add_text(out, owner);
		buffer_printf(out, "\t%u\tIN\t%s\t", (unsigned)rrset->ttl, type);
		if (text)
			buffer_add_text(out, text);
		else
			buffer_fail(out, STATUS_NO_MEMORY);
		buffer_add(out, "\n", 1);
		free(text);
		at += 2 + len;
	}
}

static bool
is_soa(const struct zone *zone, const struct rrset *rrset)
{
	return rrset->type == RRSET_SOA && rrset->owner.len == zone->key.len;
}

/* The client names text/dns and not JSON before it. */
static bool
wants_master_file(const struct api_call *call)
{
	const char *accept = http_header(call->request, "Accept");
	const char *dns = accept ? strcasestr(accept, "text/dns") : NULL;
	const char *json = accept ? strcasestr(accept, "application/json") : NULL;

	return dns && (!json || dns < json);
}

static bool
read_change(struct api_call *call, struct change *change, const struct zone *zone)
{
	const char *source = http_uri_parameter(call->request, "source");
	struct api_body body;

	if ((source && !api_check_source(call, source, "?source"))
		|| !api_read_conditions(call, change))
		return false;
	change->zone = zone->key;
	api_body_init(call, change, &body);
	if (source)
		body.source = source;
	if (call->media == API_DNS)
		return api_body_read_zone(&body, zone);
	return api_body_read_list(&body, "rrsets", NULL, NULL);
}
