/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Blocks of rdata: checked by every reader, made canonical by the writer of a change.
 */
#include "lib/dns/rrset.h"

#include <stdlib.h>
#include <string.h>

static size_t
record_length(const uint8_t *record)
{
	return 2u + ((size_t)record[0] << 8 | record[1]);
}

bool
rrset_is_well_formed(const uint8_t *rdata, size_t rdata_len, size_t count)
{
	size_t at = 0;

	for (; count > 0; count--) {
		if (rdata_len - at < 2 || rdata_len - at < record_length(rdata + at))
			return false;
		at += record_length(rdata + at);
	}
	return at == rdata_len;
}

/* The order of RFC 4034 section 6.3: rdata as left-justified octets. */
static int
compare_records(const void *left, const void *right)
{
	const uint8_t *a = *(const uint8_t *const *)left;
	const uint8_t *b = *(const uint8_t *const *)right;
	size_t a_len = record_length(a), b_len = record_length(b);
	int order = memcmp(a + 2, b + 2, (a_len < b_len ? a_len : b_len) - 2);

	if (order != 0)
		return order;
	return a_len < b_len ? -1 : a_len > b_len;
}

uint16_t
rrset_canonicalize(uint8_t *rdata, size_t *inout_len, uint16_t count, uint8_t *scratch)
{
	const uint8_t *record[RRSET_RECORDS_MAX];
	uint16_t i, kept = 0;
	size_t at = 0, used = 0;

	if (count <= 1 || count > RRSET_RECORDS_MAX)
		return count;
	memcpy(scratch, rdata, *inout_len);
	for (i = 0; i < count; i++) {
		record[i] = scratch + at;
		at += record_length(scratch + at);
	}
	qsort(record, count, sizeof(record[0]), compare_records);
	for (i = 0; i < count; i++) {
		size_t len = record_length(record[i]);

		if (i > 0 && compare_records(&record[i - 1], &record[i]) == 0)
			continue;
		memcpy(rdata + used, record[i], len);
		used += len;
		kept++;
	}
	*inout_len = used;
	return kept;
}

size_t
rrset_message_size(const struct rrset *rrset)
{
	const struct name_key *key = &rrset->owner;
	/* header, type and class of the question, OPT */
	size_t size = 12 + 4 + 11 + (name_key_is_wildcard(key) ? NAME_WIRE_MAX : key->len + 1u);

	/* before its data a record has a pointer, type, class, TTL and length; the block
	 * has the length already */
	return size + rrset->count * 10u + rrset->rdata_len;
}

bool
rrset_has_same_data(const struct rrset *a, const struct rrset *b)
{
	return a->ttl == b->ttl && a->count == b->count && a->rdata_len == b->rdata_len
		&& memcmp(a->rdata, b->rdata, a->rdata_len) == 0;
}
