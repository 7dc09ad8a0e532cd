/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * How it goes: livezoned, its two environments, and each Unbound that reports.
 */
#include "sidecar/api/api.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/duration.h"
#include "lib/base/status.h"
#include "lib/report/report.h"
#include "livezone-config.h"
#include "sidecar/journal/backup.h"
#include "sidecar/journal/history.h"
#include "sidecar/json/json_writer.h"
#include "lib/base/log.h"

static bool is_alarm_name(const char *text);
static int write_alarms(struct json_writer *json, struct state_txn *txn, struct reason *reason);
static void write_state(struct json_writer *json, const struct state_meta *meta,
	const struct state_txn *txn, uint64_t rrsets);
static void write_serve(struct json_writer *json, const struct writer_status *writer);
static void write_writer(struct json_writer *json, const struct writer_status *writer);
static void write_backup(struct json_writer *json, struct backup_thread *backups);
static void write_journal(struct json_writer *json, struct journal *journal);
static int add_source(void *context, const char *source, size_t source_len,
	const struct state_source *record, struct reason *reason);
static void write_report(void *context, const struct report *report);
static void write_warning(struct json_writer *json, const struct report *report,
	const struct identity *own);
static void write_breaker(struct json_writer *json, const struct report *report);
static void write_report_zone(struct json_writer *json, const struct report_zone *zone);
static void write_time(struct json_writer *json, const char *key, uint64_t wall_ms);
static void write_seconds(struct json_writer *json, const char *key, uint64_t ms);

void
api_status_get(struct api_call *call)
{
	struct json_writer json = { .out = &call->reply->body };
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
	json_writer_begin(&json, '{');
	json_writer_member(&json, "version", PACKAGE_VERSION);
	write_time(&json, "started", call->api->started_ms);
	write_seconds(&json, "uptime", clock_boot_ms() - call->api->started_boot_ms);
	json_writer_member_bool(&json, "ready", writer.is_serve_current);
	if (!writer.is_serve_current)
		json_writer_member(&json, "reason", writer.serve_reason);
	status = write_alarms(&json, call->txn, &reason);
	if (status) {
		api_fail(call, status, &reason, NULL);
		return;
	}
	write_state(&json, &meta, call->txn, rrsets);
	write_serve(&json, &writer);
	write_writer(&json, &writer);
	write_backup(&json, call->api->backups);
	write_journal(&json, history_journal(call->api->history));
	json_writer_member_begin(&json, "log", '{');
	json_writer_member_number(&json, "lost", log_dropped());
	json_writer_end(&json, '}');
	json_writer_member_begin(&json, "unbounds", '[');
	/* a directory without reports is no fault of ours */
	report_read_all(call->settings->config->store.serve, write_report, &json, &reason);
	json_writer_end(&json, ']');
	json_writer_end(&json, '}');
}

void
api_status_health(struct api_call *call)
{
	struct json_writer json = { .out = &call->reply->body };

	json_writer_begin(&json, '{');
	json_writer_member_bool(&json, "ok", true);
	json_writer_end(&json, '}');
}

void
api_status_ready(struct api_call *call)
{
	struct json_writer json = { .out = &call->reply->body };
	struct writer_status writer;

	writer_read_status(call->api->writer, &writer);
	json_writer_begin(&json, '{');
	json_writer_member_bool(&json, "ok", writer.is_serve_current);
	if (!writer.is_serve_current) {
		json_writer_member(&json, "reason", writer.serve_reason);
		call->reply->status = 503;
		call->reply->retry_after = 1;
	}
	json_writer_end(&json, '}');
}

