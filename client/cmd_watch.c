/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * watch: changes as they come, by long polls, until interrupted.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"
#include "client/input.h"
#include "client/output.h"

#define WATCH_WAIT_S 30
#define ZONE_MAX 1024 /* a name with every octet as \DDD */

static enum command_exit find_start(struct api *api, uint64_t *out);
static void print_reply(const struct command_line *line, struct json_object *reply);
static void print_change(struct json_object *change);

enum command_exit
cmd_watch(const struct command_line *line)
{
	enum command_exit result;
	const char *zone = command_value(line, "zone");
	char escaped[3 * ZONE_MAX + 1] = "";
	uint64_t since = 0;
	struct api *api;

	if (zone && strlen(zone) > ZONE_MAX)
		return command_misuse(line, "the zone is too long");
	if (zone)
		input_escape(zone, escaped);
	result = command_number(line, "since", 0, INT64_MAX, &since);
	if (!result)
		result = call_open(line, &api);
	if (result)
		return result;
	if (!command_has(line, "since"))
		result = find_start(api, &since);
	while (result == COMMAND_OK) {
		char path[3 * ZONE_MAX + 128];
		struct api_request request = { .method = "GET", .path = path,
			.timeout_s = WATCH_WAIT_S + API_TIMEOUT_S };
		struct json_object *reply;

		snprintf(path, sizeof(path), "/v1/changes?since=%llu&wait=%ds%s%s%s",
			(unsigned long long)since, WATCH_WAIT_S,
			command_has(line, "values") ? "&values=true" : "",
			zone ? "&zone=" : "", escaped);
		result = call_send(api, &request, &reply);
		if (result)
			break;
		print_reply(line, reply);
		since = output_number(reply, "revision");
		json_object_put(reply);
		if (fflush(stdout) != 0)
			result = COMMAND_REFUSED;
	}
	api_close(api);
	return result;
}

/* The store's present revision. */
static enum command_exit
find_start(struct api *api, uint64_t *out)
{
	struct api_request request = { .method = "GET", .path = "/v1/zones" };
	struct json_object *reply;
	enum command_exit result = call_send(api, &request, &reply);

	if (result)
		return result;
	*out = output_number(reply, "revision");
	json_object_put(reply);
	return COMMAND_OK;
}

static void
print_reply(const struct command_line *line, struct json_object *reply)
{
	struct json_object *changes = output_array(reply, "changes");
	size_t count = output_count(changes);
	bool reset = output_flag(reply, "reset");

	if (command_has(line, "json")) {
		if (reset || count > 0)
			output_json(reply);
		return;
	}
	if (reset)
		printf("%llu reset: too much changed to list, read the zones again\n",
			output_number(reply, "revision"));
	for (size_t i = 0; i < count; i++)
		print_change(json_object_array_get_idx(changes, i));
}

static void
print_change(struct json_object *change)
{
	struct json_object *items = output_array(change, "changes");

	for (size_t i = 0; i < output_count(items); i++) {
		struct json_object *item = json_object_array_get_idx(items, i);

		if (*output_text(change, "caller")) {
			output_change(stdout, change, item);
			continue;
		}
		printf("%llu %s %s %s\n",
			output_number(change, "revision"),
			output_text(item, "op"), output_text(item, "name"),
			output_text(item, "type"));
	}
}
