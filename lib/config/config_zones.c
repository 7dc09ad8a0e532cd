/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * zones: of livezone.yaml, with their fallback records and rules.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"
#include "lib/config/config_parts.h"
#include "lib/dns/masterfile.h"
#include "lib/dns/presentation.h"
#include "lib/dns/rule.h"
#include "lib/dns/zones.h"

#define ZONES_MAX 4096 /* duplicates are found by comparing all pairs */
#define FALLBACK_LINES_MAX 16384

#define TTL_DEFAULT 5
#define STALE_MS_DEFAULT (UINT64_C(24) * 3600 * 1000)

static yaml_text_fn read_name, read_contact, read_server;
static yaml_value_fn read_fallback, read_rules;

static const struct yaml_choice on_miss_choices[] = {
	{ "nxdomain", ZONE_MISS_NXDOMAIN },
	{ "recurse", ZONE_MISS_RECURSE },
	{ "refuse", ZONE_MISS_REFUSE },
	{ 0 },
};
static const struct yaml_choice on_failure_choices[] = {
	{ "servfail", ZONE_FAILURE_SERVFAIL },
	{ "recurse", ZONE_FAILURE_RECURSE },
	{ 0 },
};
static const struct yaml_choice on_expiry_choices[] = {
	{ "fallback", ZONE_EXPIRY_FALLBACK },
	{ "remove", ZONE_EXPIRY_REMOVE },
	{ 0 },
};
static const struct yaml_choice delegation_choices[] = {
	{ "refer", ZONE_DELEGATION_REFER },
	{ "recurse", ZONE_DELEGATION_RECURSE },
	{ 0 },
};
static const struct yaml_choice soa_serial_choices[] = {
	{ "auto", ZONE_SERIAL_AUTO },
	{ "stored", ZONE_SERIAL_STORED },
	{ 0 },
};
static const struct yaml_choice any_choices[] = {
	{ "minimal", ZONE_ANY_MINIMAL },
	{ "full", ZONE_ANY_FULL },
	{ 0 },
};

/* In this order: fallback records need the name, rules the TTL. */
static const struct yaml_key zone_keys[] = {
	{ "name", 0, .text = read_name, .is_required = true },
	{ "on-miss", offsetof(struct zone, on_miss), .text = config_value_choice,
		.choices = on_miss_choices },
	{ "on-failure", offsetof(struct zone, on_failure), .text = config_value_choice,
		.choices = on_failure_choices },
	{ "on-expiry", offsetof(struct zone, on_expiry), .text = config_value_choice,
		.choices = on_expiry_choices },
	{ "delegation", offsetof(struct zone, delegation), .text = config_value_choice,
		.choices = delegation_choices },
	{ "soa-serial", offsetof(struct zone, soa_serial), .text = config_value_choice,
		.choices = soa_serial_choices },
	{ "any", offsetof(struct zone, any), .text = config_value_choice,
		.choices = any_choices },
	{ "auto-ptr", offsetof(struct zone, auto_ptr), .text = config_value_bool },
	{ "ttl", offsetof(struct zone, ttl), .text = config_value_ttl },
	{ "negative-ttl", offsetof(struct zone, negative_ttl), .text = config_value_ttl },
	{ "stale", offsetof(struct zone, stale_ms), .text = config_value_stale },
	{ "ns", 0, .value = yaml_read_texts, .item = read_server, .max = ZONE_NS_MAX },
	{ "contact", offsetof(struct zone, contact), .text = read_contact },
	{ "fallback", 0, .value = read_fallback },
	{ "rules", 0, .value = read_rules },
	{ 0 },
};

static yaml_text_fn read_string;

/* Their text is borrowed from the file. */
static const struct yaml_key rule_keys[] = {
	{ "match", offsetof(struct rule_text, match), .text = read_string, .is_required = true },
	{ "type", offsetof(struct rule_text, type), .text = read_string, .is_required = true },
	{ "rdata", offsetof(struct rule_text, rdata), .text = read_string, .is_required = true },
	{ "ttl", offsetof(struct rule_text, ttl), .text = config_value_ttl },
	{ 0 },
};

