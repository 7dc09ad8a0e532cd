/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The fallback records of a zone in livezone.yaml. Internal to the config files.
 */
#pragma once

#include <stddef.h>

struct config_raw_zone;
struct config_source;
struct zone;

/* Reads the lines of zones[index] into `zone`, whose name is set, sorted as zones.h wants
 * them. What it added is freed with the zone, also after a failure. */
int config_fallback_read(const struct config_source *source, const struct config_raw_zone *raw,
	size_t index, struct zone *zone);
