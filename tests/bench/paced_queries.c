/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The latency of a resolver under somebody else's load: asks at a fixed rate, waits for no
 * answer before the next question, and prints what came of it as one line of JSON. Nine
 * questions of ten are for a name that exists, one for a name that does not; the code of
 * each answer is checked.
 *
 *	paced_queries PORT ZONE NAMES RATE SECONDS
 *
 * An answer's time is the kernel's (SO_TIMESTAMPNS), so that the wait of this program for a
 * processor is not taken for the server's. What is not answered in LOST_MS is lost.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IDS 65536
#define LOST_MS 5000
#define SAMPLES_MAX 8000000
#define HEADER 12

struct question {
	uint64_t sent_ns; /* wall clock, as the kernel's stamps are; 0 = none open */
	bool is_missing;
};

static struct question questions[IDS];
static uint32_t *samples_us;
static size_t sample_count;
static uint64_t sent, answered, wrong;

static uint64_t
clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
die(const char *what)
{
	fprintf(stderr, "paced_queries: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
open_socket(const char *port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1, size = 4 << 20;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

/* Any order that goes through all names. */
static uint64_t
scatter(uint64_t number)
{
	number *= UINT64_C(0x9e3779b97f4a7c15);
	return number ^ number >> 29;
}

static size_t
encode(uint8_t *out, uint16_t id, const char *text)
{
	uint8_t *at = out + HEADER;
	const char *dot;

	memset(out, 0, HEADER);
	out[0] = (uint8_t)(id >> 8);
	out[1] = (uint8_t)id;
	out[2] = 1; /* RD */
	out[5] = 1;
	for (; *text; text = *dot ? dot + 1 : dot) {
		size_t len;

		dot = strchrnul(text, '.');
		len = (size_t)(dot - text);
		*at++ = (uint8_t)len;
		memcpy(at, text, len);
		at += len;
	}
	memcpy(at, "\0\0\1\0\1", 5);
	return (size_t)(at + 5 - out);
}

static void
ask(int fd, uint64_t number, uint64_t names, const char *zone)
{
	struct question *question = &questions[number % IDS];
	uint8_t packet[512];
	char name[200];
	size_t len;

	question->is_missing = number % 10 == 9;
	snprintf(name, sizeof(name), "%c%07u.%.180s", question->is_missing ? 'x' : 'h',
		(unsigned)(scatter(number) % names), zone);
	len = encode(packet, (uint16_t)number, name);
	question->sent_ns = clock_ns(CLOCK_REALTIME);
	sent++;
	if (send(fd, packet, len, 0) < 0 && errno != EAGAIN && errno != ENOBUFS)
		die("send");
}

static uint64_t
stamp_of(struct msghdr *message)
{
	struct cmsghdr *part;

	for (part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part))
		if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec ts;

			memcpy(&ts, CMSG_DATA(part), sizeof(ts));
			return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
		}
	return clock_ns(CLOCK_REALTIME);
}

static bool
receive(int fd)
{
	uint8_t packet[4096], control[256];
	struct iovec part = { packet, sizeof(packet) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control) };
	ssize_t len = recvmsg(fd, &message, MSG_DONTWAIT);
	struct question *question;
	uint64_t at;

	if (len < HEADER)
		return len >= 0;
	question = &questions[packet[0] << 8 | packet[1]];
	if (!question->sent_ns)
		return true;
	at = stamp_of(&message);
	if (sample_count < SAMPLES_MAX)
		samples_us[sample_count++] = at > question->sent_ns
			? (uint32_t)((at - question->sent_ns) / 1000) : 0;
	answered++;
	wrong += (packet[3] & 15) != (question->is_missing ? 3 : 0)
		|| (packet[7] == 0) != question->is_missing;
	question->sent_ns = 0;
	return true;
}

static int
compare_samples(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t
percentile(unsigned permille)
{
	return sample_count ? samples_us[(sample_count - 1) * permille / 1000] : 0;
}

static void
report(void)
{
	qsort(samples_us, sample_count, sizeof(*samples_us), compare_samples);
	printf("{\"sent\":%llu,\"lost\":%llu,\"wrong\":%llu,\"p50_us\":%u,\"p99_us\":%u,"
	       "\"p999_us\":%u,\"max_us\":%u}\n",
		(unsigned long long)sent, (unsigned long long)(sent - answered),
		(unsigned long long)wrong, percentile(500), percentile(990), percentile(999),
		percentile(1000));
}

static void
wait_readable(int fd, uint64_t until_ns)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct timespec wait = { .tv_nsec = 0 };

	if (now < until_ns)
		wait = (struct timespec){ (time_t)((until_ns - now) / 1000000000u),
			(long)((until_ns - now) % 1000000000u) };
	if (ppoll(&ready, 1, &wait, NULL) < 0 && errno != EINTR)
		die("ppoll");
	while (receive(fd))
		;
}

int
main(int argc, char **argv)
{
	uint64_t began, names, step, end, number;
	double rate, seconds;
	int fd;

	if (argc != 6) {
		fprintf(stderr, "usage: paced_queries PORT ZONE NAMES RATE SECONDS\n");
		return 2;
	}
	names = strtoull(argv[3], NULL, 10);
	rate = strtod(argv[4], NULL);
	seconds = strtod(argv[5], NULL);
	samples_us = malloc(SAMPLES_MAX * sizeof(*samples_us));
	/* an id is free again before it comes back */
	if (!names || rate <= 0 || rate > IDS * 1000.0 / LOST_MS || !samples_us) {
		fprintf(stderr, "paced_queries: bad argument\n");
		return 2;
	}
	fd = open_socket(argv[1]);
	step = (uint64_t)(1e9 / rate);
	began = clock_ns(CLOCK_MONOTONIC);
	end = began + (uint64_t)(seconds * 1e9);
	number = clock_ns(CLOCK_REALTIME);
	for (uint64_t next = began; next < end; next += step) {
		wait_readable(fd, next);
		ask(fd, number++, names, argv[2]);
	}
	end = clock_ns(CLOCK_MONOTONIC) + UINT64_C(1000000) * LOST_MS;
	while (answered < sent && clock_ns(CLOCK_MONOTONIC) < end)
		wait_readable(fd, clock_ns(CLOCK_MONOTONIC) + 10000000);
	report();
	free(samples_us);
	return 0;
}
