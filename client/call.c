/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Requests and replies as commands see them.
 */
#include "client/call.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "client/output.h"
#include "lib/config/config.h"
#include "lib/base/status.h"

#define TOKEN_MAX 512 /* livezoned's own are 43 bytes; a whole file is a mistake */

static char *find_address(const struct command_line *line, struct reason *reason);
static char *address_of_config(const struct config *config, struct reason *reason);
static enum command_exit read_token(const struct command_line *line,
	char token[TOKEN_MAX], const char **out);
static void complain_problem(const struct api_reply *reply);

enum command_exit
call_open(const struct command_line *line, struct api **out)
{
	struct reason reason = { "" };
	char buffer[TOKEN_MAX];
	const char *token;
	char *address;
	int status;

	if (read_token(line, buffer, &token))
		return COMMAND_REFUSED;
	address = find_address(line, &reason);
	if (!address) {
		command_complain("%s\n  --api or LIVEZONE_API names the API of livezoned",
			reason.text);
		return COMMAND_UNREACHABLE;
	}
	status = api_open(address, token, out, &reason);
	free(address);
	if (status) {
		command_complain("%s", reason.text);
		return status == STATUS_INVALID ? COMMAND_USAGE : COMMAND_UNREACHABLE;
	}
	return COMMAND_OK;
}

enum command_exit
call_send(struct api *api, const struct api_request *request, struct json_object **out)
{
	struct reason reason = { "" };
	struct api_reply reply;
	enum command_exit result = COMMAND_OK;
	struct json_object *json = NULL;
	int status = api_send(api, request, &reply, &reason);

	if (status) {
		command_complain("%s", reason.text);
		return status == STATUS_UNAVAILABLE ? COMMAND_UNREACHABLE : COMMAND_REFUSED;
	}
	if (reply.status / 100 != 2) {
		complain_problem(&reply);
		result = COMMAND_REFUSED;
	} else if (!request->sink) {
		json = reply.body ? json_tokener_parse(reply.body) : NULL;
		if (!json_object_is_type(json, json_type_object)) {
			command_complain("the reply is not a JSON object: is this livezoned?");
			result = COMMAND_REFUSED;
		}
	}
	api_reply_done(&reply);
	if (result || !out) {
		json_object_put(json);
		return result;
	}
	*out = json;
	return COMMAND_OK;
}

enum command_exit
call(const struct command_line *line, const struct api_request *request,
	struct json_object **out)
{
	struct api *api;
	enum command_exit result = call_open(line, &api);

	if (result)
		return result;
	result = call_send(api, request, out);
	api_close(api);
	return result;
}

enum command_exit
call_and_show(const struct command_line *line, struct api_request *request,
	struct json_object *take_body, void (*print)(struct json_object *reply),
	const char *what)
{
	struct json_object *reply;
	enum command_exit result;

	if (take_body) {
		request->body = json_object_to_json_string_length(take_body,
			JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
			&request->body_len);
		request->content_type = "application/json";
	}
	result = call(line, request, &reply);
	json_object_put(take_body);
	if (result)
		return result;
	if (command_has(line, "json"))
		output_json(reply);
	else if (print)
		print(reply);
	if (what && !command_has(line, "json"))
		printf("%s, revision %llu\n", what, output_number(reply, "revision"));
	if (json_object_object_get_ex(reply, "served", NULL) && !output_flag(reply, "served"))
		command_complain("stored for good, but DNS does not serve it yet: %s",
			output_text(reply, "reason"));
	json_object_put(reply);
	return COMMAND_OK;
}

/* Malloced, or NULL with the reason. */
static char *
find_address(const struct command_line *line, struct reason *reason)
{
	const char *given = command_value(line, "api");
	struct config *config;
	char *address;

	if (!given)
		given = getenv("LIVEZONE_API");
	if (given && *given)
		return strdup(given);
	if (config_read(config_path(command_value(line, "config")), &config, reason))
		return NULL;
	address = address_of_config(config, reason);
	config_free(config);
	return address;
}

static char *
address_of_config(const struct config *config, struct reason *reason)
{
	char *address = NULL;
	int len = -1;

	if (config->api.unix_path)
		len = asprintf(&address, "unix:%s", config->api.unix_path);
	else if (config->api.tcp)
		len = asprintf(&address, "http://%s", config->api.tcp);
	else
		reason_set(reason, STATUS_NOT_FOUND, "%s has neither api.unix nor api.tcp",
			config->path);
	return len < 0 ? NULL : address;
}

/* *out is NULL when no token is given: a unix socket needs none. */
static enum command_exit
read_token(const struct command_line *line, char token[TOKEN_MAX], const char **out)
{
	const char *path = command_value(line, "token-file");
	FILE *file;
	bool got_line;

	*out = getenv("LIVEZONE_TOKEN");
	if (*out && !**out)
		*out = NULL;
	if (!path)
		return COMMAND_OK;
	file = fopen(path, "re");
	if (!file) {
		command_complain("%s: %s", path, strerror(errno));
		return COMMAND_REFUSED;
	}
	got_line = fgets(token, TOKEN_MAX, file) != NULL;
	fclose(file);
	if (got_line)
		token[strcspn(token, " \t\r\n")] = '\0';
	if (!got_line || !*token) {
		command_complain("%s: no token in the first line", path);
		return COMMAND_REFUSED;
	}
	*out = token;
	return COMMAND_OK;
}

/* RFC 9457: the path of the fault, what is wrong, and what to do. */
static void
complain_problem(const struct api_reply *reply)
{
	struct json_object *problem = reply->body ? json_tokener_parse(reply->body) : NULL;
	const char *detail = output_text(problem, "detail");
	const char *path = output_text(problem, "path");
	const char *cure = "";

	if (reply->status == 401)
		cure = "\n  LIVEZONE_TOKEN or --token-file gives a token";
	else if (reply->status == 409)
		cure = "\n  --force does it anyway";
	else if (reply->status == 412)
		cure = "\n  it has changed: read it again first";
	else if (reply->status == 503)
		cure = "\n  try again in a moment";
	if (*detail)
		command_complain("%s%s%s%s", path, *path ? ": " : "", detail, cure);
	else
		command_complain("livezoned answers with status %ld%s", reply->status, cure);
	json_object_put(problem);
}
