/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* Handlers of /v1/backup and /v1/restore: the whole state as JSON lines. */
#pragma once

struct api_call;

void api_backup_get(struct api_call *call);
void api_backup_restore(struct api_call *call);
