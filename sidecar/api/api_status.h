/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* Handlers of /v1/status, /healthz and /readyz. */
#pragma once

struct api_call;

void api_status_get(struct api_call *call);
void api_status_health(struct api_call *call);
void api_status_ready(struct api_call *call);
