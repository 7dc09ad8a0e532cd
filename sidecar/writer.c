/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The writer thread and its queue. API threads put a request that lives on their stack
 * into the queue and sleep until it is answered.
 */
#include "sidecar/writer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/status.h"
#include "sidecar/lease_clock.h"
#include "sidecar/plan.h"
#include "sidecar/pulse.h"
#include "sidecar/serving.h"

#define IDLE_MS 1000       /* the longest sleep: files are looked after, clocks may jump */
#define SWEEP_MS 5000      /* R11 */
#define EXPIRE_MS 200      /* between two passes over leases: DNS itself ends them on time */
#define BULK_ITEMS 1000    /* a change from here on shares its group with no other */

struct request {
	struct change *change;
	struct change_result *out;
	struct request *next;
	struct plan plan;
	bool is_final;  /* refused or failed: not tried again in this group */
	bool is_applied;
	bool is_answered;
	pthread_cond_t answered;
};

struct look {
	writer_look_fn fn;
	void *context;
	struct look *next;
	int status;
	struct reason reason;
	bool is_answered;
	pthread_cond_t answered;
};

struct writer {
	pthread_t thread;
	bool has_thread;
	/* of the writer thread */
	struct state *state;
	const struct config *config;
	struct serving serving;
	struct plan_touched touched;
	uint64_t wall_offset_ms;
	uint64_t next_expiry_ms; /* lease clock; 0 = none */
	uint64_t expired_ms;     /* lease clock: the last pass that left nothing undone */
	uint64_t revision;       /* committed */
	uint64_t swept_ms;       /* boot clock: when state was searched for dead readers */
	struct change *expire;
	/* shared */
	pthread_mutex_t lock;
	pthread_cond_t work;      /* for the thread */
	pthread_cond_t published; /* for writer_wait and writer_reload */
	struct request *first, **last;
	size_t queued; /* items */
	struct look *looks; /* the newest first: each sees the same */
	size_t look_count;
	const struct config *reload;
	bool is_stopping;
	struct writer_status status;
};

static uint64_t
lease_clock(const struct writer *writer)
{
	return clock_boot_ms() + writer->wall_offset_ms;
}

uint64_t
writer_lease_clock(struct writer *writer)
{
	return lease_clock(writer); /* the offset is const after the start */
}

/* --- a group --- */

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
fail(struct request *request, int status)
{
	request->out->outcome = outcome_of(status);
	request->out->item = CHANGE_WHOLE;
	request->is_final = true;
	request->is_applied = false;
}

static void
reset_result(struct request *request)
{
	struct change_result *out = request->out;

	*out = (struct change_result){ .outcome = CHANGE_UNCHANGED, .item = CHANGE_WHOLE };
	plan_done(&request->plan);
	request->is_applied = false;
}

static uint64_t
revision_for(const struct request *request, uint64_t revision)
{
	const struct change *change = request->change;

	if (request->plan.writes == 0)
		return revision;
	if (change->kind == CHANGE_RESTORE && change->base_revision > revision)
		revision = change->base_revision;
	return revision + 1;
}

static void
note_rrset_revision(struct request *request, uint64_t revision)
{
	const struct change *change = request->change;
	struct change_result *out = request->out;

	if (change->kind != CHANGE_ITEMS || change->count != 1)
		return;
	if (change->items[0].is_delete)
		out->rrset_revision = 0;
	else
		out->rrset_revision = out->unchanged ? out->old_revision : revision;
}

