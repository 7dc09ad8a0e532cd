/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * RRsets from a file for `apply`: JSON as the API takes it, or a master file.
 */
#pragma once

#include <stdio.h>

#include "client/command.h"

struct json_object;

/* livezoned's limit for a bulk body; a longer file would be refused there. */
#define CONTENT_SIZE_MAX (64 * 1024 * 1024)

/* Opens a file for reading, "-" is standard input. Complains and returns NULL. */
FILE *content_open(const char *path);

/* Does it begin like JSON? Looks at its first byte and puts it back. */
bool content_is_json(FILE *file);

/* Reads RRsets as an array for the API, owned by the caller. JSON is an array of RRsets or
 * an object with `rrsets`; `origin` is for master files. Complains with the file's name
 * and the line. */
enum command_exit content_read(const char *path, const char *origin,
	struct json_object **out);
