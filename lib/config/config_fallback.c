/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Each line is one record; records of one name and type become one RRset.
 */
#include "lib/config/config_fallback.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config/config_raw.h"
#include "lib/config/config_source.h"
#include "lib/dns/masterfile.h"
#include "lib/base/status.h"
#include "lib/dns/zones.h"

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

		if (set->owner.len != rr->owner.len
			|| memcmp(set->owner.bytes, rr->owner.bytes, rr->owner.len) != 0)
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
read_line(const char *text, struct zone *zone, uint8_t *block,
	struct reason *reason)
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
	size_t shorter = left->owner.len < right->owner.len ? left->owner.len : right->owner.len;
	int order = memcmp(left->owner.bytes, right->owner.bytes, shorter);

	if (order == 0)
		order = left->owner.len - right->owner.len;
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

int
config_fallback_read(const struct config_source *source, const struct config_raw_zone *raw,
	size_t index, struct zone *zone)
{
	uint8_t *block = malloc(RRSET_RDATA_MAX);
	int status = block ? 0 : reason_set(source->reason, STATUS_NO_MEMORY, "out of memory");

	for (size_t i = 0; !status && i < raw->fallback_count; i++) {
		status = read_line(raw->fallback[i], zone, block, source->reason);
		if (status)
			config_source_fail(source, status, "zones[%zu].fallback[%zu]", index, i);
	}
	if (!status)
		finish(zone, block);
	free(block);
	return status;
}
