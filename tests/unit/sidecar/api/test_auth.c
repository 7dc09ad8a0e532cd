/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/status.h"
#include "sidecar/api/auth.h"
#include "sidecar/http/http.h"

/* sha256 of "test" and "old" */
#define TEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define OLD "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"

static char path[] = "/tmp/livezone-test-XXXXXX";

/* The header of the request in hand; auth.c asks for it through http.h. */
static const char *const *header;

const char *
http_header(const struct http_request *request, const char *name)
{
	(void)request;
	for (const char *const *at = header; at && *at; at += 2)
		if (strcasecmp(*at, name) == 0)
			return at[1];
	return NULL;
}

static struct auth *
open_auth(void)
{
	static char *users[] = { "root", "4711" };
	struct config config = {
		.path = "livezone.yaml",
		.api = { .allow_users = users,
			.allow_users_count = 2,
			.tcp = "127.0.0.1:5380",
			.tokens = path },
	};
	FILE *file = fopen(path, "w");
	struct reason reason = { "" };
	struct auth *auth = NULL;

	assert_non_null(file);
	fputs("tokens:\n"
	      " - {id: t, sha256: " TEST ", zones: [a.test], verbs: [read, write]}\n"
	      " - {id: o, sha256: " OLD ", zones: [a.test], verbs: [read],"
	      " expires: '2020-01-01T00:00:00Z'}\n",
		file);
	fclose(file);
	chmod(path, 0600);
	if (auth_read(&config, &auth, &reason) != 0)
		fail_msg("%s", reason.text);
	return auth;
}

static bool
identify(const struct auth *auth, const struct http_peer *peer, struct caller *out,
	unsigned *out_status)
{
	struct http_request request = { .peer = peer };
	struct http_reply reply = { .status = 200 };
	bool is_known;

	buffer_init(&reply.body, HTTP_PROBLEM_MAX, NULL);
	is_known = auth_identify(auth, &request, out, &reply);
	*out_status = reply.status;
	buffer_done(&reply.body);
	return is_known;
}

static void
test_local_users_are_those_of_the_list(void **state)
{
	static const struct {
		uid_t uid;
		bool is_known;
	} rows[] = { { 0, true }, { 4711, true }, { 1, false }, { 4712, false } };
	struct auth *auth = open_auth();

	(void)state;
	header = NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct http_peer peer = { .is_local = true, .uid = rows[i].uid };
		struct caller identity;
		unsigned status;

		assert_int_equal(
			identify(auth, &peer, &identity, &status), rows[i].is_known);
		assert_int_equal(status, rows[i].is_known ? 200 : 403);
		assert_null(identity.token);
		assert_true(atoi(identity.name + 4) == (int)rows[i].uid);
	}
	auth_free(auth);
}

static void
test_tokens_are_good_wrong_or_old(void **state)
{
	static const struct http_peer peer = { .is_local = false };
	static const char *const headers[][3] = {
		{ "Authorization", "Bearer test", NULL },
		{ "Authorization", "bearer test", NULL },
		{ "Authorization", "Bearer tes", NULL },
		{ "Authorization", "Bearer test2", NULL },
		{ "Authorization", "Bearer ", NULL },
		{ "Authorization", "Bearer old", NULL },
		{ "Authorization", "Basic test", NULL },
		{ NULL },
	};
	struct auth *auth = open_auth();
	struct caller identity;
	unsigned status;

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		header = headers[i];
		assert_int_equal(identify(auth, &peer, &identity, &status), i < 2);
		assert_int_equal(status, i < 2 ? 200 : 401);
	}
	/* a guesser is slowed down, one with the right token is not */
	header = headers[2];
	for (int i = 0; i < 30 && status != 429; i++)
		identify(auth, &peer, &identity, &status);
	assert_int_equal(status, 429);
	header = headers[0];
	assert_true(identify(auth, &peer, &identity, &status));
	assert_string_equal(identity.name, "token t");
	assert_string_equal(identity.token->id, "t");
	auth_free(auth);
}

