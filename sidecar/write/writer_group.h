/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The changes that the writer takes at once: one durable transaction on state, one on serve.
 * Writer thread only, without the lock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct writer;
struct writer_request;

/* Carries out the list of requests and leaves the outcome of each in its result. */
void writer_group_run(struct writer *writer, struct writer_request *group);

/* Ends the leases that have run out; more than a pass takes are left to the next. */
void writer_group_expire(struct writer *writer);

/* Milliseconds until the next such pass; 0: now. */
uint64_t writer_group_expiry_pause(const struct writer *writer);

bool writer_group_is_expiry_due(const struct writer *writer);
