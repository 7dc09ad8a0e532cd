/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What the host's message cache learned about a name before its zone became live would be
 * answered before any module is asked. So it is removed when a reload that keeps the cache
 * brings a new zone. On the main thread, while no worker runs.
 */
#pragma once

#include "lib/zones.h"
#include "module/host.h"

/* Removes all messages at and below the zone's name. Walks the whole cache. */
void forget_zone(struct module_env *env, const struct zone *zone);
