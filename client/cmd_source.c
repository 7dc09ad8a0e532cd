/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * apply: a source's desired state from a file, and the difference that it made. heartbeat: every
 * lease of a source renewed.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "client/call.h"
#include "client/command.h"
#include "client/input.h"
#include "client/output.h"

enum command_exit
cmd_apply(const struct command_line *line)
{
	const char *source = command_value(line, "source");
	const char *origin = command_value(line, "origin");
	const char *lease = command_value(line, "lease");
	struct json_object *rrsets, *body;
	struct api_request request = { .method = "PUT", .timeout_s = API_BULK_TIMEOUT_S };
	uint64_t max_delete = 50;
	enum command_exit result;
	char path[256];

	if (!source)
		return command_misuse(line, "--source is missing: whose state is this?");
	result = input_check_source(source);
	if (!result)
		result = input_check_lease(lease);
	if (!result)
		result = command_number(line, "max-delete", 0, 100, &max_delete);
	if (!result)
		result = input_read_rrsets(line->argument[0], origin ? origin : ".", &rrsets);
	if (result)
		return result;
	body = json_object_new_object();
	json_object_object_add(body, "rrsets", rrsets);
	if (lease)
		json_object_object_add(body, "lease", json_object_new_string(lease));
	snprintf(path, sizeof(path), "/v1/sources/%s?max-delete=%u%s%s", source,
		(unsigned)max_delete, command_has(line, "dry-run") ? "&dry-run=true" : "",
		command_has(line, "force") ? "&force=true" : "");
	request.path = path;
	return call_and_show(line, &request, body, output_applied,
		command_has(line, "dry-run") ? "dry run, nothing written" : "applied");
}

static void
print_renewed(struct json_object *reply)
{
	const unsigned long long renewed = output_number(reply, "renewed");

	printf("%llu lease%s renewed, revision %llu\n", renewed, renewed == 1 ? "" : "s",
		output_number(reply, "revision"));
}

enum command_exit
cmd_heartbeat(const struct command_line *line)
{
	const char *source = line->argument[0];
	char path[128];
	struct api_request request = { .method = "POST", .path = path };

	if (input_check_source(source))
		return COMMAND_USAGE;
	snprintf(path, sizeof(path), "/v1/sources/%s/heartbeat", source);
	return call_and_show(line, &request, NULL, print_renewed, NULL);
}