/* An alarm that was understood ends. */
void
api_status_acknowledge(struct api_call *call)
{
	const char *name = call->variable[0];
	struct change *change;

	if (!is_alarm_name(name)) {
		problem_set(call->reply, PROBLEM_NOT_FOUND, NULL, "there is no such alarm");
		return;
	}
	change = api_new_change(call, CHANGE_ALARM);
	if (!change)
		return;
	change->alarm = name;
	api_submit(call, NULL);
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
write_state(struct json_writer *json, const struct state_meta *meta,
	const struct state_txn *txn, uint64_t rrsets)
{
	uint64_t used, size;
	char instance[STATE_INSTANCE_TEXT];

	state_write_instance(meta, instance);
	state_usage(txn, &used, &size);
	json_writer_member_begin(json, "state", '{');
	json_writer_member_number(json, "revision", meta->revision);
	json_writer_member(json, "instance", instance);
	json_writer_member_number(json, "rrsets", rrsets);
	json_writer_member_number(json, "map-used", used);
	json_writer_member_number(json, "map-size", size);
	json_writer_end(json, '}');
}

static void
write_serve(struct json_writer *json, const struct writer_status *writer)
{
	json_writer_member_begin(json, "serve", '{');
	json_writer_member_number(json, "revision", writer->serve_revision);
	json_writer_member_bool(json, "current", writer->is_serve_current);
	if (!writer->is_serve_current)
		json_writer_member(json, "reason", writer->serve_reason);
	json_writer_member_number(json, "rebuilds", writer->rebuilds);
	json_writer_end(json, '}');
}

static void
write_writer(struct json_writer *json, const struct writer_status *writer)
{
	json_writer_member_begin(json, "writer", '{');
	json_writer_member_number(json, "queued", writer->queued);
	json_writer_member_number(json, "queue-limit", WRITER_QUEUE_MAX);
	json_writer_member_number(json, "commits", writer->groups);
	json_writer_member_number(json, "changes", writer->changes);
	json_writer_end(json, '}');
}

static void
write_backup(struct json_writer *json, struct backup_thread *backups)
{
	struct backup_thread_status status;

	backup_thread_read_status(backups, &status);
	json_writer_member_begin(json, "backup", '{');
	json_writer_member_bool(json, "enabled", status.is_on);
	json_writer_member(json, "directory", status.directory);
	json_writer_member_number(json, "made", status.made);
	json_writer_member_number(json, "failed", status.failed);
	if (status.error[0])
		json_writer_member(json, "error", status.error);
	if (status.has_newest) {
		json_writer_member_begin(json, "newest", '{');
		json_writer_member(json, "name", status.name);
		json_writer_member_number(json, "revision", status.revision);
		json_writer_member_number(json, "rrsets", status.records);
		write_time(json, "created", status.created_ms);
		write_seconds(json, "age", status.age_ms);
		json_writer_end(json, '}');
	}
	json_writer_end(json, '}');
}

static void
write_journal(struct json_writer *json, struct journal *journal)
{
	struct journal_status status;

	journal_read_status(journal, &status);
	json_writer_member_begin(json, "journal", '{');
	json_writer_member_number(json, "oldest", status.oldest);
	json_writer_member_number(json, "revision", status.last);
	json_writer_member_number(json, "bytes", status.bytes);
	json_writer_member_number(json, "queued", status.queued);
	json_writer_member_number(json, "gaps", status.gaps);
	if (status.error[0])
		json_writer_member(json, "error", status.error);
	json_writer_end(json, '}');
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
write_report(void *context, const struct report *report)
{
	struct json_writer *json = context;
	struct identity own;
	uint64_t age_ms;

	json_writer_begin(json, '{');
	json_writer_member_number(json, "pid", (uint64_t)report->pid);
	json_writer_member(json, "version", report->unbound);
	json_writer_member(json, "store", report->store);
	if (report->store_reason[0])
		json_writer_member(json, "reason", report->store_reason);
	report_identity_init(&own);
	write_warning(json, report, &own);
	write_breaker(json, report);
	json_writer_member(json, "instance", report->serve_instance);
	json_writer_member_number(json, "revision", report->revision);
	write_time(json, "started", report->started_ms);
	age_ms = report_age_ms(report, own.boot_id);
	write_seconds(json, "age", age_ms);
	json_writer_member_number(json, "workers", report->workers);
	json_writer_member_number(json, "opens", report->opens);
	json_writer_member_number(json, "corrupt", report->corrupt);
	json_writer_member_begin(json, "trips", '{');
	json_writer_member_number(json, "sigbus", report->trips_sigbus);
	json_writer_member_number(json, "sigsegv", report->trips_sigsegv);
	json_writer_member_number(json, "assert", report->trips_assert);
	json_writer_end(json, '}');
	if (report->snapshot_size > 0) {
		json_writer_member_begin(json, "snapshot", '{');
		json_writer_member_number(json, "revision", report->snapshot_revision);
		json_writer_member_number(json, "size", report->snapshot_size);
		/* both by one clock, the reporter's own */
		if (report->written_ms > report->snapshot_ms)
			age_ms += report->written_ms - report->snapshot_ms;
		write_seconds(json, "age", age_ms);
		json_writer_end(json, '}');
	}
	json_writer_member_number(json, "foreign", report->foreign);
	json_writer_member_begin(json, "zones", '[');
	for (size_t i = 0; i < report->zone_count; i++)
		write_report_zone(json, &report->zone[i]);
	json_writer_end(json, ']');
	json_writer_end(json, '}');
}

/* What the module says, or what we find: it may be of a version that does not look. */
static void
write_warning(struct json_writer *json, const struct report *report, const struct identity *own)
{
	struct reason reason = { "" };

	if (report->warning[0])
		json_writer_member(json, "warning", report->warning);
	else if (report_identity_compare(own, &report->identity, &reason) != IDENTITY_FITS)
		json_writer_member(json, "warning", reason.text);
}

static void
write_breaker(struct json_writer *json, const struct report *report)
{
	const uint64_t now_ms = clock_boot_ms();
	uint64_t crashes = 0;

	for (size_t i = 0; i < REPORT_CRASHES; i++)
		crashes += report->crash_ms[i] != 0;
	json_writer_member_number(json, "crashes", crashes);
	if (report->off_until_ms > now_ms)
		write_seconds(json, "retry-in", report->off_until_ms - now_ms);
}

static void
write_report_zone(struct json_writer *json, const struct report_zone *zone)
{
	static const char *const stages[REPORT_STAGES] = {
		[REPORT_LIVE] = "live",
		[REPORT_STALE] = "stale",
		[REPORT_FALLBACK] = "fallback",
		[REPORT_NEXT] = "next",
		[REPORT_FAILED] = "failed",
	};

	json_writer_begin(json, '{');
	json_writer_member(json, "name", zone->name);
	for (size_t i = 0; i < REPORT_STAGES; i++)
		json_writer_member_number(json, stages[i], zone->answers[i]);
	json_writer_member_number(json, "nodata", zone->nodata);
	json_writer_member_number(json, "nxdomain", zone->nxdomain);
	json_writer_end(json, '}');
}

static void
write_time(struct json_writer *json, const char *key, uint64_t wall_ms)
{
	char text[DURATION_TEXT_MAX];

	duration_write_time(wall_ms, text);
	json_writer_member(json, key, text);
}

static void
write_seconds(struct json_writer *json, const char *key, uint64_t ms)
{
	char text[DURATION_TEXT_MAX];

	duration_write_seconds(ms, text);
	json_writer_member(json, key, text);
}

static int
write_alarm(void *context, const char *name, size_t name_len, const char *text,
	size_t text_len, uint64_t raised_ms, struct reason *reason)
{
	char copy[STATE_ALARM_TEXT_MAX + 1], raised[DURATION_TEXT_MAX];
	struct json_writer *json = context;

	if (name_len > STATE_ALARM_NAME_MAX || text_len > STATE_ALARM_TEXT_MAX)
		return reason_set(reason, STATUS_CORRUPT, "state: damaged value in table A");
	json_writer_begin(json, '{');
	memcpy(copy, name, name_len);
	copy[name_len] = '\0';
	json_writer_member(json, "name", copy);
	memcpy(copy, text, text_len);
	copy[text_len] = '\0';
	json_writer_member(json, "text", copy);
	duration_write_time(raised_ms, raised);
	json_writer_member(json, "raised", raised);
	json_writer_end(json, '}');
	return STATUS_OK;
}

/* Adds "alarms": [...] to an object. */
static int
write_alarms(struct json_writer *json, struct state_txn *txn, struct reason *reason)
{
	int status;

	json_writer_member_begin(json, "alarms", '[');
	status = state_walk_alarms(txn, write_alarm, json, reason);
	json_writer_end(json, ']');
	return status;
}
