/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The writer thread and its queue. API threads put a request that lives on their stack
 * into the queue and sleep until it is answered.
 */
#include "sidecar/write/writer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "sidecar/state/lease_clock.h"
#include "sidecar/main/pulse.h"
#include "sidecar/write/writer_group.h"
#include "sidecar/write/writer_look.h"
#include "sidecar/write/writer_thread.h"

#define SWEEP_MS 5000   /* between two sweeps of state for dead readers */
#define BULK_ITEMS 1000 /* a change from here on shares its group with no other */

uint64_t
writer_lease_clock(struct writer *writer)
{
	return writer_thread_clock(writer); /* the offset is const after the start */
}

/* --- the queue; with the lock held --- */

static struct writer_request *
take_group(struct writer *writer)
{
	struct writer_request *group = writer->first, **end = &group;
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
answer_group(struct writer_request *group)
{
	while (group) {
		struct writer_request *next = group->next; /* the request is gone once answered */

		group->is_answered = true;
		pthread_cond_signal(&group->answered);
		group = next;
	}
}

static void
publish_status(struct writer *writer, const struct writer_request *group)
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

/* Sleeps until there is something to do, WRITER_IDLE_MS at most. */
static void
wait_for_work(struct writer *writer)
{
	uint64_t pause = writer->next_expiry_ms != 0 ? writer_group_expiry_pause(writer)
						     : WRITER_IDLE_MS;
	struct timespec until;

	if (pause == 0)
		return;
	if (pause > WRITER_IDLE_MS)
		pause = WRITER_IDLE_MS;
	clock_gettime(CLOCK_MONOTONIC, &until);
	add_ms(&until, pause);
	while (!writer->first && !writer->looks && !writer->reload && !writer->is_stopping)
		if (pthread_cond_timedwait(&writer->work, &writer->lock, &until) != 0)
			return;
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
		struct writer_request *group, *request;
		struct writer_looker *looks;

		pulse_beat();
		if (!writer->first && !writer->looks && !reload)
			wait_for_work(writer);
		reload = writer->reload;
		group = take_group(writer);
		looks = writer_look_take(writer);
		pthread_mutex_unlock(&writer->lock);

		if (writer_group_is_expiry_due(writer))
			writer_group_expire(writer);
		if (group)
			writer_group_run(writer, group);
		if (reload)
			use_config(writer, reload);
		serving_tick(&writer->serving);
		sweep_state(writer);
		if (looks)
			writer_look_run(writer, looks);

		pthread_mutex_lock(&writer->lock);
		if (reload && writer->reload == reload)
			writer->reload = NULL;
		publish_status(writer, group);
		for (request = group; request; request = request->next)
			plan_done(&request->plan);
		answer_group(group);
		writer_look_answer(looks);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
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
	clock_init_condition(&writer->work);
	clock_init_condition(&writer->published);
	writer->last = &writer->first;
	guard_install();
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
	struct writer_request *request;
	struct writer_looker *look;

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
	writer_look_answer(writer_look_take(writer));
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
	struct writer_request request = { .change = change, .out = out };

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