/* An alarm is no data: no revision, nothing to serve. */
static int
run_alarm(struct request *request, struct state_txn *txn, uint64_t revision)
{
	const struct change *change = request->change;
	struct change_result *out = request->out;
	int status = change->alarm_text
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

/* A heartbeat of the same source in the same group: it has renewed all that this one would. */
static const struct request *
find_twin(const struct request *group, const struct request *request)
{
	const struct change *change = request->change;

	if (change->kind != CHANGE_HEARTBEAT)
		return NULL;
	for (; group != request; group = group->next)
		if (group->is_applied && group->change->kind == CHANGE_HEARTBEAT
			&& group->change->source_len == change->source_len
			&& memcmp(group->change->source, change->source, change->source_len)
				== 0)
			return group;
	return NULL;
}

/* Plans and applies one change. Returns 0 also when it is refused; another status means
 * that the transaction is spoilt by it and must be aborted. */
static int
run_change(struct writer *writer, const struct request *group, struct request *request,
	struct state_txn *txn, uint64_t *revision)
{
	const struct request *twin = find_twin(group, request);
	const struct zones *zones = &writer->config->zones;
	struct change_result *out = request->out;
	uint64_t now_ms = lease_clock(writer), mine;
	bool is_clean = false;
	int status;

	reset_result(request);
	if (request->change->kind == CHANGE_ALARM)
		return run_alarm(request, txn, *revision);
	if (twin) {
		*out = *twin->out;
		request->is_applied = true;
		return STATUS_OK;
	}
	status = plan_make(&request->plan, request->change, txn, zones, now_ms, out);
	if (status != STATUS_OK) {
		/* a refusal has its outcome already; else the state could not be read */
		if (status != STATUS_INVALID)
			fail(request, status);
		if (status == STATUS_CORRUPT)
			state_suspect(writer->state);
		return STATUS_OK;
	}
	mine = revision_for(request, *revision);
	note_rrset_revision(request, mine);
	out->revision = *revision;
	if (request->change->dry_run)
		return STATUS_OK;
	if (request->change->kind == CHANGE_HEARTBEAT)
		status = state_touch_source(txn, request->change->source,
			request->change->source_len, now_ms, &out->reason);
	else if (request->plan.count == 0)
		return STATUS_OK;
	if (status == STATUS_OK)
		status = plan_apply(&request->plan, request->change, txn, zones, mine, now_ms,
			&writer->touched, &is_clean, &out->reason);
	if (status == STATUS_OK && request->plan.writes > 0)
		status = state_set_revision(txn, mine, &out->reason);
	if (status == STATUS_CORRUPT)
		state_suspect(writer->state);
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
		writer->serving.is_current = false;
	*out_revision = writer->revision = meta.revision;
	return STATUS_OK;
}

/* Runs all changes that are still in play in one transaction. *out_spoilt: one of them
 * spoilt it and is out of play now, nothing is written; run again. */
static int
run_all(struct writer *writer, struct request *group, bool *out_wrote, bool *out_spoilt,
	struct reason *reason)
{
	struct request *request;
	struct state_txn *txn;
	uint64_t revision = 0;
	size_t steps = 0;
	int status = begin_group(writer, &txn, &revision, reason);

	*out_wrote = *out_spoilt = false;
	plan_touched_clear(&writer->touched);
	if (status != STATUS_OK) {
		for (request = group; request; request = request->next)
			if (!request->is_final)
				reset_result(request);
		return status;
	}
	for (request = group; request; request = request->next) {
		if (request->is_final)
			continue;
		if (run_change(writer, group, request, txn, &revision) != STATUS_OK) {
			state_abort(txn);
			*out_spoilt = true;
			return STATUS_OK;
		}
		*out_wrote = *out_wrote || request->is_applied;
		steps += request->plan.count;
	}
	if (!*out_wrote) {
		state_abort(txn);
		return STATUS_OK;
	}
	status = state_next_expiry(txn, &writer->next_expiry_ms, reason);
	if (status != STATUS_OK) {
		state_abort(txn);
		return status;
	}
	pulse_allow(steps);
	status = state_commit(txn, reason);
	pulse_beat();
	if (status == STATUS_OK)
		writer->revision = revision;
	return status;
}

/* Those that would have been done; refusals stand. */
static void
fail_all(struct writer *writer, struct request *group, int status, const struct reason *reason)
{
	struct request *request;

	if (status == STATUS_CORRUPT)
		state_suspect(writer->state);

	for (request = group; request; request = request->next) {
		struct change_result *out = request->out;

		if (request->is_final
			|| (out->outcome != CHANGE_DONE && out->outcome != CHANGE_UNCHANGED))
			continue;
		fail(request, status);
		out->reason = *reason;
	}
}

/* One state transaction, one serve transaction. */
static void
run_group(struct writer *writer, struct request *group)
{
	struct reason reason = { "" };
	struct request *request;
	bool wrote, spoilt, is_seen = true;
	int status;

	do
		status = run_all(writer, group, &wrote, &spoilt, &reason);
	while (spoilt);
	if (status != STATUS_OK)
		fail_all(writer, group, status, &reason);
	else if (wrote) {
		serving_update(&writer->serving, &writer->touched, writer->revision);
		is_seen = serving_is_seen(&writer->serving, &reason);
	}
	for (request = group; request; request = request->next) {
		if (request->is_applied && !is_seen) {
			request->out->outcome = CHANGE_DONE_UNSERVED;
			request->out->reason = reason;
		}
		if (!request->is_applied)
			request->out->revision = writer->revision;
	}
}

/* Ends the leases that have run out; more than a pass takes are left to the next. */
static void
run_expiry(struct writer *writer)
{
	struct change_result result;
	struct request request = { .change = writer->expire, .out = &result };

	run_group(writer, &request);
	if (request.is_applied ? result.renewed == 0 : result.outcome == CHANGE_UNCHANGED)
		writer->expire->force = false;
	/* a full store must not make the thread spin on what it cannot delete */
	if (!request.is_applied && writer->next_expiry_ms <= lease_clock(writer))
		writer->next_expiry_ms = lease_clock(writer) + IDLE_MS;
	/* but of a thousand leases that ended together none waits for the next pass */
	writer->expired_ms = result.removed < PLAN_EXPIRE_MAX ? lease_clock(writer) : 0;
	plan_done(&request.plan);
}

/* Until the next pass; 0: now. */
static uint64_t
expiry_pause(const struct writer *writer)
{
	const uint64_t now = lease_clock(writer), earliest = writer->expired_ms + EXPIRE_MS;
	const uint64_t due =
		writer->next_expiry_ms > earliest ? writer->next_expiry_ms : earliest;

	return due > now ? due - now : 0;
}

static bool
is_expiry_due(const struct writer *writer)
{
	return writer->expire->force
		|| (writer->next_expiry_ms != 0 && expiry_pause(writer) == 0);
}

/* --- the queue; with the lock held --- */

static struct request *
take_group(struct writer *writer)
{
	struct request *group = writer->first, **end = &group;
	size_t items = 0;

	while (*end) {
		size_t count = (*end)->change->count;

		if (end != &group && (count >= BULK_ITEMS || items + count > WRITER_GROUP_MAX))
			break;
		items += count;
		writer->queued -= count;
		end = &(*end)->next;
		if (count >= BULK_ITEMS)
			break;
	}
	writer->first = *end;
	if (!writer->first)
		writer->last = &writer->first;
	*end = NULL;
	return group;
}

static void
answer_group(struct request *group)
{
	while (group) {
		struct request *next = group->next; /* the request is gone once answered */

		group->is_answered = true;
		pthread_cond_signal(&group->answered);
		group = next;
	}
}

static void
publish_status(struct writer *writer, const struct request *group)
{
	struct writer_status *status = &writer->status;
	const struct serving *serving = &writer->serving;

	for (status->groups += group != NULL; group; group = group->next)
		status->changes += group->is_applied;
	status->state_revision = writer->revision;
	status->serve_revision = serving->meta.revision;
	status->serving = serving->is_current;
	snprintf(status->serve_reason, sizeof(status->serve_reason), "%s",
		serving->is_current ? "" : serving->reason.text);
	status->reporters = serving->reporters.count;
	status->rebuilds = serving->rebuilds;
	status->catch_ups = serving->catch_ups;
	pthread_cond_broadcast(&writer->published);
}

static void
add_ms(struct timespec *time, uint64_t ms)
{
	time->tv_sec += (time_t)(ms / 1000);
	time->tv_nsec += (long)(ms % 1000) * 1000000;
	if (time->tv_nsec >= 1000000000) {
		time->tv_sec++;
		time->tv_nsec -= 1000000000;
	}
}

/* Sleeps until there is something to do, IDLE_MS at most. */
static void
wait_for_work(struct writer *writer)
{
	uint64_t pause = writer->next_expiry_ms != 0 ? expiry_pause(writer) : IDLE_MS;
	struct timespec until;

	if (pause == 0)
		return;
	if (pause > IDLE_MS)
		pause = IDLE_MS;
	clock_gettime(CLOCK_MONOTONIC, &until);
	add_ms(&until, pause);
	while (!writer->first && !writer->looks && !writer->reload && !writer->is_stopping)
		if (pthread_cond_timedwait(&writer->work, &writer->lock, &until) != 0)
			return;
}

/* --- look-ups --- */

static struct look *
take_looks(struct writer *writer)
{
	struct look *looks = writer->looks;

	writer->looks = NULL;
	writer->look_count = 0;
	return looks;
}

/* For serving_look. */
struct look_call {
	const struct look *look;
	struct store_txn *serve;
	struct state_txn *state;
};

static void
call_look(void *context)
{
	const struct look_call *call = context;

	call->look->fn(call->look->context, call->serve, call->state);
}

/* All of them in one pair of transactions; what is written in serve is nothing. */
static void
run_looks(struct writer *writer, struct look *looks)
{
	struct reason reason = { "" };
	struct look_call call = { 0 };
	int status = serving_begin_look(&writer->serving, &call.serve, &reason);

	if (status == STATUS_OK)
		status = state_begin_read(writer->state, &call.state, &reason);
	for (call.look = looks; looks; call.look = looks = looks->next) {
		if (status == STATUS_OK
			&& serving_look(&writer->serving, call_look, &call, &reason)
				!= STATUS_OK) {
			call.serve = NULL;
			status = STATUS_UNAVAILABLE;
		}
		looks->status = status;
		looks->reason = reason;
	}
	state_abort(call.state);
	if (call.serve)
		store_writer_abort(call.serve);
}

static void
answer_looks(struct look *looks)
{
	while (looks) {
		struct look *next = looks->next; /* the look is gone once answered */

		looks->is_answered = true;
		pthread_cond_signal(&looks->answered);
		looks = next;
	}
}

/* --- configuration --- */

static int
add_apexes(struct plan_touched *touched, const struct zones *zones)
{
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < zones->count; i++)
		status = plan_names_add(&touched->apexes, &zones->zone[i].key);
	return status;
}

