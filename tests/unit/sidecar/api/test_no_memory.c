/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Every allocation of what the module and livezoned are made of fails once: the status says
 * so, outputs are as they were, nothing leaks, and the next try succeeds.
 */
#include "tests/unit/no_memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/lookup/answer.h"
#include "lib/config/config.h"
#include "sidecar/write/credentials.h"
#include "lib/dns/masterfile.h"
#include "lib/dns/presentation.h"
#include "lib/dns/rdata.h"
#include "lib/report/report.h"
#include "lib/dns/rule.h"
#include "sidecar/state/state.h"
#include "lib/base/status.h"
#include "lib/serve/reader.h"
#include "lib/serve/writer.h"
#include "sidecar/json/buffer.h"
#include "sidecar/write/change.h"
#include "sidecar/json/json_writer.h"
#include "sidecar/api/api.h"
#include "sidecar/json/rrset_json.h"
#include "tests/unit/unit.h"

#define MANY 1000000 /* all from the n-th on */

static char directory[] = "/tmp/livezone-unit-XXXXXX";
static char path[sizeof(directory) + 16];

static void
write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

/* One allocation fails, then all from it on. */
static void
enumerate(no_memory_fn fn, void *context, int also)
{
	assert_true(no_memory_enumerate(fn, context, 1, also) > 0);
	assert_true(no_memory_enumerate(fn, context, MANY, also) > 0);
}

static const char config_text[] =
	"store:\n  state: /s\n  serve: /r\n  size-limit: 64MiB\n"
	"api:\n  unix: /run/a\n  allow-users: [root, \"12\"]\n"
	"zones:\n"
	"  - name: service.internal\n    ttl: 5\n    stale: 24h\n"
	"    ns: [ns1.service.internal]\n    contact: h.service.internal\n"
	"    fallback:\n"
	"      - \"valkey.service.internal. 5 IN A 10.0.0.5\"\n"
	"      - \"valkey.service.internal. 5 IN A 10.0.0.6\"\n"
	"      - \"t.service.internal. 5 IN TXT \\\"a b\\\"\"\n"
	"    rules:\n"
	"      - match: 'ip-(?<a>\\d+)\\.service\\.internal\\.'\n"
	"        type: A\n        rdata: \"10.0.0.${a}\"\n"
	"  - name: 10.in-addr.arpa\n    on-miss: recurse\n    auto-ptr: true\n";

static int
read_config(void *context)
{
	struct config *config = context;
	struct reason reason;
	int status = config_read(path, &config, &reason);

	if (status != STATUS_OK)
		assert_ptr_equal(config, context);
	else
		config_free(config);
	return status;
}

static void
test_configuration(void **state)
{
	(void)state;
	write_file(config_text);
	enumerate(read_config, NULL, 0);
}

static int
read_credentials(void *context)
{
	struct credentials *credentials = context;
	int status = credentials_read(path, &credentials, NULL);

	if (status != STATUS_OK)
		assert_ptr_equal(credentials, context);
	else
		credentials_free(credentials);
	return status;
}

static void
test_token_file(void **state)
{
	(void)state;
	write_file("tokens:\n  - id: a\n    sha256: "
		   "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n"
		   "    zones: [service.internal, a.b]\n    verbs: [read, write]\n"
		   "    expires: 2027-01-01T00:00:00Z\n");
	enumerate(read_credentials, NULL, 0);
}

static const char zone_text[] =
	"$ORIGIN example.\n$TTL 1h\n"
	"@ IN SOA ns hostmaster ( 1 3600 600 86400 60 )\n IN NS ns\nns A 192.0.2.1\n"
	"t TXT \"a ; b\" c\n* MX 10 mail.example.\ng TYPE65280 \\# 3 abcdef\n"
	"k CAA \\# 4 00016162\nh HTTPS 1 . alpn=h2 port=8443\n"
	"d DS 1 8 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
	"l LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m\n"
	"p APL 1:192.0.2.0/24\ni IPSECKEY 10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtu\n"
	"n NSEC a.example. A MX RRSIG\nr NAPTR 1 2 \"s\" \"x\" \"\" .\n";

#define RECORDS 14

static int
count_record(void *context, const struct rrset *rr, int line, struct reason *reason)
{
	size_t *count = context;
	char *text = rdata_write(rr->type, rr->rdata + 2, rr->rdata_len - 2);

	(void)line, (void)reason;
	++*count;
	free(text);
	return text ? STATUS_OK : STATUS_NO_MEMORY;
}

static int
read_zone(void *context)
{
	static const struct name origin = { 9, "\7example" };
	FILE *file = fopen(path, "r");
	struct reason reason = { "" };
	int status;

	*(size_t *)context = 0;
	if (!file)
		return STATUS_NO_MEMORY;
	status = masterfile_read(file, &origin, 300, count_record, context, &reason);
	fclose(file);
	if (status == STATUS_OK)
		assert_int_equal(*(size_t *)context, RECORDS); /* nothing went missing */
	return status;
}

