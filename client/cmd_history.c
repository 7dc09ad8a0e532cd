/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * history: what changed, a line for each RRset and change, the oldest first. rollback: what was
 * there at a revision, brought back by a new change.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"
#include "client/input.h"
#include "client/output.h"

#define QUERY_MAX 4096 /* five values of less than 256 octets, each three when escaped */

static bool append(char *query, const char *key, const char *text);
static void print_reply(const struct command_line *line, struct json_object *reply);

enum command_exit
cmd_history(const struct command_line *line)
{
	static const char *const keys[] = { "type", "zone", "until" };
	char query[QUERY_MAX] = "/v1/history?limit=1000";
	const char *since = command_value(line, "since");
	bool fits = !line->count || append(query, "name", line->argument[0]);
	char next[64];
	struct api *api;
	enum command_exit result;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (command_has(line, keys[i]))
			fits = fits && append(query, keys[i], command_value(line, keys[i]));
	if (!fits || (since && strlen(since) >= sizeof(next)))
		return command_misuse(line, "a value is too long");
	result = call_open(line, &api);
	if (result)
		return result;
	while (result == COMMAND_OK) {
		char path[QUERY_MAX + 256];
		struct api_request request = { .method = "GET", .path = path };
		struct json_object *reply;

		snprintf(path, sizeof(path), "%s", query);
		if (since)
			append(path, "since", since);
		result = call_send(api, &request, &reply);
		if (result)
			break;
		print_reply(line, reply);
		snprintf(next, sizeof(next), "%s", output_text(reply, "next"));
		since = next;
		json_object_put(reply);
		if (!*next)
			break;
	}
	api_close(api);
	return result;
}

/* False: it does not fit. */
static bool
append(char *query, const char *key, const char *text)
{
	const size_t used = strlen(query);
	char escaped[3 * 256 + 1];

	if (strlen(text) > 255 || used + strlen(key) + sizeof(escaped) + 2 > QUERY_MAX)
		return false;
	input_escape(text, escaped);
	sprintf(query + used, "&%s=%s", key, escaped);
	return true;
}

static void
print_reply(const struct command_line *line, struct json_object *reply)
{
	struct json_object *changes = output_array(reply, "changes");
	struct json_object *gaps = output_array(reply, "gaps");

	if (command_has(line, "json")) {
		output_json(reply);
		return;
	}
	for (size_t i = 0; i < output_count(gaps); i++) {
		struct json_object *gap = json_object_array_get_idx(gaps, i);

		printf("(revisions %llu to %llu are missing in the journal)\n",
			output_number(gap, "from"),
			output_number(gap, "to"));
	}
	for (size_t i = 0; i < output_count(changes); i++) {
		struct json_object *change = json_object_array_get_idx(changes, i);

		output_change(stdout, change, change);
	}
}

enum command_exit
cmd_rollback(const struct command_line *line)
{
	const char *revision = line->argument[0], *zone = command_value(line, "zone");
	const bool is_dry = command_has(line, "dry-run");
	struct json_object *body;
	struct api_request request = { .method = "POST", .timeout_s = API_BULK_TIMEOUT_S };
	char path[64];

	if (!*revision || strlen(revision) > 18
		|| strspn(revision, "0123456789") != strlen(revision))
		return command_misuse(line, "\"%s\" is not a revision", revision);
	body = json_object_new_object();
	json_object_object_add(body, "revision", json_object_new_int64(atoll(revision)));
	if (zone)
		json_object_object_add(body, "zone", json_object_new_string(zone));
	snprintf(path, sizeof(path), "/v1/rollback?dry-run=%s&force=%s", is_dry ? "true" : "false",
		command_has(line, "force") ? "true" : "false");
	request.path = path;
	return call_and_show(line, &request, body, output_applied,
		is_dry ? "dry run, nothing written" : "rolled back");
}
