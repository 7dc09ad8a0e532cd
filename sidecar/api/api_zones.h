/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* Handlers of /v1/zones: policies, whole zones out and in. */
#pragma once

#include "lib/dns/zones.h"

struct api_call;

void api_zones_list(struct api_call *call);
void api_zones_get(struct api_call *call);
void api_zones_put(struct api_call *call);

/* Policies by the words of the configuration. */
const char *api_zones_on_miss(enum zone_on_miss policy);
const char *api_zones_on_failure(enum zone_on_failure policy);
const char *api_zones_on_expiry(enum zone_on_expiry policy);
const char *api_zones_delegation(enum zone_delegation policy);