static void
test_master_file(void **state)
{
	size_t count;

	(void)state;
	write_file(zone_text);
	enumerate(read_zone, &count, 0);
}

static int
apply_rule(void *context)
{
	static const struct rule_text text = { "(?<n>.*)\\.", "TXT", "\"${n}\"", 5 };
	struct rule_scratch *scratch;
	struct rrset rrset;
	struct rule *rule = context;
	struct name_key key = unit_key("a.b");
	const char *at;
	int status = rule_new(&text, &rule, &at, NULL);

	if (status != STATUS_OK)
		return status;
	scratch = rule_scratch_new();
	if (scratch) {
		rule_take_name(scratch, &key);
		/* never "no match": the name would be denied */
		status = rule_apply(rule, scratch, &rrset);
	}
	rule_scratch_free(scratch);
	rule_free(rule);
	return scratch ? status : STATUS_NO_MEMORY;
}

static void
test_rule(void **state)
{
	(void)state;
	enumerate(apply_rule, NULL, 0);
}

static int
count_report(void *context, const struct report *report)
{
	(void)report;
	++*(unsigned *)context;
	return 0;
}

static void
note_report(void *context, const struct report *report)
{
	count_report(context, report);
}

static int
write_report(void *context)
{
	struct report_zone zones[3] = { { .name = "a" }, { .name = "b" }, { .name = "c" } };
	struct report report = { .pid = getpid(), .unbound = "1", .zone = zones,
		.zone_count = 3 };
	unsigned count = 0;
	int status = report_write(context, &report, NULL);

	if (status == STATUS_OK)
		status = report_read_all(context, note_report, &count, NULL);
	/* a report that cannot be read now is one that is not there */
	if (status == STATUS_OK && count != 1)
		status = STATUS_NO_MEMORY;
	return status;
}

static void
test_report(void **state)
{
	(void)state;
	enumerate(write_report, directory, STATUS_IO);
}

static struct zone zone;
static struct zones zones = { &zone, 1, false };

static int
read_items(struct api_body *body, struct rrset_json_reader *reader, struct json_value list)
{
	struct json_value element = { NULL, 0 };
	struct change_item *item;
	struct rrset_json read;
	int status = STATUS_OK;

	while (!status && json_next(list, &element)) {
		status = rrset_json_read_change(reader, element, &read, NULL);
		item = change_add(body->change);
		if (!status)
			status = item ? api_body_take(body, &read, item) : STATUS_NO_MEMORY;
	}
	return status;
}

static int
read_change(void *context)
{
	struct api_body body = { .change = change_new(CHANGE_ITEMS), .source = "api" };
	struct rrset_json_reader *reader = rrset_json_reader_new(&zones);
	struct change_result result = { .item = CHANGE_WHOLE };
	struct json_members members;
	struct json_value list;
	int status = body.change && reader ? STATUS_OK : STATUS_NO_MEMORY;

	assert_int_equal(json_read(context, strlen(context), &members, NULL), STATUS_OK);
	assert_true(json_find(&members, "changes", &list));
	if (status == STATUS_OK)
		status = read_items(&body, reader, list);
	if (status == STATUS_OK)
		status = change_check(body.change, &zones, &result);
	/* nothing went missing */
	if (status == STATUS_OK) {
		assert_int_equal(body.change->count, 5);
		assert_int_equal(body.change->items[0].rrset.count, 2);
		assert_int_equal(body.change->items[0].lease_ms, 30000);
		assert_int_equal(body.change->items[1].rrset.rdata_len, 4);
	}
	rrset_json_reader_free(reader);
	change_free(body.change);
	return status;
}

static void
test_change(void **state)
{
	static char text[] =
		"{\"changes\":[{\"put\":{\"name\":\"a.test\",\"type\":\"A\",\"ttl\":5,"
		"\"records\":[\"10.0.0.1\",\"10.0.0.2\"],\"source\":\"x\",\"lease\":\"30s\"}},"
		"{\"put\":{\"name\":\"b.test\",\"type\":\"TYPE65280\",\"records\":"
		"[\"\\\\# 2 abcd\"]}},{\"delete\":{\"name\":\"c.test\",\"type\":\"A\"}},"
		"{\"put\":{\"name\":\"m.test\",\"type\":\"MX\",\"records\":[\"1 a.test.\"]}},"
		"{\"put\":{\"name\":\"c.test\",\"type\":\"CAA\",\"records\":"
		"[\"\\\\# 4 00016162\"]}}]}";

	(void)state;
	enumerate(read_change, text, 0);
}

static int
write_json(void *context)
{
	struct buffer buffer;
	struct json_writer json = { .out = &buffer };
	struct rrset_json rrset;
	const char *text;
	size_t len;
	int status;

	buffer_init(&buffer, 1 << 20, NULL);
	state_record_to_json(context, 1, &rrset);
	rrset_json_write(&json, &rrset);
	status = buffer_view(&buffer, &text, &len);
	/* in whatever form */
	if (status == STATUS_OK)
		assert_null(strstr(text, "?"));
	buffer_done(&buffer);
	return status;
}

