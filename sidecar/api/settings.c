/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Counted configuration.
 */
#include "sidecar/api/settings.h"

#include <stdlib.h>

#include "lib/base/status.h"

int
settings_read(const char *path, struct settings **out, struct reason *reason)
{
	struct settings *settings = calloc(1, sizeof(*settings));
	int status;

	if (!settings)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	atomic_init(&settings->references, 1);
	status = config_read(path, &settings->config, reason);
	if (!status)
		status = auth_read(settings->config, &settings->auth, reason);
	if (status) {
		settings_release(settings);
		return status;
	}
	*out = settings;
	return 0;
}

struct settings *
settings_hold(struct settings *settings)
{
	atomic_fetch_add(&settings->references, 1);
	return settings;
}

void
settings_release(struct settings *settings)
{
	if (!settings || atomic_fetch_sub(&settings->references, 1) != 1)
		return;
	auth_free(settings->auth);
	config_free(settings->config);
	free(settings);
}
