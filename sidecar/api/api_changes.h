/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* Handler of /v1/changes: the long poll. */
#pragma once

struct api_call;

void api_changes_get(struct api_call *call);
