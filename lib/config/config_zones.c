/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * zones: of livezone.yaml, all but fallback records and rules.
 */
#include "lib/config/config_zones.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config/config_fallback.h"
#include "lib/config/config_raw.h"
#include "lib/config/config_rules.h"
#include "lib/config/config_source.h"
#include "lib/config/config_value.h"
#include "lib/dns/presentation.h"
#include "lib/base/status.h"
#include "lib/dns/zones.h"

#define TTL_DEFAULT 5
#define STALE_MS_DEFAULT (UINT64_C(24) * 3600 * 1000)

static const struct config_value_choice on_miss_choices[] = {
	{ "nxdomain", ZONE_MISS_NXDOMAIN },
	{ "recurse", ZONE_MISS_RECURSE },
	{ "refuse", ZONE_MISS_REFUSE },
	{ 0 },
};
static const struct config_value_choice on_failure_choices[] = {
	{ "servfail", ZONE_FAILURE_SERVFAIL },
	{ "recurse", ZONE_FAILURE_RECURSE },
	{ 0 },
};
static const struct config_value_choice on_expiry_choices[] = {
	{ "fallback", ZONE_EXPIRY_FALLBACK },
	{ "remove", ZONE_EXPIRY_REMOVE },
	{ 0 },
};
static const struct config_value_choice delegation_choices[] = {
	{ "refer", ZONE_DELEGATION_REFER },
	{ "recurse", ZONE_DELEGATION_RECURSE },
	{ 0 },
};
static const struct config_value_choice soa_serial_choices[] = {
	{ "auto", ZONE_SERIAL_AUTO },
	{ "stored", ZONE_SERIAL_STORED },
	{ 0 },
};
static const struct config_value_choice any_choices[] = {
	{ "minimal", ZONE_ANY_MINIMAL },
	{ "full", ZONE_ANY_FULL },
	{ 0 },
};
static const struct config_value_choice auto_ptr_choices[] = {
	{ "false", false },
	{ "true", true },
	{ 0 },
};

static int
read_name(const struct config_source *source, const struct config_raw_zone *raw,
	const struct zones *zones, struct zone *zone)
{
	size_t index = (size_t)(zone - zones->zone);
	int status = presentation_read_name(raw->name, &zone->name, source->reason);

	if (!status && zone->name.len == 1)
		status = reason_set(source->reason, STATUS_INVALID,
			"the root cannot be a live zone");
	if (status)
		return config_source_fail(source, status, "zones[%zu].name", index);
	name_lower(&zone->name);
	name_to_key(zone->name.wire, &zone->key);
	for (size_t i = 0; i < index; i++) {
		if (!name_equal(zones->zone[i].name.wire, zone->name.wire))
			continue;
		reason_set(source->reason, STATUS_INVALID,
			"zone \"%.60s\" is there already, as zones[%zu]: merge the two",
			raw->name, i);
		return config_source_fail(source, STATUS_INVALID, "zones[%zu].name", index);
	}
	return 0;
}