static int
check_duplicate(const struct yaml_value *item, const struct zones *zones, struct reason *reason)
{
	const struct zone *zone = &zones->zone[zones->count - 1];
	struct yaml_value name;
	const char *text = "";

	for (const struct zone *other = zones->zone; other < zone; other++) {
		if (!name_equal(other->name.wire, zone->name.wire))
			continue;
		if (yaml_find(item, "name", &name))
			yaml_read_text(&name, &text, NULL);
		return reason_set(reason, STATUS_INVALID,
			"zone \"%.60s\" is there already, as zones[%zu]: merge the two", text,
			(size_t)(other - zones->zone));
	}
	return 0;
}

int
config_zones_read(const struct yaml_value *list, const struct yaml_key *key, void *out,
	struct reason *reason)
{
	struct zones *zones = out;
	struct yaml_value item = { 0 };
	size_t count;
	int status = yaml_read_list(list, 0, ZONES_MAX, &count, reason);

	(void)key;
	if (status)
		return status;
	zones->zone = calloc(count + 1, sizeof(*zones->zone));
	if (!zones->zone)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	while (!status && yaml_next(list, &item)) {
		struct zone *zone = &zones->zone[zones->count++];

		zone->ttl = TTL_DEFAULT;
		zone->negative_ttl = TTL_DEFAULT;
		zone->stale_ms = STALE_MS_DEFAULT;
		status = yaml_read_mapping(&item, zone_keys, zone, reason);
		if (!status)
			status = check_duplicate(&item, zones, reason);
	}
	return status ? status : zones_finish(zones, reason);
}

static int
read_name(const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	struct zone *zone = out;
	int status = presentation_read_name(text, &zone->name, reason);

	(void)key;
	if (status)
		return status;
	if (zone->name.len == 1)
		return reason_set(reason, STATUS_INVALID, "the root cannot be a live zone");
	name_lower(&zone->name);
	name_to_key(zone->name.wire, &zone->key);
	return 0;
}

