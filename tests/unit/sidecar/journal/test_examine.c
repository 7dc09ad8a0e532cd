/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/wait.h>

#include "sidecar/journal/examine.h"

/* As the kernel makes it; W_EXITCODE is not in POSIX. */
#define EXITED(status) ((status) << 8)
#define KILLED(signal) (signal)

static void
test_how_the_child_ended_is_the_verdict(void **state)
{
	static const struct {
		int wait_status;
		enum examine_verdict verdict;
	} rows[] = {
		{ EXITED(0), EXAMINE_WHOLE },
		{ EXITED(1), EXAMINE_DAMAGED },
		{ EXITED(3), EXAMINE_FOREIGN },
		{ EXITED(4), EXAMINE_UNKNOWN },
		{ EXITED(5), EXAMINE_NO_RECORD },
		{ EXITED(2), EXAMINE_UNKNOWN },
		{ EXITED(127), EXAMINE_UNKNOWN },
		{ KILLED(SIGSEGV), EXAMINE_DAMAGED },
		{ KILLED(SIGBUS), EXAMINE_DAMAGED },
		{ KILLED(SIGABRT), EXAMINE_DAMAGED },
		{ KILLED(SIGXCPU), EXAMINE_DAMAGED },
		/* somebody else's doing says nothing of the file */
		{ KILLED(SIGKILL), EXAMINE_UNKNOWN },
		{ KILLED(SIGTERM), EXAMINE_UNKNOWN },
	};
	size_t i;

	(void)state;
	for (i = 0; i < UNIT_COUNT(rows); i++)
		assert_int_equal(examine_verdict_of(rows[i].wait_status), rows[i].verdict);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_how_the_child_ended_is_the_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
