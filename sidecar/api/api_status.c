/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * How it goes: livezoned, its two environments, and each Unbound that reports.
 */
#include "sidecar/api/routes.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/duration.h"
#include "lib/base/status.h"
#include "lib/report/report.h"
#include "livezone-config.h"
#include "sidecar/api/api.h"
#include "sidecar/journal/backup_thread.h"
#include "sidecar/journal/history.h"
#include "sidecar/json/json_writer.h"
#include "lib/base/log.h"

static bool is_alarm_name(const char *text);
static int emit_alarms(struct json_writer *emit, struct state_txn *txn, struct reason *reason);
static void finish_acknowledge(struct api_call *call, const struct change *change,
	const struct change_result *result, bool is_done);
static void emit_state(struct json_writer *emit, const struct state_meta *meta,
	const struct state_txn *txn, uint64_t rrsets);
static void emit_serve(struct json_writer *emit, const struct writer_status *writer);
static void emit_writer(struct json_writer *emit, const struct writer_status *writer);
static void emit_backup(struct json_writer *emit, struct backup_thread *backups);
static void emit_journal(struct json_writer *emit, struct journal *journal);
static int add_source(void *context, const char *source, size_t source_len,
	const struct state_source *record, struct reason *reason);
static void emit_report(void *context, const struct report *report);
static void emit_warning(struct json_writer *emit, const struct report *report,
	const struct identity *own);
static void emit_breaker(struct json_writer *emit, const struct report *report);
static void emit_report_zone(struct json_writer *emit, const struct report_zone *zone);
static void emit_time(struct json_writer *emit, const char *key, uint64_t wall_ms);
static void emit_seconds(struct json_writer *emit, const char *key, uint64_t ms);

void
api_status_get(struct api_call *call)
{
	struct json_writer emit = { .out = &call->reply->body };
	struct writer_status writer;
	struct state_meta meta;
	struct reason reason = { "" };
	uint64_t rrsets = 0;
	int status;

	if (!api_begin_read(call, &meta))
		return;
	status = state_walk_sources(call->txn, add_source, &rrsets, &reason);
	if (status) {
		api_fail(call, status, &reason, NULL);
		return;
	}
	writer_read_status(call->api->writer, &writer);
	json_writer_begin(&emit, '{');
	json_writer_member(&emit, "version", PACKAGE_VERSION);
	emit_time(&emit, "started", call->api->started_ms);
	emit_seconds(&emit, "uptime", clock_boot_ms() - call->api->started_boot_ms);
	json_writer_member_bool(&emit, "ready", writer.is_serve_current);
	if (!writer.is_serve_current)
		json_writer_member(&emit, "reason", writer.serve_reason);
	status = emit_alarms(&emit, call->txn, &reason);
	if (status) {
		api_fail(call, status, &reason, NULL);
		return;
	}
	emit_state(&emit, &meta, call->txn, rrsets);
	emit_serve(&emit, &writer);
	emit_writer(&emit, &writer);
	emit_backup(&emit, call->api->backups);
	emit_journal(&emit, history_journal(call->api->history));
	json_writer_member_begin(&emit, "log", '{');
	json_writer_member_number(&emit, "lost", log_dropped());
	json_writer_end(&emit, '}');
	json_writer_member_begin(&emit, "unbounds", '[');
	/* a directory without reports is no fault of ours */
	report_read_all(call->settings->config->store.serve, emit_report, &emit, &reason);
	json_writer_end(&emit, ']');
	json_writer_end(&emit, '}');
}

void
api_status_health(struct api_call *call)
{
	struct json_writer emit = { .out = &call->reply->body };

	json_writer_begin(&emit, '{');
	json_writer_member_bool(&emit, "ok", true);
	json_writer_end(&emit, '}');
}

void
api_status_ready(struct api_call *call)
{
	struct json_writer emit = { .out = &call->reply->body };
	struct writer_status writer;

	writer_read_status(call->api->writer, &writer);
	json_writer_begin(&emit, '{');
	json_writer_member_bool(&emit, "ok", writer.is_serve_current);
	if (!writer.is_serve_current) {
		json_writer_member(&emit, "reason", writer.serve_reason);
		call->reply->status = 503;
		call->reply->retry_after = 1;
	}
	json_writer_end(&emit, '}');
}