/* A mail address, or a name in the form of an SOA's RNAME (RFC 1035 section 8). */
static int
read_contact(const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	const char *at = strchr(text, '@');
	char name[PRESENTATION_NAME_MAX];
	char *to = name;

	(void)key;
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
read_server(const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	struct zone *zone = out;
	struct name *name = &zone->ns[zone->ns_count];
	int status = presentation_read_name(text, name, reason);

	(void)key;
	if (status)
		return status;
	for (size_t i = 0; i < zone->ns_count; i++)
		if (name_equal(zone->ns[i].wire, name->wire))
			return reason_set(
				reason, STATUS_INVALID, "\"%.60s\" is there twice", text);
	zone->ns_count++;
	return 0;
}

static int
extend(struct rrset *set, const struct rrset *rr, struct reason *reason)
{
	uint8_t *rdata = (uint8_t *)(uintptr_t)set->rdata;

	if (rr->type == RRSET_CNAME || rr->type == RRSET_DNAME || rr->type == RRSET_SOA)
		return reason_set(reason, STATUS_INVALID,
			"only one record of this type is allowed at a name");
	if (rr->ttl != set->ttl)
		return reason_set(reason, STATUS_INVALID,
			"TTL %u, and the same name and type has %u above: make them equal",
			rr->ttl, set->ttl);
	if (set->count == RRSET_RECORDS_MAX || rr->rdata_len > RRSET_RDATA_MAX - set->rdata_len)
		return reason_set(reason, STATUS_TOO_LARGE,
			"an RRset has at most %d records and %d bytes", RRSET_RECORDS_MAX,
			RRSET_RDATA_MAX);
	rdata = realloc(rdata, set->rdata_len + rr->rdata_len);
	if (!rdata)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	memcpy(rdata + set->rdata_len, rr->rdata, rr->rdata_len);
	set->rdata = rdata;
	set->rdata_len += rr->rdata_len;
	set->count++;
	return 0;
}

/* Adds a record to its RRset. Each RRset's block is grown in place; `fallback` has room
 * for the next power of two. */
static int
add(struct zone *zone, const struct rrset *rr, struct reason *reason)
{
	size_t count = zone->fallback_count;
	uint8_t *rdata;

	for (size_t i = 0; i < count; i++) {
		struct rrset *set = &zone->fallback[i];

		if (!name_key_equal(&set->owner, &rr->owner))
			continue;
		if (set->type == rr->type)
			return extend(set, rr, reason);
		if (set->type == RRSET_CNAME || rr->type == RRSET_CNAME)
			return reason_set(reason, STATUS_INVALID,
				"a CNAME and other data at one name: keep one of them");
	}
	if (count == ZONE_FALLBACK_MAX)
		return reason_set(reason, STATUS_TOO_LARGE,
			"more than %d fallback RRsets in one zone", ZONE_FALLBACK_MAX);
	if ((count & (count - 1)) == 0) {
		struct rrset *grown = realloc(zone->fallback,
			(count > 0 ? 2 * count : 1) * sizeof(*grown));

		if (!grown)
			return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
		zone->fallback = grown;
	}
	rdata = malloc(rr->rdata_len);
	if (!rdata)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	memcpy(rdata, rr->rdata, rr->rdata_len);
	zone->fallback[count] = *rr;
	zone->fallback[count].rdata = rdata;
	zone->fallback_count++;
	return 0;
}

static int
read_line(const char *text, struct zone *zone, uint8_t *block, struct reason *reason)
{
	struct rrset rr;
	int status = masterfile_read_record(text, block, RRSET_RDATA_MAX, &rr, reason);

	if (status)
		return status;
	if (!name_key_is_within(rr.owner.bytes, rr.owner.len, &zone->key))
		return reason_set(reason, STATUS_INVALID,
			"\"%.*s\" lies outside the zone: write the full name",
			(int)(strcspn(text, " \t") < 60 ? strcspn(text, " \t") : 60), text);
	if (rr.ttl > RRSET_TTL_MAX)
		return reason_set(reason, STATUS_INVALID, "TTL %u: needs 0 to %d", rr.ttl,
			RRSET_TTL_MAX);
	return add(zone, &rr, reason);
}

static int
compare_rrsets(const void *a, const void *b)
{
	const struct rrset *left = a, *right = b;
	int order = name_key_compare(&left->owner, &right->owner);

	return order != 0 ? order : left->type - right->type;
}

/* Sorts the records of each RRset, then the RRsets. */
static void
finish(struct zone *zone, uint8_t *scratch)
{
	for (size_t i = 0; i < zone->fallback_count; i++) {
		struct rrset *set = &zone->fallback[i];
		size_t len = set->rdata_len;

		set->count = rrset_canonicalize((uint8_t *)(uintptr_t)set->rdata, &len,
			set->count, scratch);
		set->rdata_len = (uint32_t)len;
	}
	if (zone->fallback_count > 0)
		qsort(zone->fallback, zone->fallback_count, sizeof(*zone->fallback),
			compare_rrsets);
}

/* Each line is one record; records of one name and type become one RRset. */
static int
read_fallback(const struct yaml_value *list, const struct yaml_key *key, void *out,
	struct reason *reason)
{
	struct zone *zone = out;
	struct yaml_value item = { 0 };
	size_t count;
	int status = yaml_read_list(list, 0, FALLBACK_LINES_MAX, &count, reason);
	uint8_t *block = status ? NULL : malloc(RRSET_RDATA_MAX);

	(void)key;
	if (!status && !block)
		status = reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	while (!status && yaml_next(list, &item)) {
		const char *text;

		status = yaml_read_text(&item, &text, reason);
		if (!status)
			status = read_line(text, zone, block, reason);
	}
	if (!status)
		finish(zone, block);
	free(block);
	return status;
}

/* Pattern, type and rdata are rule.c's to judge; a TTL is like any other. */
static int
read_rule(const struct yaml_value *value, struct zone *zone, struct reason *reason)
{
	struct rule_text text = { .ttl = zone->ttl };
	struct yaml_value member;
	const char *key = "match";
	int status = yaml_read_mapping(value, rule_keys, &text, reason);

	if (status)
		return status;
	status = rule_new(&text, &zone->rule[zone->rule_count], &key, reason);
	if (status)
		yaml_find(value, key, &member);
	else
		zone->rule_count++;
	return status;
}

static int
read_rules(const struct yaml_value *list, const struct yaml_key *key, void *out,
	struct reason *reason)
{
	struct zone *zone = out;
	struct yaml_value item = { 0 };
	size_t count;
	int status = yaml_read_list(list, 0, ZONE_RULES_MAX, &count, reason);

	(void)key;
	if (status || count == 0)
		return status;
	zone->rule = calloc(count, sizeof(*zone->rule));
	if (!zone->rule)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	while (!status && yaml_next(list, &item))
		status = read_rule(&item, zone, reason);
	return status;
}

static int
read_string(const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	(void)key, (void)reason;
	*(const char **)out = text;
	return 0;
}