static int
recount(struct writer *writer, bool *out_changed, struct reason *reason)
{
	struct state_txn *txn;
	int status = state_begin_write(writer->state, &txn, reason);

	if (status != STATUS_OK)
		return status;
	status = state_recount_zones(txn, &writer->config->zones, out_changed, reason);
	if (status != STATUS_OK || !*out_changed) {
		state_abort(txn);
		return status;
	}
	return state_commit(txn, reason);
}

/* Zones may have come or gone, or have another SOA or NS RRset: all apexes, old and new.
 * What is stored in a zone that has gone stays, and nobody asks for it. */
static void
use_config(struct writer *writer, const struct config *config)
{
	struct plan_touched *touched = &writer->touched;
	bool has_pointers = writer->config->zones.has_auto_ptr || config->zones.has_auto_ptr;
	bool changed = true;
	int status;

	plan_touched_clear(touched);
	status = add_apexes(touched, &writer->config->zones);
	writer->config = config;
	writer->serving.compile.zones = &config->zones;
	if (status == STATUS_OK)
		status = add_apexes(touched, &config->zones);
	if (status != STATUS_OK)
		writer->serving.is_current = false; /* out of memory: all, later */
	/* counts are for people: a full disk must not keep the new zones from being served */
	recount(writer, &changed, &writer->serving.reason);
	/* PTR records come and go with the zones of both sides */
	if (changed && has_pointers)
		writer->serving.is_current = false;
	serving_update(&writer->serving, touched, writer->revision);
	plan_touched_clear(touched);
}

