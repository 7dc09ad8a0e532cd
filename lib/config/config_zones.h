/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The zones of livezone.yaml. Internal to the config files.
 */
#pragma once

struct config_raw;
struct config_source;
struct zones;

/* Reads and checks the zones into `out`, which is empty. The caller calls zones_done, also
 * after a failure. */
int config_zones_read(const struct config_source *source, const struct config_raw *raw,
	struct zones *out);
