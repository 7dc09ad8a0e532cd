/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Alarms: one that was understood is ended. Status shows those that stand.
 */
#include "sidecar/api/api_alarms.h"

#include "sidecar/api/alarm.h"
#include "sidecar/api/api.h"
#include "sidecar/json/json_writer.h"
#include "lib/base/log.h"

void
api_alarms_delete(struct api_call *call)
{
	const char *name = call->variable[0];
	struct change_result result = { .item = CHANGE_WHOLE };
	char who[AUTH_NAME_MAX];
	struct reason reason;
	struct json_writer emit;

	if (!auth_may_all(&call->identity, CREDENTIALS_ADMIN, call->zones, &reason)) {
		problem_set(call->reply, PROBLEM_FORBIDDEN, NULL, "%s", reason.text);
		return;
	}
	if (!alarm_is_name(name)) {
		problem_set(call->reply, PROBLEM_NOT_FOUND, NULL, "there is no such alarm");
		return;
	}
	alarm_acknowledge(call->api->writer, name, &result);
	if (!api_answer_outcome(call, &result))
		return;
	auth_write_name(&call->identity, who);
	log_line(LOG_LEVEL_INFO, "audit: %s acknowledge alarm %s", who, name);
	api_begin_written(call, &result, &emit);
	json_writer_end(&emit, '}');
}
