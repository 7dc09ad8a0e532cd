/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Pattern, type and rdata are rule.c's to judge; a TTL is like any other.
 */
#include "lib/config/config_rules.h"

#include <stdlib.h>

#include "lib/config/config_raw.h"
#include "lib/config/config_source.h"
#include "lib/config/config_value.h"
#include "lib/dns/rule.h"
#include "lib/base/status.h"
#include "lib/dns/zones.h"

static int
read_rule(const struct config_source *source, const struct config_raw_rule *raw,
	size_t index, struct zone *zone)
{
	struct rule_text text = { raw->match, raw->type, raw->rdata, zone->ttl };
	const char *key = "ttl";
	int status = config_value_ttl(raw->ttl, &text.ttl, source->reason);

	if (!status)
		status = rule_new(&text, &zone->rule[zone->rule_count], &key, source->reason);
	if (status)
		return config_source_fail(source, status, "zones[%zu].rules[%zu].%s", index,
			zone->rule_count, key);
	zone->rule_count++;
	return 0;
}

int
config_rules_read(const struct config_source *source, const struct config_raw_zone *raw,
	size_t index, struct zone *zone)
{
	int status = 0;

	if (raw->rules_count == 0)
		return 0;
	zone->rule = calloc(raw->rules_count, sizeof(*zone->rule));
	if (!zone->rule)
		return reason_set(source->reason, STATUS_NO_MEMORY, "out of memory");
	for (size_t i = 0; !status && i < raw->rules_count; i++)
		status = read_rule(source, &raw->rules[i], index, zone);
	return status;
}
