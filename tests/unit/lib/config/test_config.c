/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/config/config.h"
#include "lib/dns/presentation.h"
#include "lib/base/status.h"

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

static char path[] = "/tmp/livezone-config-XXXXXX";

static int
setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int
teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static int
read_bytes(const char *text, size_t len, struct config **out, struct reason *reason)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	reason->text[0] = '\0';
	return config_read(path, out, reason);
}

static struct config *
read_good(const char *text)
{
	struct config *config = NULL;
	struct reason reason;

	if (read_bytes(text, strlen(text), &config, &reason))
		fail_msg("%s", reason.text);
	assert_non_null(config);
	return config;
}

static void
an_empty_file_gives_the_defaults(void **state)
{
	static const char *const rows[] = { "", "# only a comment\n", "---\n", "zones: []\n",
		"store: {}\napi: {}\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config *config = read_good(rows[i]);

		assert_string_equal(config->path, path);
		assert_string_equal(config->store.state, "/var/lib/livezone");
		assert_string_equal(config->store.serve, "/run/livezone/serve");
		assert_int_equal(config->store.size_limit, 1u << 30);
		assert_int_equal(config->store.snapshot_limit, 256u << 20);
		assert_false(config->store.allow_network_filesystem);
		assert_string_equal(config->backup.directory, "/var/lib/livezone/backups");
		assert_int_equal(config->backup.interval_ms, 3600 * 1000);
		assert_int_equal(config->backup.count, 24);
		assert_int_equal(config->history.size, 256u << 20);
		assert_int_equal(config->history.age_ms, 7 * 24 * 3600 * 1000);
		assert_null(config->api.unix_path);
		assert_null(config->api.tcp);
		assert_null(config->api.tokens);
		assert_false(config->api.insecure_no_auth);
		assert_int_equal(config->api.allow_users_count, 1);
		assert_string_equal(config->api.allow_users[0], "root");
		assert_int_equal(config->zones.count, 0);
		config_free(config);
	}
}

static void
a_zone_has_defaults(void **state)
{
	struct config *config = read_good("zones:\n  - name: Service.Internal\n");
	const struct zone *zone = &config->zones.zone[0];
	char name[PRESENTATION_NAME_MAX];

	(void)state;
	assert_int_equal(config->zones.count, 1);
	presentation_write_name(&zone->name, name);
	assert_string_equal(name, "service.internal.");
	assert_int_equal(zone->ttl, 5);
	assert_int_equal(zone->negative_ttl, 5);
	assert_int_equal(zone->on_miss, ZONE_MISS_NXDOMAIN);
	assert_int_equal(zone->on_failure, ZONE_FAILURE_SERVFAIL);
	assert_int_equal(zone->delegation, ZONE_DELEGATION_REFER);
	assert_int_equal(zone->soa_serial, ZONE_SERIAL_AUTO);
	assert_int_equal(zone->any, ZONE_ANY_MINIMAL);
	assert_false(zone->auto_ptr);
	assert_false(config->zones.has_auto_ptr);
	assert_int_equal(zone->stale_ms, 24u * 3600 * 1000);
	assert_int_equal(zone->contact.len, 0);
	assert_int_equal(zone->ns_count, 0);
	assert_int_equal(zone->fallback_count, 0);
	assert_int_equal(zone->rule_count, 0);
	config_free(config);
}

