/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The rules of single values of livezone.yaml.
 */
#include "lib/config/config_parts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/duration.h"
#include "lib/dns/rrset.h"
#include "lib/base/status.h"
#include "lib/serve/layout.h"

#define STALE_MS_MAX (UINT64_C(366) * 86400 * 1000)
#define INTERVAL_MS_MIN 1000

int
config_value_path(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	size_t max = key->max > 0 ? key->max : CONFIG_VALUE_PATH_MAX;
	char *path;

	if (*text != '/')
		return reason_set(reason, STATUS_INVALID,
			"\"%.60s\": needs a path that begins with /", text);
	if (strlen(text) >= max)
		return reason_set(reason, STATUS_INVALID, "the path is longer than %zu bytes",
			max - 1);
	path = strdup(text);
	if (!path)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	*(char **)out = path;
	return 0;
}

int
config_value_directory(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	int status = config_value_path(text, key, out, reason);
	char *path = status ? NULL : *(char **)out;
	size_t len = path ? strlen(path) : 0;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	return status;
}

int
config_value_size(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = { { "", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 }, { "TiB", 40 } };
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	for (size_t i = 0; *text >= '0' && *text <= '9' && !errno
		&& i < sizeof(units) / sizeof(*units); i++) {
		unsigned shift = units[i].shift;

		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (value > (uint64_t)SERVE_SIZE_MAX >> shift || value << shift < key->min)
			return reason_set(reason, STATUS_INVALID,
				"\"%.60s\": needs a size from %s to %zuGiB", text,
				key->min > 0 ? "1MiB" : "0", SERVE_SIZE_MAX >> 30);
		*(uint64_t *)out = value << shift;
		return 0;
	}
	return reason_set(reason, STATUS_INVALID,
		"\"%.60s\": needs bytes or a size such as 512KiB, 256MiB, 1GiB", text);
}

/* enums are as large as unsigned, and may be written as such */
_Static_assert(sizeof(enum status) == sizeof(unsigned), "an enum is not an unsigned");

int
config_value_choice(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	char list[128] = "";

	for (const struct yaml_choice *choice = key->choices; choice->text; choice++) {
		size_t len = strlen(list);

		if (strcmp(text, choice->text) == 0) {
			*(unsigned *)out = (unsigned)choice->value;
			return 0;
		}
		snprintf(list + len, sizeof(list) - len, "%s%s", len > 0 ? ", " : "",
			choice->text);
	}
	return reason_set(reason, STATUS_INVALID, "\"%.60s\": needs one of %s", text, list);
}

int
config_value_bool(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	static const struct yaml_choice choices[] = {
		{ "false", false },
		{ "true", true },
		{ 0 },
	};
	const struct yaml_key one = { .name = key->name, .choices = choices };
	unsigned value;
	int status = config_value_choice(text, &one, &value, reason);

	if (!status)
		*(bool *)out = value;
	return status;
}

int
config_value_ttl(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	uint64_t ms = UINT64_MAX;

	(void)key;
	if (*text && text[strspn(text, "0123456789")] == '\0' && strlen(text) < 10)
		ms = strtoull(text, NULL, 10) * 1000;
	else
		duration_read(text, &ms, NULL);
	if (ms > (uint64_t)RRSET_TTL_MAX * 1000 || ms % 1000 != 0)
		return reason_set(reason, STATUS_INVALID,
			"\"%.60s\": needs whole seconds from 0 to %d", text, RRSET_TTL_MAX);
	*(uint32_t *)out = (uint32_t)(ms / 1000);
	return 0;
}

int
config_value_stale(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	uint64_t ms = 0;

	(void)key;
	if (strcmp(text, "0") != 0 && duration_read(text, &ms, NULL))
		ms = UINT64_MAX;
	if (ms > STALE_MS_MAX)
		return reason_set(reason, STATUS_INVALID,
			"\"%.60s\": needs a time such as 24h (up to 366d), or 0 for never",
			text);
	*(uint64_t *)out = ms;
	return 0;
}

int
config_value_count(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	bool is_number = *text && text[strspn(text, "0123456789")] == '\0'
		&& strlen(text) < 10;
	unsigned long value = is_number ? strtoul(text, NULL, 10) : 0;

	if (!is_number || value < key->min || value > key->max)
		return reason_set(reason, STATUS_INVALID, "\"%.60s\": needs a number from %llu to %llu",
			text, (unsigned long long)key->min, (unsigned long long)key->max);
	*(unsigned *)out = (unsigned)value;
	return 0;
}

int
config_value_interval(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	uint64_t ms = 0;

	(void)key;
	if (strcmp(text, "0") != 0 && strcmp(text, "off") != 0
		&& (duration_read(text, &ms, NULL) || ms < INTERVAL_MS_MIN))
		ms = UINT64_MAX;
	if (ms > STALE_MS_MAX)
		return reason_set(reason, STATUS_INVALID,
			"\"%.60s\": needs a time from 1s to 366d such as 1h, or 0 or off for "
			"never",
			text);
	*(uint64_t *)out = ms;
	return 0;
}