/* --- the thread --- */

/* A dead reader of state is one of LMDB's tools; it would let the file grow to its end. */
static void
sweep_state(struct writer *writer)
{
	uint64_t now = clock_boot_ms();

	if (now - writer->swept_ms < SWEEP_MS)
		return;
	writer->swept_ms = now;
	state_sweep(writer->state);
}

static void *
run(void *context)
{
	struct writer *writer = context;

	pthread_setname_np(pthread_self(), "writer");
	pthread_mutex_lock(&writer->lock);
	while (!writer->is_stopping) {
		const struct config *reload = writer->reload;
		struct request *group, *request;
		struct look *looks;

		pulse_beat();
		if (!writer->first && !writer->looks && !reload)
			wait_for_work(writer);
		reload = writer->reload;
		group = take_group(writer);
		looks = take_looks(writer);
		pthread_mutex_unlock(&writer->lock);

		if (is_expiry_due(writer))
			run_expiry(writer);
		if (group)
			run_group(writer, group);
		if (reload)
			use_config(writer, reload);
		serving_tick(&writer->serving);
		sweep_state(writer);
		if (looks)
			run_looks(writer, looks);

		pthread_mutex_lock(&writer->lock);
		if (reload && writer->reload == reload)
			writer->reload = NULL;
		publish_status(writer, group);
		for (request = group; request; request = request->next)
			plan_done(&request->plan);
		answer_group(group);
		answer_looks(looks);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

static void
init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* What state says: its revision, when the first lease ends, whether the zones are those
 * that serve was compiled for. */
static int
read_state(struct writer *writer, bool *out_new_zones, struct reason *reason)
{
	struct state_txn *txn;
	struct state_meta meta;
	int status = recount(writer, out_new_zones, reason);

	if (status == STATUS_FULL) {
		*out_new_zones = true;
		status = STATUS_OK;
	}
	if (status == STATUS_OK)
		status = state_begin_read(writer->state, &txn, reason);
	if (status != STATUS_OK)
		return status;
	status = state_read_meta(txn, &meta, reason);
	if (status == STATUS_OK)
		status = state_next_expiry(txn, &writer->next_expiry_ms, reason);
	state_abort(txn);
	writer->revision = meta.revision;
	return status;
}

int
writer_start(struct state *state, const struct config *config, struct writer **out,
	struct reason *reason)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	bool new_zones, is_new_boot;
	int status;

	if (!writer)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	pthread_mutex_init(&writer->lock, NULL);
	init_cond(&writer->work);
	init_cond(&writer->published);
	writer->last = &writer->first;
	guard_install();
	store_writer_on_assert(&guard_on_assert);
	writer->state = state;
	writer->config = config;
	writer->wall_offset_ms = lease_clock_offset(config->store.state, &is_new_boot);
	writer->serving = (struct serving){
		.state = state,
		.dir = strdup(config->store.serve),
		.size_limit = config->store.size_limit,
		.compile = { .zones = &config->zones,
			.wall_offset_ms = writer->wall_offset_ms },
	};
	writer->expire = change_new(CHANGE_EXPIRE);
	if (writer->expire)
		writer->expire->force = is_new_boot;
	status = writer->expire && writer->serving.dir
		? read_state(writer, &new_zones, reason)
		: reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (status == STATUS_OK) {
		serving_start(&writer->serving, new_zones);
		publish_status(writer, NULL);
		pulse_watch(NULL); /* the start is over: the thread beats for the watchdog */
		if (pthread_create(&writer->thread, NULL, run, writer) != 0)
			status = reason_set(reason, STATUS_IO, "no thread");
		else
			writer->has_thread = true;
	}
	if (status != STATUS_OK) {
		writer_stop(writer);
		return status;
	}
	*out = writer;
	return STATUS_OK;
}

void
writer_stop(struct writer *writer)
{
	struct request *request;
	struct look *look;

	if (!writer)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->is_stopping = true;
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->lock);
	if (writer->has_thread)
		pthread_join(writer->thread, NULL);
	pthread_mutex_lock(&writer->lock);
	for (request = writer->first; request; request = request->next)
		change_refuse(request->out, CHANGE_BUSY, CHANGE_WHOLE, NULL,
			"livezoned is stopping");
	answer_group(writer->first);
	writer->first = NULL;
	for (look = writer->looks; look; look = look->next)
		look->status = reason_set(&look->reason, STATUS_UNAVAILABLE,
			"livezoned is stopping");
	answer_looks(take_looks(writer));
	pthread_cond_broadcast(&writer->published);
	pthread_mutex_unlock(&writer->lock);
	serving_stop(&writer->serving);
	plan_touched_done(&writer->touched);
	change_free(writer->expire);
	pthread_cond_destroy(&writer->published);
	pthread_cond_destroy(&writer->work);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

/* --- other threads --- */

void
writer_submit(struct writer *writer, struct change *change, struct change_result *out)
{
	struct request request = { .change = change, .out = out };

	*out = (struct change_result){ .item = CHANGE_WHOLE };
	if (change->count > 0 && !change->order) {
		change_refuse(out, CHANGE_FAILED, CHANGE_WHOLE, NULL,
			"the change was not checked");
		return;
	}
	pthread_mutex_lock(&writer->lock);
	if (writer->is_stopping || writer->queued >= WRITER_QUEUE_MAX) {
		change_refuse(out, CHANGE_BUSY, CHANGE_WHOLE, NULL, "%s",
			writer->is_stopping ? "livezoned is stopping"
					    : "too many writes are waiting");
		pthread_mutex_unlock(&writer->lock);
		return;
	}
	pthread_cond_init(&request.answered, NULL);
	*writer->last = &request;
	writer->last = &request.next;
	writer->queued += change->count;
	pthread_cond_signal(&writer->work);
	while (!request.is_answered)
		pthread_cond_wait(&request.answered, &writer->lock);
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_destroy(&request.answered);
}

int
writer_look(struct writer *writer, writer_look_fn fn, void *context, struct reason *reason)
{
	struct look look = { .fn = fn, .context = context };

	pthread_mutex_lock(&writer->lock);
	if (writer->is_stopping || writer->look_count >= WRITER_LOOKS_MAX) {
		look.status = reason_set(reason, STATUS_UNAVAILABLE, "%s",
			writer->is_stopping ? "livezoned is stopping"
					    : "too many look-ups are waiting");
		pthread_mutex_unlock(&writer->lock);
		return look.status;
	}
	pthread_cond_init(&look.answered, NULL);
	look.next = writer->looks;
	writer->looks = &look;
	writer->look_count++;
	pthread_cond_signal(&writer->work);
	while (!look.is_answered)
		pthread_cond_wait(&look.answered, &writer->lock);
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_destroy(&look.answered);
	if (look.status != STATUS_OK)
		*reason = look.reason;
	return look.status;
}

void
writer_reload(struct writer *writer, const struct config *config)
{
	pthread_mutex_lock(&writer->lock);
	writer->reload = config;
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->lock);
}

