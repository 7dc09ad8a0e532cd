/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The reverse names of addresses (RFC 1035 section 3.5, RFC 3596 section 2.5), and which
 * addresses get PTR records by themselves: `auto-ptr: true` in livezone.yaml.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/dns/name.h"
#include "lib/dns/rrset.h"

#define REVERSE_BLOCK_MAX (RRSET_RECORDS_MAX * (2 + 16)) /* of an RRset of addresses */

struct zone;

/* Do the records of this owner and type point back? Those of A and AAAA in a zone with
 * auto-ptr, but for wildcards, which are no host's name. */
bool reverse_is_wanted(const struct zone *zone, const struct name_key *owner, uint16_t type);

/* The name below in-addr.arpa or ip6.arpa of an address of type A or AAAA. Returns 0, or
 * STATUS_INVALID when `len` is not the length of one. */
int reverse_key(uint16_t type, const uint8_t *address, size_t len, struct name_key *out);

/* Can the name be one that reverse_key makes? */
bool reverse_is_below(const struct name_key *key);
