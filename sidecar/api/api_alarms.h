/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#pragma once

struct api_call;

void api_alarms_delete(struct api_call *call);
