/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The live zones: which one owns a name, and the SOA and NS RRset that a zone has when
 * nobody wrote one.
 */
#include "lib/dns/zones.h"

#include <stdlib.h>
#include <string.h>

#include "lib/dns/presentation.h"
#include "lib/dns/rule.h"
#include "lib/base/status.h"

/* Timers of a made SOA (RFC 1912 section 2.2); nobody transfers a live zone. */
#define SOA_REFRESH 3600
#define SOA_RETRY 600
#define SOA_EXPIRE 604800

static int
compare_zones(const void *a, const void *b)
{
	return name_key_compare(&((const struct zone *)a)->key, &((const struct zone *)b)->key);
}

/* The last zone whose key is not behind `key`, or ZONES_NONE. In memcmp order every zone
 * between an apex and a name below it lies below the apex too, so the owner of `key` is
 * this zone or one that encloses it. */
static size_t
zone_before(const struct zones *zones, const struct name_key *key)
{
	size_t low = 0, high = zones->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (name_key_compare(&zones->zone[middle].key, key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? ZONES_NONE : low - 1;
}

static size_t
match_from(const struct zones *zones, size_t index, const struct name_key *key)
{
	while (index != ZONES_NONE
		&& !name_key_is_within(key->bytes, key->len, &zones->zone[index].key))
		index = zones->zone[index].parent;
	return index;
}

int
zones_finish(struct zones *zones, struct reason *reason)
{
	size_t i;

	if (zones->count > 0)
		qsort(zones->zone, zones->count, sizeof(zones->zone[0]), compare_zones);
	for (i = 0; i < zones->count; i++) {
		struct zone *zone = &zones->zone[i];

		if (i > 0 && name_key_compare(&zone[-1].key, &zone->key) == 0) {
			char text[PRESENTATION_NAME_MAX];

			presentation_write_name(&zone->name, text);
			return reason_set(reason, STATUS_INVALID,
				"zone %s is given twice: merge the two entries", text);
		}
		zones->has_auto_ptr = zones->has_auto_ptr || zone->auto_ptr;
		zone->parent = match_from(zones, i == 0 ? ZONES_NONE : i - 1, &zone->key);
	}
	return STATUS_OK;
}

void
zones_done(struct zones *zones)
{
	size_t i, k;

	for (i = 0; i < zones->count; i++) {
		for (k = 0; k < zones->zone[i].fallback_count; k++)
			free((void *)(uintptr_t)zones->zone[i].fallback[k].rdata);
		free(zones->zone[i].fallback);
		for (k = 0; k < zones->zone[i].rule_count; k++)
			rule_free(zones->zone[i].rule[k]);
		free(zones->zone[i].rule);
	}
	free(zones->zone);
	*zones = (struct zones){ 0 };
}

const struct zone *
zones_match(const struct zones *zones, const struct name_key *key)
{
	size_t index = match_from(zones, zone_before(zones, key), key);

	return index == ZONES_NONE ? NULL : &zones->zone[index];
}

const struct zone *
zones_find(const struct zones *zones, const struct name_key *apex)
{
	size_t index = zone_before(zones, apex);

	if (index == ZONES_NONE || name_key_compare(&zones->zone[index].key, apex) != 0)
		return NULL;
	return &zones->zone[index];
}

bool
zone_is_answered_whole(const struct zone *zone)
{
	return zone->on_miss != ZONE_MISS_RECURSE
		&& zone->on_failure != ZONE_FAILURE_RECURSE
		&& zone->delegation != ZONE_DELEGATION_RECURSE;
}

static uint8_t *
put_u16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

static uint8_t *
put_u32(uint8_t *at, uint32_t value)
{
	return put_u16(put_u16(at, value >> 16), value & 0xffff);
}

static uint8_t *
put_name(uint8_t *at, const struct name *name)
{
	memcpy(at, name->wire, name->len);
	return at + name->len;
}

struct name
zone_contact(const struct zone *zone)
{
	static const uint8_t label[] = "\012hostmaster";
	struct name contact = zone->contact;

	if (contact.len != 0)
		return contact;
	if (zone->name.len + sizeof(label) - 1 > NAME_WIRE_MAX)
		return zone->name;
	memcpy(contact.wire, label, sizeof(label) - 1);
	memcpy(contact.wire + sizeof(label) - 1, zone->name.wire, zone->name.len);
	contact.len = (uint8_t)(sizeof(label) - 1 + zone->name.len);
	return contact;
}

size_t
zone_make_soa(const struct zone *zone, uint32_t serial, uint8_t block[ZONE_SOA_MAX])
{
	struct name contact = zone_contact(zone);
	uint8_t *at = block + 2;

	at = put_name(at, zone->ns_count > 0 ? &zone->ns[0] : &zone->name);
	at = put_name(at, &contact);
	at = put_u32(at, serial);
	at = put_u32(at, SOA_REFRESH);
	at = put_u32(at, SOA_RETRY);
	at = put_u32(at, SOA_EXPIRE);
	at = put_u32(at, zone->negative_ttl);
	put_u16(block, (size_t)(at - block) - 2);
	return (size_t)(at - block);
}

size_t
zone_make_ns(const struct zone *zone, uint8_t *block)
{
	uint8_t *at = block;
	size_t i;

	for (i = 0; i < zone->ns_count; i++)
		at = put_name(put_u16(at, zone->ns[i].len), &zone->ns[i]);
	return (size_t)(at - block);
}

/* --- searches in zone->fallback --- */

static int
compare_fallback(const struct rrset *set, const struct name_key *key, uint16_t type)
{
	int order = name_key_compare(&set->owner, key);

	return order != 0 ? order : set->type - type;
}

/* The first that is not before name and type, in the order of zone->fallback. */
static const struct rrset *
lower_bound(const struct zone *zone, const struct name_key *key, uint16_t type)
{
	size_t low = 0, high = zone->fallback_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_fallback(&zone->fallback[middle], key, type) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < zone->fallback_count ? &zone->fallback[low] : NULL;
}

const struct rrset *
zone_find_fallback(const struct zone *zone, const struct name_key *key, uint16_t type)
{
	const struct rrset *set = lower_bound(zone, key, type == RRSET_ANY ? 0 : type);

	if (set && compare_fallback(set, key, type == RRSET_ANY ? set->type : type) == 0)
		return set;
	if (type == RRSET_CNAME || type == RRSET_ANY)
		return NULL;
	set = lower_bound(zone, key, RRSET_CNAME);
	return set && compare_fallback(set, key, RRSET_CNAME) == 0 ? set : NULL;
}

static const struct rrset *
stay_within(const struct zone *zone, const struct rrset *set, const struct name_key *key)
{
	return set && set < zone->fallback + zone->fallback_count
			&& name_key_is_within(set->owner.bytes, set->owner.len, key)
		? set
		: NULL;
}

const struct rrset *
zone_first_fallback(const struct zone *zone, const struct name_key *key)
{
	return stay_within(zone, lower_bound(zone, key, 0), key);
}

const struct rrset *
zone_next_fallback(const struct zone *zone, const struct rrset *set, const struct name_key *key)
{
	return stay_within(zone, set + 1, key);
}
