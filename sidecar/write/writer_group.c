/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A group of changes: planned and applied one after the other, committed together, then
 * brought to serve. A change that fails takes none of the others with it.
 */
#include "sidecar/write/writer_group.h"

#include <string.h>

#include "lib/base/status.h"

#define EXPIRE_MS 200 /* between two passes over leases: DNS itself ends them on time */

static enum change_outcome
outcome_of(int status)
{
	switch (status) {
	case STATUS_FULL:
		return CHANGE_FULL;
	case STATUS_UNAVAILABLE:
	case STATUS_IO:      /* state is opened anew for the next one */
	case STATUS_CORRUPT: /* and restored by a start */
		return CHANGE_BUSY;
	default:
		return CHANGE_FAILED;
	}
}

/* The result's reason says why already. */
static void
fail(struct write_request *request, int status)
{
	request->result.outcome = outcome_of(status);
	request->result.item = CHANGE_WHOLE;
	request->is_final = true;
	request->is_applied = false;
}

static void
reset_result(struct write_request *request)
{
	struct change_result *out = &request->result;

	*out = (struct change_result){ .outcome = CHANGE_UNCHANGED,
		.item = CHANGE_WHOLE };
	plan_done(&request->plan);
	request->is_applied = false;
}

static uint64_t
revision_for(const struct write_request *request, uint64_t revision)
{
	const struct change *change = request->change;

	if (request->plan.writes == 0)
		return revision;
	if (change->kind == CHANGE_RESTORE && change->base_revision > revision)
		revision = change->base_revision;
	return revision + 1;
}

static void
note_rrset_revision(struct write_request *request, uint64_t revision)
{
	const struct change *change = request->change;
	struct change_result *out = &request->result;

	if (change->kind != CHANGE_ITEMS || change->count != 1)
		return;
	if (change->items[0].is_delete)
		out->rrset_revision = 0;
	else
		out->rrset_revision = out->unchanged ? out->old_revision : revision;
}

/* An alarm is no data: no revision, nothing to serve. */
static int
run_alarm(struct write_request *request, struct state_txn *txn, const struct zones *zones,
	uint64_t revision)
{
	struct change_result *out = &request->result;
	const struct change *change = request->change;
	int status;

	if (!authorize_all(&change->caller, CREDENTIALS_ADMIN, zones, &out->reason)) {
		out->outcome = CHANGE_FORBIDDEN;
		return STATUS_OK;
	}
	status = change->alarm_text
		? state_raise_alarm(txn, change->alarm, change->alarm_text, &out->reason)
		: state_clear_alarm(txn, change->alarm, &out->reason);

	out->revision = revision;
	if (status == STATUS_NOT_FOUND) {
		change_refuse(out, CHANGE_NOT_FOUND, CHANGE_WHOLE, NULL,
			"there is no such alarm");
		return STATUS_OK;
	}
	if (status != STATUS_OK) {
		fail(request, status);
		return status;
	}
	out->outcome = CHANGE_DONE;
	request->is_applied = true;
	return STATUS_OK;
}

/* A heartbeat of the same source and caller in the same group: it has renewed all that this one
 * would. */
static const struct write_request *
find_twin(const struct write_request *group, const struct write_request *request)
{
	const struct change *change = request->change;

	if (change->kind != CHANGE_HEARTBEAT)
		return NULL;
	for (; group != request; group = group->next)
		if (group->is_applied && group->change->kind == CHANGE_HEARTBEAT
			&& group->change->caller.token == change->caller.token
			&& group->change->source_len == change->source_len
			&& memcmp(group->change->source, change->source,
				   change->source_len)
				   == 0)
			return group;
	return NULL;
}

/* A turn that writes so many RRsets may take this much longer: a disk with half a second for
 * each operation is slow, not stuck. A million takes 18 minutes at most. */
static void
allow(struct writer *writer, size_t steps)
{
	uint64_t few = steps < 60 ? steps : 60;

	atomic_fetch_add(&writer->allowed_ms, few * 1000 + steps);
}

/* Can it spoil a transaction of a full store? Its first step can fail alone, and deletes find
 * room. */
static bool
can_spoil(const struct plan *plan)
{
	size_t i = 0;

	while (i < plan->count && plan->step[i].verb == PLAN_DELETE)
		i++;
	return plan->count > 1 && i < plan->count;
}

/* Plans and applies one change. Returns 0 also when it is refused; another status means
 * that the transaction is spoilt by it and must be aborted. `full`: a change before it that
 * found the store full, or NULL. */
static int
run_change(struct writer *writer, const struct write_request *group,
	struct write_request *request, const struct write_request *full,
	struct state_txn *txn, uint64_t *revision)
{
	const struct write_request *twin = find_twin(group, request);
	const struct zones *zones = &writer->config->zones;
	struct change_result *out = &request->result;
	uint64_t now_ms = writer_group_clock(writer), mine;
	bool is_clean = false;
	int status;

