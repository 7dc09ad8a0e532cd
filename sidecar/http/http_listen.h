/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Listening sockets. Opened once at start by the main thread.
 */
#pragma once

#include "lib/base/reason.h"

/* Listens at a unix socket, mode 0660, group livezone when there is one. The directory
 * must be there. A socket file that nobody listens at is replaced; one that answers, or a
 * file of another kind, is refused. Returns the descriptor or a negative status. */
int http_listen_unix(const char *path, struct reason *reason);

/* Listens at "127.0.0.1:5380" or "[::1]:5380". Anything but a loopback address is
 * STATUS_INVALID: there is no TLS here. */
int http_listen_tcp(const char *address, struct reason *reason);
