/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One reading of the configuration with what follows from it. Const and counted: a
 * request keeps the settings it began with until its end, a reload puts new ones beside
 * them.
 */
#pragma once

#include <stdatomic.h>

#include "lib/config/config.h"
#include "lib/base/reason.h"
#include "sidecar/api/auth.h"

struct settings {
	atomic_uint references;
	struct config *config;
	struct auth *auth;
};

/* Reads configuration and tokens; the caller holds the one reference. */
int settings_read(const char *path, struct settings **out, struct reason *reason);

struct settings *settings_hold(struct settings *settings);
void settings_release(struct settings *settings); /* NULL is allowed */
