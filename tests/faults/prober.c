/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Questions at a fixed pace over UDP, for tests that break something meanwhile.
 *
 *	prober PORT RATE DEADLINE-MS SEED NAMES LOG
 *
 * The n-th question is sent n / RATE seconds after the first, whatever became of the others,
 * so that a server that stands still is asked all the same; only time in which the prober itself
 * was not run is left out. A question is never repeated; one without an answer after
 * DEADLINE-MS, or that nobody listens for, is lost. Ends with SIGTERM, once the last question is
 * answered or lost.
 *
 * NAMES has lines "WEIGHT TYPES NAME". TYPES is A, or A,TXT: then one of eight questions is
 * for TXT. A '#' in the name stands for eight random letters. LOG gets a struct record for each
 * question, in the order in which they end; tests/support/prober.py reads it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS 16     /* the kernel gives each to one of the server's threads */
#define QUERIES 65536  /* in flight at most: as many as there are ids */
#define QUERY_MAX 512
#define FLUSH_NS 20000000 /* the test watches the log grow */
#define BEHIND_NS 20000000
#define TXT_EACH 8
#define TYPE_A 1
#define TYPE_CNAME 5
#define TYPE_TXT 16
#define TYPE_OPT 41
#define OPTION_EDE 15

enum { RCODE_LOST = 255, EDE_NONE = 0xffff };
enum {
	FLAG_TRUNCATED = 1,
	FLAG_BAD_TXT = 2,  /* not "number,crc" of this name */
	FLAG_MALFORMED = 4 /* no DNS message */
};

/* As it lies in the log, little-endian. */
struct record {
	uint64_t sent_ns; /* CLOCK_MONOTONIC */
	uint32_t latency_us;
	uint32_t name;    /* line of NAMES, from 0 */
	uint32_t value;   /* the address, or the number in the text; of the last such record */
	uint32_t link;    /* the number behind the first letter of the last CNAME's target */
	uint16_t ede;
	uint8_t rcode;
	uint8_t flags;
	uint8_t type;
	uint8_t answers; /* of the type that was asked for */
	uint16_t unused;
};

struct question {
	double up_to; /* sum of the weights so far */
	bool has_text;
	char name[256];
};

struct flight {
	bool is_open;
	int query_len;
	char name[256];
	uint8_t query[QUERY_MAX];
	struct record record;
};

struct reader {
	const uint8_t *at, *start, *end;
	bool failed;
};

static struct question *questions;
static size_t question_count;
static struct flight flights[QUERIES];
static uint64_t sent, oldest; /* the questions oldest..sent-1 may be in flight */
static uint64_t random_state;
static int sockets[SOCKETS];
static FILE *records;
static volatile sig_atomic_t is_stopping;

static void read_names(const char *path);
static void open_sockets(uint16_t port);
static void run(double rate, uint64_t deadline_ns);
static void ask(uint64_t now);
static bool send_to(int sock, const struct flight *flight);
static const struct question *choose(void);
static int encode_query(uint16_t id, const char *name, uint16_t type, uint8_t *out);
static void receive(int sock);
static bool is_answer_to(const struct flight *flight, const uint8_t *wire, size_t len);
static void judge(struct flight *flight, const uint8_t *wire, size_t len);
static void read_record(struct flight *flight, struct reader *reader, bool is_answer);
static void read_text(struct flight *flight, struct reader text);
static void read_options(struct flight *flight, struct reader options);
static void finish(struct flight *flight, uint64_t now);
static void lose_old(uint64_t now, uint64_t deadline_ns);

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void
die(const char *what)
{
	fprintf(stderr, "prober: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
on_term(int number)
{
	(void)number;
	is_stopping = 1;
}

int
main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = &on_term };
	double rate;

	if (argc != 7) {
		fprintf(stderr, "usage: prober PORT RATE DEADLINE-MS SEED NAMES LOG\n");
		return 2;
	}
	rate = strtod(argv[2], NULL);
	random_state = strtoull(argv[4], NULL, 10) * 2654435761u + 1;
	sigaction(SIGTERM, &action, NULL);
	read_names(argv[5]);
	open_sockets((uint16_t)atoi(argv[1]));
	records = fopen(argv[6], "we");
	if (!records)
		die(argv[6]);
	run(rate, strtoull(argv[3], NULL, 10) * 1000000);
	if (fclose(records) != 0)
		die(argv[6]);
	return 0;
}

