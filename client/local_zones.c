/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Unbound's built-in local zones, those of versions 1.17 to 1.26 together.
 */
#include "client/local_zones.h"

#include <stdio.h>
#include <string.h>

#define ZEROS_15 "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."

/* %u runs from `first` to `last`. */
static const struct {
	const char *format;
	unsigned first, last;
} local_zones[] = {
	{ "localhost.", 0, 0 },
	{ "127.in-addr.arpa.", 0, 0 },
	{ "1." ZEROS_15 ZEROS_15 "0.ip6.arpa.", 0, 0 },
	{ "0." ZEROS_15 ZEROS_15 "0.ip6.arpa.", 0, 0 },
	{ "home.arpa.", 0, 0 },
	{ "resolver.arpa.", 0, 0 },
	{ "service.arpa.", 0, 0 },
	{ "onion.", 0, 0 },
	{ "test.", 0, 0 },
	{ "invalid.", 0, 0 },
	{ "10.in-addr.arpa.", 0, 0 },
	{ "%u.172.in-addr.arpa.", 16, 31 },
	{ "168.192.in-addr.arpa.", 0, 0 },
	{ "0.in-addr.arpa.", 0, 0 },
	{ "%u.100.in-addr.arpa.", 64, 127 },
	{ "254.169.in-addr.arpa.", 0, 0 },
	{ "2.0.192.in-addr.arpa.", 0, 0 },
	{ "100.51.198.in-addr.arpa.", 0, 0 },
	{ "113.0.203.in-addr.arpa.", 0, 0 },
	{ "255.255.255.255.in-addr.arpa.", 0, 0 },
	{ "d.f.ip6.arpa.", 0, 0 },
	{ "8.e.f.ip6.arpa.", 0, 0 },
	{ "9.e.f.ip6.arpa.", 0, 0 },
	{ "a.e.f.ip6.arpa.", 0, 0 },
	{ "b.e.f.ip6.arpa.", 0, 0 },
	{ "8.b.d.0.1.0.0.2.ip6.arpa.", 0, 0 },
};

bool
local_zones_next(size_t *inout_index, char out[PRESENTATION_NAME_MAX])
{
	size_t left = *inout_index;

	for (size_t i = 0; i < sizeof(local_zones) / sizeof(local_zones[0]); i++) {
		size_t count = local_zones[i].last - local_zones[i].first + 1;
		const char *rest = strstr(local_zones[i].format, "%u");

		if (left >= count) {
			left -= count;
			continue;
		}
		if (rest)
			snprintf(out, PRESENTATION_NAME_MAX, "%u%s",
				local_zones[i].first + (unsigned)left, rest + 2);
		else
			snprintf(out, PRESENTATION_NAME_MAX, "%s", local_zones[i].format);
		(*inout_index)++;
		return true;
	}
	return false;
}
