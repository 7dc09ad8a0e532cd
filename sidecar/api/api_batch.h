/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* Handler of /v1/batch: several changes, all or nothing. */
#pragma once

struct api_call;

void api_batch_post(struct api_call *call);
