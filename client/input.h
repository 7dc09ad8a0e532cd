/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What the command line and files give, checked before anything is sent: names and types, as
 * parts of a URL, sources, durations, and RRsets as JSON. livezoned refuses a path with a percent
 * sign, so a name that needs an escape there goes through a batch or a query string. Each
 * complains when something is wrong.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "client/command.h"
#include "lib/dns/name.h"
#include "lib/dns/presentation.h"

struct json_object;

#define INPUT_PATH_MAX (3 * PRESENTATION_NAME_MAX + 256)

/* livezoned's limit for a bulk body; a longer file would be refused there. */
#define INPUT_SIZE_MAX (64 * 1024 * 1024)

struct input_target {
	char name[PRESENTATION_NAME_MAX]; /* lower case, with the trailing dot */
	char type[16];                    /* "" when none was asked for */
};

/* Checks and canonicalises; `type` may be NULL. */
enum command_exit input_read_target(
	const char *name, const char *type, struct input_target *out);

/* Can this text stand in a path as it is? */
bool input_fits_path(const char *text);

/* Percent-encodes for a query string; room for 3 bytes per byte and a NUL. */
void input_escape(const char *text, char *out);

/* Reads a zone's name and writes "/v1/zones/<name>". */
enum command_exit input_zone_path(const char *zone, char path[INPUT_PATH_MAX]);

/* Is it a source's name (openapi.yaml, SourceName)? */
enum command_exit input_check_source(const char *source);

/* Is it a duration as the API takes it ("30s")? NULL is fine: none. */
enum command_exit input_check_lease(const char *lease);

/* Opens a file for reading, "-" is standard input. NULL on failure. */
FILE *input_open(const char *path);

/* Does it begin like JSON, behind space and a byte order mark? Reads nothing away. */
bool input_is_json(FILE *file);

/* Reads RRsets as an array for the API, owned by the caller: from JSON, an array of RRsets or an
 * object with `rrsets`, or from a master file, whose origin is `origin`. The complaint has the
 * file's name and the line. livezoned checks the data. */
enum command_exit input_read_rrsets(
	const char *path, const char *origin, struct json_object **out);
