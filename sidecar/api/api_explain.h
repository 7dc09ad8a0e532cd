/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* Handler of /v1/explain: what would be answered, and why. */
#pragma once

struct api_call;

void api_explain_get(struct api_call *call);
