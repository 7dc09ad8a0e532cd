/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* Handlers of /v1/rrsets: one RRset, and all at a name. */
#pragma once

struct api_call;

void api_rrsets_get(struct api_call *call);
void api_rrsets_put(struct api_call *call);
void api_rrsets_delete(struct api_call *call);
void api_rrsets_find(struct api_call *call);
