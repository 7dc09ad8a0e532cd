/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * status: livezoned, its store and the Unbounds that serve it, for people. acknowledge: an alarm
 * that was understood is ended.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "client/call.h"
#include "client/command.h"
#include "client/output.h"

static void print_status(struct json_object *status);
static void print_alarms(struct json_object *alarms);
static void print_daemon(struct json_object *status);
static void print_backup(struct json_object *backup);
static void print_unbound(struct json_object *unbound, uint64_t serve_revision);
static void print_answers(struct json_object *zones);

enum command_exit
cmd_status(const struct command_line *line)
{
	struct api_request request = { .method = "GET", .path = "/v1/status" };

	return call_and_show(line, &request, NULL, print_status, NULL);
}

static void
print_status(struct json_object *status)
{
	struct json_object *unbounds = output_array(status, "unbounds");
	size_t count = output_count(unbounds);

	print_alarms(output_array(status, "alarms"));
	print_daemon(status);
	print_backup(output_object(status, "backup"));
	if (output_number(output_object(status, "log"), "lost") > 0)
		printf("log         %llu LINES LOST: nobody read them\n",
			output_number(
				output_object(status, "log"), "lost"));
	for (size_t i = 0; i < count; i++)
		print_unbound(json_object_array_get_idx(unbounds, i),
			output_number(output_object(status, "serve"), "revision"));
	if (count == 0)
		puts("unbound     none reports: is one running with livezone.so? (livezone(8))");
}

static void
print_alarms(struct json_object *alarms)
{
	for (size_t i = 0; i < output_count(alarms); i++) {
		struct json_object *alarm = json_object_array_get_idx(alarms, i);

		printf("ALARM       %s, since %s: %s\n", output_text(alarm, "name"),
			output_text(alarm, "raised"), output_text(alarm, "text"));
	}
}

static const char *
plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static void
print_daemon(struct json_object *status)
{
	struct json_object *state = output_object(status, "state");
	struct json_object *serve = output_object(status, "serve");
	struct json_object *writer = output_object(status, "writer");
	bool ready = output_flag(status, "ready"), current = output_flag(serve, "current");
	char uptime[32], used[32], size[32];

	output_duration(output_text(status, "uptime"), uptime);
	output_bytes(output_number(state, "map-used"), used);
	output_bytes(output_number(state, "map-size"), size);
	printf("livezoned   %s, up %s, %s%s\n", output_text(status, "version"), uptime,
		ready ? "ready" : "NOT READY: ", output_text(status, "reason"));
	printf("state       revision %llu, %llu RRset%s, %s of %s\n",
		output_number(state, "revision"),
		output_number(state, "rrsets"),
		plural(output_number(state, "rrsets")), used, size);
	printf("serve       revision %llu, %s%s\n",
		output_number(serve, "revision"),
		current ? "current" : "BEHIND: ", output_text(serve, "reason"));
	printf("writer      %llu change%s in %llu commit%s, %llu waiting\n",
		output_number(writer, "changes"),
		plural(output_number(writer, "changes")),
		output_number(writer, "commits"),
		plural(output_number(writer, "commits")),
		output_number(writer, "queued"));
}

static void
print_backup(struct json_object *backup)
{
	struct json_object *newest = output_object(backup, "newest");
	const char *error = output_text(backup, "error");
	char age[32];

	if (newest) {
		output_duration(output_text(newest, "age"), age);
		printf("backup      revision %llu, %s old, %s/%s\n",
			output_number(newest, "revision"), age,
			output_text(backup, "directory"), output_text(newest, "name"));
	} else if (output_flag(backup, "enabled")) {
		puts("backup      none yet");
	} else {
		puts("backup      off");
	}
	if (*error)
		printf("            FAILED: %s\n", error);
}

static void
print_unbound(struct json_object *unbound, uint64_t serve_revision)
{
	uint64_t revision = output_number(unbound, "revision");
	const char *reason = output_text(unbound, "reason");
	struct json_object *of_kind = output_object(unbound, "trips");
	struct json_object *snapshot = output_object(unbound, "snapshot");
	uint64_t trips;
	char age[32], size[32];

	output_duration(output_text(unbound, "age"), age);
	printf("unbound     pid %llu, %s, %llu workers, store %s%s%s, reported %s ago\n",
		output_number(unbound, "pid"),
		output_text(unbound, "version"),
		output_number(unbound, "workers"),
		output_text(unbound, "store"), *reason ? ": " : "", reason, age);
	printf("            revision %llu%s\n", (unsigned long long)revision,
		revision < serve_revision ? ", when it reported" : "");
	if (snapshot) {
		output_bytes(output_number(snapshot, "size"), size);
		output_duration(output_text(snapshot, "age"), age);
		printf("            snapshot of revision %llu, %s, last equal %s ago\n",
			output_number(snapshot, "revision"), size, age);
	}
	if (*output_text(unbound, "warning"))
		printf("            WARNING: %s\n", output_text(unbound, "warning"));
	if (output_number(unbound, "crashes") > 0)
		printf("            %llu UNCLEAN EXITS A SHORT TIME AGO\n",
			output_number(unbound, "crashes"));
	if (output_number(unbound, "corrupt") > 0)
		printf("            %llu VALUES FAILED THEIR CHECKS\n",
			output_number(unbound, "corrupt"));
	trips = output_number(of_kind, "sigbus") + output_number(of_kind, "sigsegv")
		+ output_number(of_kind, "assert");
	if (trips > 0)
		printf("            %llu READS OF A DAMAGED SERVE SURVIVED\n",
			(unsigned long long)trips);
	print_answers(output_array(unbound, "zones"));
}

static void
print_answers(struct json_object *zones)
{
	static const char *const keys[] = { "live", "stale", "fallback", "next", "failed",
		"nodata", "nxdomain" };
	static const char *const heading[] = { "            ZONE", "LIVE", "STALE",
		"FALLBACK", "NEXT", "FAILED", "NODATA", "NXDOMAIN" };
	struct output_table table = { 0 };

	if (output_count(zones) == 0)
		return;
	output_row(&table, 8, heading);
	for (size_t i = 0; i < output_count(zones); i++) {
		struct json_object *zone = json_object_array_get_idx(zones, i);
		char text[7][24], name[300];
		const char *cells[8] = { name };

		snprintf(name, sizeof(name), "            %s", output_text(zone, "name"));
		for (size_t k = 0; k < 7; k++) {
			snprintf(text[k], sizeof(text[k]), "%llu",
				output_number(zone, keys[k]));
			cells[k + 1] = text[k];
		}
		output_row(&table, 8, cells);
	}
	output_table(stdout, &table);
}

#define NAME_MAX_LEN 32 /* as sidecar/state/state.h has it; livezoned checks */

enum command_exit
cmd_acknowledge(const struct command_line *line)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	const char *name = line->argument[0];
	char path[64], what[64];
	struct api_request request = { .method = "DELETE", .path = path };

	if (!*name || strlen(name) > NAME_MAX_LEN || name[strspn(name, allowed)]) {
		command_complain("\"%.80s\" is not the name of an alarm", name);
		return COMMAND_USAGE;
	}
	snprintf(path, sizeof(path), "/v1/alarms/%s", name);
	snprintf(what, sizeof(what), "alarm %s acknowledged", name);
	return call_and_show(line, &request, NULL, NULL, what);
}
