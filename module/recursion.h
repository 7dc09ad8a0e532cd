/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What the host's own recursion does with names of live zones.
 *
 * The host's message cache is answered from before any module is asked, so nothing about
 * a name of a live zone may be in it. Our own answers never enter it; what the host
 * itself learns about such names is removed here.
 *
 * A live zone is forwarded to this very server, so that the iterator, when a public CNAME
 * leads into it, asks us. With a live CNAME back to that public name the query runs in a
 * circle through the network, which the host cannot see: each turn waits for the next
 * one, all the way to the time-out, and the forwarder counts as dead afterwards.
 *
 * So what this host asks of itself carries an EDNS option with the number of turns, and
 * is never joined to another client's query. From the second turn on, or when what it
 * would wait for runs already, it gets the CNAME alone; the iterator follows that by
 * itself and ends circles by its own limit.
 */
#pragma once

#include "lib/dns/zones.h"
#include "module/host.h"

/* What was learned before the zone became live: removes all messages at and below its
 * name, when a reload that keeps the cache brings a new zone. Walks the whole cache; on
 * the main thread, while no worker runs. */
void recursion_purge_zone(struct module_env *env, const struct zone *zone);

/* What was learned on the way of a foreign name: the iterator follows a public CNAME into
 * a live zone by itself and stores what the public says of its target, unless the zone is
 * forwarded to this server without a cache. Removes the messages for such targets in q's
 * answer, which is not to be stored itself. On the worker's thread, when the next module
 * is done. */
void recursion_purge_targets(struct module_qstate *q, const struct zones *zones);

/* What another module found for q is not to be stored by one that stands in front, such as
 * dns64, which does not heed no_cache_store. */
void recursion_purge_answer(struct module_qstate *q);

/* Option code for local use (RFC 6891 section 9); one byte: the turn, from 1. */
#define LOOP_OPTION 65301

/* At load. `zones` is borrowed until recursion_mark_end. Returns false when the host refuses. */
bool recursion_mark_begin(struct module_env *env, int id, const struct zones *zones);
void recursion_mark_end(struct module_env *env, int id);

/* Which turn of this host's own queries is this? 0: a client's. */
unsigned recursion_turn(const struct module_qstate *q);
