/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Recognition by user id or token.
 */
#include "sidecar/api/auth.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "sidecar/http/http.h"
#include "sidecar/api/problem.h"

#define TOKEN_MAX 512
#define FAILURES_MAX 20          /* wrong tokens over TCP that are answered 401 ... */
#define FAILURES_WINDOW_MS 10000 /* ... in so much time */

/* TCP is loopback, so all its peers are one machine: one counter. */
static struct {
	pthread_mutex_t lock;
	uint64_t since_ms;
	unsigned count;
} failures = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int
resolve_users(const struct config *config, struct auth *auth, struct reason *reason);
static int resolve_user(const char *text, uid_t *out, struct reason *reason);
static int check_tcp(const struct config *config, struct reason *reason);
static const struct credential *
find_token(const struct credentials *credentials, const char *token);
static void refuse_token(const char *detail, struct http_reply *reply);
static bool is_known_host(const char *host, const char *tcp);

int
auth_read(const struct config *config, struct auth **out, struct reason *reason)
{
	struct auth *auth = calloc(1, sizeof(*auth));
	int status;

	if (!auth)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	auth->is_open = config->api.insecure_no_auth;
	auth->tcp = config->api.tcp;
	status = check_tcp(config, reason);
	if (!status)
		status = resolve_users(config, auth, reason);
	if (!status && config->api.tokens)
		status = credentials_read(config->api.tokens, &auth->credentials, reason);
	if (status) {
		auth_free(auth);
		return status;
	}
	*out = auth;
	return 0;
}

void
auth_free(struct auth *auth)
{
	if (!auth)
		return;
	credentials_free(auth->credentials);
	free(auth->uid);
	free(auth);
}

bool
auth_identify(const struct auth *auth, const struct http_request *request,
	struct caller *out, struct http_reply *reply)
{
	const struct http_peer *peer = request->peer;
	const char *header;

	*out = (struct caller){ .name = "tcp" };
	if (peer->is_local) {
		snprintf(out->name, sizeof(out->name), "uid %u", (unsigned)peer->uid);
		for (size_t i = 0; i < auth->uid_count; i++)
			if (auth->uid[i] == peer->uid)
				return true;
		problem_set(reply, PROBLEM_FORBIDDEN, NULL,
			"user %u is not in api.allow-users", (unsigned)peer->uid);
		return false;
	}
	if (auth->is_open)
		return true;
	header = http_header(request, "Authorization");
	if (!header || strncasecmp(header, "Bearer ", 7) != 0) {
		refuse_token("a token is needed: Authorization: Bearer TOKEN", reply);
		return false;
	}
	out->token = auth->credentials ? find_token(auth->credentials, header + 7) : NULL;
	if (!out->token) {
		refuse_token("the token is wrong", reply);
		return false;
	}
	if (out->token->expires_ms && clock_wall_ms() >= out->token->expires_ms) {
		refuse_token("the token has expired", reply);
		return false;
	}
	snprintf(out->name, sizeof(out->name), "token %s", out->token->id);
	return true;
}

bool
auth_check_origin(const struct auth *auth, const struct http_request *request,
	struct http_reply *reply)
{
	const char *host = http_header(request, "Host");
	const char *site = http_header(request, "Sec-Fetch-Site");

	if (request->peer->is_local)
		return true;
	if (!host || !is_known_host(host, auth->tcp)) {
		problem_set(reply, PROBLEM_FORBIDDEN, "Host",
			"the host of the URL must be %s or localhost", auth->tcp);
		return false;
	}
	if (http_header(request, "Origin")
		|| (site && strcmp(site, "none") != 0
			&& strcmp(site, "same-origin") != 0)) {
		problem_set(reply, PROBLEM_FORBIDDEN, "Origin",
			"requests of web pages are refused");
		return false;
	}
	return true;
}

static int
resolve_users(const struct config *config, struct auth *auth, struct reason *reason)
{
	auth->uid = calloc(config->api.allow_users_count + 1, sizeof(*auth->uid));
	if (!auth->uid)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < config->api.allow_users_count; i++) {
		int status =
			resolve_user(config->api.allow_users[i], &auth->uid[i], reason);

		if (status)
			return reason_prefix(reason, status, "%s: api.allow-users[%zu]",
				config->path, i);
		auth->uid_count++;
	}
	return 0;
}

