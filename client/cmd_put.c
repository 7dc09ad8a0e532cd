/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * put: write one RRset.
 */
#include <json-c/json.h>

#include "client/call.h"
#include "client/command.h"
#include "client/input.h"
#include "lib/dns/rrset.h"

static struct json_object *make_rrset(const struct command_line *line, uint64_t ttl);
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
	return call_rrset(line, &target, make_rrset(line, ttl));
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
