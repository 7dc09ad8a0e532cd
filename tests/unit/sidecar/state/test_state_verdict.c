/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/wait.h>

#include "sidecar/state/state.h"

/* As the kernel makes it; W_EXITCODE is not in POSIX. */
#define EXITED(status) ((status) << 8)
#define KILLED(signal) (signal)

static void
test_how_the_child_ended_is_the_verdict(void **state)
{
	static const struct {
		int wait_status;
		enum state_verdict verdict;
	} rows[] = {
		{ EXITED(0), STATE_WHOLE },
		{ EXITED(1), STATE_DAMAGED },
		{ EXITED(3), STATE_FOREIGN },
		{ EXITED(4), STATE_UNKNOWN },
		{ EXITED(5), STATE_NO_RECORD },
		{ EXITED(2), STATE_UNKNOWN },
		{ EXITED(127), STATE_UNKNOWN },
		{ KILLED(SIGSEGV), STATE_DAMAGED },
		{ KILLED(SIGBUS), STATE_DAMAGED },
		{ KILLED(SIGABRT), STATE_DAMAGED },
		{ KILLED(SIGXCPU), STATE_DAMAGED },
		/* somebody else's doing says nothing of the file */
		{ KILLED(SIGKILL), STATE_UNKNOWN },
		{ KILLED(SIGTERM), STATE_UNKNOWN },
	};
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(rows); i++)
		assert_int_equal(state_check_verdict(rows[i].wait_status), rows[i].verdict);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_how_the_child_ended_is_the_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
