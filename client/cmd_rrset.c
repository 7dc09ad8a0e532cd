/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * put, get, delete: one RRset, or those at one name.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "client/call.h"
#include "client/command.h"
#include "client/input.h"
#include "client/output.h"
#include "lib/dns/rrset.h"

static struct json_object *make_rrset(const struct command_line *line, uint64_t ttl);
static enum command_exit send_rrset(const struct command_line *line,
	const struct input_target *target, struct json_object *take_rrset);
static struct json_object *make_batch(const struct command_line *line,
	const struct input_target *target, const char *verb, struct json_object *take_rrset,
	uint64_t revision);
static void add_text(struct json_object *json, const char *key, const char *value);

#define TTL_UNSET UINT64_MAX

enum command_exit
cmd_put(const struct command_line *line)
{
	const char *source = command_value(line, "source");
	uint64_t ttl = TTL_UNSET, revision;
	enum command_exit result;
	struct input_target target;

	result = input_read_target(line->argument[0], line->argument[1], &target);
	if (!result && source)
		result = input_check_source(source);
	if (!result)
		result = input_check_lease(command_value(line, "lease"));
	if (!result)
		result = command_number(line, "ttl", 0, RRSET_TTL_MAX, &ttl);
	if (!result)
		result = command_number(line, "if-revision", 0, INT64_MAX, &revision);
	if (result)
		return result;
	if (command_has(line, "create") && command_has(line, "if-revision"))
		return command_misuse(line, "--create and --if-revision exclude each other");
	return send_rrset(line, &target, make_rrset(line, ttl));
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

enum command_exit
cmd_get(const struct command_line *line)
{
	const char *type = line->count > 1 ? line->argument[1] : NULL;
	char path[INPUT_PATH_MAX], escaped[3 * PRESENTATION_NAME_MAX];
	struct api_request request = { .method = "GET", .path = path };
	struct output_table table = { 0 };
	struct json_object *reply, *rrsets;
	enum command_exit result;
	struct input_target target;
	size_t count;

	result = input_read_target(line->argument[0], type, &target);
	if (result)
		return result;
	input_escape(target.name, escaped);
	snprintf(path, sizeof(path), "/v1/rrsets?name=%s%s%s", escaped, type ? "&type=" : "",
		target.type);
	result = call(line, &request, &reply);
	if (result)
		return result;
	rrsets = output_array(reply, "rrsets");
	count = output_count(rrsets);
	if (count == 0) {
		command_complain("%s%s%s: no such RRset", target.name, type ? " " : "",
			target.type);
		result = COMMAND_REFUSED;
	} else if (command_has(line, "json")) {
		output_json(type ? json_object_array_get_idx(rrsets, 0) : reply);
	} else {
		for (size_t i = 0; i < count; i++)
			output_rrset(&table, json_object_array_get_idx(rrsets, i));
		output_table(stdout, &table);
	}
	json_object_put(reply);
	return result;
}

enum command_exit
cmd_delete(const struct command_line *line)
{
	struct input_target target;
	enum command_exit result = input_read_target(line->argument[0], line->argument[1], &target);

	return result ? result : send_rrset(line, &target, NULL);
}

/* Writes the RRset, whose data is `take_rrset` without name and type, or deletes it (NULL). A name
 * that cannot stand in a URL goes through a batch of one change. */
static enum command_exit
send_rrset(const struct command_line *line, const struct input_target *target,
	struct json_object *take_rrset)
{
	bool is_put = take_rrset != NULL;
	char path[INPUT_PATH_MAX], what[PRESENTATION_NAME_MAX + 32], tag[32];
	struct api_request request = {
		.method = is_put ? "PUT" : "DELETE",
		.path = path,
		.if_match = command_has(line, "if-revision") ? tag : NULL,
		.if_absent = command_has(line, "create"),
	};
	uint64_t revision = 0;

	if (command_number(line, "if-revision", 0, INT64_MAX, &revision)) {
		json_object_put(take_rrset);
		return COMMAND_USAGE;
	}
	snprintf(what, sizeof(what), "%s %s %s", is_put ? "put" : "deleted", target->name,
		target->type);
	if (!input_fits_path(target->name)) {
		request = (struct api_request){ .method = "POST", .path = "/v1/batch" };
		return call_and_show(line, &request,
			make_batch(line, target, is_put ? "put" : "delete", take_rrset,
				revision),
			NULL, what);
	}
	snprintf(path, sizeof(path), "/v1/rrsets/%s/%s", target->name, target->type);
	snprintf(tag, sizeof(tag), "\"%llu\"", (unsigned long long)revision);
	return call_and_show(line, &request, take_rrset, NULL, what);
}

/* {"changes":[{"<verb>":<rrset>}]} */
static struct json_object *
make_batch(const struct command_line *line, const struct input_target *target, const char *verb,
	struct json_object *take_rrset, uint64_t revision)
{
	struct json_object *batch = json_object_new_object();
	struct json_object *changes = json_object_new_array();
	struct json_object *change = json_object_new_object();
	struct json_object *rrset = take_rrset ? take_rrset : json_object_new_object();

	add_text(rrset, "name", target->name);
	add_text(rrset, "type", target->type);
	if (command_has(line, "create"))
		json_object_object_add(rrset, "if-absent", json_object_new_boolean(1));
	if (command_has(line, "if-revision"))
		json_object_object_add(rrset, "if-revision",
			json_object_new_int64((int64_t)revision));
	json_object_object_add(change, verb, rrset);
	json_object_array_add(changes, change);
	json_object_object_add(batch, "changes", changes);
	return batch;
}
