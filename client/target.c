/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Names of the command line on their way into a URL.
 */
#include "client/target.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/duration.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

enum command_exit
target_read(const char *name, const char *type, struct target *out)
{
	struct reason reason = { "" };
	struct name wire;
	uint16_t number;

	if (presentation_read_name(name, &wire, &reason)) {
		command_complain("%s", reason.text);
		return COMMAND_USAGE;
	}
	name_lower(&wire);
	presentation_write_name(&wire, out->name);
	out->type[0] = '\0';
	if (!type)
		return COMMAND_OK;
	if (presentation_read_type(type, &number, &reason)) {
		command_complain("%s", reason.text);
		return COMMAND_USAGE;
	}
	presentation_write_type(number, out->type);
	return COMMAND_OK;
}

bool
target_fits_path(const char *text)
{
	return text[strspn(text, LETTERS "-._~!$&'()*+,;=:@")] == '\0';
}

enum command_exit
target_check_source(const char *source)
{
	size_t len = strlen(source);

	if (len > 0 && len <= 64 && source[strspn(source, LETTERS "._-")] == '\0'
		&& !strchr("._-", source[0]))
		return COMMAND_OK;
	command_complain("\"%s\" is no name of a source: up to 64 letters, digits and . _ -",
		source);
	return COMMAND_USAGE;
}

enum command_exit
target_check_lease(const char *lease)
{
	struct reason reason = { "" };
	uint64_t ms;

	if (!lease || duration_read(lease, &ms, &reason) == 0)
		return COMMAND_OK;
	command_complain("--lease: %s", reason.text);
	return COMMAND_USAGE;
}

void
target_escape(const char *text, char *out)
{
	for (const char *c = text; *c; c++) {
		if (strchr(LETTERS "-._~", *c))
			*out++ = *c;
		else
			out += sprintf(out, "%%%02X", (unsigned)(unsigned char)*c);
	}
	*out = '\0';
}

enum command_exit
target_zone_path(const char *zone, char path[TARGET_PATH_MAX])
{
	struct target target;
	enum command_exit result = target_read(zone, NULL, &target);

	if (result)
		return result;
	if (!target_fits_path(target.name)) {
		command_complain("%s: this name cannot be written in a URL", target.name);
		return COMMAND_USAGE;
	}
	snprintf(path, TARGET_PATH_MAX, "/v1/zones/%s", target.name);
	return COMMAND_OK;
}
