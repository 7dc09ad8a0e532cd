/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Alarms: what an operator must know of. They stand in the state, over restarts, until they
 * are acknowledged; status shows them. Raised and ended by a CHANGE_ALARM. Any thread.
 */
#pragma once

#include <stdbool.h>

#include "sidecar/state/state.h"

struct json_writer;

/* Letters, digits and '-', STATE_ALARM_NAME_MAX of them at most. */
bool alarm_is_name(const char *text);

/* Adds "alarms": [...] to an object. A negative status when state cannot be read. */
int alarm_emit_all(struct json_writer *emit, struct state_txn *txn, struct reason *reason);