static void
test_pages_of_the_web_are_refused_over_tcp(void **state)
{
	static const struct {
		const char *header[7];
		bool is_good;
	} rows[] = {
		{ { "Host", "127.0.0.1:5380", NULL }, true },
		{ { "Host", "127.0.0.1", NULL }, true },
		{ { "Host", "localhost:5380", NULL }, true },
		{ { "Host", "LOCALHOST", NULL }, true },
		{ { "Host", "127.0.0.1:5380", "Sec-Fetch-Site", "none", NULL }, true },
		{ { "Host", "127.0.0.1:53800", NULL }, false },
		{ { "Host", "evil.example:5380", NULL }, false },
		{ { "Host", "localhost.evil.example", NULL }, false },
		{ { "Host", "127.0.0.1.evil.example", NULL }, false },
		{ { "Host", "", NULL }, false },
		{ { NULL }, false },
		{ { "Host", "localhost", "Origin", "http://evil.example", NULL }, false },
		{ { "Host", "localhost", "Origin", "null", NULL }, false },
		{ { "Host", "localhost", "Sec-Fetch-Site", "cross-site", NULL }, false },
		{ { "Host", "localhost", "Sec-Fetch-Site", "same-site", NULL }, false },
	};
	struct auth *auth = open_auth();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_peer peer = { .is_local = false };
		struct http_request request = { .peer = &peer };
		struct http_reply reply = { .status = 200 };

		header = rows[i].header;
		buffer_init(&reply.body, HTTP_PROBLEM_MAX, NULL);
		assert_int_equal(
			auth_check_origin(auth, &request, &reply), rows[i].is_good);
		assert_int_equal(reply.status, rows[i].is_good ? 200 : 403);
		peer.is_local = true; /* no page reaches a unix socket */
		assert_true(auth_check_origin(auth, &request, &reply));
		buffer_done(&reply.body);
	}
	auth_free(auth);
}

static void
test_no_listener_without_a_way_to_authenticate(void **state)
{
	static const struct {
		char *tcp;
		bool is_open;
		const char *says;
	} rows[] = {
		{ "127.0.0.1:1", false, "tokens" },
		{ "0.0.0.0:1", true, "loopback" },
		{ "10.0.0.1:1", false, "loopback" },
		{ "127.0.0.1:1", true, NULL },
		{ "[::1]:1", true, NULL },
		{ NULL, false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config config = { .path = "f",
			.api = { .tcp = rows[i].tcp,
				.insecure_no_auth = rows[i].is_open } };
		struct reason reason = { "" };
		struct auth *auth = NULL;

		assert_int_equal(auth_read(&config, &auth, &reason),
			rows[i].says ? STATUS_INVALID : 0);
		if (rows[i].says && !strstr(reason.text, rows[i].says))
			fail_msg("%s", reason.text);
		auth_free(auth);
	}
}

static void
test_a_user_that_is_not_there_is_refused(void **state)
{
	static char *users[] = { "root", "nobody-of-that-name" };
	struct config config = { .path = "f",
		.api = { .allow_users = users, .allow_users_count = 2 } };
	struct reason reason = { "" };
	struct auth *auth = NULL;

	(void)state;
	assert_int_equal(auth_read(&config, &auth, &reason), STATUS_INVALID);
	assert_non_null(strstr(reason.text, "f: api.allow-users[1]: there is no user"));
}

static int
make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_local_users_are_those_of_the_list),
		cmocka_unit_test(test_tokens_are_good_wrong_or_old),
		cmocka_unit_test(test_pages_of_the_web_are_refused_over_tcp),
		cmocka_unit_test(test_no_listener_without_a_way_to_authenticate),
		cmocka_unit_test(test_a_user_that_is_not_there_is_refused),
	};

	return cmocka_run_group_tests_name("auth", tests, make_file, remove_file);
}
