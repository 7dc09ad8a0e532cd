/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The rules of single values.
 */
#include "lib/config/config_value.h"

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
config_value_path(const char *text, size_t max, char **out, struct reason *reason)
{
	if (*text != '/')
		return reason_set(reason, STATUS_INVALID,
			"\"%.60s\": needs a path that begins with /", text);
	if (strlen(text) >= max)
		return reason_set(reason, STATUS_INVALID, "the path is longer than %zu bytes",
			max - 1);
	*out = strdup(text);
	return *out ? 0 : reason_set(reason, STATUS_NO_MEMORY, "out of memory");
}

int
config_value_directory(const char *text, const char *fallback, char **out,
	struct reason *reason)
{
	int status = config_value_path(text ? text : fallback, CONFIG_VALUE_PATH_MAX, out,
		reason);
	size_t len = status ? 0 : strlen(*out);

	while (len > 1 && (*out)[len - 1] == '/')
		(*out)[--len] = '\0';
	return status;
}

int
config_value_size(const char *text, uint64_t min, uint64_t *out, struct reason *reason)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = { { "", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 }, { "TiB", 40 } };
	unsigned long long value;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	for (size_t i = 0; *text >= '0' && *text <= '9' && !errno
		&& i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (value > (uint64_t)SERVE_SIZE_MAX >> units[i].shift || value << units[i].shift < min)
			return reason_set(reason, STATUS_INVALID,
				"\"%.60s\": needs a size from %s to %zuGiB", text,
				min > 0 ? "1MiB" : "0", SERVE_SIZE_MAX >> 30);
		*out = value << units[i].shift;
		return 0;
	}
	return reason_set(reason, STATUS_INVALID,
		"\"%.60s\": needs bytes or a size such as 512KiB, 256MiB, 1GiB", text);
}

int
config_value_choice(const char *text, const struct config_value_choice *choices, int *out,
	struct reason *reason)
{
	char list[128] = "";

	if (!text)
		return 0;
	for (const struct config_value_choice *choice = choices; choice->text; choice++) {
		size_t len = strlen(list);

		if (strcmp(text, choice->text) == 0) {
			*out = choice->value;
			return 0;
		}
		snprintf(list + len, sizeof(list) - len, "%s%s", len > 0 ? ", " : "",
			choice->text);
	}
	return reason_set(reason, STATUS_INVALID, "\"%.60s\": needs one of %s", text, list);
}

int
config_value_ttl(const char *text, uint32_t *out, struct reason *reason)
{
	uint64_t ms = UINT64_MAX;

	if (!text)
		return 0;
	if (*text && text[strspn(text, "0123456789")] == '\0' && strlen(text) < 10)
		ms = strtoull(text, NULL, 10) * 1000;
	else
		duration_read(text, &ms, NULL);
	if (ms > (uint64_t)RRSET_TTL_MAX * 1000 || ms % 1000 != 0)
		return reason_set(reason, STATUS_INVALID,
			"\"%.60s\": needs whole seconds from 0 to %d", text, RRSET_TTL_MAX);
	*out = (uint32_t)(ms / 1000);
	return 0;
}

int
config_value_stale(const char *text, uint64_t *out_ms, struct reason *reason)
{
	uint64_t ms = 0;

	if (!text)
		return 0;
	if (strcmp(text, "0") != 0 && duration_read(text, &ms, NULL))
		ms = UINT64_MAX;
	if (ms > STALE_MS_MAX)
		return reason_set(reason, STATUS_INVALID,
			"\"%.60s\": needs a time such as 24h (up to 366d), or 0 for never",
			text);
	*out_ms = ms;
	return 0;
}

int
config_value_count(const char *text, unsigned min, unsigned max, unsigned *out,
	struct reason *reason)
{
	unsigned long value = 0;
	bool is_number = text && *text && text[strspn(text, "0123456789")] == '\0'
		&& strlen(text) < 10;

	if (!text)
		return 0;
	if (is_number)
		value = strtoul(text, NULL, 10);
	if (!is_number || value < min || value > max)
		return reason_set(reason, STATUS_INVALID,
			"\"%.60s\": needs a number from %u to %u", text, min, max);
	*out = (unsigned)value;
	return 0;
}

int
config_value_interval(const char *text, uint64_t *out_ms, struct reason *reason)
{
	uint64_t ms = 0;

	if (!text)
		return 0;
	if (strcmp(text, "0") != 0 && strcmp(text, "off") != 0
		&& (duration_read(text, &ms, NULL) || ms < INTERVAL_MS_MIN))
		ms = UINT64_MAX;
	if (ms > STALE_MS_MAX)
		return reason_set(reason, STATUS_INVALID,
			"\"%.60s\": needs a time from 1s to 366d such as 1h, or 0 or off for "
			"never",
			text);
	*out_ms = ms;
	return 0;
}
