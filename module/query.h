/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The way of one query through the module: is it ours, what does the
 * store say, and what has to be asked of the rest of the resolver. On the worker's
 * thread.
 *
 * A query that waits, for the end of its CNAME chain or for the next module, may be
 * joined by other clients with the same question, and the store may change meanwhile. So
 * the store is asked again when the wait is over: nobody gets an answer that was already
 * overwritten when he asked.
 */
#pragma once

#include "lib/dns/zones.h"
#include "module/host.h"
#include "module/worker.h"

struct query_context {
	const struct zones *zones;
	struct workers *workers;
	struct worker_state *state; /* of this thread; NULL: out of memory */
	bool wants_additional;      /* the host would send it */
};

/* operate(): sets the next state of the query for module `id`. */
void query_operate(const struct query_context *context, struct module_qstate *q,
	enum module_ev event, int id);

/* inform_super(): takes what a sub-query found over to the query that waits for it. */
void query_inform(struct module_qstate *sub, int id, struct module_qstate *super);
