/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Kinds of file systems by the numbers of statfs(2). Called by livezoned at its start and by
 * the module's keeper.
 */
#include "lib/base/filesystem.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "lib/base/status.h"

/* linux/magic.h does not have all of them. */
static const struct {
	uint32_t type;
	enum filesystem kind;
	const char *name;
} kinds[] = {
	{ 0x01021994, FILESYSTEM_MEMORY, "tmpfs" },
	{ 0x858458f6, FILESYSTEM_MEMORY, "ramfs" },
	{ 0x794c7630, FILESYSTEM_OVERLAY, "overlayfs" },
	{ 0x00006969, FILESYSTEM_NETWORK, "NFS" },
	{ 0x0000517b, FILESYSTEM_NETWORK, "SMB" },
	{ 0xff534d42, FILESYSTEM_NETWORK, "CIFS" },
	{ 0xfe534d42, FILESYSTEM_NETWORK, "SMB2" },
	{ 0x01021997, FILESYSTEM_NETWORK, "9p" },
	{ 0x00c36400, FILESYSTEM_NETWORK, "Ceph" },
	{ 0x65735546, FILESYSTEM_NETWORK, "FUSE or virtiofs" },
	{ 0x5346414f, FILESYSTEM_NETWORK, "AFS" },
	{ 0x6b414653, FILESYSTEM_NETWORK, "AFS" },
	{ 0x73757245, FILESYSTEM_NETWORK, "Coda" },
	{ 0x0000564c, FILESYSTEM_NETWORK, "NCP" },
	{ 0x01161970, FILESYSTEM_NETWORK, "GFS2" },
	{ 0x7461636f, FILESYSTEM_NETWORK, "OCFS2" },
	{ 0x0bd00bd0, FILESYSTEM_NETWORK, "Lustre" },
	{ 0x47504653, FILESYSTEM_NETWORK, "GPFS" },
	{ 0x786f4256, FILESYSTEM_NETWORK, "vboxsf" },
};

enum filesystem
filesystem_of_type(uint32_t type, const char **out_name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].type == type) {
			*out_name = kinds[i].name;
			return kinds[i].kind;
		}
	return FILESYSTEM_DISK;
}

int
filesystem_of(const char *dir, enum filesystem *out, const char **out_name,
	struct reason *reason)
{
	char path[PATH_MAX];
	struct statfs fs;
	char *slash;

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
		return reason_set(reason, STATUS_INVALID, "%s: path too long", dir);
	while (statfs(path, &fs) != 0) {
		slash = strrchr(path, '/');
		if (errno != ENOENT || !slash || slash[1] == '\0')
			return reason_errno(reason, errno, path);
		slash[slash == path] = '\0';
	}
	*out = filesystem_of_type((uint32_t)fs.f_type, out_name);
	return STATUS_OK;
}

int
filesystem_refuse_network(const char *dir, struct reason *reason)
{
	enum filesystem kind = FILESYSTEM_DISK;
	const char *name = "";

	if (filesystem_of(dir, &kind, &name, NULL) != STATUS_OK || kind != FILESYSTEM_NETWORK)
		return STATUS_OK;
	return reason_set(reason, STATUS_FOREIGN,
		"%s lies on a network file system (%s), which LMDB's locks and map cannot be "
		"trusted on: move it, or set store.allow-network-filesystem: true", dir, name);
}
