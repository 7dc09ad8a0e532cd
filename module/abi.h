/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Is the host the Unbound that this module was built for? Nothing in the host asks that:
 * a wrong guess at a struct's layout would write into strange memory. So what can be
 * compared cheaply is compared before anything of the host is used.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/reason.h"
#include "module/host.h"

/* At load, on the main thread. `own_init` is our init(). Returns 0, or STATUS_FOREIGN and
 * says what differs. */
int abi_check_host(
	struct module_env *env, int id, func_init_t own_init, struct reason *reason);

/* Once per worker, with its first query: is a query laid out as we think? */
bool abi_check_query(const struct module_qstate *q);
