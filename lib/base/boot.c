/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * For the start of either side.
 */
#include "lib/base/boot.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void
boot_read_text(char out[BOOT_TEXT_SIZE])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, out, BOOT_TEXT_SIZE - 1);

	if (fd >= 0)
		close(fd);
	out[len < 0 ? 0 : len] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

void
boot_read_id(uint8_t out[BOOT_ID_SIZE])
{
	char text[BOOT_TEXT_SIZE];
	size_t i, used = 0;

	boot_read_text(text);
	memset(out, 0, BOOT_ID_SIZE);
	for (i = 0; text[i] && used < 2 * BOOT_ID_SIZE; i++) {
		char c = text[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
										  : -1;

		if (digit < 0)
			continue;
		out[used / 2] = (uint8_t)(out[used / 2] << 4 | digit);
		used++;
	}
}
