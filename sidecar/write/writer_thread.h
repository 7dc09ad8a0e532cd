/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The writer from inside: what writer.c (queue, thread), writer_group.c (changes) and
 * writer_look.c (look-ups) share. For these files only.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "sidecar/write/plan.h"
#include "sidecar/serve/serving.h"
#include "sidecar/write/writer.h"

#define WRITER_IDLE_MS                                                                   \
	1000 /* the longest sleep: files are looked after, clocks may jump */

struct writer_request {
	struct change *change;
	struct change_result *out;
	struct writer_request *next;
	struct plan plan;
	bool is_final; /* refused or failed: not tried again in this group */
	bool is_applied;
	bool is_answered;
	pthread_cond_t answered;
};

struct writer_looker {
	writer_look_fn fn;
	void *context;
	struct writer_looker *next;
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
	uint64_t swept_ms; /* boot clock: when state was searched for dead readers */
	struct change *expire;
	/* shared */
	pthread_mutex_t lock;
	pthread_cond_t work;      /* for the thread */
	pthread_cond_t published; /* for writer_wait and writer_reload */
	struct writer_request *first, **last;
	size_t queued;               /* items */
	struct writer_looker *looks; /* the newest first: each sees the same */
	size_t look_count;
	const struct config *reload;
	bool is_stopping;
	struct writer_status status;
};

/* The lease clock. */
static inline uint64_t
writer_thread_clock(const struct writer *writer)
{
	return clock_boot_ms() + writer->wall_offset_ms;
}
