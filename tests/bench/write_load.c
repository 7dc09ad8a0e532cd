/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The write client of scripts/bench: keeps N HTTP/1.1 connections busy with single-record
 * writes and prints what came of it as one line of JSON. livezoned, etcd's JSON gateway and
 * PowerDNS's API are all driven by this one program, one thread and poll(2), so that a
 * difference between them is never the client's.
 *
 *	write_load KIND TARGET ZONE NAMES CONNECTIONS SECONDS [RATE [HEADER]]
 *
 * KIND is livezone, etcd, pdns or scattered (livezone with the names in no order, and other
 * ones in each run); TARGET unix:PATH or tcp:PORT (loopback). The names are h0000000.ZONE
 * upwards, in turn. RATE is writes per second over all connections, 0 for as
 * many as there can be. HEADER is a whole header line.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256   /* livezoned's own limit */
#define REQUEST_MAX 1024
#define REPLY_MAX 16384       /* heads and small JSON only */
#define SAMPLES_MAX 4000000   /* latencies kept: an hour at 1,000/s */
#define QUIET_MS 10000        /* nothing at all for so long: the server hangs */

struct connection {
	int fd; /* -1: to be opened before the next write */
	bool busy;
	uint64_t began_ns;
	size_t len;
	char reply[REPLY_MAX + 1];
};

typedef int (*request_fn)(char *out, uint64_t number);

struct load {
	request_fn request;
	const char *target, *zone, *header;
	uint64_t names;
	uint64_t salt; /* of the addresses: a write of what is there already is no write */
	uint32_t *samples_us;
	uint64_t sent, done, errors, reconnects;
	char first_error[256];
};

static struct load load;
static struct connection connections[CONNECTIONS_MAX];
static struct pollfd polls[CONNECTIONS_MAX];

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
die(const char *what)
{
	fprintf(stderr, "write_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
name_of(char *out, size_t size, uint64_t number)
{
	snprintf(out, size, "h%07u.%s", (unsigned)(number % load.names), load.zone);
}

static void
address_of(char *out, size_t size, uint64_t number)
{
	number += load.salt;
	snprintf(out, size, "10.%u.%u.%u", (unsigned)(number >> 16 & 255),
		(unsigned)(number >> 8 & 255), (unsigned)(number & 255));
}

static int
http_request(char *out, const char *method, const char *path, const char *body)
{
	return snprintf(out, REQUEST_MAX,
		"%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		"%s%sContent-Length: %zu\r\n\r\n%s",
		method, path, load.header, *load.header ? "\r\n" : "", strlen(body), body);
}

static int
request_livezone(char *out, uint64_t number)
{
	char name[128], address[16], path[192], body[128];

	name_of(name, sizeof(name), number);
	address_of(address, sizeof(address), number);
	snprintf(path, sizeof(path), "/v1/rrsets/%s/A", name);
	snprintf(body, sizeof(body), "{\"records\":[\"%s\"],\"ttl\":5}", address);
	return http_request(out, "PUT", path, body);
}

/* 7919 is prime: in NAMES writes each name comes once, where it does not divide NAMES. */
static int
request_scattered(char *out, uint64_t number)
{
	uint64_t name = (number + load.salt) % load.names * 7919 % load.names;

	return request_livezone(out, number - number % load.names + name);
}

static void
base64(char *out, const char *in)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t left = strlen(in);

	for (; left; in += left < 3 ? left : 3, left -= left < 3 ? left : 3) {
		uint32_t bits = (uint32_t)(uint8_t)in[0] << 16;

		if (left > 1)
			bits |= (uint32_t)(uint8_t)in[1] << 8;
		if (left > 2)
			bits |= (uint8_t)in[2];
		*out++ = digits[bits >> 18 & 63];
		*out++ = digits[bits >> 12 & 63];
		*out++ = left > 1 ? digits[bits >> 6 & 63] : '=';
		*out++ = left > 2 ? digits[bits & 63] : '=';
	}
	*out = '\0';
}

static int
request_etcd(char *out, uint64_t number)
{
	char name[128], address[16], key[192], value[64], body[320];

	name_of(name, sizeof(name), number);
	address_of(address, sizeof(address), number);
	base64(key, name);
	base64(value, address);
	snprintf(body, sizeof(body), "{\"key\":\"%s\",\"value\":\"%s\"}", key, value);
	return http_request(out, "POST", "/v3/kv/put", body);
}

static int
request_pdns(char *out, uint64_t number)
{
	char name[128], address[16], path[192], body[384];

	name_of(name, sizeof(name), number);
	address_of(address, sizeof(address), number);
	snprintf(path, sizeof(path), "/api/v1/servers/localhost/zones/%s.", load.zone);
	snprintf(body, sizeof(body),
		"{\"rrsets\":[{\"name\":\"%s.\",\"type\":\"A\",\"ttl\":5,"
		"\"changetype\":\"REPLACE\",\"records\":[{\"content\":\"%s\","
		"\"disabled\":false}]}]}", name, address);
	return http_request(out, "PATCH", path, body);
}

static const struct {
	const char *name;
	request_fn request;
} kinds[] = {
	{ "livezone", request_livezone },
	{ "etcd", request_etcd },
	{ "pdns", request_pdns },
	{ "scattered", request_scattered },
};

static int
open_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		die(path);
	return fd;
}

