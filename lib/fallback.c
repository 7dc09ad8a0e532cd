/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Searches in zone->fallback, for look-ups.
 */
#include "lib/fallback.h"

#include <stddef.h>
#include <string.h>

#include "lib/zones.h"

static int
compare(const struct rrset *set, const struct name_key *key, uint16_t type)
{
	size_t len = set->owner.len < key->len ? set->owner.len : key->len;
	int order = memcmp(set->owner.bytes, key->bytes, len);

	if (order == 0)
		order = set->owner.len - key->len;
	return order != 0 ? order : set->type - type;
}

/* The first that is not before name and type, in the order of config_fallback.c. */
static const struct rrset *
lower_bound(const struct zone *zone, const struct name_key *key, uint16_t type)
{
	size_t low = 0, high = zone->fallback_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&zone->fallback[middle], key, type) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < zone->fallback_count ? &zone->fallback[low] : NULL;
}

const struct rrset *
fallback_find(const struct zone *zone, const struct name_key *key, uint16_t type)
{
	uint16_t least = type == RRSET_ANY ? 0 : type;
	const struct rrset *set = lower_bound(zone, key, least);

	if (set && (type == RRSET_ANY ? compare(set, key, set->type) == 0
				      : compare(set, key, type) == 0))
		return set;
	if (type == RRSET_CNAME || type == RRSET_ANY)
		return NULL;
	set = lower_bound(zone, key, RRSET_CNAME);
	return set && compare(set, key, RRSET_CNAME) == 0 ? set : NULL;
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
fallback_first(const struct zone *zone, const struct name_key *key)
{
	return stay_within(zone, lower_bound(zone, key, 0), key);
}

const struct rrset *
fallback_next(const struct zone *zone, const struct rrset *set, const struct name_key *key)
{
	return stay_within(zone, set + 1, key);
}