bool
writer_is_reloaded(struct writer *writer, uint64_t wait_ms)
{
	struct timespec until;
	bool is_done;

	clock_gettime(CLOCK_MONOTONIC, &until);
	add_ms(&until, wait_ms);
	pthread_mutex_lock(&writer->lock);
	while (writer->reload && !writer->is_stopping)
		if (pthread_cond_timedwait(&writer->published, &writer->lock, &until) != 0)
			break;
	is_done = !writer->reload || writer->is_stopping;
	pthread_mutex_unlock(&writer->lock);
	return is_done;
}

void
writer_read_status(struct writer *writer, struct writer_status *out)
{
	pthread_mutex_lock(&writer->lock);
	*out = writer->status;
	out->queued = writer->queued;
	pthread_mutex_unlock(&writer->lock);
	state_usage(writer->state, &out->state_used, &out->state_size);
	out->state_reopens = state_reopens(writer->state);
}

uint64_t
writer_wait(struct writer *writer, uint64_t since, uint32_t wait_ms)
{
	struct timespec until;
	uint64_t revision;

	clock_gettime(CLOCK_MONOTONIC, &until);
	add_ms(&until, wait_ms);
	pthread_mutex_lock(&writer->lock);
	while (writer->status.state_revision <= since && !writer->is_stopping)
		if (pthread_cond_timedwait(&writer->published, &writer->lock, &until) != 0)
			break;
	revision = writer->status.state_revision;
	pthread_mutex_unlock(&writer->lock);
	return revision;
}
