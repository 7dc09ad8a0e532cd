/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The writer thread and its queues. Requests come from any thread and are answered on this
 * one, each by its callback.
 */
#include "sidecar/write/writer.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "sidecar/state/state.h"
#include "sidecar/write/writer_group.h"

#define RELEASE_ITEMS 20000 /* after a change of so many, memory is given back */
#define SWEEP_MS 5000   /* between two sweeps of state for dead readers */
#define RECOUNT_MS 1000 /* until a recount of the zones that failed is tried again */

uint64_t
writer_lease_clock(struct writer *writer)
{
	return writer_group_clock(writer); /* the offset is const after the start */
}

/* --- requests --- */

struct write_request *
write_request_new(struct change *change)
{
	struct write_request *request = calloc(1, sizeof(*request));

	if (request)
		request->change = change;
	else
		change_free(change);
	return request;
}

void
write_request_free(struct write_request *request)
{
	if (!request)
		return;
	plan_done(&request->plan);
	change_free(request->change);
	free(request);
}

/* --- the queues; with the lock held --- */

static void
list_init(struct writer_list *list)
{
	*list = (struct writer_list){ .end = &list->first };
}

static size_t
items_of(const struct write_request *request)
{
	const struct change *change = request->change;

	if (!change)
		return 0;
	return change->prepare ? WRITER_BULK_ITEMS : change->count; /* nobody knows yet */
}

static void
list_add(struct writer_list *list, struct write_request *request)
{
	request->next = NULL;
	*list->end = request;
	list->end = &request->next;
	list->count++;
	list->items += items_of(request);
}

/* Takes requests from the front for one group. A change of WRITER_BULK_ITEMS and more shares
 * its group with no other. */
static struct write_request *
take_group(struct writer_list *list)
{
	struct write_request *group = list->first, **end = &group;
	size_t items = 0;

	while (*end) {
		size_t count = items_of(*end);

		if (end != &group
			&& (count >= WRITER_BULK_ITEMS || items + count > WRITER_GROUP_MAX))
			break;
		items += count;
		list->count--;
		list->items -= count;
		end = &(*end)->next;
		if (count >= WRITER_BULK_ITEMS)
			break;
	}
	list->first = *end;
	if (!list->first)
		list->end = &list->first;
	*end = NULL;
	return group;
}

static struct write_request *
take_all(struct writer_list *list)
{
	struct write_request *all = list->first;

	list_init(list);
	return all;
}

static bool
is_idle(const struct writer *writer)
{
	return !writer->small.first && !writer->bulk.first && !writer->looks.first
	       && !writer->reload && !writer->is_stopping;
}

static void
publish_status(struct writer *writer)
{
	struct writer_status *status = &writer->status;
	const struct publisher *publisher = &writer->publisher;

	status->state_revision = writer->revision;
	status->serve_revision = publisher->meta.revision;
	status->is_serve_current = publisher->is_current;
	snprintf(status->serve_reason, sizeof(status->serve_reason), "%s",
		publisher->is_current ? "" : publisher->reason.text);
	status->reporters = publisher->reporters.count;
	status->rebuilds = publisher->rebuilds;
	status->catch_ups = publisher->catch_ups;
	pthread_cond_broadcast(&writer->changed);
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
	while (is_idle(writer))
		if (pthread_cond_timedwait(&writer->work, &writer->lock, &until) != 0)
			return;
}

/* --- configuration --- */

static int
add_apexes(struct touched *touched, const struct zones *zones)
{
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < zones->count; i++)
		status = touched_add(&touched->apexes, &zones->zone[i].key);
	return status;
}

static int
recount_once(struct writer *writer, bool *out_changed, struct reason *reason)
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

/* A full disk must not keep new zones from being served: what they have is not known then, and
 * look-ups look for all of it, until a later try succeeds. */
static int
recount(struct writer *writer, bool *out_changed, struct reason *reason)
{
	int status = recount_once(writer, out_changed, reason);

	if (status != STATUS_OK)
		state_doubt_counts(writer->state);
	writer->recount_ms = status == STATUS_OK ? 0 : clock_boot_ms() + RECOUNT_MS;
	return status;
}

/* Zones may have come or gone, or have another SOA or NS RRset: all apexes, old and new.
 * What is stored in a zone that has gone stays, and nobody asks for it. */
