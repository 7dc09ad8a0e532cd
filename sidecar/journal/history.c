/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Steps of a plan as items of the journal. Everything here runs on the writer's thread, after
 * its commit, but for alarms, which the journal's thread may raise.
 */
#include "sidecar/journal/history.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/status.h"

struct history {
	struct journal *journal;
	_Atomic(struct writer *) writer; /* known from its first commit on */
};

static struct journal_settings settings_of(const struct config *config);
static void append(void *context, struct writer *writer, const struct write_request *request,
	uint64_t previous, uint64_t now_ms);
static void raise_alarm(void *context, const char *text);
static void end_alarm(struct write_request *request);

int
history_open(struct state *state, const struct config *config, struct history **out,
	struct reason *reason)
{
	const struct journal_settings settings = settings_of(config);
	struct history *history = calloc(1, sizeof(*history));
	struct state_txn *txn = NULL;
	struct state_meta meta;
	int status;

	if (!history)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	status = state_begin_read(state, &txn, reason);
	if (status == STATUS_OK)
		status = state_read_meta(txn, &meta, reason);
	state_abort(txn);
	if (status == STATUS_OK)
		status = journal_open(config->store.state, meta.instance, meta.revision,
			&settings, raise_alarm, history, &history->journal, reason);
	if (status == STATUS_OK)
		*out = history;
	else
		free(history);
	return status;
}

void
history_close(struct history *history)
{
	if (!history)
		return;
	atomic_store(&history->writer, NULL);
	if (journal_close(history->journal))
		free(history);
}

struct writer_hook
history_hook(struct history *history)
{
	return (struct writer_hook){ .commit = append, .context = history };
}

void
history_use(struct history *history, const struct config *config)
{
	const struct journal_settings settings = settings_of(config);

	journal_use(history->journal, &settings);
}

struct journal *
history_journal(struct history *history)
{
	return history->journal;
}

static struct journal_settings
settings_of(const struct config *config)
{
	return (struct journal_settings){ .size = config->history.size,
		.age_ms = config->history.age_ms };
}

static void
append(void *context, struct writer *writer, const struct write_request *request,
	uint64_t previous, uint64_t now_ms)
{
	static const enum journal_verb verbs[] = {
		[CHANGE_ITEMS] = JOURNAL_ITEMS,
		[CHANGE_SOURCE] = JOURNAL_SOURCE,
		[CHANGE_ZONE] = JOURNAL_ZONE,
		[CHANGE_RESTORE] = JOURNAL_RESTORE,
		[CHANGE_EXPIRE] = JOURNAL_EXPIRE,
		[CHANGE_ROLLBACK] = JOURNAL_ROLLBACK,
	};
	struct history *history = context;
	const struct plan *plan = &request->plan;
	const char *caller = request->change->caller.name;
	const struct journal_head head = {
		.previous = previous,
		.revision = request->result.revision,
		.verb = verbs[request->change->kind],
		.caller = caller[0] ? caller : "livezoned",
	};

	atomic_store(&history->writer, writer);
	journal_begin(history->journal, &head);
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_step *step = &plan->step[i];
		struct state_record before, after;
		const bool was = step->verb != PLAN_RENEW && plan_read_before(step, &before);
		const bool is = step->verb != PLAN_RENEW
				&& plan_read_after(step, request->change, now_ms, &after);

		if (was || is)
			journal_add(history->journal, step->owner, step->type,
				was ? &before : NULL, is ? &after : NULL);
	}
	journal_end(history->journal);
}

/* Never waits: the writer's own thread may be the one that found the disk slow. */
static void
raise_alarm(void *context, const char *text)
{
	struct history *history = context;
	struct writer *writer = atomic_load(&history->writer);
	struct change *change = writer ? change_new(CHANGE_ALARM) : NULL;
	struct write_request *request;

	if (!change)
		return;
	change->alarm = JOURNAL_ALARM;
	change->alarm_text = arena_copy(&change->arena, text, strlen(text) + 1);
	if (!change->alarm_text) {
		change_free(change);
		return;
	}
	request = write_request_new(change);
	if (!request)
		return;
	request->done = end_alarm;
	writer_submit(writer, request);
}

static void
end_alarm(struct write_request *request)
{
	if (request->result.outcome != CHANGE_DONE)
		log_line(LOG_LEVEL_WARNING, "journal: the alarm could not be stored: %s",
			request->result.reason.text);
	write_request_free(request);
}
