/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * delete: remove one RRset. A name that cannot stand in a URL goes through a batch.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "client/call.h"
#include "client/cmd.h"
#include "client/target.h"

static enum command_exit delete_by_path(const struct command_line *line,
	const struct target *target, struct json_object **out);
static enum command_exit delete_by_batch(const struct command_line *line,
	const struct target *target, uint64_t revision, struct json_object **out);

enum command_exit
cmd_delete(const struct command_line *line)
{
	char what[PRESENTATION_NAME_MAX + 32];
	struct json_object *reply;
	enum command_exit result;
	struct target target;
	uint64_t revision = 0;

	result = target_read(line->argument[0], line->argument[1], &target);
	if (!result)
		result = command_number(line, "if-revision", 0, INT64_MAX, &revision);
	if (!result && target_fits_path(target.name))
		result = delete_by_path(line, &target, &reply);
	else if (!result)
		result = delete_by_batch(line, &target, revision, &reply);
	if (result)
		return result;
	snprintf(what, sizeof(what), "deleted %s %s", target.name, target.type);
	call_print_written(line, reply, what);
	json_object_put(reply);
	return COMMAND_OK;
}

static enum command_exit
delete_by_path(const struct command_line *line, const struct target *target,
	struct json_object **out)
{
	const char *revision = command_value(line, "if-revision");
	char path[TARGET_PATH_MAX], tag[32];
	struct api_request request = {
		.method = "DELETE",
		.path = path,
		.if_match = revision ? tag : NULL,
	};

	snprintf(path, sizeof(path), "/v1/rrsets/%s/%s", target->name, target->type);
	snprintf(tag, sizeof(tag), "\"%s\"", revision ? revision : "");
	return call(line, &request, out);
}

static enum command_exit
delete_by_batch(const struct command_line *line, const struct target *target,
	uint64_t revision, struct json_object **out)
{
	struct api_request request = { .method = "POST", .path = "/v1/batch" };
	struct json_object *rrset = json_object_new_object();

	json_object_object_add(rrset, "name", json_object_new_string(target->name));
	json_object_object_add(rrset, "type", json_object_new_string(target->type));
	if (command_has(line, "if-revision"))
		json_object_object_add(rrset, "if-revision",
			json_object_new_int64((int64_t)revision));
	return call_with_json(line, &request, call_make_batch("delete", rrset), out);
}