	reset_result(request);
	if (request->change->kind == CHANGE_ALARM)
		return run_alarm(request, txn, zones, *revision);
	if (twin) {
		*out = twin->result;
		request->is_applied = true;
		return STATUS_OK;
	}
	status = plan_make(&request->plan, request->change, txn, zones, now_ms, out);
	if (status != STATUS_OK) {
		/* a refusal has its outcome already; else the state could not be read */
		if (status != STATUS_INVALID)
			fail(request, status);
		return STATUS_OK;
	}
	allow(writer, request->plan.count);
	mine = revision_for(request, *revision);
	note_rrset_revision(request, mine);
	out->revision = *revision;
	if (request->change->dry_run)
		return STATUS_OK;
	if (full && can_spoil(&request->plan)) {
		fail(request, STATUS_FULL);
		out->reason = full->result.reason;
		return STATUS_OK;
	}
	if (request->change->kind == CHANGE_HEARTBEAT)
		status = state_touch_source(txn, request->change->source,
			request->change->source_len, now_ms, &out->reason);
	else if (request->plan.count == 0)
		return STATUS_OK;
	if (status == STATUS_OK)
		status = plan_apply(&request->plan, request->change, txn, zones, mine,
			now_ms, &writer->touched, &is_clean, &out->reason);
	if (status == STATUS_OK && request->plan.writes > 0)
		status = state_set_revision(txn, mine, &out->reason);
	if (status != STATUS_OK) {
		fail(request, status);
		return is_clean ? STATUS_OK : status;
	}
	out->outcome = CHANGE_DONE;
	out->revision = *revision = mine;
	request->is_applied = true;
	return STATUS_OK;
}

/* A commit that failed may be on the disk all the same (its last write was reported lost,
 * but was not): what state says counts, and serve is made from it anew. */
static int
begin_group(struct writer *writer, struct state_txn **out_txn, uint64_t *out_revision,
	struct reason *reason)
{
	struct state_meta meta;
	int status = state_begin_write(writer->state, out_txn, reason);

	if (status != STATUS_OK)
		return status;
	status = state_read_meta(*out_txn, &meta, reason);
	if (status != STATUS_OK) {
		state_abort(*out_txn);
		return status;
	}
	if (meta.revision != writer->revision)
		writer->publisher.is_current = false;
	*out_revision = writer->revision = meta.revision;
	return STATUS_OK;
}

static void
tell_committed(struct writer *writer, const struct write_request *group)
{
	uint64_t previous = writer->revision;

	for (; writer->hook.commit && group; group = group->next) {
		if (!group->is_applied || group->plan.writes == 0)
			continue;
		writer->hook.commit(writer->hook.context, writer, group, previous,
			writer_group_clock(writer));
		previous = group->result.revision;
	}
}

/* How a commit ended. */
enum commit_end {
	COMMIT_DONE,
	COMMIT_FAILED,  /* nothing of it is stored */
	COMMIT_STORED,  /* it failed, but state has it: whether it outlives a power loss is not
			 * known, because a sync that failed is not made good by the next one */
	COMMIT_UNKNOWN, /* state cannot tell */
};

/* What state says, once it was opened again, of a commit that failed. Changes that have no
 * revision of their own leave no trace to look for. */
static enum commit_end
find_end(struct writer *writer, uint64_t revision)
{
	struct state_meta meta;
	struct state_txn *txn;
	int status = state_begin_read(writer->state, &txn, NULL);

	if (status != STATUS_OK)
		return COMMIT_UNKNOWN;
	status = state_read_meta(txn, &meta, NULL);
	state_abort(txn);
	if (status != STATUS_OK || revision == writer->revision)
		return COMMIT_UNKNOWN;
	return meta.revision == revision ? COMMIT_STORED : COMMIT_FAILED;
}

/* A change that is there already: its caller is told the same as the one that wrote it. */
static bool
is_there(const struct write_request *request)
{
	return !request->is_final && request->result.outcome == CHANGE_UNCHANGED
		&& !request->change->dry_run && request->change->kind != CHANGE_EXPIRE;
}

static void
doubt_all(struct write_request *group, enum commit_end end, const struct reason *reason)
{
	for (; group; group = group->next) {
		if (!group->is_applied && !is_there(group))
			continue;
		change_refuse(&group->result, CHANGE_UNKNOWN, CHANGE_WHOLE, NULL,
			"the commit failed and %s: %.400s; read before you try again",
			end == COMMIT_STORED ? "may not outlive a power loss"
					     : "whether anything was written is not known",
			reason->text);
		group->is_final = true;
		group->is_applied = group->is_applied && end == COMMIT_STORED;
	}
}

/* Runs all changes that are still in play in one transaction. *out_spoilt: one of them
 * spoilt it and is out of play now, nothing is written; run again. */
