/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * For livezoned's start.
 */
#include "lib/boot.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void
boot_read_id(uint8_t out[BOOT_ID_SIZE])
{
	char text[40] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	size_t i, used = 0;
	ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	memset(out, 0, BOOT_ID_SIZE);
	for (i = 0; i < (size_t)(len < 0 ? 0 : len) && used < 2 * BOOT_ID_SIZE; i++) {
		char c = text[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
										  : -1;

		if (digit < 0)
			continue;
		out[used / 2] = (uint8_t)(out[used / 2] << 4 | digit);
		used++;
	}
}