static int
read_policies(const struct config_source *source, const struct config_raw_zone *raw,
	size_t index, struct zone *zone)
{
	int on_miss = ZONE_MISS_NXDOMAIN, on_failure = ZONE_FAILURE_SERVFAIL;
	int delegation = ZONE_DELEGATION_REFER, soa_serial = ZONE_SERIAL_AUTO;
	int any = ZONE_ANY_MINIMAL, auto_ptr = false, on_expiry = ZONE_EXPIRY_FALLBACK;
	const struct {
		const char *key;
		const char *text;
		const struct config_value_choice *choices;
		int *out;
	} rows[] = {
		{ "on-miss", raw->on_miss, on_miss_choices, &on_miss },
		{ "on-failure", raw->on_failure, on_failure_choices, &on_failure },
		{ "on-expiry", raw->on_expiry, on_expiry_choices, &on_expiry },
		{ "delegation", raw->delegation, delegation_choices, &delegation },
		{ "soa-serial", raw->soa_serial, soa_serial_choices, &soa_serial },
		{ "any", raw->any, any_choices, &any },
		{ "auto-ptr", raw->auto_ptr, auto_ptr_choices, &auto_ptr },
	};
	int status;

	zone->ttl = TTL_DEFAULT;
	zone->negative_ttl = TTL_DEFAULT;
	zone->stale_ms = STALE_MS_DEFAULT;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		status = config_value_choice(rows[i].text, rows[i].choices, rows[i].out,
			source->reason);
		if (status)
			return config_source_fail(source, status, "zones[%zu].%s", index,
				rows[i].key);
	}
	zone->on_miss = (enum zone_on_miss)on_miss;
	zone->on_failure = (enum zone_on_failure)on_failure;
	zone->on_expiry = (enum zone_on_expiry)on_expiry;
	zone->delegation = (enum zone_delegation)delegation;
	zone->soa_serial = (enum zone_soa_serial)soa_serial;
	zone->any = (enum zone_any)any;
	zone->auto_ptr = auto_ptr;
	status = config_value_ttl(raw->ttl, &zone->ttl, source->reason);
	if (status)
		return config_source_fail(source, status, "zones[%zu].ttl", index);
	status = config_value_ttl(raw->negative_ttl, &zone->negative_ttl, source->reason);
	if (status)
		return config_source_fail(source, status, "zones[%zu].negative-ttl", index);
	status = config_value_stale(raw->stale, &zone->stale_ms, source->reason);
	return status ? config_source_fail(source, status, "zones[%zu].stale", index) : 0;
}

/* A mail address, or a name in the form of an SOA's RNAME (RFC 1035 section 8). */
static int
read_contact(const char *text, struct name *out, struct reason *reason)
{
	const char *at = strchr(text, '@');
	char name[PRESENTATION_NAME_MAX];
	char *to = name;

	if (!at || at == text)
		return presentation_read_name(text, out, reason);
	if (strlen(text) > NAME_WIRE_MAX)
		return reason_set(reason, STATUS_INVALID, "\"%.60s...\" is too long", text);
	for (; text < at; text++) {
		if (*text == '.')
			*to++ = '\\';
		*to++ = *text;
	}
	snprintf(to, sizeof(name) - (size_t)(to - name), ".%s", at + 1);
	return presentation_read_name(name, out, reason);
}

static int
read_servers(const struct config_source *source, const struct config_raw_zone *raw,
	size_t index, struct zone *zone)
{
	int status;

	for (size_t i = 0; i < raw->ns_count; i++) {
		status = presentation_read_name(raw->ns[i], &zone->ns[i], source->reason);
		for (size_t k = 0; !status && k < i; k++) {
			if (name_equal(zone->ns[k].wire, zone->ns[i].wire))
				status = reason_set(source->reason, STATUS_INVALID,
					"\"%.60s\" is there twice", raw->ns[i]);
		}
		if (status)
			return config_source_fail(source, status, "zones[%zu].ns[%zu]", index,
				i);
		zone->ns_count++;
	}
	if (!raw->contact)
		return 0;
	status = read_contact(raw->contact, &zone->contact, source->reason);
	return status ? config_source_fail(source, status, "zones[%zu].contact", index) : 0;
}

static int
read_zone(const struct config_source *source, const struct config_raw_zone *raw,
	const struct zones *zones, struct zone *zone)
{
	size_t index = (size_t)(zone - zones->zone);
	int status = read_name(source, raw, zones, zone);

	if (!status)
		status = read_policies(source, raw, index, zone);
	if (!status)
		status = read_servers(source, raw, index, zone);
	if (!status)
		status = config_fallback_read(source, raw, index, zone);
	if (!status)
		status = config_rules_read(source, raw, index, zone);
	return status;
}

int
config_zones_read(const struct config_source *source, const struct config_raw *raw,
	struct zones *out)
{
	size_t count = raw->zones_count;
	int status;

	out->zone = calloc(count + 1, sizeof(*out->zone));
	if (!out->zone)
		return reason_set(source->reason, STATUS_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		out->count++;
		status = read_zone(source, &raw->zones[i], out, &out->zone[i]);
		if (status)
			return status;
	}
	status = zones_finish(out, source->reason);
	return status ? config_source_fail(source, status, "zones") : 0;
}
