/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Preloaded before faketime: timerfd_settime as the kernel has it.
 */
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

int
timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	return (int)syscall(SYS_timerfd_settime, fd, flags, new, old);
}
