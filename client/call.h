/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What every command that talks to livezoned does: find the API, send, and turn a reply
 * into JSON or into an error for people.
 */
#pragma once

#include "client/api.h"
#include "client/command.h"

struct json_object;
struct input_target;

/* Finds the API (--api, LIVEZONE_API, then api.unix and api.tcp of the configuration) and
 * the token (--token-file, LIVEZONE_TOKEN). Complains on failure. */
enum command_exit call_open(const struct command_line *line, struct api **out);

/* Sends over an open API. On 2xx *out is the reply, owned by the caller, or NULL when it
 * went to request->sink; `out` may be NULL. Anything else is complained about. */
enum command_exit call_send(struct api *api, const struct api_request *request,
	struct json_object **out);

/* Opens, sends, closes. */
enum command_exit call(const struct command_line *line, const struct api_request *request,
	struct json_object **out);

/* As call, with `body` as JSON; takes the reference to it. */
enum command_exit call_with_json(const struct command_line *line,
	struct api_request *request, struct json_object *take_body,
	struct json_object **out);

/* Sends, with `take_body` as JSON when it is not NULL, then call_print_written. */
enum command_exit call_and_print(const struct command_line *line, struct api_request *request,
	struct json_object *take_body, const char *what);

/* As call, then prints the reply: as JSON with --json, else by `print`. */
enum command_exit call_and_show(const struct command_line *line,
	const struct api_request *request, void (*print)(struct json_object *reply));

/* Writes one RRset, whose data is `take_rrset` without name and type, or deletes it (NULL), and
 * prints what came of it. --create and --if-revision are obeyed. A name that cannot stand in a
 * URL goes through a batch of one change. */
enum command_exit call_rrset(const struct command_line *line, const struct input_target *target,
	struct json_object *take_rrset);

/* Says what a write did: the reply itself with --json, else "<what>, revision N". Warns
 * when DNS does not serve it yet. */
void call_print_written(const struct command_line *line, struct json_object *reply,
	const char *what);

/* The same for a reply that counts what became of a zone or of everything: "<prefix>3
 * added, ...". */
void call_print_replaced(const struct command_line *line, struct json_object *reply,
	const char *prefix);
