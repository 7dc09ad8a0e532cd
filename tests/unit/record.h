/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Records of state for tests of what keeps, reads and restores them.
 */
#pragma once

#include "sidecar/state/state.h"
#include "tests/unit/unit.h"

/* One address, without a lease. `source` outlives the record. */
static inline struct state_record
record_of(const char *owner, uint16_t type, const char *source, uint64_t revision)
{
	static const uint8_t rdata[] = { 0, 4, 10, 0, 0, 5 };

	return (struct state_record){
		.rrset = { .owner = unit_key(owner),
			.type = type,
			.count = 1,
			.ttl = 5,
			.rdata_len = sizeof(rdata),
			.rdata = rdata },
		.revision = revision,
		.source_len = (uint8_t)strlen(source),
		.source = source,
	};
}