static int
open_tcp(const char *port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		die(load.target);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void
connection_send(struct connection *c)
{
	char request[REQUEST_MAX];
	int len;

	if (c->fd < 0)
		c->fd = strncmp(load.target, "unix:", 5) == 0 ?
			open_unix(load.target + 5) : open_tcp(load.target + 4);
	len = load.request(request, load.sent++);
	c->began_ns = now_ns();
	c->busy = true;
	c->len = 0;
	if (send(c->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
		die("send");
}

/* The value of a header in a reply's head, or NULL. */
static const char *
header_find(const char *head, const char *end, const char *name)
{
	size_t len = strlen(name);
	const char *line;

	for (line = strstr(head, "\r\n"); line && line < end; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, name, len) == 0)
			return line + 2 + len + strspn(line + 2 + len, " ");
	return NULL;
}

/* Is the reply whole? Servers that send no length close instead; the caller handles it. */
static bool
reply_is_whole(const struct connection *c)
{
	const char *end = strstr(c->reply, "\r\n\r\n"), *length;

	if (!end)
		return false;
	if (strncmp(c->reply + 9, "204", 3) == 0)
		return true;
	length = header_find(c->reply, end, "content-length:");
	if (length)
		return c->len >= (size_t)(end + 4 - c->reply) + strtoul(length, NULL, 10);
	if (header_find(c->reply, end, "transfer-encoding:"))
		return strstr(end, "\r\n0\r\n\r\n") != NULL;
	return false;
}

static void
connection_close(struct connection *c)
{
	close(c->fd);
	c->fd = -1;
	load.reconnects++;
}

static void
reply_count(struct connection *c)
{
	const char *end = strstr(c->reply, "\r\n\r\n");
	const char *closing = end ? header_find(c->reply, end, "connection:") : NULL;

	c->busy = false;
	if (strncmp(c->reply, "HTTP/1.", 7) != 0 || c->reply[9] != '2' ||
	    strncmp(c->reply + 9, "202", 3) == 0) {
		if (load.errors++ == 0)
			snprintf(load.first_error, sizeof(load.first_error), "%.250s",
				c->len ? c->reply : "connection closed");
	} else {
		if (load.done < SAMPLES_MAX)
			load.samples_us[load.done] =
				(uint32_t)((now_ns() - c->began_ns) / 1000);
		load.done++;
	}
	if (closing && strncasecmp(closing, "close", 5) == 0)
		connection_close(c);
}

static void
connection_receive(struct connection *c)
{
	ssize_t got = recv(c->fd, c->reply + c->len, REPLY_MAX - c->len, 0);

	if (got < 0)
		die("recv");
	c->len += (size_t)got;
	c->reply[c->len] = '\0';
	if (got == 0) {
		if (c->busy)
			reply_count(c);
		if (c->fd >= 0)
			connection_close(c);
	} else if (reply_is_whole(c)) {
		reply_count(c);
	}
}

static int
compare_samples(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
report(double seconds)
{
	size_t count = load.done < SAMPLES_MAX ? load.done : SAMPLES_MAX;
	char *bad;

	for (bad = load.first_error; *bad; bad++)
		if (*bad < ' ' || *bad == '"' || *bad == '\\')
			*bad = ' ';
	qsort(load.samples_us, count, sizeof(*load.samples_us), compare_samples);
	printf("{\"writes\":%llu,\"errors\":%llu,\"reconnects\":%llu,\"seconds\":%.3f,"
	       "\"per_second\":%.1f,\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u,"
	       "\"first_error\":\"%s\"}\n",
		(unsigned long long)load.done, (unsigned long long)load.errors,
		(unsigned long long)load.reconnects, seconds, (double)load.done / seconds,
		count ? load.samples_us[count / 2] : 0,
		count ? load.samples_us[count - 1 - count / 100] : 0,
		count ? load.samples_us[count - 1] : 0, load.first_error);
}

/* Starts writes on idle connections as far as the rate allows; the number in flight. */
static size_t
start_writes(size_t count, double rate, uint64_t began, uint64_t end)
{
	size_t busy = 0, i;

	for (i = 0; i < count; i++) {
		struct connection *c = &connections[i];
		uint64_t now = now_ns();

		if (!c->busy && now < end &&
		    (rate <= 0 || (double)load.sent < (double)(now - began) / 1e9 * rate))
			connection_send(c);
		polls[i] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
		busy += c->busy;
	}
	return busy;
}

static void
run(size_t count, double seconds, double rate)
{
	uint64_t began = now_ns(), end = began + (uint64_t)(seconds * 1e9), heard = began;
	size_t i;

	for (;;) {
		size_t busy = start_writes(count, rate, began, end);

		if (!busy && now_ns() >= end)
			break;
		/* With a rate, wake up in time for the next write. */
		if (poll(polls, count, rate > 0 ? 1 : 100) < 0)
			die("poll");
		for (i = 0; i < count; i++)
			if (polls[i].fd >= 0 && polls[i].revents) {
				heard = now_ns();
				connection_receive(&connections[i]);
			}
		if (busy && now_ns() - heard > QUIET_MS * 1000000ull) {
			errno = ETIMEDOUT;
			die("no reply");
		}
	}
	report((double)(now_ns() - began) / 1e9);
}

int
main(int argc, char **argv)
{
	size_t count, i;

	if (argc < 7 || argc > 9) {
		fprintf(stderr, "usage: write_load KIND TARGET ZONE NAMES CONNECTIONS SECONDS"
			" [RATE [HEADER]]\n");
		return 2;
	}
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			load.request = kinds[i].request;
	load.target = argv[2];
	load.zone = argv[3];
	load.names = strtoull(argv[4], NULL, 10);
	count = strtoul(argv[5], NULL, 10);
	load.header = argc > 8 ? argv[8] : "";
	load.salt = now_ns() / 1000;
	load.samples_us = malloc(SAMPLES_MAX * sizeof(*load.samples_us));
	if (!load.request || !load.names || !count || count > CONNECTIONS_MAX ||
	    !load.samples_us) {
		fprintf(stderr, "write_load: bad argument\n");
		return 2;
	}
	for (i = 0; i < count; i++)
		connections[i].fd = -1;
	run(count, strtod(argv[6], NULL), argc > 7 ? strtod(argv[7], NULL) : 0);
	free(load.samples_us);
	return 0;
}
