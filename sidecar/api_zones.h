/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* Handlers of /v1/zones: policies, whole zones out and in. */
#pragma once

struct api_call;

void api_zones_list(struct api_call *call);
void api_zones_get(struct api_call *call);
void api_zones_put(struct api_call *call);
