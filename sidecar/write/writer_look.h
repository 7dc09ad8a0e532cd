/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Look-ups that wait for the writer thread (writer_look in writer.h).
 */
#pragma once

struct writer;
struct writer_looker;

/* Takes all that wait out of the queue; with the lock held. */
struct writer_looker *writer_look_take(struct writer *writer);

/* Runs all of them in one pair of transactions; what is written in serve is nothing. Writer
 * thread, without the lock. */
void writer_look_run(struct writer *writer, struct writer_looker *looks);

/* Wakes those who wait for them; with the lock held. */
void writer_look_answer(struct writer_looker *looks);