static int
run_all(struct writer *writer, struct write_request *group, bool *out_wrote,
	bool *out_spoilt, struct reason *reason)
{
	const struct write_request *full = NULL;
	struct write_request *request;
	struct state_txn *txn;
	bool must_commit = false;
	uint64_t revision = 0, next_expiry_ms;
	enum commit_end end;
	int status = begin_group(writer, &txn, &revision, reason);

	*out_wrote = *out_spoilt = false;
	touched_clear(&writer->touched);
	if (status != STATUS_OK) {
		for (request = group; request; request = request->next)
			if (!request->is_final)
				reset_result(request);
		return status;
	}
	for (request = group; request; request = request->next) {
		/* one that spoils the transaction is enough: each has all run again */
		if (request->is_final && request->result.outcome == CHANGE_FULL)
			full = request;
		if (request->is_final)
			continue;
		if (run_change(writer, group, request, full, txn, &revision) != STATUS_OK) {
			state_abort(txn);
			*out_spoilt = true;
			return STATUS_OK;
		}
		*out_wrote = *out_wrote || request->is_applied;
		must_commit = must_commit || request->is_applied
			|| (writer->is_doubtful && is_there(request));
	}
	if (!must_commit) {
		state_abort(txn);
		return STATUS_OK;
	}
	if (!*out_wrote) /* LMDB syncs no commit that changed nothing */
		status = state_set_revision(txn, revision, reason);
	if (status == STATUS_OK)
		status = state_next_expiry(txn, &next_expiry_ms, reason);
	if (status != STATUS_OK) {
		state_abort(txn);
		return status;
	}
	status = state_commit(txn, reason);
	end = status == STATUS_OK    ? COMMIT_DONE
	      : status == STATUS_FULL ? COMMIT_FAILED
				      : find_end(writer, revision);
	if (end != COMMIT_FAILED)
		writer->is_doubtful = end != COMMIT_DONE;
	if (end == COMMIT_DONE || end == COMMIT_STORED) {
		tell_committed(writer, group);
		writer->revision = revision;
		writer->next_expiry_ms = next_expiry_ms;
	}
	if (end == COMMIT_STORED || end == COMMIT_UNKNOWN)
		doubt_all(group, end, reason);
	return end == COMMIT_STORED ? STATUS_OK : status;
}

/* Those that would have been done; refusals stand. */
static void
fail_all(struct write_request *group, int status,
	const struct reason *reason)
{
	struct write_request *request;

	for (request = group; request; request = request->next) {
		struct change_result *out = &request->result;

		if (request->is_final
			|| (out->outcome != CHANGE_DONE
				&& out->outcome != CHANGE_UNCHANGED))
			continue;
		fail(request, status);
		out->reason = *reason;
	}
}

void
writer_group_run(struct writer *writer, struct write_request *group)
{
	struct reason reason = { "" };
	struct write_request *request;
	bool wrote, spoilt, is_seen;
	int status;

	do
		status = run_all(writer, group, &wrote, &spoilt, &reason);
	while (spoilt);
	if (status != STATUS_OK)
		fail_all(group, status, &reason);
	else if (wrote)
		publisher_update(&writer->publisher, &writer->touched, writer->revision);
	is_seen = publisher_is_seen(&writer->publisher, &reason);
	for (request = group; request; request = request->next) {
		if (!is_seen && (request->result.outcome == CHANGE_DONE || is_there(request))) {
			request->result.is_unserved = true;
			request->result.reason = reason;
		}
		if (!request->is_applied)
			request->result.revision = writer->revision;
	}
}

void
writer_group_expire(struct writer *writer)
{
	struct write_request *request = writer->expire;
	const struct change_result *result = &request->result;

	request->is_final = false;
	writer_group_run(writer, request);
	/* a pass that was full has not seen what comes behind */
	if (request->is_applied
			? result->renewed == 0 && result->removed < PLAN_EXPIRE_MAX
			: result->outcome == CHANGE_UNCHANGED)
		request->change->force = false;
	/* a full store must not make the thread spin on what it cannot delete */
	if (!request->is_applied && writer->next_expiry_ms <= writer_group_clock(writer))
		writer->next_expiry_ms = writer_group_clock(writer) + WRITER_IDLE_MS;
	/* but of a thousand leases that ended together none waits for the next pass */
	writer->expired_ms =
		result->removed < PLAN_EXPIRE_MAX ? writer_group_clock(writer) : 0;
	plan_done(&request->plan);
}

uint64_t
writer_group_expiry_pause(const struct writer *writer)
{
	const uint64_t now = writer_group_clock(writer),
		       earliest = writer->expired_ms + EXPIRE_MS;
	const uint64_t due =
		writer->next_expiry_ms > earliest ? writer->next_expiry_ms : earliest;

	return due > now ? due - now : 0;
}

bool
writer_group_is_expiry_due(const struct writer *writer)
{
	return writer->expire->change->force
	       || (writer->next_expiry_ms != 0 && writer_group_expiry_pause(writer) == 0);
}
