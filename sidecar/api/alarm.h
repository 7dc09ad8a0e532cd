/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Alarms: what an operator must know of. They stand in the state, over restarts, until they
 * are acknowledged; status shows them. Raised with state_raise_alarm by whoever writes state
 * before the writer does (restore.c). Any thread.
 */
#pragma once

#include <stdbool.h>

#include "sidecar/state/state.h"

struct change_result;
struct json_writer;
struct writer;

/* Letters, digits and '-', STATE_ALARM_NAME_MAX of them at most. */
bool alarm_is_name(const char *text);

/* Ends it. out->outcome is CHANGE_NOT_FOUND when it does not stand. Waits for the writer: not
 * for its own thread. */
void alarm_acknowledge(struct writer *writer, const char *name, struct change_result *out);

/* Adds "alarms": [...] to an object. A negative status when state cannot be read. */
int alarm_emit_all(struct json_writer *emit, struct state_txn *txn, struct reason *reason);
