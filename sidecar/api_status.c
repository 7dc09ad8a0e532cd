/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * How it goes: livezoned, its two environments, and each Unbound that reports.
 */
#include "sidecar/api_status.h"

#include <string.h>

#include "lib/clock.h"
#include "lib/duration.h"
#include "lib/report.h"
#include "livezone-config.h"
#include "sidecar/alarm.h"
#include "sidecar/api.h"
#include "sidecar/backup_thread.h"
#include "sidecar/emit.h"
#include "sidecar/log.h"

static void emit_state(struct emit *emit, const struct state_meta *meta,
	const struct state_txn *txn, uint64_t rrsets);
static void emit_serve(struct emit *emit, const struct writer_status *writer);
static void emit_writer(struct emit *emit, const struct writer_status *writer);
static void emit_backup(struct emit *emit, struct backup_thread *backups);
static int add_source(void *context, const char *source, size_t source_len,
	const struct state_source *record, struct reason *reason);
static void emit_report(void *context, const struct report *report);
static void emit_warning(struct emit *emit, const struct report *report,
	const struct side *own);
static void emit_breaker(struct emit *emit, const struct report *report);
static void emit_report_zone(struct emit *emit, const struct report_zone *zone);
static void emit_time(struct emit *emit, const char *key, uint64_t wall_ms);
static void emit_seconds(struct emit *emit, const char *key, uint64_t ms);

void
api_status_get(struct api_call *call)
{
	struct emit emit = { .out = &call->reply->body };
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
	emit_begin(&emit, '{');
	emit_member(&emit, "version", PACKAGE_VERSION);
	emit_time(&emit, "started", call->api->started_ms);
	emit_seconds(&emit, "uptime", clock_boot_ms() - call->api->started_boot_ms);
	emit_member_bool(&emit, "ready", writer.serving);
	if (!writer.serving)
		emit_member(&emit, "reason", writer.serve_reason);
	status = alarm_emit_all(&emit, call->txn, &reason);
	if (status) {
		api_fail(call, status, &reason, NULL);
		return;
	}
	emit_state(&emit, &meta, call->txn, rrsets);
	emit_serve(&emit, &writer);
	emit_writer(&emit, &writer);
	emit_backup(&emit, call->api->backups);
	emit_member_begin(&emit, "log", '{');
	emit_member_number(&emit, "lost", log_dropped());
	emit_end(&emit, '}');
	emit_member_begin(&emit, "unbounds", '[');
	/* a directory without reports is no fault of ours */
	report_read_all(call->settings->config->store.serve, emit_report, &emit, &reason);
	emit_end(&emit, ']');
	emit_end(&emit, '}');
}

void
api_status_health(struct api_call *call)
{
	struct emit emit = { .out = &call->reply->body };

	emit_begin(&emit, '{');
	emit_member_bool(&emit, "ok", true);
	emit_end(&emit, '}');
}

void
api_status_ready(struct api_call *call)
{
	struct emit emit = { .out = &call->reply->body };
	struct writer_status writer;

	writer_read_status(call->api->writer, &writer);
	emit_begin(&emit, '{');
	emit_member_bool(&emit, "ok", writer.serving);
	if (!writer.serving) {
		emit_member(&emit, "reason", writer.serve_reason);
		call->reply->status = 503;
		call->reply->retry_after = 1;
	}
	emit_end(&emit, '}');
}

static void
emit_state(struct emit *emit, const struct state_meta *meta,
	const struct state_txn *txn, uint64_t rrsets)
{
	uint64_t used, size;
	char instance[STATE_INSTANCE_TEXT];

	state_write_instance(meta, instance);
	state_usage(txn, &used, &size);
	emit_member_begin(emit, "state", '{');
	emit_member_number(emit, "revision", meta->revision);
	emit_member(emit, "instance", instance);
	emit_member_number(emit, "rrsets", rrsets);
	emit_member_number(emit, "map-used", used);
	emit_member_number(emit, "map-size", size);
	emit_end(emit, '}');
}

static void
emit_serve(struct emit *emit, const struct writer_status *writer)
{
	emit_member_begin(emit, "serve", '{');
	emit_member_number(emit, "revision", writer->serve_revision);
	emit_member_bool(emit, "current", writer->serving);
	if (!writer->serving)
		emit_member(emit, "reason", writer->serve_reason);
	emit_member_number(emit, "rebuilds", writer->rebuilds);
	emit_end(emit, '}');
}

static void
emit_writer(struct emit *emit, const struct writer_status *writer)
{
	emit_member_begin(emit, "writer", '{');
	emit_member_number(emit, "queued", writer->queued);
	emit_member_number(emit, "queue-limit", WRITER_QUEUE_MAX);
	emit_member_number(emit, "commits", writer->groups);
	emit_member_number(emit, "changes", writer->changes);
	emit_end(emit, '}');
}

