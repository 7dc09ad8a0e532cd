/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The two kinds of listener. Both are non-blocking: only the accept loop reads them.
 */
#include "sidecar/http/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/status.h"

#define BACKLOG 1024 /* a burst of a thousand clients */
#define SOCKET_GROUP "livezone"
#define SOCKET_KIND (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

static int replace_stale(const struct sockaddr_un *address, struct reason *reason);
static int
parse_loopback(const char *text, struct sockaddr_storage *out, socklen_t *out_len);
static int fail(int fd, const char *what, const char *where, struct reason *reason);

int
http_listen_unix(const char *path, struct reason *reason)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct group *group;
	mode_t mask;
	int status, fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return reason_set(reason, STATUS_INVALID,
			"api.unix: %s is longer than %zu bytes", path,
			sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	status = replace_stale(&address, reason);
	if (status)
		return status;
	fd = socket(AF_UNIX, SOCKET_KIND, 0);
	if (fd < 0)
		return fail(fd, "socket for", path, reason);
	/* closed to all others until its group is set; still one thread here */
	mask = umask(0177);
	status = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (status != 0)
		return fail(fd, "cannot bind", path, reason);
	group = getgrnam(SOCKET_GROUP);
	if (group && chown(path, (uid_t)-1, group->gr_gid) != 0 && errno != EPERM)
		return fail(fd, "cannot give to group " SOCKET_GROUP, path, reason);
	if (chmod(path, 0660) != 0 || listen(fd, BACKLOG) != 0)
		return fail(fd, "cannot listen at", path, reason);
	return fd;
}

int
http_listen_tcp(const char *text, struct reason *reason)
{
	struct sockaddr_storage address = { 0 };
	const int on = 1;
	socklen_t len;
	int fd;

	if (parse_loopback(text, &address, &len) != 0)
		return reason_set(reason, STATUS_INVALID,
			"api.tcp: \"%s\" is not a loopback address with a port: "
			"livezoned "
			"has no TLS and listens at 127.0.0.1:PORT or [::1]:PORT only",
			text);
	fd = socket(address.ss_family, SOCKET_KIND, 0);
	if (fd < 0)
		return fail(fd, "socket for", text, reason);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0
		|| bind(fd, (const struct sockaddr *)&address, len) != 0
		|| listen(fd, BACKLOG) != 0)
		return fail(fd, "cannot listen at", text, reason);
	return fd;
}

/* Only a socket that refuses connections is a dead process's. */
static int
replace_stale(const struct sockaddr_un *address, struct reason *reason)
{
	const char *path = address->sun_path;
	struct stat st;
	int fd, error;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : fail(-1, "cannot look at", path, reason);
	if (!S_ISSOCK(st.st_mode))
		return reason_set(reason, STATUS_INVALID,
			"api.unix: %s exists and is not a socket", path);
	fd = socket(AF_UNIX, SOCKET_KIND, 0);
	if (fd < 0)
		return fail(fd, "socket for", path, reason);
	error = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0
			? 0
			: errno;
	close(fd);
	if (error != ECONNREFUSED)
		return reason_set(reason, STATUS_UNAVAILABLE,
			"api.unix: another process listens at %s", path);
	return unlink(path) == 0 ? 0 : fail(-1, "cannot replace", path, reason);
}

static int
parse_loopback(const char *text, struct sockaddr_storage *out, socklen_t *out_len)
{
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	unsigned long port;
	char *end;
	size_t len;

	if (!colon || colon[1] < '0' || colon[1] > '9')
		return STATUS_INVALID;
	port = strtoul(colon + 1, &end, 10);
	len = (size_t)(colon - text);
	if (*end || port > 65535 || len >= sizeof(host))
		return STATUS_INVALID;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		*out_len = sizeof(*four);
		return ntohl(four->sin_addr.s_addr) >> 24 == 127 ? 0 : STATUS_INVALID;
	}
	if (len < 3 || host[0] != '[' || host[len - 1] != ']')
		return STATUS_INVALID;
	host[len - 1] = '\0';
	if (inet_pton(AF_INET6, host + 1, &six->sin6_addr) != 1
		|| !IN6_IS_ADDR_LOOPBACK(&six->sin6_addr))
		return STATUS_INVALID;
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((uint16_t)port);
	*out_len = sizeof(*six);
	return 0;
}

static int
fail(int fd, const char *what, const char *where, struct reason *reason)
{
	const int error = errno;

	if (fd >= 0)
		close(fd);
	return reason_set(reason, STATUS_IO, "%s %s: %s", what, where, strerror(error));
}
