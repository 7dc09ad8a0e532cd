/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "lib/base/filesystem.h"
#include "lib/base/status.h"

static void
network_file_systems_are_known(void **state)
{
	static const struct {
		uint32_t type;
		enum filesystem kind;
	} rows[] = {
		{ NFS_SUPER_MAGIC, FILESYSTEM_NETWORK },
		{ SMB_SUPER_MAGIC, FILESYSTEM_NETWORK },
		{ CIFS_SUPER_MAGIC, FILESYSTEM_NETWORK },
		{ SMB2_SUPER_MAGIC, FILESYSTEM_NETWORK },
		{ V9FS_MAGIC, FILESYSTEM_NETWORK },
		{ CEPH_SUPER_MAGIC, FILESYSTEM_NETWORK },
		{ FUSE_SUPER_MAGIC, FILESYSTEM_NETWORK },
		{ AFS_SUPER_MAGIC, FILESYSTEM_NETWORK },
		{ AFS_FS_MAGIC, FILESYSTEM_NETWORK },
		{ CODA_SUPER_MAGIC, FILESYSTEM_NETWORK },
		{ NCP_SUPER_MAGIC, FILESYSTEM_NETWORK },
		{ OCFS2_SUPER_MAGIC, FILESYSTEM_NETWORK },
		{ OVERLAYFS_SUPER_MAGIC, FILESYSTEM_OVERLAY },
		{ TMPFS_MAGIC, FILESYSTEM_MEMORY },
		{ RAMFS_MAGIC, FILESYSTEM_MEMORY },
		{ EXT4_SUPER_MAGIC, FILESYSTEM_DISK },
		{ XFS_SUPER_MAGIC, FILESYSTEM_DISK },
		{ BTRFS_SUPER_MAGIC, FILESYSTEM_DISK },
		{ 0x2fc12fc1, FILESYSTEM_DISK }, /* ZFS */
		{ 0, FILESYSTEM_DISK },
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		const char *name = NULL;

		assert_int_equal(filesystem_of_type(rows[i].type, &name), rows[i].kind);
		assert_int_equal(name != NULL, rows[i].kind != FILESYSTEM_DISK);
	}
}

static void
a_directory_that_is_not_there_is_judged_by_the_one_above(void **state)
{
	enum filesystem above = FILESYSTEM_NETWORK, below = FILESYSTEM_NETWORK;
	const char *name;

	(void)state;
	assert_int_equal(filesystem_of("/proc", &above, &name, NULL), STATUS_OK);
	assert_int_equal(above, FILESYSTEM_DISK);
	assert_int_equal(filesystem_of("/", &above, &name, NULL), STATUS_OK);
	assert_int_equal(filesystem_of("/no-such/nor this", &below, &name, NULL), STATUS_OK);
	assert_int_equal(above, below);
}

static void
what_cannot_be_looked_at_is_not_refused(void **state)
{
	struct reason reason = { "" };
	enum filesystem kind;
	const char *name;

	(void)state;
	assert_int_not_equal(filesystem_of("/dev/null/x", &kind, &name, &reason), STATUS_OK);
	assert_non_null(strstr(reason.text, "/dev/null/x: "));
	assert_int_equal(filesystem_refuse_network("/dev/null/x", &reason), STATUS_OK);
	assert_int_equal(filesystem_refuse_network("/", &reason), STATUS_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(network_file_systems_are_known),
		cmocka_unit_test(a_directory_that_is_not_there_is_judged_by_the_one_above),
		cmocka_unit_test(what_cannot_be_looked_at_is_not_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