static void
read_names(const char *path)
{
	FILE *file = fopen(path, "re");
	struct question one;
	char types[16];
	double sum = 0, weight;

	if (!file)
		die(path);
	while (fscanf(file, "%lf %15s %255s", &weight, types, one.name) == 3) {
		sum += weight;
		one.up_to = sum;
		one.has_text = strchr(types, ',') != NULL;
		questions = realloc(questions, (question_count + 1) * sizeof(one));
		if (!questions)
			die("memory");
		questions[question_count++] = one;
	}
	fclose(file);
	if (!question_count) {
		errno = EINVAL;
		die(path);
	}
}

static void
open_sockets(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int size = 4 << 20;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < SOCKETS; i++) {
		sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (sockets[i] < 0)
			die("socket");
		setsockopt(sockets[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		if (connect(sockets[i], (struct sockaddr *)&to, sizeof(to)) != 0)
			die("connect");
	}
}

static void
run(double rate, uint64_t deadline_ns)
{
	struct pollfd polls[SOCKETS];
	uint64_t start = now_ns(), flushed = start, now;

	for (size_t i = 0; i < SOCKETS; i++)
		polls[i] = (struct pollfd){ .fd = sockets[i], .events = POLLIN };
	while (!is_stopping || oldest < sent) {
		uint64_t next = start + (uint64_t)((double)sent * 1e9 / rate);
		struct timespec pause = { .tv_nsec = FLUSH_NS };

		now = now_ns();
		/* we did not run: what was not asked is not asked in one burst */
		if (now > next && now - next > BEHIND_NS) {
			start += now - next;
			next = now;
		}
		if (!is_stopping && now >= next) {
			ask(now);
			continue;
		}
		if (!is_stopping && next - now < FLUSH_NS)
			pause.tv_nsec = (long)(next - now);
		if (ppoll(polls, SOCKETS, &pause, NULL) > 0)
			for (size_t i = 0; i < SOCKETS; i++)
				if (polls[i].revents)
					receive(sockets[i]);
		now = now_ns();
		lose_old(now, deadline_ns);
		if (now - flushed >= FLUSH_NS) {
			fflush(records);
			flushed = now;
		}
	}
}

static void
ask(uint64_t now)
{
	static const char letters[] = "bcdfghjklmnpqrst";
	const struct question *question = choose();
	struct flight *flight = &flights[sent % QUERIES];
	char *at;

	if (flight->is_open) {
		errno = EOVERFLOW;
		die("questions in flight");
	}
	strcpy(flight->name, question->name);
	for (at = strchr(flight->name, '#'); at && *at == '#'; at = strchr(at, '#')) {
		size_t rest = strlen(at + 1) + 1;

		if ((size_t)(at - flight->name) + 8 + rest > sizeof(flight->name))
			break;
		memmove(at + 8, at + 1, rest);
		for (unsigned i = 0; i < 8; i++)
			at[i] = letters[(random_state >> (8 + 4 * i)) & 15];
	}
	flight->record = (struct record){
		.sent_ns = now,
		.name = (uint32_t)(question - questions),
		.ede = EDE_NONE,
		.type = question->has_text && sent % TXT_EACH == 0 ? TYPE_TXT : TYPE_A,
	};
	flight->query_len = encode_query((uint16_t)sent, flight->name, flight->record.type,
		flight->query);
	flight->is_open = true;
	if (!send_to(sockets[sent % SOCKETS], flight)) {
		flight->record.rcode = RCODE_LOST;
		finish(flight, now_ns());
	}
	sent++;
}

/* Is anybody there? On loopback the kernel knows at once. */
static bool
send_to(int sock, const struct flight *flight)
{
	int error = 0;
	socklen_t size = sizeof(error);

	/* the first failure may be an earlier question's */
	if (send(sock, flight->query, (size_t)flight->query_len, 0) < 0
		&& send(sock, flight->query, (size_t)flight->query_len, 0) < 0)
		return errno != ECONNREFUSED;
	getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &size);
	return error != ECONNREFUSED;
}

