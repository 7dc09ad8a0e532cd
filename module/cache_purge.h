/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The host's message cache is answered from before any module is asked, so nothing about
 * a name of a live zone may be in it. Our own answers never enter it; what the host
 * itself learns about such names is removed here.
 */
#pragma once

#include "lib/dns/zones.h"
#include "module/host.h"

/* What was learned before the zone became live: removes all messages at and below its
 * name, when a reload that keeps the cache brings a new zone. Walks the whole cache; on
 * the main thread, while no worker runs. */
void cache_purge_zone(struct module_env *env, const struct zone *zone);

/* What was learned on the way of a foreign name: the iterator follows a public CNAME into
 * a live zone by itself and stores what the public says of its target, unless the zone is
 * forwarded to this server without a cache. Removes the messages for such targets in q's
 * answer, which is not to be stored itself. On the worker's thread, when the next module
 * is done. */
void cache_purge_targets(struct module_qstate *q, const struct zones *zones);

/* What another module found for q is not to be stored by one that stands in front, such as
 * dns64, which does not heed no_cache_store. */
void cache_purge_answer(struct module_qstate *q);
