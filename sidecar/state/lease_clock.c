/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The offset of this boot. The file is "<boot id> <offset>"; it is renamed into its place, and
 * not synced: after a crash of the machine it is of another boot anyway.
 */
#include "sidecar/state/state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"

#define TEXT_MAX 80

static bool find(const char *state_dir, char path[PATH_MAX], char boot_id[CLOCK_BOOT_TEXT_SIZE],
	uint64_t *out_offset);
static bool read_word(const char *path, char *out, size_t size);
static bool recall(const char *path, const char *boot_id, uint64_t *out_offset);
static void keep(const char *path, const char *boot_id, uint64_t offset);

uint64_t
lease_clock_offset(const char *state_dir, bool *out_is_new)
{
	char path[PATH_MAX], boot_id[CLOCK_BOOT_TEXT_SIZE];
	uint64_t offset = clock_wall_ms() - clock_boot_ms();

	*out_is_new = !find(state_dir, path, boot_id, &offset);
	if (*out_is_new && boot_id[0])
		keep(path, boot_id, offset);
	return offset;
}

uint64_t
lease_clock_look(const char *state_dir)
{
	char path[PATH_MAX], boot_id[CLOCK_BOOT_TEXT_SIZE];
	uint64_t offset = clock_wall_ms() - clock_boot_ms();

	find(state_dir, path, boot_id, &offset);
	return offset;
}

/* Makes path and boot id; the latter is empty when one of the two cannot be known. */
static bool
find(const char *state_dir, char path[PATH_MAX], char boot_id[CLOCK_BOOT_TEXT_SIZE],
	uint64_t *out_offset)
{
	clock_read_boot_text(boot_id);
	if (snprintf(path, PATH_MAX, "%s/lease-clock", state_dir) >= PATH_MAX)
		boot_id[0] = '\0';
	return boot_id[0] && recall(path, boot_id, out_offset);
}

/* The first line, if it fits. */
static bool
read_word(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t len = fd < 0 ? -1 : read(fd, out, size);

	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return false;
	out[len - 1] = '\0'; /* the line end */
	return true;
}

static bool
recall(const char *path, const char *boot_id, uint64_t *out_offset)
{
	char text[TEXT_MAX], id[CLOCK_BOOT_TEXT_SIZE];
	uint64_t offset;
	int end = 0;

	if (!read_word(path, text, sizeof(text))
		|| sscanf(text, "%36s %" SCNu64 "%n", id, &offset, &end) != 2
		|| text[end] != '\0' || strcmp(id, boot_id) != 0)
		return false;
	*out_offset = offset;
	return true;
}

static void
keep(const char *path, const char *boot_id, uint64_t offset)
{
	char partial[PATH_MAX + 8], text[TEXT_MAX];
	int len = snprintf(text, sizeof(text), "%s %" PRIu64 "\n", boot_id, offset);
	bool is_good;
	int fd;

	snprintf(partial, sizeof(partial), "%s.partial", path);
	fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	is_good = write(fd, text, (size_t)len) == len;
	close(fd);
	if (!is_good || rename(partial, path) != 0)
		unlink(partial);
}
