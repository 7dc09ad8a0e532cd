/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Names and types from the command line: checked before anything is sent, and written as
 * parts of a URL. livezoned refuses a path with a percent sign, so a name that needs an
 * escape there goes through a batch or a query string.
 */
#pragma once

#include "client/command.h"
#include "lib/dns/name.h"
#include "lib/dns/presentation.h"

#define TARGET_PATH_MAX (3 * PRESENTATION_NAME_MAX + 256)

struct target {
	char name[PRESENTATION_NAME_MAX]; /* lower case, with the trailing dot */
	char type[16];                    /* "" when none was asked for */
};

/* Checks and canonicalises; `type` may be NULL. Complains on failure. */
enum command_exit target_read(const char *name, const char *type, struct target *out);

/* Can this text stand in a path as it is? */
bool target_fits_path(const char *text);

/* Is it a source's name (openapi.yaml, SourceName)? Complains when not. */
enum command_exit target_check_source(const char *source);

/* Is it a duration as the API takes it ("30s")? NULL is fine: none. Complains when not. */
enum command_exit target_check_lease(const char *lease);

/* Percent-encodes for a query string; room for 3 bytes per byte and a NUL. */
void target_escape(const char *text, char *out);

/* Reads a zone's name and writes "/v1/zones/<name>". Complains on failure. */
enum command_exit target_zone_path(const char *zone, char path[TARGET_PATH_MAX]);
