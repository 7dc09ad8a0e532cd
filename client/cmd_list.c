/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * list: all RRsets of a zone or of every zone; the zones; the sources.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "client/call.h"
#include "client/command.h"
#include "client/output.h"
#include "client/input.h"

static void print_zones(struct json_object *reply);
static void print_sources(struct json_object *reply);
static void number_text(struct json_object *json, const char *key, char out[24]);
static enum command_exit list_zone(const struct command_line *line, const char *zone);
static enum command_exit list_everything(const struct command_line *line);
static enum command_exit list_each(const struct command_line *line, struct api *api,
	struct json_object *zones, struct json_object *contents);
static void print_rrsets(struct json_object *content);

enum command_exit
cmd_list(const struct command_line *line)
{
	bool zones = command_has(line, "zones"), sources = command_has(line, "sources");
	struct api_request request = { .method = "GET",
		.path = zones ? "/v1/zones" : "/v1/sources" };

	if (zones + sources + line->count > 1)
		return command_misuse(line, "--zones, --sources and ZONE exclude each other");
	if (zones || sources)
		return call_and_show(line, &request, NULL, zones ? print_zones : print_sources,
			NULL);
	if (line->count > 0)
		return list_zone(line, line->argument[0]);
	return list_everything(line);
}

static void
print_zones(struct json_object *reply)
{
	static const char *const heading[] = { "ZONE", "RRSETS", "REVISION", "SERIAL",
		"TTL", "ON-MISS", "ON-FAILURE", "STALE" };
	struct json_object *zones = output_array(reply, "zones");
	struct output_table table = { 0 };

	output_row(&table, 8, heading);
	for (size_t i = 0; i < output_count(zones); i++) {
		struct json_object *zone = json_object_array_get_idx(zones, i);
		struct json_object *policy = output_object(zone, "policy");
		char count[24], revision[24], serial[24], ttl[24], stale[32];

		number_text(zone, "count", count);
		number_text(zone, "revision", revision);
		number_text(zone, "serial", serial);
		number_text(policy, "ttl", ttl);
		output_duration(output_text(policy, "stale"), stale);
		output_row(&table, 8,
			(const char *const[]){ output_text(zone, "name"), count, revision,
				serial, ttl, output_text(policy, "on-miss"),
				output_text(policy, "on-failure"), stale });
	}
	output_table(stdout, &table);
}

static void
print_sources(struct json_object *reply)
{
	static const char *const heading[] = { "SOURCE", "RRSETS", "REVISION", "WRITTEN",
		"HEARTBEAT" };
	struct json_object *sources = output_array(reply, "sources");
	struct output_table table = { 0 };

	output_row(&table, 5, heading);
	for (size_t i = 0; i < output_count(sources); i++) {
		struct json_object *source = json_object_array_get_idx(sources, i);
		const char *heartbeat = output_text(source, "heartbeat");
		char rrsets[24], revision[24];

		number_text(source, "rrsets", rrsets);
		number_text(source, "revision", revision);
		output_row(&table, 5,
			(const char *const[]){ output_text(source, "name"), rrsets,
				revision, output_text(source, "written"),
				*heartbeat ? heartbeat : "-" });
	}
	output_table(stdout, &table);
}

static void
number_text(struct json_object *json, const char *key, char out[24])
{
	snprintf(out, 24, "%llu", output_number(json, key));
}

static enum command_exit
list_zone(const struct command_line *line, const char *zone)
{
	char path[INPUT_PATH_MAX];
	struct api_request request = { .method = "GET", .path = path,
		.accept = "application/json", .timeout_s = API_BULK_TIMEOUT_S };
	enum command_exit result = input_zone_path(zone, path);

	return result ? result : call_and_show(line, &request, NULL, print_rrsets, NULL);
}

static enum command_exit
list_everything(const struct command_line *line)
{
	struct api_request request = { .method = "GET", .path = "/v1/zones" };
	struct json_object *reply = NULL, *contents = json_object_new_array();
	struct api *api;
	enum command_exit result = call_open(line, &api);

	if (result == COMMAND_OK) {
		result = call_send(api, &request, &reply);
		if (result == COMMAND_OK)
			result = list_each(line, api, output_array(reply, "zones"), contents);
		api_close(api);
	}
	if (result == COMMAND_OK && command_has(line, "json")) {
		json_object_object_add(reply, "zones", json_object_get(contents));
		output_json(reply);
	}
	json_object_put(contents);
	json_object_put(reply);
	return result;
}

/* Zone by zone, so that only one is in memory; with --json all of them are collected. */
static enum command_exit
list_each(const struct command_line *line, struct api *api, struct json_object *zones,
	struct json_object *contents)
{
	for (size_t i = 0; i < output_count(zones); i++) {
		char path[INPUT_PATH_MAX];
		struct api_request request = { .method = "GET", .path = path,
			.accept = "application/json", .timeout_s = API_BULK_TIMEOUT_S };
		const char *name =
			output_text(json_object_array_get_idx(zones, i), "name");
		enum command_exit result = input_zone_path(name, path);
		struct json_object *content;

		if (result == COMMAND_OK)
			result = call_send(api, &request, &content);
		if (result)
			return result;
		if (command_has(line, "json")) {
			json_object_array_add(contents, content);
			continue;
		}
		print_rrsets(content);
		json_object_put(content);
	}
	return COMMAND_OK;
}

static void
print_rrsets(struct json_object *content)
{
	struct json_object *rrsets = output_array(content, "rrsets");
	struct output_table table = { 0 };

	for (size_t i = 0; i < output_count(rrsets); i++)
		output_rrset(&table, json_object_array_get_idx(rrsets, i));
	output_table(stdout, &table);
}