static void
emit_backup(struct emit *emit, struct backup_thread *backups)
{
	struct backup_thread_status status;

	backup_thread_read_status(backups, &status);
	emit_member_begin(emit, "backup", '{');
	emit_member_bool(emit, "enabled", status.is_on);
	emit_member(emit, "directory", status.directory);
	emit_member_number(emit, "made", status.made);
	emit_member_number(emit, "failed", status.failed);
	if (status.error[0])
		emit_member(emit, "error", status.error);
	if (status.has_newest) {
		emit_member_begin(emit, "newest", '{');
		emit_member(emit, "name", status.name);
		emit_member_number(emit, "revision", status.revision);
		emit_member_number(emit, "rrsets", status.records);
		emit_time(emit, "created", status.created_ms);
		emit_seconds(emit, "age", status.age_ms);
		emit_end(emit, '}');
	}
	emit_end(emit, '}');
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
	struct emit *emit = context;
	struct side own;
	uint64_t age_ms;

	emit_begin(emit, '{');
	emit_member_number(emit, "pid", (uint64_t)report->pid);
	emit_member(emit, "version", report->unbound);
	emit_member(emit, "store", report->store);
	if (report->store_reason[0])
		emit_member(emit, "reason", report->store_reason);
	side_init(&own);
	emit_warning(emit, report, &own);
	emit_breaker(emit, report);
	emit_member(emit, "instance", report->serve_instance);
	emit_member_number(emit, "revision", report->revision);
	emit_time(emit, "started", report->started_ms);
	age_ms = report_age_ms(report, own.boot_id);
	emit_seconds(emit, "age", age_ms);
	emit_member_number(emit, "workers", report->workers);
	emit_member_number(emit, "opens", report->opens);
	emit_member_number(emit, "corrupt", report->corrupt);
	emit_member_begin(emit, "trips", '{');
	emit_member_number(emit, "sigbus", report->trips_sigbus);
	emit_member_number(emit, "sigsegv", report->trips_sigsegv);
	emit_member_number(emit, "assert", report->trips_assert);
	emit_end(emit, '}');
	if (report->snapshot_size > 0) {
		emit_member_begin(emit, "snapshot", '{');
		emit_member_number(emit, "revision", report->snapshot_revision);
		emit_member_number(emit, "size", report->snapshot_size);
		/* both by one clock, the reporter's own */
		if (report->written_ms > report->snapshot_ms)
			age_ms += report->written_ms - report->snapshot_ms;
		emit_seconds(emit, "age", age_ms);
		emit_end(emit, '}');
	}
	emit_member_number(emit, "foreign", report->foreign);
	emit_member_begin(emit, "zones", '[');
	for (size_t i = 0; i < report->zone_count; i++)
		emit_report_zone(emit, &report->zone[i]);
	emit_end(emit, ']');
	emit_end(emit, '}');
}

/* What the module says, or what we find: it may be of a version that does not look. */
static void
emit_warning(struct emit *emit, const struct report *report, const struct side *own)
{
	struct reason reason = { "" };

	if (report->warning[0])
		emit_member(emit, "warning", report->warning);
	else if (side_compare(own, &report->side, &reason) != SIDE_FITS)
		emit_member(emit, "warning", reason.text);
}

static void
emit_breaker(struct emit *emit, const struct report *report)
{
	const uint64_t now_ms = clock_boot_ms();
	uint64_t crashes = 0;

	for (size_t i = 0; i < REPORT_CRASHES; i++)
		crashes += report->crash_ms[i] != 0;
	emit_member_number(emit, "crashes", crashes);
	if (report->off_until_ms > now_ms)
		emit_seconds(emit, "retry-in", report->off_until_ms - now_ms);
}

static void
emit_report_zone(struct emit *emit, const struct report_zone *zone)
{
	static const char *const stages[REPORT_STAGES] = {
		[REPORT_LIVE] = "live",
		[REPORT_STALE] = "stale",
		[REPORT_FALLBACK] = "fallback",
		[REPORT_NEXT] = "next",
		[REPORT_FAILED] = "failed",
	};

	emit_begin(emit, '{');
	emit_member(emit, "name", zone->name);
	for (size_t i = 0; i < REPORT_STAGES; i++)
		emit_member_number(emit, stages[i], zone->answers[i]);
	emit_member_number(emit, "nodata", zone->nodata);
	emit_member_number(emit, "nxdomain", zone->nxdomain);
	emit_end(emit, '}');
}

static void
emit_time(struct emit *emit, const char *key, uint64_t wall_ms)
{
	char text[DURATION_TEXT_MAX];

	duration_write_time(wall_ms, text);
	emit_member(emit, key, text);
}

static void
emit_seconds(struct emit *emit, const char *key, uint64_t ms)
{
	char text[DURATION_TEXT_MAX];

	duration_write_seconds(ms, text);
	emit_member(emit, key, text);
}
