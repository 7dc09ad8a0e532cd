/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The fault guard, in the module and in livezoned's use of serve. The store is a file that
 * others can truncate, and a mapped page that is gone is SIGBUS; damaged pages lead LMDB to
 * SIGSEGV or to an assertion. Every touch of a store runs in guard_run, which comes back
 * with what happened instead of ending the process. A fault of anything else is left to
 * whoever handled it before us, for the core dump.
 *
 * What runs inside must not allocate by itself, lock or log, as it may be left at any
 * access to the map. What it was changing is lost: the transaction and the environment are
 * not to be touched again.
 *
 * Cost: sigsetjmp without the signal mask, no system call.
 */
#pragma once

/* What ended a guarded call; GUARD_NONE: it returned. */
enum guard_trip {
	GUARD_NONE,
	GUARD_SIGBUS,
	GUARD_SIGSEGV,
	GUARD_ASSERT, /* of LMDB */
	GUARD_TRIPS,
};

typedef void (*guard_fn)(void *context);

/* Puts the handlers of SIGBUS and SIGSEGV in front of those that are there; they stay, as
 * this library is never unloaded. Main thread, at each load, while no other thread runs. */
void guard_install(void);

/* Unblocks both signals in the calling thread: a fault whose signal is blocked ends the
 * process, and the host blocks all signals in its threads. */
void guard_unblock(void);

/* Calls fn(context). Does not nest. */
enum guard_trip guard_run(guard_fn fn, void *context);

struct guard_pause;

/* Steps out of the guarded call that the thread is in, if any, for what touches no store
 * and may allocate: a fault there is nobody's here, and a jump out of malloc would leave its
 * lock held. guard_resume takes what guard_pause returned. */
struct guard_pause *guard_pause(void);
void guard_resume(struct guard_pause *pause);

/* For LMDB in place of abort: ends the guarded call that it is in. Returns only when
 * there is none, and LMDB aborts then. */
void guard_on_assert(void);

/* "SIGBUS", for logs. */
const char *guard_name(enum guard_trip trip);