static void
every_key_is_taken(void **state)
{
	struct config *config = read_good(
		"store:\n"
		"  state: /srv/state/\n"
		"  serve: /dev/shm/serve\n"
		"  size-limit: 64MiB\n"
		"  snapshot-limit: 0\n"
		"  allow-network-filesystem: true\n"
		"backup:\n"
		"  directory: /srv/backups/\n"
		"  interval: 10m\n"
		"  count: 7\n"
		"history:\n"
		"  size: 1GiB\n"
		"  age: 30d\n"
		"api:\n"
		"  unix: /run/x.sock\n"
		"  allow-users: [dns, 1000]\n"
		"  tcp: '[::1]:0'\n"
		"  tokens: /etc/tokens.yaml\n"
		"  insecure-no-auth: true\n"
		"zones:\n"
		"  - name: b.a\n"
		"  - name: a.\n"
		"    ttl: 0\n"
		"    negative-ttl: 1m\n"
		"    on-miss: recurse\n"
		"    on-failure: recurse\n"
		"    stale: 0\n"
		"    delegation: recurse\n"
		"    soa-serial: stored\n"
		"    any: full\n"
		"    auto-ptr: true\n"
		"    ns: [ns1.a, ns2.a.]\n"
		"    contact: first.last@a\n"
		"    fallback:\n"
		"      - w.a. 5 IN TXT \"b\"\n"
		"      - w.a. 5 IN A 10.0.0.6\n"
		"      - w.a. 5 IN A 10.0.0.5\n"
		"      - w.a. 5 IN A 10.0.0.6\n"
		"      - a. 86400 IN MX 1 w.a\n"
		"    rules:\n"
		"      - {match: 'ip-(?<n>.+)\\.a\\.', type: TXT, rdata: '\"${n}\"', ttl: 1h}\n"
		"      - match: .*\n"
		"        type: A\n"
		"        rdata: 10.0.0.1\n");
	const struct zone *zone = &config->zones.zone[0];
	char name[PRESENTATION_NAME_MAX];

	(void)state;
	assert_string_equal(config->store.state, "/srv/state");
	assert_string_equal(config->store.serve, "/dev/shm/serve");
	assert_int_equal(config->store.size_limit, 64u << 20);
	assert_int_equal(config->history.size, 1u << 30);
	assert_int_equal(config->history.age_ms, UINT64_C(30) * 24 * 3600 * 1000);
	assert_int_equal(config->store.snapshot_limit, 0);
	assert_true(config->store.allow_network_filesystem);
	assert_string_equal(config->api.unix_path, "/run/x.sock");
	assert_string_equal(config->backup.directory, "/srv/backups");
	assert_int_equal(config->backup.interval_ms, 600 * 1000);
	assert_int_equal(config->backup.count, 7);
	assert_int_equal(config->api.allow_users_count, 2);
	assert_string_equal(config->api.allow_users[0], "dns");
	assert_string_equal(config->api.allow_users[1], "1000");
	assert_string_equal(config->api.tcp, "[::1]:0");
	assert_string_equal(config->api.tokens, "/etc/tokens.yaml");
	assert_true(config->api.insecure_no_auth);
	assert_int_equal(config->zones.count, 2);
	assert_int_equal(config->zones.zone[1].parent, 0);
	assert_int_equal(zone->ttl, 0);
	assert_int_equal(zone->negative_ttl, 60);
	assert_int_equal(zone->on_miss, ZONE_MISS_RECURSE);
	assert_int_equal(zone->on_failure, ZONE_FAILURE_RECURSE);
	assert_int_equal(zone->delegation, ZONE_DELEGATION_RECURSE);
	assert_int_equal(zone->any, ZONE_ANY_FULL);
	assert_true(zone->auto_ptr);
	assert_true(config->zones.has_auto_ptr);
	assert_int_equal(zone->soa_serial, ZONE_SERIAL_STORED);
	assert_int_equal(zone->stale_ms, 0);
	assert_int_equal(zone->ns_count, 2);
	presentation_write_name(&zone->ns[1], name);
	assert_string_equal(name, "ns2.a.");
	presentation_write_name(&zone->contact, name);
	assert_string_equal(name, "first\\.last.a.");
	assert_int_equal(zone->fallback_count, 3);
	assert_int_equal(zone->fallback[0].type, 15);
	assert_int_equal(zone->fallback[0].ttl, 86400);
	assert_int_equal(zone->fallback[1].type, 1);
	assert_int_equal(zone->fallback[1].count, 2);
	assert_int_equal(zone->fallback[1].rdata_len, 12);
	assert_memory_equal(zone->fallback[1].rdata, "\0\4\12\0\0\5\0\4\12\0\0\6", 12);
	assert_int_equal(zone->fallback[2].type, 16);
	assert_int_equal(zone->rule_count, 2);
	config_free(config);
}

static void
backups_are_off_without_an_interval(void **state)
{
	static const char *const rows[] = { "backup: {interval: 0}\n",
		"backup: {interval: off}\n", "backup:\n  interval: \"off\"\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config *config = read_good(rows[i]);

		assert_int_equal(config->backup.interval_ms, 0);
		config_free(config);
	}
}

