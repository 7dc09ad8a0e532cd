/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Keys have the root's side first, so the octets of an address come in their own order.
 */
#include "sidecar/state/reverse.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/status.h"
#include "lib/dns/zones.h"

static const struct name_key below4 = { 13, "\4arpa\7in-addr" };
static const struct name_key below6 = { 9, "\4arpa\3ip6" };

static bool
is_wildcard(const struct name_key *owner)
{
	size_t at = 0, last = 0;

	for (; at < owner->len; at += 1u + owner->bytes[at])
		last = at;
	return owner->len - last == 2 && owner->bytes[last + 1] == '*';
}

bool
reverse_is_wanted(const struct zone *zone, const struct name_key *owner, uint16_t type)
{
	return zone && zone->auto_ptr && (type == RRSET_A || type == RRSET_AAAA)
		&& !is_wildcard(owner);
}

int
reverse_key(uint16_t type, const uint8_t *address, size_t len, struct name_key *out)
{
	static const char digits[] = "0123456789abcdef";
	char label[4];

	if (len != (type == RRSET_A ? 4 : 16))
		return STATUS_INVALID;
	*out = type == RRSET_A ? below4 : below6;
	for (size_t i = 0; i < len; i++) {
		if (type == RRSET_A) {
			out->bytes[out->len] = (uint8_t)snprintf(
				label, sizeof(label), "%u", address[i]);
			memcpy(out->bytes + out->len + 1, label, out->bytes[out->len]);
			out->len = (uint8_t)(out->len + 1 + out->bytes[out->len]);
			continue;
		}
		out->bytes[out->len++] = 1;
		out->bytes[out->len++] = (uint8_t)digits[address[i] >> 4];
		out->bytes[out->len++] = 1;
		out->bytes[out->len++] = (uint8_t)digits[address[i] & 15];
	}
	return STATUS_OK;
}

bool
reverse_is_below(const struct name_key *key)
{
	return name_key_is_within(key->bytes, key->len, &below4)
		|| name_key_is_within(key->bytes, key->len, &below6);
}