static const struct question *
choose(void)
{
	size_t low = 0, high = question_count - 1;
	double wanted;

	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	wanted = (double)(random_state >> 11) / (double)(UINT64_C(1) << 53)
		* questions[high].up_to;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (questions[middle].up_to > wanted)
			high = middle;
		else
			low = middle + 1;
	}
	return &questions[low];
}

static int
encode_query(uint16_t id, const char *name, uint16_t type, uint8_t *out)
{
	/* RD; one question, one additional: OPT, 1232 bytes, for extended errors */
	const uint8_t head[12] = { (uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1 };
	const uint8_t tail[16] = { 0, 0, (uint8_t)type, 0, 1, 0, 0, TYPE_OPT, 4, 208 };
	uint8_t *at = out + sizeof(head);

	memcpy(out, head, sizeof(head));
	while (*name) {
		size_t len = strcspn(name, ".");

		*at++ = (uint8_t)len;
		memcpy(at, name, len);
		at += len;
		name += len + (name[len] == '.');
	}
	memcpy(at, tail, sizeof(tail));
	return (int)(at + sizeof(tail) - out);
}

static void
receive(int sock)
{
	static uint8_t wire[65536];
	ssize_t len;

	/* an error that is pending is read away like an answer */
	while ((len = recv(sock, wire, sizeof(wire) - 1, 0)) >= 0 || errno == ECONNREFUSED) {
		struct flight *flight;

		if (len < 12)
			continue;
		wire[len] = 0; /* ends a number */
		flight = &flights[(wire[0] << 8 | wire[1]) % QUERIES];
		if (!flight->is_open || !is_answer_to(flight, wire, (size_t)len))
			continue;
		judge(flight, wire, (size_t)len);
		finish(flight, now_ns());
	}
}

/* Ids come again after 33 s: who was stopped for longer answers what nobody waits for. */
static bool
is_answer_to(const struct flight *flight, const uint8_t *wire, size_t len)
{
	size_t asked = (size_t)flight->query_len - 12 - 11;

	return len >= 12 + asked && memcmp(wire + 12, flight->query + 12, asked) == 0;
}

static const uint8_t *
take(struct reader *reader, size_t len)
{
	static const uint8_t zeros[16];
	const uint8_t *at = reader->at;

	if ((size_t)(reader->end - reader->at) < len)
		reader->failed = true;
	if (reader->failed)
		return zeros;
	reader->at += len;
	return at;
}

static unsigned
take_u8(struct reader *reader)
{
	return *take(reader, 1);
}

static unsigned
take_u16(struct reader *reader)
{
	const uint8_t *at = take(reader, 2);

	return (unsigned)at[0] << 8 | at[1];
}

static void
skip_name(struct reader *reader)
{
	unsigned len = take_u8(reader);

	while (!reader->failed && len != 0) {
		(void)take(reader, len >= 0xc0 ? 1 : len);
		len = len >= 0xc0 ? 0 : take_u8(reader);
	}
}

/* Header, question as it was asked, answers, options of the OPT record. */
static void
judge(struct flight *flight, const uint8_t *wire, size_t len)
{
	struct reader reader = { wire, wire, wire + len, false };
	size_t asked = (size_t)flight->query_len - 12 - 11;
	const uint8_t *head = take(&reader, 12);
	unsigned answers = (unsigned)head[6] << 8 | head[7];
	unsigned others = ((unsigned)head[8] << 8 | head[9]) + ((unsigned)head[10] << 8 | head[11]);

	flight->record.rcode = head[3] & 15;
	if (head[2] & 2)
		flight->record.flags |= FLAG_TRUNCATED;
	if (!(head[2] & 0x80) || (head[4] << 8 | head[5]) != 1) {
		flight->record.flags |= FLAG_MALFORMED;
		return;
	}
	(void)take(&reader, asked);
	while (answers-- && !reader.failed)
		read_record(flight, &reader, true);
	while (others-- && !reader.failed)
		read_record(flight, &reader, false);
	if (reader.failed)
		flight->record.flags |= FLAG_MALFORMED;
}

static void
read_record(struct flight *flight, struct reader *reader, bool is_answer)
{
	struct reader data = *reader;
	unsigned type, len;

	skip_name(reader);
	type = take_u16(reader);
	(void)take(reader, 6);
	len = take_u16(reader);
	data.at = take(reader, len);
	data.end = data.at + (reader->failed ? 0 : len);
	if (reader->failed)
		return;
	if (is_answer && type == flight->record.type)
		flight->record.answers++;
	if (is_answer && type == TYPE_A && len == 4)
		flight->record.value = (uint32_t)data.at[0] << 24 | (uint32_t)data.at[1] << 16
			| (uint32_t)data.at[2] << 8 | data.at[3];
	if (is_answer && type == TYPE_TXT)
		read_text(flight, data);
	/* the first label of a target is never compressed away: no two names share it */
	if (is_answer && type == TYPE_CNAME && len > 2 && data.at[0] < 64)
		flight->record.link = (uint32_t)strtoul((const char *)data.at + 2, NULL, 10);
	if (!is_answer && type == TYPE_OPT)
		read_options(flight, data);
}

static uint32_t
crc32_of(const char *text, size_t len)
{
	uint32_t crc = 0xffffffff;

	while (len--) {
		crc ^= (uint8_t)*text++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* "number,crc": CRC-32 of "name number", eight digits. */
static void
read_text(struct flight *flight, struct reader text)
{
	char found[64] = "", expected[64], summed[320];
	unsigned len = take_u8(&text);
	const uint8_t *at = take(&text, len);
	int summed_len;

	if (!text.failed && len < sizeof(found))
		memcpy(found, at, len);
	flight->record.value = (uint32_t)strtoul(found, NULL, 10);
	summed_len = snprintf(
		summed, sizeof(summed), "%s %u", flight->name, flight->record.value);
	snprintf(expected, sizeof(expected), "%u,%08x", flight->record.value,
		crc32_of(summed, (size_t)summed_len));
	if (strcmp(found, expected) != 0)
		flight->record.flags |= FLAG_BAD_TXT;
}

static void
read_options(struct flight *flight, struct reader options)
{
	while (options.at < options.end && !options.failed) {
		unsigned code = take_u16(&options), len = take_u16(&options);
		const uint8_t *at = take(&options, len);

		if (!options.failed && code == OPTION_EDE && len >= 2
			&& flight->record.ede == EDE_NONE)
			flight->record.ede = (uint16_t)(at[0] << 8 | at[1]);
	}
}

static void
finish(struct flight *flight, uint64_t now)
{
	flight->record.latency_us = (uint32_t)((now - flight->record.sent_ns) / 1000);
	fwrite(&flight->record, sizeof(flight->record), 1, records);
	flight->is_open = false;
}

static void
lose_old(uint64_t now, uint64_t deadline_ns)
{
	for (; oldest < sent; oldest++) {
		struct flight *flight = &flights[oldest % QUERIES];

		if (!flight->is_open)
			continue;
		if (now - flight->record.sent_ns < deadline_ns)
			return;
		flight->record.rcode = RCODE_LOST;
		finish(flight, now);
	}
}