static void
bad_files_are_refused_with_line_and_key(void **state)
{
	static const struct {
		const char *text;
		const char *reason; /* what follows "<file>:" */
	} rows[] = {
		{ "a: [b\n", "2:1: not YAML: " },
		{ "store: {state: /a\n", "2:1: not YAML: " },
		{ "\tstore:\n", "1:1: not YAML: " },
		{ "store: /a\n", "1:1: store: needs keys and values below it" },
		{ "- a\n", "1:1: needs keys" },
		{ "a\n", "1:1: needs keys" },
		{ "store: {}\n---\nstore: {}\n", "2:1: a second document" },
		{ "store: &x {}\napi: *x\n", "2:6: an alias" },
		{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "1:1: needs keys" },
		{ "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "1:19: too deeply nested" },
		{ "x: 1\n", "1:1: x: unknown key" },
		{ "\nstore:\n  state: /a\n  foo: b\n", "4:3: store.foo: unknown key" },
		{ "api:\n  insecure: true\n", "2:3: api.insecure: unknown key" },
		{ "zones:\n  - name: a\n    ttl: 5\n  - nam: b\n",
			"4:5: zones[1].nam: unknown key" },
		{ "zones:\n  - ttl: 5\n", "2:5: zones[0]: the key \"name\" is missing" },
		{ "store:\n  state: /a\n  state: /b\n", "3:3: store.state: duplicate key" },
		{ "zones:\n  - name: [a]\n", "2:5: zones[0].name: needs a single value, not" },
		{ "zones:\n  a: b\n", "1:1: zones: needs a list" },
		{ "store:\n\n  state: a/b\n", "3:3: store.state: \"a/b\": needs a path" },
		{ "store:\n  serve:\n", "2:3: store.serve: \"\": needs a path" },
		{ "store:\n  state: /a\n  serve: /a/\n", "3:3: store.serve: state and serve" },
		{ "store:\n  size-limit: 1GB\n", "2:3: store.size-limit: \"1GB\": needs bytes or" },
		{ "store:\n  size-limit: 4096\n", "2:3: store.size-limit: \"4096\": needs a size" },
		{ "store:\n  size-limit: 65GiB\n", /* more than a reader maps */
			"2:3: store.size-limit: \"65GiB\": needs a size from 1MiB to 64GiB" },
		{ "store:\n  size-limit: 99999999999999999999\n", "2:3: store.size-limit: " },
		{ "store:\n  size-limit: -1\n", "2:3: store.size-limit: " },
		{ "store:\n  snapshot-limit: GiB\n", "2:3: store.snapshot-limit: " },
		{ "store:\n  allow-network-filesystem: 1\n",
			"2:3: store.allow-network-filesystem: \"1\": needs one of false, true" },
		{ "backup:\n  directory: b\n", "2:3: backup.directory: \"b\": needs a path" },
		{ "backup:\n  interval: 500ms\n", "2:3: backup.interval: \"500ms\": needs a" },
		{ "backup:\n  interval: 367d\n", "2:3: backup.interval: \"367d\": needs a" },
		{ "backup:\n  interval: never\n", "2:3: backup.interval: " },
		{ "backup:\n  interval: 1h\n  count: 0\n", "3:3: backup.count: \"0\": needs a" },
		{ "history:\n  size: 1KiB\n", "2:3: history.size: \"1KiB\": needs a" },
		{ "history:\n  age: 10\n", "2:3: history.age: \"10\": needs a" },
		{ "backup:\n  count: 10001\n", "2:3: backup.count: " },
		{ "backup:\n  count: 1h\n", "2:3: backup.count: " },
		{ "backup:\n  keep: 3\n", "2:3: backup.keep: unknown key" },
		{ "api:\n  unix: api.sock\n", "2:3: api.unix: \"api.sock\": needs a path" },
		{ "api:\n  unix: /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
			"2:3: api.unix: the path is longer than 107 bytes" },
		{ "api:\n  allow-users:\n    - root\n    - ''\n", "4:7: api.allow-users[1]: needs" },
		{ "api:\n  tcp: 127.0.0.1:5380\n", "2:3: api.tcp: needs api.tokens" },
		{ "api:\n  tcp: 127.0.0.1\n", "2:3: api.tcp: \"127.0.0.1\": needs an address" },
		{ "api:\n  tcp: localhost:1\n", "2:3: api.tcp: \"localhost:1\": needs an address" },
		{ "api:\n  tcp: ::1:1\n", "2:3: api.tcp: \"::1:1\": needs an address" },
		{ "api:\n  tcp: 127.0.0.1:65536\n", "2:3: api.tcp: " },
		{ "api:\n  tcp: 127.0.0.1:-1\n", "2:3: api.tcp: " },
		{ "api:\n  tcp: 10.0.0.1:53\n  insecure-no-auth: true\n",
			"3:3: api.insecure-no-auth: is for loopback" },
		{ "api:\n  insecure-no-auth: maybe\n",
			"2:3: api.insecure-no-auth: \"maybe\": needs one of false, true" },
		{ "api:\n  tokens: x\n", "2:3: api.tokens: \"x\": needs a path" },
		{ "zones:\n  - name: a..b\n", "2:5: zones[0].name: name \"a..b\"" },
		{ "zones:\n  - name: .\n", "2:5: zones[0].name: the root" },
		{ "zones:\n  - name: \"\\0a\"\n", "2:5: zones[0].name: " },
		{ "zones:\n  - name: a\n  - name: b\n  - name: A.\n",
			"4:5: zones[2].name: zone \"A.\" is there already, as zones[0]" },
		{ "zones:\n  - name: a\n    ttl: 86401\n", "3:5: zones[0].ttl: \"86401\": needs" },
		{ "zones:\n  - name: a\n    ttl: -1\n", "3:5: zones[0].ttl: \"-1\": needs" },
		{ "zones:\n  - name: a\n    ttl: 500ms\n", "3:5: zones[0].ttl: \"500ms\": needs" },
		{ "zones:\n  - name: a\n    negative-ttl:\n", "3:5: zones[0].negative-ttl: \"\"" },
		{ "zones:\n  - name: a\n    on-miss: NXDOMAIN\n",
			"3:5: zones[0].on-miss: \"NXDOMAIN\": needs one of nxdomain, recurse, "
			"refuse" },
		{ "zones:\n  - name: a\n    on-failure: x\n", "3:5: zones[0].on-failure: " },
		{ "zones:\n  - name: a\n    rules: [{match: (, type: A, rdata: 10.0.0.1}]\n",
			"3:14: zones[0].rules[0].match: at character 2: " },
		{ "zones:\n  - name: a\n    rules:\n    - match: x\n      type: A\n"
		  "      rdata: ${n}\n",
			"6:7: zones[0].rules[0].rdata: " },
		{ "zones:\n  - name: a\n    rules: [{match: x, type: A, rdata: 10.0.0.1, ttl: x}]\n",
			"3:50: zones[0].rules[0].ttl: " },
		{ "zones:\n  - name: a\n    rules: [{match: x, type: A}]\n",
			"3:13: zones[0].rules[0]: the key \"rdata\" is missing" },
		{ "zones:\n  - name: a\n    any: all\n", "3:5: zones[0].any: " },
		{ "zones:\n  - name: a\n    delegation: x\n", "3:5: zones[0].delegation: " },
		{ "zones:\n  - name: a\n    soa-serial: 1\n", "3:5: zones[0].soa-serial: " },
		{ "zones:\n  - name: a\n    stale: 24\n", "3:5: zones[0].stale: \"24\": needs" },
		{ "zones:\n  - name: a\n    stale: 9999d\n", "3:5: zones[0].stale: " },
		{ "zones:\n  - name: a\n    ns: [b, \"c d\"]\n", "3:13: zones[0].ns[1]: name" },
		{ "zones:\n  - name: a\n    ns:\n      - b\n      - B.\n",
			"5:9: zones[0].ns[1]: \"B.\" is there twice" },
		{ "zones:\n  - name: a\n    contact: '@b'\n", "3:5: zones[0].contact: " },
		{ "zones:\n  - name: a\n    fallback: x\n", "3:5: zones[0].fallback: needs a list" },
		{ "zones:\n  - name: b\n  - name: a\n    fallback:\n      - x.a. 5 IN A 1.1.1\n",
			"5:9: zones[1].fallback[0]: A: \"1.1.1\": needs one IPv4" },
		{ "zones:\n  - name: a\n    fallback:\n      - x.a. 5 IN A 1.1.1.1\n"
		  "      - x.b. 5 IN A 1.1.1.1\n",
			"5:9: zones[0].fallback[1]: \"x.b.\" lies outside the zone" },
		{ "zones:\n  - name: a\n    fallback: [\"x.a. 86401 IN A 1.1.1.1\"]\n",
			"3:16: zones[0].fallback[0]: TTL 86401: needs 0 to 86400" },
		{ "zones:\n  - name: a\n    fallback: [\"x.a. IN A 1.1.1.1\"]\n",
			"3:16: zones[0].fallback[0]: a TTL is missing" },
		{ "zones:\n  - name: a\n    fallback: [x.a. 5 A 1.1.1.1, x.a. 6 A 1.1.1.2]\n",
			"3:34: zones[0].fallback[1]: TTL 6, and the same name and type has 5" },
		{ "zones:\n  - name: a\n    fallback: [x.a. 5 A 1.1.1.1, x.a. 5 CNAME b.]\n",
			"3:34: zones[0].fallback[1]: a CNAME and other data" },
		{ "zones:\n  - name: a\n    fallback: [x.a. 5 CNAME c., x.a. 5 CNAME b.]\n",
			"3:33: zones[0].fallback[1]: only one record" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config *config = NULL;
		struct reason reason;
		int status = read_bytes(rows[i].text, strlen(rows[i].text), &config, &reason);

		if (!status)
			fail_msg("row %zu was taken", i);
		assert_null(config);
		if (strncmp(reason.text, path, strlen(path)) != 0
			|| reason.text[strlen(path)] != ':'
			|| strncmp(reason.text + strlen(path) + 1, rows[i].reason,
				strlen(rows[i].reason)) != 0)
			fail_msg("row %zu: \"%s\", not \"%s\"", i, reason.text, rows[i].reason);
	}
}

static void
every_cut_of_a_good_file_is_read_or_refused(void **state)
{
	static const char text[] =
		"store: {state: /a, serve: /b, size-limit: 1GiB}\n"
		"api:\n  unix: /s\n  allow-users: [a, b]\n"
		"zones:\n  - name: a\n    ns: [b]\n    fallback:\n      - \"x.a. 5 IN A 1.1.1.1\"\n"
		"  - name: b\n    stale: 1h\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		struct config *config = NULL;
		struct reason reason;
		int status = read_bytes(text, len, &config, &reason);

		if (status)
			assert_memory_equal(reason.text, path, strlen(path));
		config_free(config);
	}
}

static void
every_changed_byte_is_read_or_refused(void **state)
{
	static const char good[] =
		"store: {state: /a}\nzones:\n  - name: a\n    fallback: [x.a. 5 A 1.1.1.1]\n";
	static const char other[] = "\0\n:{[*&\"\377";

	(void)state;
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		for (size_t k = 0; k < sizeof(other) - 1; k++) {
			char text[sizeof(good)];
			struct config *config = NULL;
			struct reason reason;

			memcpy(text, good, sizeof(good));
			text[i] = other[k];
			if (read_bytes(text, sizeof(good) - 1, &config, &reason))
				assert_memory_equal(reason.text, path, strlen(path));
			config_free(config);
		}
	}
}

