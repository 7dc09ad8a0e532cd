/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/serve/guard.h"

/* A page beyond the end of its file. */
static volatile char *
page_without_file(void)
{
	int fd = memfd_create("test", 0);
	void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	close(fd);
	assert_ptr_not_equal(page, MAP_FAILED);
	return page;
}

static void
touch(void *page)
{
	(void)*(volatile char *)page;
}

static void
touch_nothing(void *page)
{
	(void)page;
}

static void
fail_an_assertion(void *count)
{
	++*(int *)count;
	guard_on_assert();
	++*(int *)count;
}

static void
every_kind_of_fault_is_told_apart_and_repeats(void **state)
{
	void *page = (void *)page_without_file();
	void *forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int count = 0;

	(void)state;
	guard_install();
	guard_install();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(guard_run(&touch, page), GUARD_SIGBUS);
		assert_int_equal(guard_run(&touch, forbidden), GUARD_SIGSEGV);
		assert_int_equal(guard_run(&touch_nothing, page), GUARD_NONE);
		assert_int_equal(guard_run(&fail_an_assertion, &count), GUARD_ASSERT);
	}
	assert_int_equal(count, 3);
	guard_on_assert(); /* not ours: returns */
}

static void *
run_blocked(void *page)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	guard_unblock();
	return (void *)(intptr_t)guard_run(&touch, page);
}

static void
a_thread_with_all_signals_blocked_survives(void **state)
{
	pthread_t thread;
	void *trip;

	(void)state;
	guard_install();
	assert_int_equal(pthread_create(&thread, NULL, &run_blocked,
				 (void *)page_without_file()),
		0);
	pthread_join(thread, &trip);
	assert_int_equal((intptr_t)trip, GUARD_SIGBUS);
}

/* What a child dies of that runs fn with the guard installed over `before`. */
static int
signal_of_child(void (*fn)(void), void (*before)(int))
{
	const struct rlimit no_core = { 0, 0 };
	int outcome = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGBUS, before);
		signal(SIGSEGV, before);
		guard_install();
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &outcome, 0), child);
	return WIFSIGNALED(outcome) ? WTERMSIG(outcome) : -WEXITSTATUS(outcome);
}

static void
fault_outside(void)
{
	touch((void *)page_without_file());
}

static void
fault_after_a_trip(void)
{
	(void)guard_run(&touch, (void *)page_without_file());
	fault_outside();
}

static void
raise_it(void *unused)
{
	(void)unused;
	raise(SIGSEGV);
}

static void
be_sent_one(void)
{
	(void)guard_run(&raise_it, NULL);
}

static void
fault_in_a_pause(void *page)
{
	struct guard_pause *pause = guard_pause();

	if (page)
		touch(page);
	guard_resume(pause);
	touch((void *)page_without_file());
}

static void
fault_while_paused(void)
{
	(void)guard_run(&fault_in_a_pause, (void *)page_without_file());
}

static void
exit_with_seven(int number)
{
	(void)number;
	_exit(7);
}

static void
a_fault_outside_is_left_to_whoever_had_it_before(void **state)
{
	(void)state;
	assert_int_equal(signal_of_child(&fault_outside, SIG_DFL), SIGBUS);
	assert_int_equal(signal_of_child(&fault_outside, SIG_IGN), SIGBUS);
	assert_int_equal(signal_of_child(&fault_outside, &exit_with_seven), -7);
	assert_int_equal(signal_of_child(&fault_after_a_trip, SIG_DFL), SIGBUS);
}

static void
a_pause_is_outside_and_ends(void **state)
{
	(void)state;
	assert_int_equal(signal_of_child(&fault_while_paused, SIG_DFL), SIGBUS);
	guard_install();
	assert_int_equal(guard_run(&fault_in_a_pause, NULL), GUARD_SIGBUS);
	/* where there is no guarded call */
	guard_resume(guard_pause());
	guard_on_assert();
}

static void
a_signal_that_was_sent_is_no_fault(void **state)
{
	(void)state;
	assert_int_equal(signal_of_child(&be_sent_one, SIG_DFL), SIGSEGV);
	assert_int_equal(signal_of_child(&be_sent_one, SIG_IGN), 0);
	assert_int_equal(signal_of_child(&be_sent_one, &exit_with_seven), -7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_fault_is_told_apart_and_repeats),
		cmocka_unit_test(a_thread_with_all_signals_blocked_survives),
		cmocka_unit_test(a_fault_outside_is_left_to_whoever_had_it_before),
		cmocka_unit_test(a_pause_is_outside_and_ends),
		cmocka_unit_test(a_signal_that_was_sent_is_no_fault),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
