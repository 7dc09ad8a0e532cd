/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The boot id; for the start of either side.
 */
#include "lib/base/clock.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void
clock_read_boot_text(char out[CLOCK_BOOT_TEXT_SIZE])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, out, CLOCK_BOOT_TEXT_SIZE - 1);

	if (fd >= 0)
		close(fd);
	out[len < 0 ? 0 : len] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

void
clock_read_boot_id(uint8_t out[CLOCK_BOOT_ID_SIZE])
{
	char text[CLOCK_BOOT_TEXT_SIZE];
	size_t i, used = 0;

	clock_read_boot_text(text);
	memset(out, 0, CLOCK_BOOT_ID_SIZE);
	for (i = 0; text[i] && used < 2 * CLOCK_BOOT_ID_SIZE; i++) {
		char c = text[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
										  : -1;

		if (digit < 0)
			continue;
		out[used / 2] = (uint8_t)(out[used / 2] << 4 | digit);
		used++;
	}
}