static void
what_is_not_a_safe_file_is_refused(void **state)
{
	struct config *config = NULL;
	struct reason reason;

	(void)state;
	assert_int_equal(config_read("/nonexistent/x", &config, &reason), STATUS_NOT_FOUND);
	assert_string_equal(reason.text, "/nonexistent/x: No such file or directory");
	assert_int_equal(config_read("/tmp", &config, &reason), STATUS_INVALID);
	assert_int_equal(config_read("/dev/zero", &config, &reason), STATUS_INVALID);
	assert_int_equal(read_bytes("", 0, &config, &reason), 0);
	config_free(config);
	assert_int_equal(chmod(path, 0646), 0);
	assert_int_equal(config_read(path, &config, &reason), STATUS_INVALID);
	assert_non_null(strstr(reason.text, "chmod o-w"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 16 * 1024 * 1024 + 1), 0);
	assert_int_equal(config_read(path, &config, &reason), STATUS_TOO_LARGE);
}

static void
the_example_is_good(void **state)
{
	const char *source = getenv("LIVEZONE_SRCDIR");
	char name[4096];
	struct config *config = NULL;
	struct reason reason = { "" };

	(void)state;
	snprintf(name, sizeof(name), "%s/doc/livezone.yaml.example", source ? source : ".");
	if (config_read(name, &config, &reason))
		fail_msg("%s", reason.text);
	assert_int_equal(config->zones.count, 1);
	assert_int_equal(config->zones.zone[0].fallback_count, 1);
	config_free(config);
}

static void
the_path_comes_from_argument_environment_or_build(void **state)
{
	(void)state;
	unsetenv(CONFIG_ENVIRONMENT);
	assert_string_equal(config_path("/a"), "/a");
	assert_non_null(strstr(config_path(NULL), "livezone.yaml"));
	setenv(CONFIG_ENVIRONMENT, "/b", 1);
	assert_string_equal(config_path(NULL), "/b");
	assert_string_equal(config_path("/a"), "/a");
	setenv(CONFIG_ENVIRONMENT, "", 1);
	assert_non_null(strstr(config_path(NULL), "livezone.yaml"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_gives_the_defaults),
		cmocka_unit_test(a_zone_has_defaults),
		cmocka_unit_test(every_key_is_taken),
		cmocka_unit_test(backups_are_off_without_an_interval),
		cmocka_unit_test(bad_files_are_refused_with_line_and_key),
		cmocka_unit_test(every_cut_of_a_good_file_is_read_or_refused),
		cmocka_unit_test(every_changed_byte_is_read_or_refused),
		cmocka_unit_test(what_is_not_a_safe_file_is_refused),
		cmocka_unit_test(the_example_is_good),
		cmocka_unit_test(the_path_comes_from_argument_environment_or_build),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
