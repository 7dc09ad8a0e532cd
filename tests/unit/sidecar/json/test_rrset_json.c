/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <malloc.h>

#include "lib/base/status.h"
#include "lib/dns/zones.h"
#include "sidecar/json/buffer.h"
#include "sidecar/json/json_writer.h"
#include "sidecar/json/rrset_json.h"

static struct zone zone;
static struct zones zones = { &zone, 1, false };

static int
set_up(void **state)
{
	zone.key = unit_key("test");
	zone.ttl = 7;
	if (zones_finish(&zones, NULL) != STATUS_OK)
		return -1;
	*state = rrset_json_reader_new(&zones);
	return *state ? 0 : -1;
}

static int
tear_down(void **state)
{
	rrset_json_reader_free(*state);
	return 0;
}

static int
read_form(struct rrset_json_reader *reader, const char *text, enum rrset_json_form form,
	struct rrset_json *out, struct reason *reason)
{
	struct json_value object;

	reader->fault = (struct rrset_json_fault){ .is_form = true };
	assert_int_equal(json_check(text, strlen(text), &object, NULL), STATUS_OK);
	return rrset_json_read(reader, object, form, out, reason);
}

#define HEAD "{\"name\":\"a.test\",\"type\":\"A\","

/* What is refused, and what its reader says of it. */
static const struct {
	enum rrset_json_form form;
	const char *text;
	bool is_form;
	const char *path;
	const char *says;
} refused[] = {
	{ RRSET_JSON_FULL, "[]", true, "", "an object is needed" },
	{ RRSET_JSON_FULL, "{\"type\":\"A\",\"records\":[]}", true, "", "\"name\" is missing" },
	{ RRSET_JSON_FULL, "{\"name\":\"a.test\",\"records\":[]}", true, "", "\"type\" is missing" },
	{ RRSET_JSON_FULL, "{\"name\":\"a.test\",\"type\":\"A\"}", true, "", "\"records\" is missing" },
	{ RRSET_JSON_FULL, HEAD "\"x\":1}", true, "x", "unknown key \"x\"" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[],\"if-absent\":true}", true, "if-absent", "unknown" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[],\"crc\":\"1\"}", true, "crc", "unknown" },
	{ RRSET_JSON_DELETE, HEAD "\"records\":[]}", true, "records", "unknown" },
	{ RRSET_JSON_BACKUP, HEAD "\"records\":[\"1.2.3.4\"],\"ttl\":1}", true, "", "\"source\"" },
	{ RRSET_JSON_FULL, HEAD "\"records\":{}}", true, "records", "this must be a list" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[],\"ttl\":\"5\"}", true, "ttl", "a whole number" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[],\"lease\":30}", true, "lease", "a string" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[]}", false, "records", "at least one" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[\"1.2.3.4\",5]}", true, "records[1]", "a string" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[\"1.2.3.4\",\"x\"]}", false, "records[1]", "" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[\"1.2.3.4\"],\"ttl\":86401}", false, "ttl", "86400" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[\"1.2.3.4\"],\"ttl\":-1}", false, "ttl", "86400" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[\"1.2.3.4\"],\"source\":\"-a\"}", false, "source", "" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[\"1.2.3.4\"],\"source\":\"\"}", false, "source", "" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[\"1.2.3.4\"],\"lease\":\"x\"}", true, "lease", "" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[\"1.2.3.4\"],\"lease\":\"999ms\"}", false, "lease",
		"between 1s and 7d" },
	{ RRSET_JSON_FULL, HEAD "\"records\":[\"1.2.3.4\"],\"lease\":\"604801s\"}", false, "lease",
		"between 1s and 7d" },
	{ RRSET_JSON_PUT, HEAD "\"records\":[\"1.2.3.4\"],\"if-revision\":-1}", false, "if-revision",
		"not negative" },
	{ RRSET_JSON_FULL, "{\"name\":\"a..test\",\"type\":\"A\",\"records\":[]}", false, "name", "" },
	{ RRSET_JSON_FULL, "{\"name\":\"a.test\",\"type\":\"?\",\"records\":[]}", false, "type", "" },
	{ RRSET_JSON_FULL, "{\"name\":\"a.other\",\"type\":\"A\",\"records\":[\"1.2.3.4\"]}", false,
		"name", "no live zone" },
	{ RRSET_JSON_BODY, "{\"records\":[\"1.2.3.4\"],\"name\":\"b.test\"}", false, "name", "path" },
	{ RRSET_JSON_BODY, "{\"records\":[\"1.2.3.4\"],\"type\":\"AAAA\"}", false, "type", "path" },
};

static void
test_what_breaks_a_rule_is_refused_with_its_place(void **state)
{
	struct rrset_json_reader *reader = *state;

	for (size_t i = 0; i < UNIT_COUNT(refused); i++) {
		struct rrset_json read = { .rrset = { .owner = unit_key("a.test"), .type = 1 } };
		struct reason reason = { "" };
		int status = read_form(reader, refused[i].text, refused[i].form, &read, &reason);

		if (status != STATUS_INVALID || reader->fault.is_form != refused[i].is_form
			|| strcmp(reader->fault.path, refused[i].path) != 0
			|| !strstr(reason.text, refused[i].says))
			fail_msg("%s: %d, form %d, %s: %s", refused[i].text, status,
				reader->fault.is_form, reader->fault.path, reason.text);
	}
}

static void
test_all_that_json_says_is_read(void **state)
{
	static const uint8_t block[] = { 0, 4, 10, 0, 0, 1, 0, 4, 10, 0, 0, 2 };
	struct rrset_json read;

	assert_int_equal(read_form(*state,
				 "{\"records\":[\"10.0.0.2\",\"10.0.0.1\",\"10.0.0.2\"],"
				 "\"lease\":\"30s\",\"type\":\"A\",\"source\":\"x\","
				 "\"if-revision\":5,\"if-absent\":true,\"name\":\"A.test.\","
				 "\"revision\":\"ignored\",\"lease-left\":1}",
				 RRSET_JSON_PUT, &read, NULL),
		STATUS_OK);
	assert_int_equal(read.rrset.count, 2);
	assert_int_equal(read.rrset.ttl, 7); /* the zone's */
	assert_int_equal(read.rrset.rdata_len, sizeof(block));
	assert_memory_equal(read.rrset.rdata, block, sizeof(block));
	assert_true(read.has_lease && read.lease_ms == 30000);
	assert_true(read.has_if_revision && read.if_revision == 5 && read.if_absent);
	assert_string_equal(read.source, "x");
	assert_false(read.is_delete || read.has_lease_left);
	assert_int_equal(read_form(*state, HEAD "\"if-revision\":0}", RRSET_JSON_DELETE, &read, NULL),
		STATUS_OK);
	assert_true(read.is_delete && read.has_if_revision && !read.source);
	/* the limits themselves are fine */
	assert_int_equal(read_form(*state,
				 HEAD "\"records\":[\"1.2.3.4\"],\"ttl\":86400,\"lease\":\"7d\"}",
				 RRSET_JSON_FULL, &read, NULL),
		STATUS_OK);
	assert_int_equal(read_form(*state,
				 HEAD "\"records\":[\"1.2.3.4\"],\"ttl\":0,\"lease\":\"1s\"}",
				 RRSET_JSON_FULL, &read, NULL),
		STATUS_OK);
}

static void
test_a_line_of_a_backup_comes_back(void **state)
{
	static const struct {
		const char *left;
		bool has_left, has_ended;
	} rows[] = { { "", false, false }, { ",\"lease-left\":\"0s\"", true, true },
		{ ",\"lease-left\":\"12s\"", true, false } };

	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		char text[256];
		struct rrset_json read;
		struct buffer buffer;
		struct json_writer json = { .out = &buffer };
		const char *again;
		size_t len;

		snprintf(text, sizeof(text),
			"{\"name\":\"a.test.\",\"type\":\"A\",\"ttl\":5,\"records\":[\"10.0.0.1\"],"
			"\"source\":\"x.y\",\"lease\":\"30s\"%s,\"revision\":12}",
			rows[i].left);
		assert_int_equal(
			read_form(*state, text, RRSET_JSON_BACKUP, &read, NULL), STATUS_OK);
		assert_int_equal(read.revision, 12);
		assert_int_equal(read.has_lease_left, rows[i].has_left);
		assert_int_equal(read.has_lease_left && !read.lease_left_ms, rows[i].has_ended);
		read.lease_left_ms *= 12000;
		buffer_init(&buffer, 4096, NULL);
		rrset_json_write(&json, &read);
		assert_int_equal(buffer_view(&buffer, &again, &len), STATUS_OK);
		assert_string_equal(again, text);
		buffer_done(&buffer);
	}
}

/* 512 is the limit, and every octet may be written as \DDD. */
static void
test_records_have_limits(void **state)
{
	char *text = malloc(1 << 20);

	for (unsigned count = 512; count <= 513; count++) {
		size_t used = (size_t)sprintf(text, HEAD "\"records\":[");
		struct reason reason = { "" };
		struct rrset_json read;

		for (unsigned i = 0; i < count; i++)
			used += (size_t)sprintf(
				text + used, "\"10.0.%u.%u\",", i / 256, i % 256);
		strcpy(text + used - 1, "]}");
		assert_int_equal(read_form(*state, text, RRSET_JSON_FULL, &read, &reason),
			count == 512 ? STATUS_OK : STATUS_INVALID);
		assert_true(count == 512 || strstr(reason.text, "more than 512"));
	}
	free(text);
}

/* Lists, objects, strings and numbers without end, where an RRset or a record is expected. */
static void
test_a_hostile_element_costs_no_memory(void **state)
{
	static const char *const units[] = { "[],", "{},", "0,", "\"\",", "\"1.2.3.4\"," };
	const size_t size = 1 << 20;
	char *text = malloc(size + 256);

	for (size_t i = 0; i < UNIT_COUNT(units); i++) {
		size_t used = (size_t)sprintf(text, HEAD "\"records\":["), before;
		struct reason reason = { "" };
		struct rrset_json read;

		while (used < size)
			used += (size_t)sprintf(text + used, "%s", units[i]);
		strcpy(text + used - 1, "]}");
		before = mallinfo2().uordblks;
		assert_int_equal(read_form(*state, text, RRSET_JSON_FULL, &read, &reason),
			STATUS_INVALID);
		assert_in_range(mallinfo2().uordblks, 0, before + 4096);
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_breaks_a_rule_is_refused_with_its_place),
		cmocka_unit_test(test_all_that_json_says_is_read),
		cmocka_unit_test(test_a_line_of_a_backup_comes_back),
		cmocka_unit_test(test_records_have_limits),
		cmocka_unit_test(test_a_hostile_element_costs_no_memory),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
