/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Wire names and keys; on the way of every query, so without allocation.
 */
#include "lib/dns/name.h"

#include <string.h>

#include "lib/base/status.h"

#define LABELS_MAX 127 /* 255 octets: 127 labels of one byte, and the root */

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

size_t
name_wire_length(const uint8_t *wire, size_t max)
{
	size_t at = 0;

	if (max > NAME_WIRE_MAX)
		max = NAME_WIRE_MAX;
	while (at < max) {
		uint8_t label = wire[at];

		if (label == 0)
			return at + 1;
		if (label > NAME_LABEL_MAX)
			return 0;
		at += 1u + label;
	}
	return 0;
}

int
name_from_wire(const uint8_t *wire, size_t max, struct name *out)
{
	size_t len = name_wire_length(wire, max);

	if (len == 0)
		return STATUS_INVALID;
	out->len = (uint8_t)len;
	memcpy(out->wire, wire, len);
	return STATUS_OK;
}

void
name_to_key(const uint8_t *wire, struct name_key *out)
{
	uint8_t start[LABELS_MAX];
	size_t labels = 0, at = 0, used = 0;

	for (; wire[at] != 0 && labels < LABELS_MAX; at += 1u + wire[at])
		start[labels++] = (uint8_t)at;
	while (labels > 0) {
		const uint8_t *label = wire + start[--labels];
		size_t i;

		out->bytes[used] = label[0];
		for (i = 1; i <= label[0]; i++)
			out->bytes[used + i] = lower(label[i]);
		used += 1u + label[0];
	}
	out->len = (uint8_t)used;
}

int
name_from_key(const uint8_t *key, size_t len, struct name *out)
{
	size_t at = 0, end = len;

	if (len > NAME_KEY_MAX)
		return STATUS_CORRUPT;
	out->wire[len] = 0;
	while (at < len) {
		size_t label = 1u + key[at];

		if (key[at] == 0 || key[at] > NAME_LABEL_MAX || label > len - at)
			return STATUS_CORRUPT;
		end -= label;
		memcpy(out->wire + end, key + at, label);
		at += label;
	}
	out->len = (uint8_t)(len + 1);
	return STATUS_OK;
}

void
name_lower(struct name *name)
{
	size_t i;

	/* a length byte is at most 63 and so never in A to Z */
	for (i = 0; i < name->len; i++)
		name->wire[i] = lower(name->wire[i]);
}

bool
name_key_is_within(const uint8_t *key, size_t len, const struct name_key *apex)
{
	return len >= apex->len && memcmp(key, apex->bytes, apex->len) == 0;
}

bool
name_key_is_wildcard(const struct name_key *key)
{
	size_t at = 0, last = 0;

	for (; at < key->len; at += 1u + key->bytes[at])
		last = at;
	return key->len - last == 2 && key->bytes[last + 1] == '*';
}

int
name_key_compare(const struct name_key *a, const struct name_key *b)
{
	int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

	return order != 0 ? order : (int)a->len - (int)b->len;
}

bool
name_equal(const uint8_t *a, const uint8_t *b)
{
	size_t at, i;

	for (at = 0; a[at] == b[at]; at += 1u + a[at]) {
		if (a[at] == 0)
			return true;
		for (i = 1; i <= a[at]; i++)
			if (lower(a[at + i]) != lower(b[at + i]))
				return false;
	}
	return false;
}
