/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The writer's sign of life. There is one writer in a process, so there is one pulse: the
 * writer beats at each turn of its loop, once a second when idle, and at each step of what
 * takes long; the watchdog (watchdog.h), on another thread, only reads.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A call that cannot beat, the commit of so many changes, may take this much longer: a disk
 * with half a second for each operation is slow, not stuck. A million takes 18 minutes. */
#define PULSE_ITEM_MS 1000       /* each change, as long as they are few */
#define PULSE_ITEMS_MAX_MS 60000 /* of those */
#define PULSE_BULK_ITEM_MS 1     /* each change, however many */

#define PULSE_STRIDE 1024 /* beats between two calls of the hook */

struct pulse {
	uint64_t beats;
	uint64_t allowed_ms; /* for the step that runs now */
};

/* A step is done. The writer thread; before that has started, the one that starts it. */
void pulse_beat(void);

/* Allows for `items` changes until the next beat. */
void pulse_allow(size_t items);

/* Allows so much time until the next beat, for who waits for another process. Nothing on a
 * thread that does not beat: it does not keep the writer from moving. */
void pulse_allow_ms(uint64_t ms);

/* Calls the hook at once: for who waits for another process and has no step to count. */
void pulse_wait(void);

/* Calls `hook` at every PULSE_STRIDE'th beat, on the thread that beats; NULL: no more. Not
 * while another thread beats. */
typedef void (*pulse_fn)(void);
void pulse_watch(pulse_fn hook);

/* Any thread. */
void pulse_read(struct pulse *out);
