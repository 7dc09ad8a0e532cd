/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Names and types in and out: every row is a text that a client may send, and what must
 * come of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/dns/presentation.h"
#include "lib/base/status.h"

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

static uint16_t
type_of(const char *text)
{
	struct reason reason;
	uint16_t type = 0;

	if (presentation_read_type(text, &type, &reason))
		fail_msg("%s: %s", text, reason.text);
	return type;
}

static void
to_hex(const uint8_t *bytes, size_t len, char *out)
{
	*out = '\0';
	for (size_t i = 0; i < len; i++)
		out += sprintf(out, "%02x", bytes[i]);
}

static void
names_come_out_as_wire(void **state)
{
	static const struct {
		const char *text;
		const char *wire;
		const char *written;
	} rows[] = {
		{ ".", "00", "." },
		{ "a.b.", "0161016200", "a.b." },
		{ "a.b", "0161016200", "a.b." },
		{ "WwW.Example", "03577757074578616d706c6500", "WwW.Example." },
		{ "a\\.b.c", "03612e62016300", "a\\.b.c." },
		{ "a\\000b.c", "03610062016300", "a\\000b.c." },
		{ "\\255\\032.c", "02ff20016300", "\\255\\032.c." },
		{ "*.a", "012a016100", "*.a." },
		{ "\\@.a", "0140016100", "\\@.a." },
		{ "_x._tcp.a-b", "025f78045f74637003612d6200", "_x._tcp.a-b." },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reason reason = { "" };
		struct name name;
		char hex[2 * NAME_WIRE_MAX + 1];
		char written[PRESENTATION_NAME_MAX];

		if (presentation_read_name(rows[i].text, &name, &reason))
			fail_msg("%s: %s", rows[i].text, reason.text);
		to_hex(name.wire, name.len, hex);
		assert_string_equal(hex, rows[i].wire);
		presentation_write_name(&name, written);
		assert_string_equal(written, rows[i].written);
	}
}

static void
bad_names_are_refused(void **state)
{
	static const char *const rows[] = {
		"", "..", ".a", "a..b", "@", "a b", "a\tb", "a\nb", "a\"b", "a;b", "(a",
		"a\\", "a\\25", "a\\256", "\303\274.example",
		"a234567890123456789012345678901234567890123456789012345678901234.b",
	};
	struct name name;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reason reason = { "" };

		if (presentation_read_name(rows[i], &name, &reason) != STATUS_INVALID)
			fail_msg("\"%s\" was taken", rows[i]);
		assert_string_not_equal(reason.text, "");
	}
}

static void
a_name_may_have_255_octets_and_no_more(void **state)
{
	char text[600];
	char written[PRESENTATION_NAME_MAX];
	struct name name;

	(void)state;
	for (size_t i = 0; i < 127; i++)
		memcpy(text + 2 * i, "a.", 3);
	assert_int_equal(presentation_read_name(text, &name, NULL), 0);
	assert_int_equal(name.len, 255);
	memcpy(text + 254, "b", 2);
	assert_int_equal(presentation_read_name(text, &name, NULL), STATUS_INVALID);
	text[0] = 'b';
	memcpy(text, "bb", 2);
	text[2] = '.';
	assert_int_equal(presentation_read_name(text, &name, NULL), STATUS_INVALID);

	/* the longest text of all: every octet as \DDD */
	name.len = 255;
	for (size_t i = 0; i < 4; i++) {
		size_t len = i < 3 ? 63 : 61;

		name.wire[64 * i] = (uint8_t)len;
		memset(name.wire + 64 * i + 1, 0xff, len);
	}
	name.wire[254] = 0;
	presentation_write_name(&name, written);
	assert_true(strlen(written) < PRESENTATION_NAME_MAX);
	assert_int_equal(presentation_read_name(written, &name, NULL), 0);
	assert_int_equal(name.len, 255);
}

static void
types_have_names_and_numbers(void **state)
{
	static const struct {
		const char *text;
		uint16_t type;
		const char *written;
	} rows[] = {
		{ "A", 1, "A" }, { "a", 1, "A" }, { "TYPE1", 1, "A" }, { "aaaa", 28, "AAAA" },
		{ "Https", 65, "HTTPS" }, { "SVCB", 64, "SVCB" }, { "CAA", 257, "CAA" },
		{ "TYPE65280", 65280, "TYPE65280" }, { "type54", 54, "TYPE54" },
		{ "NSAP-PTR", 23, "NSAP-PTR" },
	};
	static const char *const bad[] = {
		"", "B", "OPT", "ANY", "AXFR", "IXFR", "MAILA", "TKEY", "TSIG", "TYPE0",
		"TYPE41", "TYPE128", "TYPE255", "TYPE65535", "TYPE65536", "TYPE65537",
		"TYPE99999999999999999999", "TYPE1x", "TYPE-1", "TYPE", "A ",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	};
	char written[16];
	uint16_t type;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(type_of(rows[i].text), rows[i].type);
		presentation_write_type(rows[i].type, written);
		assert_string_equal(written, rows[i].written);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct reason reason = { "" };

		if (presentation_read_type(bad[i], &type, &reason) != STATUS_INVALID)
			fail_msg("type \"%s\" was taken", bad[i]);
		assert_non_null(strstr(reason.text, "type"));
	}
}

static void
every_type_number_can_be_written(void **state)
{
	(void)state;
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		char written[16] = "";

		presentation_write_type((uint16_t)type, written);
		assert_true(strlen(written) > 0 && strlen(written) < sizeof(written));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_come_out_as_wire),
		cmocka_unit_test(bad_names_are_refused),
		cmocka_unit_test(a_name_may_have_255_octets_and_no_more),
		cmocka_unit_test(types_have_names_and_numbers),
		cmocka_unit_test(every_type_number_can_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
