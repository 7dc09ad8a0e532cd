/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What a restore says of itself, in the log and as an alarm.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/status.h"
#include "sidecar/journal/restore.h"
#include "sidecar/journal/restore_work.h"

struct text {
	char *at;
	size_t left; /* the NUL included */
};

static void
say(struct text *text, const char *format, ...)
{
	va_list arguments;
	int used;

	va_start(arguments, format);
	used = vsnprintf(text->at, text->left, format, arguments);
	va_end(arguments);
	if (used < 0 || (size_t)used >= text->left)
		used = (int)text->left - 1; /* it is full */
	text->at += used;
	text->left -= (size_t)used;
}

/* Does the log name each RRset that was deleted behind the base? */
static bool
may_lack_deletes(const struct restore *restore)
{
	const struct state_salvage *salvage = &restore->salvage;

	if (restore->base == RESTORE_SALVAGE || !restore->has_salvage)
		return false;
	return !salvage->has_meta || restore->has_reset
		|| (salvage->meta.revision > restore->base_revision
			&& restore->log_entries
				< salvage->meta.revision - restore->base_revision);
}

static void
say_missing(const struct restore *restore, struct text *text)
{
	bool is_known = restore->has_salvage && restore->salvage.has_meta;
	uint64_t last = is_known ? restore->salvage.meta.revision : restore->base_revision;

	if (!is_known)
		say(text, "; writes after revision %" PRIu64 " may be missing",
			restore->base_revision);
	else if (restore->base != RESTORE_SALVAGE && last > restore->base_revision)
		say(text,
			"; of the writes of revisions %" PRIu64 " to %" PRIu64 ", %" PRIu64
			" were found%s",
			restore->base_revision + 1, last, restore->later,
			restore->is_salvage_complete ? "" : ", others may be missing");
	else if (!restore->may_lack_commit)
		say(text, "; no write is missing");
	if (is_known && restore->may_lack_commit)
		say(text, "; writes of one commit after revision %" PRIu64 " may be missing", last);
	if (may_lack_deletes(restore))
		say(text, "; deleted RRsets may be back");
	if (restore->base == RESTORE_BACKUP && !restore->backup_verdict.is_complete)
		say(text, "; the backup is cut short after %" PRIu64 " RRsets",
			restore->backup_verdict.records);
}

void
restore_describe(const struct restore *restore, const char *why, char *out, size_t size)
{
	static const char *const bases[] = {
		[RESTORE_SERVE] = "serve",
		[RESTORE_BACKUP] = "the backup ",
		[RESTORE_SALVAGE] = "its own records",
	};
	struct text text = { out, size };

	say(&text, "%s; restored from %s%s: %" PRIu64 " RRsets, revision %" PRIu64 " now", why,
		bases[restore->base],
		restore->base == RESTORE_BACKUP ? restore->backup.name : "", restore->rrsets,
		restore->revision);
	say_missing(restore, &text);
	if (restore->unowned > 0)
		say(&text, "; %" PRIu64 " RRsets of unknown source belong to \"%s\" now",
			restore->unowned, RESTORE_SOURCE);
}

/* Alarms of the damaged file go on standing, each with its time. That of a restore before this
 * one: what it says is still true. */
struct raising {
	struct restore *restore;
	const char *what;
};

static int
keep_alarm(void *context, const char *name, size_t name_len, const char *text, size_t text_len,
	uint64_t raised_ms, struct reason *reason)
{
	char name_copy[STATE_ALARM_NAME_MAX + 1], copy[STATE_ALARM_TEXT_MAX + 1];
	struct raising *raising = context;
	struct text out = { copy, sizeof(copy) };
	int status;

	memcpy(name_copy, name, name_len);
	name_copy[name_len] = '\0';
	if (strcmp(name_copy, RESTORE_ALARM) == 0)
		say(&out, "%s; and before that: ", raising->what);
	say(&out, "%.*s", (int)text_len, text);
	status = state_keep_alarm(raising->restore->txn, name_copy, copy, raised_ms, reason);
	return status == STATUS_FULL ? STATUS_OK : status; /* one of many must go for ours */
}

int
restore_raise_alarms(struct restore *restore, const char *what, struct reason *reason)
{
	struct raising raising = { .restore = restore, .what = what };
	int status = state_raise_alarm(restore->txn, RESTORE_ALARM, what, reason);

	if (status == STATUS_OK && restore->has_salvage)
		status = state_salvage_walk_alarms(
			&restore->salvage, keep_alarm, &raising, reason);
	return status;
}
