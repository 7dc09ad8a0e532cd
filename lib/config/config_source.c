/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Reading livezone.yaml into memory, and the place in front of each message.
 */
#include "lib/config/config_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/status.h"
#include "lib/config/yaml_place.h"

#define FILE_SIZE_MAX (16 * 1024 * 1024) /* zones with long fallback lists are big */

int
config_source_read(struct config_source *source)
{
	int fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat info;
	ssize_t got = 1;
	int status = 0;

	if (fd < 0)
		return reason_set(source->reason,
			errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s: %s",
			source->path, strerror(errno));
	if (fstat(fd, &info) || !S_ISREG(info.st_mode))
		status = reason_set(source->reason, STATUS_INVALID,
			"%s: not a regular file", source->path);
	else if (info.st_mode & S_IWOTH)
		status = reason_set(source->reason, STATUS_INVALID,
			"%s: everybody may write to it: chmod o-w", source->path);
	else if (info.st_size > FILE_SIZE_MAX)
		status = reason_set(source->reason, STATUS_TOO_LARGE,
			"%s: larger than %d MiB", source->path, FILE_SIZE_MAX >> 20);
	else if (!(source->text = malloc((size_t)info.st_size + 1)))
		status = STATUS_NO_MEMORY;
	while (!status && got > 0 && source->len < (size_t)info.st_size) {
		got = read(fd, source->text + source->len,
			(size_t)info.st_size - source->len);
		if (got < 0)
			status = reason_set(source->reason, STATUS_IO, "%s: %s",
				source->path, strerror(errno));
		else
			source->len += (size_t)got;
	}
	close(fd);
	return status;
}

void
config_source_done(struct config_source *source)
{
	free(source->text);
	source->text = NULL;
}

int
config_source_fail_at_line(const struct config_source *source, int status, int line,
	const char *key)
{
	if (key && *key)
		reason_prefix(source->reason, status, "%s", key);
	if (line > 0)
		return reason_prefix(source->reason, status, "%s:%d", source->path, line);
	return reason_prefix(source->reason, status, "%s", source->path);
}

int
config_source_fail(const struct config_source *source, int status, const char *format, ...)
{
	char key[CONFIG_SOURCE_KEY_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(key, sizeof(key), format, args);
	va_end(args);
	return config_source_fail_at_line(source, status,
		yaml_place_find(source->text, source->len, key), key);
}
