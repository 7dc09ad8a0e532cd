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

/* Sends, with `take_body` as JSON when it is not NULL, and shows the reply: itself with --json, else
 * by `print`, then as "<what>, revision N"; either may be NULL. Warns of a write that DNS does not
 * serve yet. */
enum command_exit call_and_show(const struct command_line *line, struct api_request *request,
	struct json_object *take_body, void (*print)(struct json_object *reply),
	const char *what);
