/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* Handlers of /v1/sources: who writes here, desired states, heartbeats. */
#pragma once

struct api_call;

void api_sources_list(struct api_call *call);
void api_sources_get(struct api_call *call);
void api_sources_put(struct api_call *call);
void api_sources_heartbeat(struct api_call *call);
