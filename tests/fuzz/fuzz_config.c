/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * livezone.yaml (lib/config/config.h): what is taken is within its limits, what is refused leaves
 * nothing but a reason.
 */
#include "lib/config/config.h"

#include "lib/dns/rule.h"
#include "lib/base/status.h"
#include "tests/fuzz/fuzz_file.h"

static void
check_zone(const struct config *config, const struct zone *zone)
{
	struct name_key key;

	name_to_key(zone->name.wire, &key);
	FUZZ_CHECK(key.len == zone->key.len
		&& memcmp(key.bytes, zone->key.bytes, key.len) == 0);
	FUZZ_CHECK(zones_find(&config->zones, &zone->key) == zone);
	FUZZ_CHECK(zone->ttl <= RRSET_TTL_MAX && zone->ns_count <= ZONE_NS_MAX
		&& zone->fallback_count <= ZONE_FALLBACK_MAX
		&& zone->rule_count <= ZONE_RULES_MAX);
	for (size_t i = 0; i < zone->fallback_count; i++) {
		const struct rrset *rrset = &zone->fallback[i];

		FUZZ_CHECK(name_key_is_within(rrset->owner.bytes, rrset->owner.len,
			&zone->key));
		FUZZ_CHECK(rrset_is_well_formed(rrset->rdata, rrset->rdata_len,
			rrset->count));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	struct reason reason = { "" };

	if (config_read(fuzz_file(data, size), &config, &reason) != STATUS_OK) {
		FUZZ_CHECK(!config && reason.text[0] != '\0');
		return 0;
	}
	for (size_t i = 0; i < config->zones.count; i++)
		check_zone(config, &config->zones.zone[i]);
	config_free(config);
	return 0;
}
