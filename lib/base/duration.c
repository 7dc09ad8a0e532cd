/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Durations and times as text. Called by the readers of configuration, tokens and
 * requests and by the writers of replies.
 */
#include "lib/base/duration.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/status.h"

static const struct unit {
	const char *name;
	uint64_t ms;
} units[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60 * 1000 },
	{ "h", 60 * 60 * 1000 },
	{ "d", 24 * 60 * 60 * 1000 },
};

static int
refuse(const char *text, struct reason *reason)
{
	return reason_set(reason, STATUS_INVALID,
		"bad duration \"%.40s\": a whole number with ms, s, m, h or d is needed",
		text);
}

int
duration_read(const char *text, uint64_t *out_ms, struct reason *reason)
{
	uint64_t value = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(value, 10, &value)
			|| __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return refuse(text, reason);
	if (at == text)
		return refuse(text, reason);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(at, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(value, units[i].ms, &value))
			return refuse(text, reason);
		*out_ms = value;
		return 0;
	}
	return refuse(text, reason);
}

/* Milliseconds as ".5", ".345" or nothing. */
static void
write_fraction(unsigned ms, char out[8])
{
	int len = 4;

	out[0] = '\0';
	if (ms == 0)
		return;
	snprintf(out, 8, ".%03u", ms % 1000);
	while (out[len - 1] == '0')
		out[--len] = '\0';
}

void
duration_write_seconds(uint64_t ms, char out[DURATION_TEXT_MAX])
{
	char fraction[8];

	write_fraction((unsigned)(ms % 1000), fraction);
	snprintf(out, DURATION_TEXT_MAX, "%" PRIu64 "%ss", ms / 1000, fraction);
}

void
duration_write(uint64_t ms, char out[DURATION_TEXT_MAX])
{
	if (ms % 1000 == 0)
		snprintf(out, DURATION_TEXT_MAX, "%" PRIu64 "s", ms / 1000);
	else
		snprintf(out, DURATION_TEXT_MAX, "%" PRIu64 "ms", ms);
}

static int
refuse_time(const char *text, struct reason *reason)
{
	return reason_set(reason, STATUS_INVALID,
		"bad time \"%.40s\": RFC 3339 is needed, like 2026-01-31T12:00:00Z",
		text);
}

/* "Z", "+02:00" or "-05:30" to seconds east of UTC. */
static int
read_offset(const char *text, long *out)
{
	unsigned hours, minutes;
	int used = 0;

	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
		*out = 0;
		return 0;
	}
	if ((text[0] != '+' && text[0] != '-')
		|| sscanf(text + 1, "%2u:%2u%n", &hours, &minutes, &used) != 2
		|| used != 5 || text[6] != '\0' || hours > 23 || minutes > 59)
		return STATUS_INVALID;
	*out = (long)(hours * 3600 + minutes * 60) * (text[0] == '-' ? -1 : 1);
	return 0;
}

int
duration_read_time(const char *text, uint64_t *out_wall_ms, struct reason *reason)
{
	static const char form[] = "0000-00-00T00:00:00";
	struct tm tm = { 0 }, checked;
	const char *at = text;
	long offset;
	time_t seconds;

	for (const char *f = form; *f; f++, at++)
		if (*f == '0' ? !isdigit((unsigned char)*at) : toupper((unsigned char)*at) != *f)
			return refuse_time(text, reason);
	if (sscanf(text, "%4d-%2d-%2d%*1[Tt]%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		    &tm.tm_hour, &tm.tm_min, &tm.tm_sec)
		!= 6)
		return refuse_time(text, reason);
	if (*at == '.') {
		at += 1 + strspn(at + 1, "0123456789");
		if (at[-1] == '.')
			return refuse_time(text, reason);
	}
	if (read_offset(at, &offset) != 0)
		return refuse_time(text, reason);
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	checked = tm;
	seconds = timegm(&checked);
	/* timegm makes March 2 of February 30; the day then differs */
	if (checked.tm_mday != tm.tm_mday || checked.tm_mon != tm.tm_mon
		|| tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60
		|| seconds - offset < 0)
		return refuse_time(text, reason);
	*out_wall_ms = (uint64_t)(seconds - offset) * 1000;
	return 0;
}

void
duration_write_time(uint64_t wall_ms, char out[DURATION_TEXT_MAX])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	char fraction[8];
	struct tm tm;
	size_t len;

	gmtime_r(&seconds, &tm);
	write_fraction((unsigned)(wall_ms % 1000), fraction);
	len = strftime(out, DURATION_TEXT_MAX - 8, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + len, DURATION_TEXT_MAX - len, "%sZ", fraction);
}