static int
resolve_user(const char *text, uid_t *out, struct reason *reason)
{
	struct passwd entry, *found = NULL;
	char buffer[4096];
	unsigned long number;
	char *end;

	/* not to depend on a name service: glibc's ends the process when it has no memory */
	if (strcmp(text, "root") == 0) {
		*out = 0;
		return 0;
	}
	if (*text >= '0' && *text <= '9') {
		errno = 0;
		number = strtoul(text, &end, 10);
		if (*end || errno || number >= UINT32_MAX)
			return reason_set(
				reason, STATUS_INVALID, "\"%s\" is not a user id", text);
		*out = (uid_t)number;
		return 0;
	}
	if (getpwnam_r(text, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
		return reason_set(
			reason, STATUS_INVALID, "there is no user \"%s\"", text);
	*out = entry.pw_uid;
	return 0;
}

/* No listener without a way to authenticate, unless that is written down. */
static int
check_tcp(const struct config *config, struct reason *reason)
{
	const char *tcp = config->api.tcp;

	if (!tcp)
		return 0;
	if (strncmp(tcp, "127.", 4) != 0 && strncmp(tcp, "[::1]:", 6) != 0)
		return reason_set(reason, STATUS_INVALID,
			"%s: api.tcp: %s is not a loopback address: livezoned has no "
			"TLS%s",
			config->path, tcp,
			config->api.insecure_no_auth
				? ", and insecure-no-auth is for loopback only"
				: "");
	if (!config->api.tokens && !config->api.insecure_no_auth)
		return reason_set(reason, STATUS_INVALID,
			"%s: api.tcp needs api.tokens, or \"insecure-no-auth: true\" "
			"when "
			"every process of this machine may write",
			config->path);
	return 0;
}

/* Looks at every row, in the same time for each. */
static const struct credential *
find_token(const struct credentials *credentials, const char *token)
{
	const struct credential *found = NULL;
	uint8_t hash[SHA256_DIGEST_LENGTH];
	const size_t len = strlen(token);

	if (len == 0 || len > TOKEN_MAX)
		return NULL;
	SHA256((const unsigned char *)token, len, hash);
	for (size_t i = 0; i < credentials->count; i++)
		if (CRYPTO_memcmp(hash, credentials->credential[i].hash, sizeof(hash))
			== 0)
			found = &credentials->credential[i];
	return found;
}

static void
refuse_token(const char *detail, struct http_reply *reply)
{
	const uint64_t now_ms = clock_read_ms(CLOCK_MONOTONIC);
	bool is_over;

	pthread_mutex_lock(&failures.lock);
	if (now_ms - failures.since_ms > FAILURES_WINDOW_MS) {
		failures.since_ms = now_ms;
		failures.count = 0;
	}
	is_over = failures.count >= FAILURES_MAX;
	failures.count += !is_over;
	pthread_mutex_unlock(&failures.lock);
	if (is_over)
		problem_set(reply, PROBLEM_TOO_MANY_REQUESTS, NULL,
			"too many wrong tokens; try again in %d s",
			FAILURES_WINDOW_MS / 1000);
	else
		problem_set(reply, PROBLEM_UNAUTHORIZED, NULL, "%s", detail);
}

/* The listen address, or localhost with or without its port: what a page that was bound
 * to 127.0.0.1 by its own DNS cannot send. */
static bool
is_known_host(const char *host, const char *tcp)
{
	const char *port = tcp ? strrchr(tcp, ':') : NULL;
	const char *rest;

	if (!port)
		return false;
	if (strncasecmp(host, "localhost", 9) == 0)
		rest = host + 9;
	else if (strncmp(host, tcp, (size_t)(port - tcp)) == 0)
		rest = host + (port - tcp);
	else
		return false;
	if (strcmp(port, ":0") == 0) /* the system chose */
		return *rest == '\0'
		       || (*rest == ':'
			       && strspn(rest + 1, "0123456789") == strlen(rest + 1));
	return *rest == '\0' || strcmp(rest, port) == 0;
}
