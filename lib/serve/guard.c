/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Signal handlers and the way out of a guarded call; on Unbound's workers, the keeper,
 * and livezoned's writer thread.
 */
#include "lib/serve/guard.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <ucontext.h>

static const int signals[] = { SIGBUS, SIGSEGV };

#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static struct sigaction previous[SIGNALS]; /* before ours; changes in guard_install only */

/* The guarded call that this thread is in. Initial-exec, because the first use of any
 * other thread-local variable of a loaded library may allocate. */
static __thread sigjmp_buf *volatile current
	__attribute__((tls_model("initial-exec")));

static void on_fault(int number, siginfo_t *info, void *context);
static void pass_on(int number, siginfo_t *info, void *context);

void
guard_install(void)
{
	struct sigaction action = { .sa_sigaction = &on_fault,
		/* NODEFER: we leave by a jump that restores no mask. ONSTACK: for the
		 * others, whose fault may be an overflow of the stack */
		.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < SIGNALS; i++) {
		struct sigaction now;

		sigaction(signals[i], NULL, &now);
		if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == &on_fault)
			continue;
		previous[i] = now;
		sigaction(signals[i], &action, NULL);
	}
}

void
guard_unblock(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(&set, signals[i]);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

enum guard_trip
guard_run(guard_fn fn, void *context)
{
	sigjmp_buf here;

	switch (sigsetjmp(here, 0)) {
	case GUARD_NONE:
		current = &here;
		fn(context);
		current = NULL;
		return GUARD_NONE;
	case GUARD_SIGBUS:
		current = NULL;
		return GUARD_SIGBUS;
	case GUARD_SIGSEGV:
		current = NULL;
		return GUARD_SIGSEGV;
	default:
		current = NULL;
		return GUARD_ASSERT;
	}
}

struct guard_pause *
guard_pause(void)
{
	sigjmp_buf *here = current;

	current = NULL;
	return (struct guard_pause *)here;
}

void
guard_resume(struct guard_pause *pause)
{
	current = (sigjmp_buf *)pause;
}

void
guard_on_assert(void)
{
	if (current)
		siglongjmp(*current, GUARD_ASSERT);
}

static void
on_fault(int number, siginfo_t *info, void *context)
{
	const ucontext_t *interrupted = context;

	/* a positive code is a fault of this thread; others were sent */
	if (!current || info->si_code <= 0) {
		pass_on(number, info, context);
		return;
	}
	/* a runtime that wraps handlers, as ThreadSanitizer does, blocks all signals in them */
	pthread_sigmask(SIG_SETMASK, &interrupted->uc_sigmask, NULL);
	siglongjmp(*current, number == SIGBUS ? GUARD_SIGBUS : GUARD_SIGSEGV);
}

static void
pass_on(int number, siginfo_t *info, void *context)
{
	const struct sigaction *before = &previous[number == SIGBUS ? 0 : 1];

	if (before->sa_flags & SA_SIGINFO) {
		before->sa_sigaction(number, info, context);
	} else if (before->sa_handler == SIG_IGN && info->si_code <= 0) {
		return;
	} else if (before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN) {
		/* the instruction faults again, and the core shows where */
		signal(number, SIG_DFL);
		if (info->si_code <= 0)
			raise(number);
	} else {
		before->sa_handler(number);
	}
}

const char *
guard_name(enum guard_trip trip)
{
	static const char *const names[GUARD_TRIPS] = {
		[GUARD_NONE] = "none",
		[GUARD_SIGBUS] = "SIGBUS",
		[GUARD_SIGSEGV] = "SIGSEGV",
		[GUARD_ASSERT] = "an assertion of LMDB",
	};

	return names[trip];
}
