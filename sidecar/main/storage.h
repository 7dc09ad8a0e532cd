/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Whether the stores can be kept where the configuration puts them: the kinds of their file
 * systems, and the memory that livezoned may use for a serve that lies in memory.
 */
#pragma once

#include "lib/config/config.h"
#include "lib/base/reason.h"

/* Before the stores are opened; main thread. Refuses what would lose or mix up data, and a
 * memory limit under which the next rebuild of serve would be the end of the process: its
 * pages are charged to livezoned, old and new. Logs what is only unwise. */
int storage_check(const struct config *config, struct reason *reason);