/* A backup must not have "?" in it for want of memory. */
static void
test_json_of_an_rrset(void **state)
{
	static const uint8_t rdata[] = { 0, 2, 1, 'a' };
	struct state_record record = { .revision = 1, .source = "api", .source_len = 3,
		.rrset = { .owner = unit_key("a.test"), .type = 16, .count = 1, .ttl = 5,
			.rdata = rdata, .rdata_len = sizeof(rdata) } };

	(void)state;
	enumerate(write_json, &record, 0);
}

/* Opens, writes, reads, closes. */
static int
use_state(void *context)
{
	static const uint8_t rdata[] = { 0, 4, 10, 0, 0, 1 };
	struct state_record record = { .revision = 1, .source = "api", .source_len = 3,
		.rrset = { .owner = unit_key("a.test"), .type = 1, .count = 1, .ttl = 5,
			.rdata = rdata, .rdata_len = sizeof(rdata) } };
	struct state_log_item item = { false, 1, record.rrset.owner };
	struct name_key apex = unit_key("test");
	struct state *state = NULL;
	struct state_txn *txn;
	struct state_record got;
	bool changed;
	int status = state_open(context, 1 << 20, &state, NULL);

	if (status != STATUS_OK) {
		assert_null(state);
		return status;
	}
	status = state_begin_write(state, &txn, NULL);
	if (status == STATUS_OK) {
		status = state_put(txn, &apex, &record, NULL);
		if (status == STATUS_OK)
			status = state_renew(txn, &record.rrset.owner, 1, 99, NULL);
		if (status == STATUS_OK)
			status = state_log_append(txn, 1, &item, 1, NULL);
		if (status == STATUS_OK)
			status = state_recount_zones(txn, &zones, &changed, NULL);
		if (status == STATUS_OK)
			status = state_commit(txn, NULL);
		else
			state_abort(txn);
	}
	if (status == STATUS_OK)
		status = state_begin_read(state, &txn, NULL);
	if (status == STATUS_OK) {
		status = state_get(txn, &record.rrset.owner, 1, &got, NULL);
		state_abort(txn);
	}
	state_close(state);
	return status;
}

static void
test_state(void **state)
{
	char command[128];

	(void)state;
	enumerate(use_state, directory, 0);
	/* and from nothing each time */
	snprintf(command, sizeof(command), "rm -f %s/*", directory);
	assert_int_equal(system(command), 0);
}

/* In a child: LMDB must not have one environment open twice in a process. */
static void
make_serve(const char *dir)
{
	static const uint8_t rdata[] = { 0, 4, 10, 0, 0, 1 };
	const struct node_rrset set = { .type = 1, .count = 1, .ttl = 5, .rdata = rdata,
		.rdata_len = sizeof(rdata) };
	const struct serve_meta meta = { .revision = 1, .instance = "instance-of-test" };
	struct name_key key = unit_key("a.test");
	struct serve_writer *writer;
	struct serve_txn *txn;
	uint8_t *value;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (serve_writer_create(dir, 1 << 24, &writer, NULL)
			|| serve_writer_begin(writer, &txn, NULL)
			|| serve_writer_put_meta(txn, &meta, NULL)
			|| serve_writer_reserve(txn, &key, node_size(&set, 1), &value, NULL))
			_exit(1);
		node_encode(&key, 7, 0, &set, 1, value);
		_exit(serve_writer_commit(txn, NULL) || serve_writer_publish(writer, NULL));
	}
	unit_wait_child(child);
}

/* What the keeper does. */
static int
copy_store(void *context)
{
	struct serve_reader *reader = NULL;
	struct serve_copy copy = { .size = 0 };
	int status = serve_reader_open(context, 4, &reader, NULL);

	if (status != STATUS_OK) {
		assert_null(reader);
		return status;
	}
	status = serve_reader_copy(reader, 1 << 24, 4, &copy, NULL);
	if (status == STATUS_OK) {
		serve_reader_close(copy.reader);
		serve_reader_close(copy.twin);
	} else {
		assert_null(copy.reader);
	}
	serve_reader_close(reader);
	return status;
}

static void
test_snapshot(void **state)
{
	char serve[sizeof(directory) + 8];

	(void)state;
	snprintf(serve, sizeof(serve), "%s/serve", directory);
	make_serve(serve);
	enumerate(copy_store, serve, STATUS_IO);
}

static int
make_answer(void *context)
{
	struct answer answer;
	int status = answer_init(&answer);

	(void)context;
	if (status == STATUS_OK)
		answer_done(&answer);
	return status;
}

static void
test_answer(void **state)
{
	(void)state;
	enumerate(make_answer, NULL, 0);
}

static int
setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/file", directory);
	zone.name = unit_name("test");
	name_to_key(zone.name.wire, &zone.key);
	zone.ttl = 5;
	return zones_finish(&zones, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	return unit_remove(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_token_file),
		cmocka_unit_test(test_master_file),
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_json_of_an_rrset),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_answer),
	};

	if (!no_memory_is_possible()) {
		puts("1..0 # SKIP this sanitizer's malloc cannot be stood in front of");
		return 0;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
