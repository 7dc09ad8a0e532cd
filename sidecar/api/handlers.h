/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The handlers of the routes (routes.c), by file. Each fills call->reply; see api.h.
 */
#pragma once

#include "lib/dns/zones.h"

struct api_call;

/* api_rrsets.c: one RRset by name and type, all at a name, and lists of changes */
void api_rrsets_get(struct api_call *call);
void api_rrsets_put(struct api_call *call);
void api_rrsets_delete(struct api_call *call);
void api_rrsets_find(struct api_call *call);
void api_rrsets_batch(struct api_call *call);

/* api_sources.c: each RRset belongs to one */
void api_sources_list(struct api_call *call);
void api_sources_get(struct api_call *call);
void api_sources_put(struct api_call *call);
void api_sources_heartbeat(struct api_call *call);

/* api_zones.c: zones come from the configuration; their content is read and replaced */
void api_zones_list(struct api_call *call);
void api_zones_get(struct api_call *call);
void api_zones_put(struct api_call *call);

/* Names of a zone's policies. */
const char *api_zones_on_miss(enum zone_on_miss policy);
const char *api_zones_on_failure(enum zone_on_failure policy);
const char *api_zones_on_expiry(enum zone_on_expiry policy);
const char *api_zones_delegation(enum zone_delegation policy);

/* api_changes.c: the change log */
void api_changes_get(struct api_call *call);

/* api_explain.c: what DNS answers, and why */
void api_explain_get(struct api_call *call);

/* api_status.c: how it goes, alarms, and what probes ask */
void api_status_get(struct api_call *call);
void api_status_health(struct api_call *call);
void api_status_ready(struct api_call *call);
void api_status_acknowledge(struct api_call *call);

/* api_backup.c: the whole state, out and in */
void api_backup_get(struct api_call *call);
void api_backup_restore(struct api_call *call);
