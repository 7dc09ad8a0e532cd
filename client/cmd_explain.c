/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * explain: the steps of a look-up, then its answer as dig prints one.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/call.h"
#include "client/command.h"
#include "client/output.h"
#include "client/input.h"

static void print_reply(struct json_object *reply);
static void print_steps(struct json_object *reply);
static void print_step(struct json_object *step);
static void print_message(struct json_object *reply, struct json_object *message);
static void print_section(const char *title, struct json_object *rrsets);
static size_t count_records(struct json_object *rrsets);

enum command_exit
cmd_explain(const struct command_line *line)
{
	char path[INPUT_PATH_MAX], escaped[3 * PRESENTATION_NAME_MAX];
	struct api_request request = { .method = "GET", .path = path };
	bool is_any = strcasecmp(line->argument[1], "ANY") == 0;
	enum command_exit result;
	struct input_target target;

	/* ANY can be asked, not stored */
	result = input_read_target(
		line->argument[0], is_any ? NULL : line->argument[1], &target);
	if (result)
		return result;
	input_escape(target.name, escaped);
	snprintf(path, sizeof(path), "/v1/explain?name=%s&type=%s", escaped,
		is_any ? "ANY" : target.type);
	return call_and_show(line, &request, NULL, print_reply, NULL);
}

static void
print_reply(struct json_object *reply)
{
	struct json_object *message = output_object(reply, "message");

	print_steps(reply);
	if (message)
		print_message(reply, message);
}

static void
print_steps(struct json_object *reply)
{
	struct json_object *steps = output_array(reply, "steps");
	size_t count = output_count(steps);

	output_safe(stdout, output_text(reply, "name"));
	putchar(' ');
	output_safe(stdout, output_text(reply, "type"));
	printf(", revision %llu\n", output_number(reply, "revision"));
	for (size_t i = 0; i < count; i++)
		print_step(json_object_array_get_idx(steps, i));
	fputs("  stage ", stdout);
	output_safe(stdout, output_text(reply, "stage"));
	fputs(", outcome ", stdout);
	output_safe(stdout, output_text(reply, "outcome"));
	putchar('\n');
}

/* Each link of a chain begins at the margin. */
static void
print_step(struct json_object *step)
{
	bool is_first = strcmp(output_text(step, "event"), "zone") == 0;
	struct json_object *policy = output_object(step, "policy");

	fputs(is_first ? "  " : "    ", stdout);
	output_safe(stdout, output_text(step, "text"));
	if (policy) {
		json_object_object_foreach(policy, key, value)
		{
			fputs("; ", stdout);
			output_safe(stdout, key);
			fputs(": ", stdout);
			output_safe(stdout, json_object_get_string(value));
		}
	}
	if (*output_text(step, "source")) {
		fputs(" (source ", stdout);
		output_safe(stdout, output_text(step, "source"));
		printf(", revision %llu",
			output_number(step, "revision"));
		if (*output_text(step, "lease-left")) {
			fputs(", lease left ", stdout);
			output_safe(stdout, output_text(step, "lease-left"));
		}
		putchar(')');
	}
	putchar('\n');
}

static void
print_message(struct json_object *reply, struct json_object *message)
{
	struct json_object *flags = output_array(message, "flags");
	struct json_object *answer = output_array(message, "answer");
	struct json_object *authority = output_array(message, "authority");
	struct json_object *additional = output_array(message, "additional");
	size_t count = output_count(flags);

	fputs("\n;; ->>HEADER<<- opcode: QUERY, status: ", stdout);
	output_safe(stdout, output_text(message, "rcode"));
	fputs("\n;; flags:", stdout);
	for (size_t i = 0; i < count; i++) {
		putchar(' ');
		output_safe(stdout,
			json_object_get_string(json_object_array_get_idx(flags, i)));
	}
	printf("; QUERY: 1, ANSWER: %zu, AUTHORITY: %zu, ADDITIONAL: %zu\n",
		count_records(answer), count_records(authority),
		count_records(additional));
	fputs("\n;; QUESTION SECTION:\n;", stdout);
	output_safe(stdout, output_text(reply, "name"));
	fputs("\tIN\t", stdout);
	output_safe(stdout, output_text(reply, "type"));
	putchar('\n');
	print_section("ANSWER", answer);
	print_section("AUTHORITY", authority);
	print_section("ADDITIONAL", additional);
}

static void
print_section(const char *title, struct json_object *rrsets)
{
	if (count_records(rrsets) == 0)
		return;
	printf("\n;; %s SECTION:\n", title);
	for (size_t i = 0; i < output_count(rrsets); i++) {
		struct json_object *rrset = json_object_array_get_idx(rrsets, i);
		struct json_object *records = output_array(rrset, "records");
		size_t count = output_count(records);

		for (size_t k = 0; k < count; k++) {
			const char *record = json_object_get_string(
				json_object_array_get_idx(records, k));

			output_safe(stdout, output_text(rrset, "name"));
			printf("\t%llu\tIN\t",
				output_number(rrset, "ttl"));
			output_safe(stdout, output_text(rrset, "type"));
			putchar('\t');
			output_safe(stdout, record ? record : "");
			putchar('\n');
		}
	}
}

static size_t
count_records(struct json_object *rrsets)
{
	size_t found = 0, count = output_count(rrsets);

	for (size_t i = 0; i < count; i++) {
		struct json_object *records =
			output_array(json_object_array_get_idx(rrsets, i), "records");

		found += output_count(records);
	}
	return found;
}
