/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A thread of its own, because a check takes as long as the disk wants.
 */
#include "sidecar/journal/examiner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "sidecar/journal/examine.h"
#include "lib/base/log.h"
#include "sidecar/main/pulse.h"

struct examiner {
	pthread_t thread;
	struct state *state;
	const char *dir;
	examiner_damaged_fn damaged;
	void *context;
	atomic_bool has_told;
	atomic_bool is_over;
	uint64_t doubted_ms, checked_ms, reserved_ms; /* of its thread; monotonic clock */
	bool is_room_told;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t stop;
	bool is_stopping;
};

static int
judge(struct examiner *examiner, enum examine_verdict verdict, const char *said,
	struct reason *reason)
{
	switch (verdict) {
	case EXAMINE_DAMAGED:
		if (!atomic_exchange(&examiner->has_told, true)) {
			log_line(LOG_LEVEL_ERROR,
				"state is damaged (%s): livezoned starts anew to restore it", said);
			examiner->damaged(examiner->context);
		}
		return reason_set(reason, STATUS_CORRUPT, "state is damaged: %s", said);
	case EXAMINE_COUNTS_WRONG:
		log_line(LOG_LEVEL_WARNING, "state: %s, at the next start", said);
		return STATUS_OK;
	case EXAMINE_UNKNOWN:
	case EXAMINE_FOREIGN:
		if (examiner->is_over)
			return reason_set(reason, STATUS_UNAVAILABLE, "livezoned is stopping");
		log_line(LOG_LEVEL_WARNING, "state was not checked: %s", said);
		return STATUS_OK;
	default:
		return STATUS_OK;
	}
}

/* For state, which was closed after an I/O error. */
static int
examine_closed(void *context, struct reason *reason)
{
	struct examiner *examiner = context;
	struct reason said = { "" };
	enum examine_verdict verdict;

	pulse_allow_ms(examine_limit_s(examiner->dir) * UINT64_C(1000)); /* the writer waits */
	verdict = examine_run(examiner->dir, false, &examiner->is_over, &said);
	log_line(LOG_LEVEL_WARNING, "state: opened anew after an I/O error: %s", said.text);
	return judge(examiner, verdict, said.text, reason);
}

static void
examine_open(struct examiner *examiner, bool is_doubted)
{
	struct reason said = { "" };
	enum examine_verdict verdict =
		examine_run(examiner->dir, !is_doubted, &examiner->is_over, &said);

	if (verdict == EXAMINE_WHOLE)
		log_line(LOG_LEVEL_INFO, "state: %s%s", said.text,
			is_doubted ? ", after a doubt" : "");
	judge(examiner, verdict, said.text, NULL);
	state_sweep(examiner->state); /* of a child that was killed */
}

static void
reserve(struct examiner *examiner)
{
	struct reason reason = { "" };
	uint64_t bytes;
	int status = state_reserve(examiner->state, &bytes, &reason);

	if (status == STATUS_FULL && !examiner->is_room_told)
		log_line(LOG_LEVEL_WARNING, "%s", reason.text);
	examiner->is_room_told = status == STATUS_FULL;
}

static void
look(struct examiner *examiner)
{
	uint64_t now_ms = clock_read_ms(CLOCK_MONOTONIC);

	if (now_ms - examiner->doubted_ms >= EXAMINER_DOUBT_MS
		&& state_take_suspicion(examiner->state)) {
		examine_open(examiner, true);
		examiner->doubted_ms = clock_read_ms(CLOCK_MONOTONIC);
	} else if (now_ms - examiner->checked_ms >= EXAMINER_INTERVAL_S * UINT64_C(1000)) {
		examine_open(examiner, false);
		examiner->checked_ms = clock_read_ms(CLOCK_MONOTONIC);
	} else if (now_ms - examiner->reserved_ms >= EXAMINER_RESERVE_S * UINT64_C(1000)) {
		reserve(examiner);
		examiner->reserved_ms = now_ms;
	}
}

static void *
run(void *context)
{
	struct examiner *examiner = context;

	pthread_mutex_lock(&examiner->lock);
	while (!examiner->is_stopping) {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		pthread_cond_timedwait(&examiner->stop, &examiner->lock, &until);
		if (examiner->is_stopping)
			break;
		pthread_mutex_unlock(&examiner->lock);
		look(examiner);
		pthread_mutex_lock(&examiner->lock);
	}
	pthread_mutex_unlock(&examiner->lock);
	return NULL;
}

int
examiner_start(struct state *state, const char *dir, examiner_damaged_fn damaged,
	void *context, struct examiner **out, struct reason *reason)
{
	struct examiner *examiner = calloc(1, sizeof(*examiner));
	uint64_t now_ms = clock_read_ms(CLOCK_MONOTONIC);

	if (!examiner)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	examiner->state = state;
	examiner->dir = dir;
	examiner->damaged = damaged;
	examiner->context = context;
	examiner->checked_ms = examiner->reserved_ms = now_ms;
	pthread_mutex_init(&examiner->lock, NULL);
	clock_init_condition(&examiner->stop);
	reserve(examiner);
	state_set_examiner(state, examine_closed, examiner);
	if (pthread_create(&examiner->thread, NULL, run, examiner) != 0) {
		state_set_examiner(state, NULL, NULL);
		pthread_cond_destroy(&examiner->stop);
		pthread_mutex_destroy(&examiner->lock);
		free(examiner);
		return reason_set(reason, STATUS_IO, "no thread");
	}
	*out = examiner;
	return STATUS_OK;
}

void
examiner_give_up(struct examiner *examiner)
{
	if (examiner)
		examiner->is_over = true;
}

void
examiner_stop(struct examiner *examiner)
{
	if (!examiner)
		return;
	examiner_give_up(examiner);
	pthread_mutex_lock(&examiner->lock);
	examiner->is_stopping = true;
	pthread_cond_signal(&examiner->stop);
	pthread_mutex_unlock(&examiner->lock);
	pthread_join(examiner->thread, NULL);
	state_set_examiner(examiner->state, NULL, NULL);
	pthread_cond_destroy(&examiner->stop);
	pthread_mutex_destroy(&examiner->lock);
	free(examiner);
}
