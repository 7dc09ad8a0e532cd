/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/main/storage.h"

static char root[] = "/tmp/livezone-limit-XXXXXX";

/* Makes the file and the directories above it, below the root. */
static void
write_file(const char *path, const char *text)
{
	char full[512];
	FILE *file;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(full, 0700);
		*slash = '/';
	}
	file = fopen(full, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int
make_root(void **state)
{
	(void)state;
	strcpy(root + strlen(root) - 6, "XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int
remove_root(void **state)
{
	(void)state;
	return unit_remove(root);
}

static uint64_t
limit_of(const char *groups)
{
	char path[256];

	write_file("groups", groups);
	snprintf(path, sizeof(path), "%s/groups", root);
	return storage_memory_limit(root, path);
}

static void
no_group_is_no_limit(void **state)
{
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/absent", root);
	assert_true(storage_memory_limit(root, path) == UINT64_MAX);
	assert_true(limit_of("") == UINT64_MAX);
	assert_true(limit_of("0::/\n") == UINT64_MAX);
	assert_true(limit_of("nonsense\n1:2\n:::\n") == UINT64_MAX);
}

static void
version_2_has_the_least_of_all_levels(void **state)
{
	(void)state;
	write_file("a/b/memory.max", "max\n");
	write_file("a/memory.max", "33554432\n");
	assert_true(limit_of("0::/a/b\n") == 33554432);
	write_file("a/b/memory.max", "1048576\n");
	assert_true(limit_of("0::/a/b\n") == 1048576);
	assert_true(limit_of("0::/a\n") == 33554432);
	assert_true(limit_of("0::/c\n") == UINT64_MAX);
}

static void
version_1_is_found_by_its_controller(void **state)
{
	(void)state;
	write_file("memory/lz/memory.limit_in_bytes", "33554432\n");
	write_file("memory/memory.limit_in_bytes", "9223372036854771712\n");
	assert_true(limit_of("5:cpu,cpuacct:/lz\n4:hugetlb,memory:/lz\n0::/\n") == 33554432);
	assert_true(limit_of("4:memory:/\n") == UINT64_MAX);
	assert_true(limit_of("4:memoryx:/lz\n3:name=memory:/lz\n") == UINT64_MAX);
}

/* Inside a container /proc names the group as the host does, and the mount begins there. */
static void
a_container_finds_its_limit_at_the_root(void **state)
{
	(void)state;
	write_file("memory/memory.limit_in_bytes", "1000000\n");
	assert_true(limit_of("4:memory:/docker/0123\n") == 1000000);
	write_file("memory.max", "500000\n");
	assert_true(limit_of("4:memory:/docker/0123\n0::/x/y\n") == 500000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_group_is_no_limit, make_root, remove_root),
		cmocka_unit_test_setup_teardown(
			version_2_has_the_least_of_all_levels, make_root, remove_root),
		cmocka_unit_test_setup_teardown(
			version_1_is_found_by_its_controller, make_root, remove_root),
		cmocka_unit_test_setup_teardown(
			a_container_finds_its_limit_at_the_root, make_root, remove_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