static void
use_config(struct writer *writer, const struct config *config)
{
	struct touched *touched = &writer->touched;
	bool has_pointers = writer->config->zones.has_auto_ptr || config->zones.has_auto_ptr;
	bool changed = true;
	int status;

	touched_clear(touched);
	status = add_apexes(touched, &writer->config->zones);
	writer->config = config;
	writer->publisher.compile.zones = &config->zones;
	if (status == STATUS_OK)
		status = add_apexes(touched, &config->zones);
	if (status != STATUS_OK)
		writer->publisher.is_current = false; /* out of memory: all, later */
	recount(writer, &changed, &writer->publisher.reason);
	/* PTR records come and go with the zones of both sides */
	if (changed && has_pointers)
		writer->publisher.is_current = false;
	publisher_update(&writer->publisher, touched, writer->revision);
	touched_clear(touched);
}

static void
retry_recount(struct writer *writer)
{
	struct reason reason;
	bool changed;

	if (writer->recount_ms == 0 || clock_boot_ms() < writer->recount_ms
		|| recount(writer, &changed, &reason) != STATUS_OK)
		return;
	if (writer->config->zones.has_auto_ptr)
		writer->publisher.is_current = false;
	use_config(writer, writer->config);
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

/* --- look-ups --- */

/* For publisher_look. */
struct look_call {
	struct write_request *request;
	struct serve_txn *serve;
	struct state_txn *state;
};

static void
call_look(void *context)
{
	const struct look_call *call = context;

	call->request->look(call->request, call->serve, call->state);
}

/* All of them in one pair of transactions; nothing that is written in serve is kept. */
static void
run_looks(struct writer *writer, struct write_request *looks)
{
	struct reason reason = { "" };
	struct look_call call = { 0 };
	int status = publisher_begin_look(&writer->publisher, &call.serve, &reason);

	if (status == STATUS_OK)
		status = state_begin_read(writer->state, &call.state, &reason);
	for (call.request = looks; looks; call.request = looks = looks->next) {
		if (status == STATUS_OK
			&& publisher_look(&writer->publisher, call_look, &call, &reason)
				   != STATUS_OK) {
			call.serve = NULL;
			status = STATUS_UNAVAILABLE;
		}
		looks->status = status;
		looks->result.reason = reason;
	}
	state_abort(call.state);
	if (call.serve)
		serve_writer_abort(call.serve);
}

/* --- answers; without the lock --- */

static void
answer_one(struct write_request *request)
{
	plan_done(&request->plan);
	if (request->change)
		change_audit(request->change, &request->result);
	request->done(request);
}

static void
answer(struct write_request *list)
{
	while (list) {
		struct write_request *next = list->next; /* `done` may free the request */

		answer_one(list);
		list = next;
	}
}

static void
refuse(struct write_request *request, const char *text)
{
	request->status = STATUS_UNAVAILABLE;
	change_refuse(&request->result, CHANGE_BUSY, CHANGE_WHOLE, NULL, "%s", text);
}

static void
refuse_all(struct write_request *list)
{
	struct write_request *request;

	for (request = list; request; request = request->next)
		refuse(request, "livezoned is stopping");
	answer(list);
}

/* --- the turns --- */

static void
announce(struct writer *writer)
{
	writer_publish_fn fn;
	void *context;

	pthread_mutex_lock(&writer->lock);
	fn = writer->on_publish;
	context = writer->publish_context;
	pthread_mutex_unlock(&writer->lock);
	if (fn)
		fn(context, writer->revision);
}

static void
publish(struct writer *writer, const struct write_request *group, const struct config *reload)
{
	pthread_mutex_lock(&writer->lock);
	if (reload && writer->reload == reload)
		writer->reload = NULL;
	writer->status.groups += group != NULL;
	for (; group; group = group->next)
		writer->status.changes += group->is_applied;
	publish_status(writer);
	pthread_mutex_unlock(&writer->lock);
	if (writer->revision != writer->published)
		announce(writer);
	writer->published = writer->revision;
}

/* All of state may be read so many times: a million RRsets take seconds, and more on a slow disk.
 * Reckoned as a millisecond for each KiB. */
static void
allow_walks(struct writer *writer, int walks)
{
	struct state_txn *txn;
	uint64_t used, size;

	if (walks == 0 || state_begin_read(writer->state, &txn, NULL) != STATUS_OK)
		return;
	state_usage(txn, &used, &size);
	state_abort(txn);
	atomic_fetch_add(&writer->allowed_ms, (uint64_t)walks * used / 1024);
}

/* Of a change of a million RRsets LMDB keeps 170 MB for the next one, and the heap what is
 * between other things. Tried again at the next turn when somebody reads state now. */
static void
release_memory(struct writer *writer)
{
	if (!state_release_memory(writer->state))
		return;
	malloc_trim(0);
	writer->must_release = false;
}

/* One turn: small changes first, so that they wait for one bulk change at most. */
static void
turn(struct writer *writer)
{
	struct write_request *small, *bulk, *looks;
	const struct config *reload;
	int walks;

	atomic_store(&writer->allowed_ms, 0);
	atomic_fetch_add(&writer->turns, 1);
	pthread_mutex_lock(&writer->lock);
	if (is_idle(writer))
		wait_for_work(writer);
	if (writer->is_stopping) {
		pthread_mutex_unlock(&writer->lock);
		return;
	}
	reload = writer->reload;
	small = take_group(&writer->small);
	bulk = take_group(&writer->bulk);
	looks = take_all(&writer->looks);
	pthread_mutex_unlock(&writer->lock);

	if (writer_group_is_expiry_due(writer))
		writer_group_expire(writer);
	if (small) {
		writer_group_run(writer, small);
		publish(writer, small, NULL);
		answer(small);
	}
	walks = small || bulk || reload || !writer->publisher.is_current;
	walks += (bulk ? 1 : 0) + (reload ? 1 : 0);
	allow_walks(writer, walks);
	if (bulk)
		writer_group_run(writer, bulk);
	if (reload)
		use_config(writer, reload);
	retry_recount(writer);
	publisher_tick(&writer->publisher);
	sweep_state(writer);
	if (looks)
		run_looks(writer, looks);
	publish(writer, bulk, reload);
	if (bulk)
		writer->must_release |= bulk->change->count >= RELEASE_ITEMS;
	else if (!small && writer->must_release)
		release_memory(writer);
	answer(bulk);
	answer(looks);
}

static void *
run(void *context)
{
	struct writer *writer = context;
	struct write_request *small, *bulk, *looks;
	bool is_stopping = false;

	pthread_setname_np(pthread_self(), "writer");
	while (!is_stopping) {
		turn(writer);
		pthread_mutex_lock(&writer->lock);
		is_stopping = writer->is_stopping;
		pthread_mutex_unlock(&writer->lock);
	}
	pthread_mutex_lock(&writer->lock);
	writer->has_ended = true;
	small = take_all(&writer->small);
	bulk = take_all(&writer->bulk);
	looks = take_all(&writer->looks);
	pthread_cond_broadcast(&writer->changed);
	pthread_mutex_unlock(&writer->lock);
	refuse_all(small);
	refuse_all(bulk);
	refuse_all(looks);
	announce(writer);
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
writer_start(struct state *state, const struct config *config,
	const struct writer_hook *hook, struct writer **out, struct reason *reason)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	bool new_zones, is_new_boot;
	int status;

	if (!writer)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	pthread_mutex_init(&writer->lock, NULL);
	clock_init_condition(&writer->work);
	clock_init_condition(&writer->changed);
	list_init(&writer->small);
	list_init(&writer->bulk);
	list_init(&writer->looks);
	guard_install();
	writer->state = state;
	writer->is_doubtful = true; /* the last commit may have been another process's, cut short */
	writer->config = config;
	if (hook)
		writer->hook = *hook;
	writer->wall_offset_ms = lease_clock_offset(config->store.state, &is_new_boot);
	writer->publisher = (struct publisher){
		.state = state,
		.dir = strdup(config->store.serve),
		.size_limit = config->store.size_limit,
		.compile = { .zones = &config->zones,
			.wall_offset_ms = writer->wall_offset_ms },
	};
	writer->expire = write_request_new(change_new(CHANGE_EXPIRE));
	if (writer->expire && writer->expire->change)
		writer->expire->change->force = is_new_boot;
	status = writer->expire && writer->expire->change && writer->publisher.dir
		? read_state(writer, &new_zones, reason)
		: reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (status == STATUS_OK) {
		publisher_start(&writer->publisher, new_zones);
		publish_status(writer);
		writer->published = writer->revision;
		if (pthread_create(&writer->thread, NULL, run, writer) != 0)
			status = reason_set(reason, STATUS_IO, "no thread");
		else
			writer->has_thread = true;
	}
	if (status != STATUS_OK) {
		writer_free(writer);
		return status;
	}
	*out = writer;
	return STATUS_OK;
}

void
writer_stop(struct writer *writer)
{
	if (!writer)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->is_stopping = true;
	pthread_cond_signal(&writer->work);
	pthread_cond_broadcast(&writer->changed);
	pthread_mutex_unlock(&writer->lock);
	if (writer->has_thread)
		pthread_join(writer->thread, NULL);
	writer->has_thread = false;
}

void
writer_free(struct writer *writer)
{
	if (!writer)
		return;
	writer_stop(writer);
	publisher_stop(&writer->publisher);
	touched_done(&writer->touched);
	write_request_free(writer->expire);
	pthread_cond_destroy(&writer->changed);
	pthread_cond_destroy(&writer->work);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

void
writer_on_publish(struct writer *writer, writer_publish_fn fn, void *context)
{
	pthread_mutex_lock(&writer->lock);
	writer->on_publish = fn;
	writer->publish_context = context;
	pthread_mutex_unlock(&writer->lock);
}

/* --- other threads --- */

/* Is it counted apart from small changes? What takes long by its kind, however few items. */
static bool
is_bulk(const struct change *change)
{
	return change->count >= WRITER_BULK_ITEMS || change->prepare
	       || change->kind == CHANGE_ZONE || change->kind == CHANGE_SOURCE
	       || change->kind == CHANGE_RESTORE;
}

/* The list for a request, with the lock held; NULL: it is refused. */
static struct writer_list *
choose_list(struct writer *writer, struct write_request *request)
{
	if (writer->has_ended) {
		refuse(request, "livezoned is stopping");
	} else if (!request->change) {
		if (writer->looks.count < WRITER_LOOKS_MAX)
			return &writer->looks;
		refuse(request, "too many look-ups are waiting");
	} else if (request->change->count > 0 && !request->change->order) {
		change_refuse(&request->result, CHANGE_FAILED, CHANGE_WHOLE, NULL,
			"the change was not checked");
	} else if (is_bulk(request->change)) {
		if (writer->bulk.count < WRITER_BULK_MAX)
			return &writer->bulk;
		refuse(request, "too many bulk writes are waiting");
	} else {
		if (writer->small.items < WRITER_QUEUE_MAX)
			return &writer->small;
		refuse(request, "too many writes are waiting");
	}
	return NULL;
}

void
writer_submit(struct writer *writer, struct write_request *request)
{
	struct writer_list *list;

	request->result = (struct change_result){ .item = CHANGE_WHOLE };
	request->is_final = request->is_applied = false;
	pthread_mutex_lock(&writer->lock);
	list = choose_list(writer, request);
	if (list) {
		list_add(list, request);
		pthread_cond_signal(&writer->work);
	}
	pthread_mutex_unlock(&writer->lock);
	if (!list)
		answer_one(request);
}

/* For writer_submit_wait. */
struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool is_answered;
};

static void
wake(struct write_request *request)
{
	struct waiting *waiting = request->context;

	pthread_mutex_lock(&waiting->lock);
	waiting->is_answered = true;
	pthread_cond_signal(&waiting->answered);
	pthread_mutex_unlock(&waiting->lock);
}

void
writer_submit_wait(struct writer *writer, struct write_request *request)
{
	struct waiting waiting = {
		.lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER
	};

	request->done = wake;
	request->context = &waiting;
	writer_submit(writer, request);
	pthread_mutex_lock(&waiting.lock);
	while (!waiting.is_answered)
		pthread_cond_wait(&waiting.answered, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
	pthread_cond_destroy(&waiting.answered);
	pthread_mutex_destroy(&waiting.lock);
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
		if (pthread_cond_timedwait(&writer->changed, &writer->lock, &until) != 0)
			break;
	is_done = !writer->reload || writer->is_stopping;
	pthread_mutex_unlock(&writer->lock);
	return is_done;
}

void
writer_read_beat(const struct writer *writer, struct writer_beat *out)
{
	out->turns = atomic_load(&writer->turns);
	out->allowed_ms = atomic_load(&writer->allowed_ms);
}

void
writer_read_status(struct writer *writer, struct writer_status *out)
{
	pthread_mutex_lock(&writer->lock);
	*out = writer->status;
	out->queued = writer->small.items + writer->bulk.items;
	out->queued_bulk = writer->bulk.count;
	pthread_mutex_unlock(&writer->lock);
	out->state_reopens = state_reopens(writer->state);
}
