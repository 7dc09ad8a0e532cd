/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
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

/* Option code for local use (RFC 6891 section 9); one byte: the turn, from 1. */
#define LOOP_OPTION 65301

/* At load. `zones` is borrowed until cname_loop_done. Returns false when the host refuses. */
bool cname_loop_init(struct module_env *env, int id, const struct zones *zones);
void cname_loop_done(struct module_env *env, int id);

/* Which turn of this host's own queries is this? 0: a client's. */
unsigned cname_loop_turn(const struct module_qstate *q);
