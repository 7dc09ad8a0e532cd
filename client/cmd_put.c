/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * put: write one RRset. A name that cannot stand in a URL goes through a batch.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "client/call.h"
#include "client/cmd.h"
#include "client/output.h"
#include "client/target.h"
#include "lib/dns/rrset.h"

static struct json_object *make_rrset(const struct command_line *line, uint64_t ttl);
static void add_text(struct json_object *json, const char *key, const char *value);
static enum command_exit put_by_path(const struct command_line *line,
	const struct target *target, struct json_object *rrset, struct json_object **out);
static enum command_exit put_by_batch(const struct command_line *line,
	const struct target *target, struct json_object *rrset, struct json_object **out);

#define TTL_UNSET UINT64_MAX

enum command_exit
cmd_put(const struct command_line *line)
{
	const char *source = command_value(line, "source");
	char what[PRESENTATION_NAME_MAX + 32];
	uint64_t ttl = TTL_UNSET, revision;
	struct json_object *reply, *rrset;
	enum command_exit result;
	struct target target;

	result = target_read(line->argument[0], line->argument[1], &target);
	if (!result && source)
		result = target_check_source(source);
	if (!result)
		result = target_check_lease(command_value(line, "lease"));
	if (!result)
		result = command_number(line, "ttl", 0, RRSET_TTL_MAX, &ttl);
	if (!result)
		result = command_number(line, "if-revision", 0, INT64_MAX, &revision);
	if (result)
		return result;
	if (command_has(line, "create") && command_has(line, "if-revision"))
		return command_misuse(line, "--create and --if-revision exclude each other");
	rrset = make_rrset(line, ttl);
	if (target_fits_path(target.name))
		result = put_by_path(line, &target, rrset, &reply);
	else
		result = put_by_batch(line, &target, rrset, &reply);
	if (result)
		return result;
	snprintf(what, sizeof(what), "put %s %s", target.name, target.type);
	call_print_written(line, reply, what);
	json_object_put(reply);
	return COMMAND_OK;
}

static struct json_object *
make_rrset(const struct command_line *line, uint64_t ttl)
{
	struct json_object *rrset = json_object_new_object();
	struct json_object *records = json_object_new_array();

	for (int i = 2; i < line->count; i++)
		json_object_array_add(records, json_object_new_string(line->argument[i]));
	json_object_object_add(rrset, "records", records);
	if (ttl != TTL_UNSET)
		json_object_object_add(rrset, "ttl", json_object_new_int64((int64_t)ttl));
	add_text(rrset, "source", command_value(line, "source"));
	add_text(rrset, "lease", command_value(line, "lease"));
	return rrset;
}

static void
add_text(struct json_object *json, const char *key, const char *value)
{
	if (value)
		json_object_object_add(json, key, json_object_new_string(value));
}

static enum command_exit
put_by_path(const struct command_line *line, const struct target *target,
	struct json_object *rrset, struct json_object **out)
{
	const char *revision = command_value(line, "if-revision");
	char path[TARGET_PATH_MAX], tag[32];
	struct api_request request = {
		.method = "PUT",
		.path = path,
		.if_match = revision ? tag : NULL,
		.if_absent = command_has(line, "create"),
	};

	snprintf(path, sizeof(path), "/v1/rrsets/%s/%s", target->name, target->type);
	snprintf(tag, sizeof(tag), "\"%s\"", revision ? revision : "");
	return call_with_json(line, &request, rrset, out);
}

static enum command_exit
put_by_batch(const struct command_line *line, const struct target *target,
	struct json_object *rrset, struct json_object **out)
{
	struct api_request request = { .method = "POST", .path = "/v1/batch" };
	uint64_t revision;

	add_text(rrset, "name", target->name);
	add_text(rrset, "type", target->type);
	if (command_has(line, "create"))
		json_object_object_add(rrset, "if-absent", json_object_new_boolean(1));
	if (command_has(line, "if-revision")) {
		command_number(line, "if-revision", 0, INT64_MAX, &revision);
		json_object_object_add(rrset, "if-revision",
			json_object_new_int64((int64_t)revision));
	}
	return call_with_json(line, &request, call_make_batch("put", rrset), out);
}
