/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The writer from inside: what writer.c (queues and thread) and writer_group.c (a group of
 * changes: one durable transaction on state, one on serve) share. For these files only.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "sidecar/serve/publisher.h"
#include "sidecar/write/plan.h"
#include "sidecar/write/writer.h"

#define WRITER_IDLE_MS                                                                   \
	1000 /* the longest sleep: files are looked after, clocks may jump */

struct writer_list {
	struct write_request *first, **end;
	size_t count; /* requests */
	size_t items; /* of their changes */
};

struct writer {
	pthread_t thread;
	bool has_thread;
	/* of the writer thread */
	struct state *state;
	const struct config *config;
	struct publisher publisher;
	struct touched touched;
	uint64_t wall_offset_ms;
	uint64_t next_expiry_ms; /* lease clock; 0 = none */
	uint64_t expired_ms;     /* lease clock: the last pass that left nothing undone */
	uint64_t revision;       /* committed */
	bool is_doubtful; /* whether it outlives a power loss is not known: nothing is called
			   * durable before a commit has succeeded */
	bool must_release; /* a bulk change has left memory behind */
	uint64_t swept_ms; /* boot clock: when state was searched for dead readers */
	uint64_t recount_ms; /* boot clock: when the zones are counted again; 0 = they are counted */
	struct write_request *expire;
	uint64_t published; /* the revision of the last call of on_publish */
	/* written by the writer thread, read by any */
	atomic_uint_fast64_t turns, allowed_ms;
	/* const after the start */
	struct writer_hook hook;
	/* shared */
	pthread_mutex_t lock;
	writer_publish_fn on_publish;
	void *publish_context;
	pthread_cond_t work;    /* for the thread */
	pthread_cond_t changed; /* for writer_is_reloaded */
	struct writer_list small, bulk, looks;
	const struct config *reload;
	bool is_stopping;
	bool has_ended; /* nobody is left to answer */
	struct writer_status status;
};

/* The lease clock. */
static inline uint64_t
writer_group_clock(const struct writer *writer)
{
	return clock_boot_ms() + writer->wall_offset_ms;
}

/* Carries out the list of requests and leaves the outcome of each in its result. Writer
 * thread, without the lock, as all that follow. */
void writer_group_run(struct writer *writer, struct write_request *group);

/* Ends the leases that have run out; more than a pass takes are left to the next. */
void writer_group_expire(struct writer *writer);

/* Milliseconds until the next such pass; 0: now. */
uint64_t writer_group_expiry_pause(const struct writer *writer);

bool writer_group_is_expiry_due(const struct writer *writer);