/* An alarm that was understood ends. */
void
api_status_acknowledge(struct api_call *call)
{
	static const struct api_places places;
	const char *name = call->variable[0];
	struct change *change;

	if (!is_alarm_name(name)) {
		problem_set(call->reply, PROBLEM_NOT_FOUND, NULL, "there is no such alarm");
		return;
	}
	change = change_new(CHANGE_ALARM);
	if (!change) {
		problem_set(call->reply, PROBLEM_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	change->alarm = name;
	api_submit(call, change, &places, finish_acknowledge);
}

/* Letters, digits and '-', STATE_ALARM_NAME_MAX of them at most. */
static bool
is_alarm_name(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t len = strlen(text);

	return len >= 1 && len <= STATE_ALARM_NAME_MAX && strspn(text, allowed) == len;
}

static void
finish_acknowledge(struct api_call *call, const struct change *change,
	const struct change_result *result, bool is_done)
{
	struct json_writer emit;

	(void)change;
	if (!is_done)
		return;
	api_begin_written(call, result, &emit);
	json_writer_end(&emit, '}');
}

static void
emit_state(struct json_writer *emit, const struct state_meta *meta,
	const struct state_txn *txn, uint64_t rrsets)
{
	uint64_t used, size;
	char instance[STATE_INSTANCE_TEXT];

	state_write_instance(meta, instance);
	state_usage(txn, &used, &size);
	json_writer_member_begin(emit, "state", '{');
	json_writer_member_number(emit, "revision", meta->revision);
	json_writer_member(emit, "instance", instance);
	json_writer_member_number(emit, "rrsets", rrsets);
	json_writer_member_number(emit, "map-used", used);
	json_writer_member_number(emit, "map-size", size);
	json_writer_end(emit, '}');
}

static void
emit_serve(struct json_writer *emit, const struct writer_status *writer)
{
	json_writer_member_begin(emit, "serve", '{');
	json_writer_member_number(emit, "revision", writer->serve_revision);
	json_writer_member_bool(emit, "current", writer->is_serve_current);
	if (!writer->is_serve_current)
		json_writer_member(emit, "reason", writer->serve_reason);
	json_writer_member_number(emit, "rebuilds", writer->rebuilds);
	json_writer_end(emit, '}');
}

static void
emit_writer(struct json_writer *emit, const struct writer_status *writer)
{
	json_writer_member_begin(emit, "writer", '{');
	json_writer_member_number(emit, "queued", writer->queued);
	json_writer_member_number(emit, "queue-limit", WRITER_QUEUE_MAX);
	json_writer_member_number(emit, "commits", writer->groups);
	json_writer_member_number(emit, "changes", writer->changes);
	json_writer_end(emit, '}');
}

static void
emit_backup(struct json_writer *emit, struct backup_thread *backups)
{
	struct backup_thread_status status;

	backup_thread_read_status(backups, &status);
	json_writer_member_begin(emit, "backup", '{');
	json_writer_member_bool(emit, "enabled", status.is_on);
	json_writer_member(emit, "directory", status.directory);
	json_writer_member_number(emit, "made", status.made);
	json_writer_member_number(emit, "failed", status.failed);
	if (status.error[0])
		json_writer_member(emit, "error", status.error);
	if (status.has_newest) {
		json_writer_member_begin(emit, "newest", '{');
		json_writer_member(emit, "name", status.name);
		json_writer_member_number(emit, "revision", status.revision);
		json_writer_member_number(emit, "rrsets", status.records);
		emit_time(emit, "created", status.created_ms);
		emit_seconds(emit, "age", status.age_ms);
		json_writer_end(emit, '}');
	}
	json_writer_end(emit, '}');
}

static void
emit_journal(struct json_writer *emit, struct journal *journal)
{
	struct journal_status status;

	journal_read_status(journal, &status);
	json_writer_member_begin(emit, "journal", '{');
	json_writer_member_number(emit, "oldest", status.oldest);
	json_writer_member_number(emit, "revision", status.last);
	json_writer_member_number(emit, "bytes", status.bytes);
	json_writer_member_number(emit, "queued", status.queued);
	json_writer_member_number(emit, "gaps", status.gaps);
	if (status.error[0])
		json_writer_member(emit, "error", status.error);
	json_writer_end(emit, '}');
}

static int
add_source(void *context, const char *source, size_t source_len,
	const struct state_source *record, struct reason *reason)
{
	uint64_t *rrsets = context;

	(void)source, (void)source_len, (void)reason;
	*rrsets += record->rrsets;
	return 0;
}

static void
emit_report(void *context, const struct report *report)
{
	struct json_writer *emit = context;
	struct identity own;
	uint64_t age_ms;

	json_writer_begin(emit, '{');
	json_writer_member_number(emit, "pid", (uint64_t)report->pid);
	json_writer_member(emit, "version", report->unbound);
	json_writer_member(emit, "store", report->store);
	if (report->store_reason[0])
		json_writer_member(emit, "reason", report->store_reason);
	identity_init(&own);
	emit_warning(emit, report, &own);
	emit_breaker(emit, report);
	json_writer_member(emit, "instance", report->serve_instance);
	json_writer_member_number(emit, "revision", report->revision);
	emit_time(emit, "started", report->started_ms);
	age_ms = report_age_ms(report, own.boot_id);
	emit_seconds(emit, "age", age_ms);
	json_writer_member_number(emit, "workers", report->workers);
	json_writer_member_number(emit, "opens", report->opens);
	json_writer_member_number(emit, "corrupt", report->corrupt);
	json_writer_member_begin(emit, "trips", '{');
	json_writer_member_number(emit, "sigbus", report->trips_sigbus);
	json_writer_member_number(emit, "sigsegv", report->trips_sigsegv);
	json_writer_member_number(emit, "assert", report->trips_assert);
	json_writer_end(emit, '}');
	if (report->snapshot_size > 0) {
		json_writer_member_begin(emit, "snapshot", '{');
		json_writer_member_number(emit, "revision", report->snapshot_revision);
		json_writer_member_number(emit, "size", report->snapshot_size);
		/* both by one clock, the reporter's own */
		if (report->written_ms > report->snapshot_ms)
			age_ms += report->written_ms - report->snapshot_ms;
		emit_seconds(emit, "age", age_ms);
		json_writer_end(emit, '}');
	}
	json_writer_member_number(emit, "foreign", report->foreign);
	json_writer_member_begin(emit, "zones", '[');
	for (size_t i = 0; i < report->zone_count; i++)
		emit_report_zone(emit, &report->zone[i]);
	json_writer_end(emit, ']');
	json_writer_end(emit, '}');
}

/* What the module says, or what we find: it may be of a version that does not look. */
static void
emit_warning(struct json_writer *emit, const struct report *report, const struct identity *own)
{
	struct reason reason = { "" };

	if (report->warning[0])
		json_writer_member(emit, "warning", report->warning);
	else if (identity_compare(own, &report->identity, &reason) != IDENTITY_FITS)
		json_writer_member(emit, "warning", reason.text);
}

static void
emit_breaker(struct json_writer *emit, const struct report *report)
{
	const uint64_t now_ms = clock_boot_ms();
	uint64_t crashes = 0;

	for (size_t i = 0; i < REPORT_CRASHES; i++)
		crashes += report->crash_ms[i] != 0;
	json_writer_member_number(emit, "crashes", crashes);
	if (report->off_until_ms > now_ms)
		emit_seconds(emit, "retry-in", report->off_until_ms - now_ms);
}

static void
emit_report_zone(struct json_writer *emit, const struct report_zone *zone)
{
	static const char *const stages[REPORT_STAGES] = {
		[REPORT_LIVE] = "live",
		[REPORT_STALE] = "stale",
		[REPORT_FALLBACK] = "fallback",
		[REPORT_NEXT] = "next",
		[REPORT_FAILED] = "failed",
	};

	json_writer_begin(emit, '{');
	json_writer_member(emit, "name", zone->name);
	for (size_t i = 0; i < REPORT_STAGES; i++)
		json_writer_member_number(emit, stages[i], zone->answers[i]);
	json_writer_member_number(emit, "nodata", zone->nodata);
	json_writer_member_number(emit, "nxdomain", zone->nxdomain);
	json_writer_end(emit, '}');
}

static void
emit_time(struct json_writer *emit, const char *key, uint64_t wall_ms)
{
	char text[DURATION_TEXT_MAX];

	duration_write_time(wall_ms, text);
	json_writer_member(emit, key, text);
}

static void
emit_seconds(struct json_writer *emit, const char *key, uint64_t ms)
{
	char text[DURATION_TEXT_MAX];

	duration_write_seconds(ms, text);
	json_writer_member(emit, key, text);
}

static int
emit_alarm(void *context, const char *name, size_t name_len, const char *text,
	size_t text_len, uint64_t raised_ms, struct reason *reason)
{
	char copy[STATE_ALARM_TEXT_MAX + 1], raised[DURATION_TEXT_MAX];
	struct json_writer *emit = context;

	if (name_len > STATE_ALARM_NAME_MAX || text_len > STATE_ALARM_TEXT_MAX)
		return reason_set(reason, STATUS_CORRUPT, "state: damaged value in table A");
	json_writer_begin(emit, '{');
	memcpy(copy, name, name_len);
	copy[name_len] = '\0';
	json_writer_member(emit, "name", copy);
	memcpy(copy, text, text_len);
	copy[text_len] = '\0';
	json_writer_member(emit, "text", copy);
	duration_write_time(raised_ms, raised);
	json_writer_member(emit, "raised", raised);
	json_writer_end(emit, '}');
	return STATUS_OK;
}

/* Adds "alarms": [...] to an object. */
static int
emit_alarms(struct json_writer *emit, struct state_txn *txn, struct reason *reason)
{
	int status;

	json_writer_member_begin(emit, "alarms", '[');
	status = state_walk_alarms(txn, emit_alarm, emit, reason);
	json_writer_end(emit, ']');
	return status;
}
