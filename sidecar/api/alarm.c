/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Names of alarms, and alarms as JSON.
 */
#include "sidecar/api/alarm.h"

#include <string.h>

#include "lib/base/duration.h"
#include "lib/base/status.h"
#include "sidecar/json/json_writer.h"

bool
alarm_is_name(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t len = strlen(text);

	return len >= 1 && len <= STATE_ALARM_NAME_MAX && strspn(text, allowed) == len;
}

static int
emit_alarm(void *context, const char *name, size_t name_len, const char *text,
	size_t text_len, uint64_t raised_ms, struct reason *reason)
{
	char copy[STATE_ALARM_TEXT_MAX + 1], raised[DURATION_TEXT_MAX];
	struct json_writer *emit = context;

	if (name_len > STATE_ALARM_NAME_MAX || text_len > STATE_ALARM_TEXT_MAX)
		return reason_set(reason, STATUS_CORRUPT, "state: damaged value in table A");
	json_writer_begin(emit, '{');
	memcpy(copy, name, name_len);
	copy[name_len] = '\0';
	json_writer_member(emit, "name", copy);
	memcpy(copy, text, text_len);
	copy[text_len] = '\0';
	json_writer_member(emit, "text", copy);
	duration_write_time(raised_ms, raised);
	json_writer_member(emit, "raised", raised);
	json_writer_end(emit, '}');
	return STATUS_OK;
}

int
alarm_emit_all(struct json_writer *emit, struct state_txn *txn, struct reason *reason)
{
	int status;

	json_writer_member_begin(emit, "alarms", '[');
	status = state_walk_alarms(txn, emit_alarm, emit, reason);
	json_writer_end(emit, ']');
	return status;
}
