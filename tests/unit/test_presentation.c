/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Text in and out: every row is a text that a client may send, and what must come of it.
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

#include "lib/presentation.h"
#include "lib/status.h"

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

static uint8_t block[RRSET_RDATA_MAX + 64];

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

static void
rdata_comes_out_as_wire_and_back_as_text(void **state)
{
	static const struct {
		const char *type;
		const char *text;
		const char *wire;
		const char *written; /* NULL: like text */
	} rows[] = {
		{ "A", "10.0.0.5", "0a000005", NULL },
		{ "A", "  10.0.0.5\t", "0a000005", "10.0.0.5" },
		{ "A", "\\# 4 0a000005", "0a000005", "10.0.0.5" },
		{ "A", "\\# 4 0A00 0005", "0a000005", "10.0.0.5" },
		{ "AAAA", "fd00::5", "fd000000000000000000000000000005", NULL },
		{ "CNAME", "A.b", "0141016200", "A.b." },
		{ "CNAME", ".", "00", NULL },
		{ "PTR", "a\\.b.c.", "03612e62016300", NULL },
		{ "MX", "10 m.x.", "000a016d017800", NULL },
		{ "SRV", "0 65535 443 h.", "0000ffff01bb016800", NULL },
		{ "SRV", "( 0 1\t2 h. )", "000000010002016800", "0 1 2 h." },
		{ "SOA", "n. h. 4294967295 3600 10m 1d 5",
			"016e00016800ffffffff00000e10000002580001518000000005",
			"n. h. 4294967295 3600 600 86400 5" },
		{ "TXT", "\"\"", "00", NULL },
		{ "TXT", "a b", "01610162", "\"a\" \"b\"" },
		{ "TXT", "\"a b\" \"c\"", "036120620163", NULL },
		{ "TXT", "\"a;b(c\"", "05613b622863", NULL },
		{ "TXT", "a\\;b", "03613b62", "\"a;b\"" },
		{ "TXT", "\"\\000\\255\\\"\\\\\"", "0400ff225c", "\"\\000\\255\\\"\\\\\"" },
		{ "TXT", "\"\\\\\"", "015c", NULL },
		{ "TXT", "\303\274", "02c3bc", "\"\\195\\188\"" },
		{ "CAA", "0 issue \"a;b\"", "00056973737565613b62", NULL },
		{ "CAA", "0 issue \"\"", "00056973737565", "\\# 7 00056973737565" },
		{ "CAA", "\\# 7 00056973737565", "00056973737565", NULL },
		{ "OPENPGPKEY", "\\# 0", "", NULL },
		{ "DS", "1 13 2 ab cd", "00010d02abcd", "1 13 2 abcd" },
		{ "TLSA", "3 1 1 abcd", "030101abcd", NULL },
		{ "TLSA", "DANE-EE SPKI SHA2-256 abcd", "030101abcd", "3 1 1 abcd" },
		{ "SSHFP", "4 2 abcd", "0402abcd", NULL },
		{ "NAPTR", "1 2 \"s\" \"x+y\" \"\" h.", "00010002017303782b7900016800",
			NULL },
		{ "HTTPS", "1 . alpn=h2", "00010000010003026832", NULL },
		{ "HTTPS", "1 . alpn=\"h2,h3\" port=8443",
			"000100000100060268320268330003000220fb", "1 . alpn=h2,h3 port=8443" },
		{ "SVCB", "0 a.b.", "00000161016200", NULL },
		{ "SVCB", "1 . ipv6hint=fd00::5,fd00::6",
			"000100000600" "20fd000000000000000000000000000005"
			"fd000000000000000000000000000006", NULL },
		{ "LOC", "52 22 23.000 N 04 53 32.000 E -2m 1m 100m 10m",
			"001214138b3cf018810cbce0009895b8", NULL },
		{ "NSEC", "a. A TXT", "0161000003400080", NULL },
		{ "APL", "1:10.0.0.0/8 !2:fd00::/8", "000108010a00020881fd",
			"1:10.0.0.0/8 !2:fd00:0000:0000:0000:0000:0000:0000:0000/8" },
		{ "HIP", "2 abcd AwEA h.", "02020003abcd030100016800", NULL },
		{ "IPSECKEY", "10 1 2 192.0.2.38 AQNR", "0a0102c0000226010351", NULL },
		{ "EUI48", "00-00-5e-00-53-2a", "00005e00532a", NULL },
		{ "L64", "10 2001:0db8:1140:1000", "000a20010db811401000", NULL },
		{ "URI", "1 2 \"http://a\"", "00010002687474703a2f2f61", NULL },
		{ "OPENPGPKEY", "AQID", "010203", NULL },
		{ "TYPE65280", "\\# 3 010203", "010203", NULL },
		{ "TYPE65280", "\\# 0", "", NULL },
		{ "NULL", "\\# 1 ff", "ff", NULL },
		{ "WKS", "\\# 6 0a0000050640", "0a0000050640", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reason reason = { "" };
		uint16_t type = type_of(rows[i].type);
		const char *expected = rows[i].written ? rows[i].written : rows[i].text;
		char hex[512];
		char *written;
		int used = presentation_read_rdata(type, rows[i].text, block, sizeof(block),
			&reason);

		if (used < 2)
			fail_msg("%s %s: %s", rows[i].type, rows[i].text, reason.text);
		assert_int_equal(block[0] << 8 | block[1], used - 2);
		to_hex(block + 2, (size_t)used - 2, hex);
		assert_string_equal(hex, rows[i].wire);
		written = presentation_write_rdata(type, block + 2, (size_t)used - 2);
		assert_non_null(written);
		assert_string_equal(written, expected);
		free(written);
	}
}

static void
bad_rdata_is_refused_with_a_hint(void **state)
{
	static const struct {
		const char *type;
		const char *text;
		const char *reason; /* a part of it */
	} rows[] = {
		{ "A", "10.0.0", "A: \"10.0.0\": needs one IPv4 address such as 10.0.0.5" },
		{ "A", "", "A has 0 fields: needs one IPv4 address" },
		{ "A", "10.0.0.256", "needs one IPv4" },
		{ "A", "010.0.0.1", "needs one IPv4" },
		{ "A", "10.0.0.5 junk", "A has 2 fields" },
		{ "A", "10.0.0.5 10.0.0.6", "A has 2 fields" },
		{ "A", "10.0.0.5\n10.0.0.6", "control character at column 9" },
		{ "A", "10.0.0.5\r", "control character" },
		{ "A", "10.0.0.5 ; comment", "';' begins a comment" },
		{ "A", "(10.0.0.5", "opened and not closed" },
		{ "A", "10.0.0.5)", "was not opened" },
		{ "A", "\"10.0.0.5\"", "in quotes" },
		{ "A", "\\# 4 0a0000", "says 4 bytes, and 3 are there" },
		{ "A", "\\# 5 0a000005ff", "not data of this type" },
		{ "A", "\\# 4 0a00000", "hex digits in pairs" },
		{ "A", "\\# 4", "says 4 bytes, and 0" },
		{ "A", "\\# -1", "needs a length" },
		{ "A", "\\# 65536 00", "needs a length" },
		{ "A", "\\#", "needs a length" },
		{ "A", "\\# 0", "not data of this type" },
		{ "AAAA", "10.0.0.5", "needs one IPv6 address such as fd00::5" },
		{ "CAA", "\\# 1 00", "not data of this type" },
		{ "CNAME", "\\# 0", "not data of this type" },
		{ "CNAME", "a b", "CNAME has 2 fields" },
		{ "CNAME", "a..b", "CNAME: name \"a..b\": " },
		{ "CNAME", "@", "name \"@\"" },
		{ "CNAME", "\\# 2 c000", "not data of this type" },
		{ "CNAME", "\\# 4 0161c000", "not data of this type" },
		{ "CNAME", "\\# 3 016100ff", "says 3 bytes" },
		{ "CNAME", "\\# 4 016100ff", "not data of this type" },
		{ "CNAME", "\\# 2 0161", "not data of this type" },
		{ "MX", "70000 a.", "MX field 1: \"70000\": needs a number from 0 to 65535" },
		{ "MX", "-1 a.", "needs a number" },
		{ "MX", "+1 a.", "needs a number" },
		{ "MX", "10", "MX has 1 field: needs a number from 0 to 65535, a domain name" },
		{ "SRV", "1 2 70000 a.", "SRV field 3: \"70000\"" },
		{ "SOA", "n. h. 4294967296 1 1 1 1", "SOA field 3" },
		{ "SOA", "n. h. 1 1 1 1 1z", "SOA field 7" },
		{ "SOA", "n. h. 1 1 1 1 -1", "SOA field 7" },
		{ "SOA", "n. h. 1 1 1 1 9999999999w", "SOA field 7" },
		{ "TXT", "", "TXT has 0 fields" },
		{ "TXT", "\"a", "not closed" },
		{ "TXT", "\"a\"b", "a blank is missing" },
		{ "TXT", "a;b", "';' begins a comment" },
		{ "TXT", "\\256", "needs a string" },
		{ "TXT", "\\", "needs a string" },
		{ "TXT", "a\001b", "\\001" },
		{ "CAA", "256 issue \"a\"", "CAA field 1" },
		{ "CAA", "0 is-sue \"a\"", "CAA field 2" },
		{ "DS", "1 300 2 abcd", "DS field 2" },
		{ "DS", "1 13 2 abc", "DS field 4" },
		{ "DS", "1 13 2 abxy", "DS field 4" },
		{ "TLSA", "3 1 1000 ab", "TLSA field 3" },
		{ "NSEC", "a. A NOSUCH", "NSEC field 2" },
		{ "APL", "1:10.0.0.0/264", "APL" },
		{ "APL", "3:10.0.0.0/8", "APL" },
		{ "LOC", "52 N 4 E 0m 1m 1m 1m junk", "LOC" },
		{ "LOC", "52 N 4 E 0m 1m 1m 1m 1m", "LOC" },
		{ "LOC", "52 N 4 E nan", "LOC" },
		{ "HIP", "2 abcd", "HIP" },
		{ "HIP", "300 abcd AwEA", "HIP" },
		{ "IPSECKEY", "10 1 2 192.0.2.38 AQNR x", "IPSECKEY" },
		{ "IPSECKEY", "10 1 2 192.0.2.38", "IPSECKEY" },
		{ "IPSECKEY", "10 1 2 192.0.2.38 AQN", "IPSECKEY" },
		{ "IPSECKEY", "10 257 2 192.0.2.38 AQNR", "IPSECKEY" },
		{ "EUI48", "+0-00-5e-00-53-2a", "EUI48" },
		{ "HTTPS", "1 . port=70000", "HTTPS field 3" },
		{ "HTTPS", "1 . port=\"70000\"", "HTTPS field 3" },
		{ "HTTPS", "1 . nokey", "HTTPS field 3" },
		{ "HTTPS", "1 . ipv6hint=0000000000000000000000000000000000000000000000",
			"HTTPS field 3" },
		{ "HTTPS", "1 . key06=\"0000000000000000000000000000000000000000000000\"",
			"HTTPS field 3" },
		{ "WKS", "10.0.0.5 TCP smtp", "WKS has no text form here: write \\# LENGTH" },
		{ "TYPE65280", "abc", "TYPE65280 has no text form" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reason reason = { "" };
		int status = presentation_read_rdata(type_of(rows[i].type), rows[i].text,
			block, sizeof(block), &reason);

		if (status != STATUS_INVALID)
			fail_msg("%s \"%s\" gave %d", rows[i].type, rows[i].text, status);
		if (!strstr(reason.text, rows[i].reason))
			fail_msg("%s \"%s\": \"%s\"", rows[i].type, rows[i].text,
				reason.text);
	}
}

static void
long_foreign_text_is_cut_in_messages(void **state)
{
	struct reason reason;
	char text[4096];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(presentation_read_rdata(1, text, block, sizeof(block), &reason),
		STATUS_INVALID);
	assert_true(strlen(reason.text) < 160);
	assert_non_null(strstr(reason.text, "...\": needs one IPv4"));
}

static void
rdata_keeps_within_its_limits(void **state)
{
	size_t room = 8 * 65536 + 64;
	char *text = malloc(room);
	char *at = text;
	uint8_t small[6];
	int used;

	(void)state;
	assert_non_null(text);
	assert_int_equal(presentation_read_rdata(1, "1.2.3.4", small, 6, NULL), 6);
	assert_int_equal(presentation_read_rdata(1, "1.2.3.4", small, 5, NULL),
		STATUS_TOO_LARGE);
	assert_int_equal(presentation_read_rdata(1, "1.2.3.4", small, 0, NULL),
		STATUS_TOO_LARGE);

	/* 255 strings of 255 octets and one of 252: the whole block of 65535 bytes */
	for (unsigned i = 0; i < 256; i++) {
		*at++ = '"';
		for (unsigned k = 0; k < (i < 255 ? 255 : 252); k++)
			at += sprintf(at, "\\%03u", k);
		at += sprintf(at, "\" ");
	}
	used = presentation_read_rdata(16, text, block, RRSET_RDATA_MAX, NULL);
	assert_int_equal(used, RRSET_RDATA_MAX);
	strcpy(at, "a");
	assert_int_equal(presentation_read_rdata(16, text, block, RRSET_RDATA_MAX, NULL),
		STATUS_TOO_LARGE);

	memset(text, 'a', 300);
	text[300] = '\0';
	assert_int_equal(presentation_read_rdata(16, text, block, RRSET_RDATA_MAX, NULL),
		STATUS_INVALID);
	memset(text, 'a', room - 1);
	text[room - 1] = '\0';
	assert_int_equal(presentation_read_rdata(16, text, block, RRSET_RDATA_MAX, NULL),
		STATUS_TOO_LARGE);
	memset(text, ' ', 65536);
	text[65536] = '\0';
	assert_int_equal(presentation_read_rdata(16, text, block, RRSET_RDATA_MAX, NULL),
		STATUS_INVALID);
	for (unsigned i = 0; i < 70000; i++)
		memcpy(text + 2 * i, "A ", 3);
	assert_int_equal(presentation_read_rdata(47, text, block, RRSET_RDATA_MAX, NULL),
		STATUS_INVALID);
	free(text);
}

static void
bytes_that_no_rule_explains_come_out_as_rfc3597(void **state)
{
	static const struct {
		uint16_t type;
		const char *bytes;
		size_t len;
		const char *written;
	} rows[] = {
		{ 1, "\1\2\3", 3, "\\# 3 010203" },
		{ 5, "\300\0", 2, "\\# 2 c000" },
		{ 5, "", 0, "\\# 0" },
		{ 16, "\5a", 2, "\\# 2 0561" },
		{ 65280, "\377", 1, "\\# 1 ff" },
		{ 33, "\0\1\0\2\0\3\1a\0x", 10, "\\# 10 00010002000301610078" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = presentation_write_rdata(rows[i].type,
			(const uint8_t *)rows[i].bytes, rows[i].len);

		assert_non_null(text);
		assert_string_equal(text, rows[i].written);
		free(text);
	}
}

/* ldns writes the names of keys without a look at the room in its buffer: whatever is
 * before them, the text comes out. */
static void
service_parameters_of_any_length_are_written(void **state)
{
	static const uint8_t end[] = { 0, 2 /* no-default-alpn */, 0, 0 };

	(void)state;
	for (size_t len = 1; len < 1200; len++) {
		uint8_t rdata[1300] = { 0, 1, 0, 1, 0, (uint8_t)(len >> 8), (uint8_t)len };
		char *text;

		memset(rdata + 7, 'a', len);
		memcpy(rdata + 7 + len, end, sizeof(end));
		text = presentation_write_rdata(65, rdata, 7 + len + sizeof(end));
		assert_non_null(text);
		free(text);
	}
}

static void
any_bytes_of_any_type_go_out_and_in_unchanged_or_are_refused(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 60000; round++) {
		uint8_t rdata[48];
		uint16_t type = (uint16_t)(round % 270);
		char name[16];
		uint16_t read;
		char *text;
		size_t len;
		int used;

		for (size_t i = 0; i < sizeof(rdata); i++) {
			seed = seed * 1664525 + 1013904223;
			rdata[i] = (uint8_t)(seed >> 24 & (round % 3 ? 0x07 : 0xff));
		}
		len = seed >> 8 & 31;
		presentation_write_type(type, name);
		if (presentation_read_type(name, &read, NULL))
			continue;
		assert_int_equal(read, type);
		text = presentation_write_rdata(type, rdata, len);
		assert_non_null(text);
		used = presentation_read_rdata(type, text, block, sizeof(block), NULL);
		if (used < 0) {
			assert_int_equal(strncmp(text, "\\# ", 3), 0);
		} else {
			assert_int_equal(used, (int)len + 2);
			assert_memory_equal(block + 2, rdata, len);
		}
		free(text);
	}
}

static void
one_record_is_read_from_one_line(void **state)
{
	static const struct {
		const char *text;
		const char *reason; /* NULL: good */
	} rows[] = {
		{ "valkey.service.internal. 5 IN A 10.0.0.5", NULL },
		{ "valkey.service.internal 5 A 10.0.0.5", NULL },
		{ "valkey.service.internal IN 5s A 10.0.0.5", NULL },
		{ "", "needs \"owner ttl IN type data\"" },
		{ " 5 IN A 10.0.0.5", "needs \"owner ttl IN type data\"" },
		{ "valkey.service.internal. IN A 10.0.0.5", "a TTL is missing" },
		{ "valkey.service.internal. 5 IN", "a type is missing" },
		{ "valkey.service.internal. 5 CH A 10.0.0.5", "only IN is served" },
		{ "valkey.service.internal. 5x IN A 10.0.0.5", "TTL \"5x\"" },
		{ "valkey.service.internal. 4294967296 IN A 10.0.0.5", "TTL \"4294967296\"" },
		{ "valkey.service.internal. 5 IN A 10.0.0", "needs one IPv4" },
		{ "valkey.service.internal. 5 IN A 10.0.0.5 ; x", "comment" },
		{ "valkey.service.internal. 5 IN ANY 10.0.0.5", "cannot be stored" },
		{ "valkey.service.internal. 5 IN A 10.0.0.5\nb. 5 IN A 1.1.1.1", "control" },
	};
	struct name owner;
	struct name_key key;

	(void)state;
	presentation_read_name("valkey.service.internal.", &owner, NULL);
	name_to_key(owner.wire, &key);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reason reason = { "" };
		struct rrset rr;
		int status = presentation_read_record(rows[i].text, block, sizeof(block),
			&rr, &reason);

		if (rows[i].reason) {
			if (status != STATUS_INVALID || !strstr(reason.text, rows[i].reason))
				fail_msg("%s: %d %s", rows[i].text, status, reason.text);
			continue;
		}
		if (status)
			fail_msg("%s: %s", rows[i].text, reason.text);
		assert_int_equal(rr.owner.len, key.len);
		assert_memory_equal(rr.owner.bytes, key.bytes, key.len);
		assert_int_equal(rr.type, 1);
		assert_int_equal(rr.ttl, 5);
		assert_int_equal(rr.count, 1);
		assert_int_equal(rr.rdata_len, 6);
		assert_memory_equal(rr.rdata, "\0\4\12\0\0\5", 6);
	}
}

/* Writes each record as "line:owner ttl type rdata|". */
static int
list(void *context, const struct rrset *rr, int line, struct reason *reason)
{
	char *out = (char *)context + strlen(context);
	char owner[PRESENTATION_NAME_MAX];
	char type[16];
	struct name name;
	char *rdata = presentation_write_rdata(rr->type, rr->rdata + 2, rr->rdata_len - 2);

	assert_int_equal(name_from_key(rr->owner.bytes, rr->owner.len, &name), 0);
	presentation_write_name(&name, owner);
	presentation_write_type(rr->type, type);
	sprintf(out, "%d:%s %u %s %s|", line, owner, rr->ttl, type, rdata);
	free(rdata);
	if (strcmp(owner, "stop.z.") == 0)
		return reason_set(reason, STATUS_CONFLICT, "stopped");
	return 0;
}

static void
master_files_are_read(void **state)
{
	static const struct {
		const char *text;
		const char *records;
		const char *reason; /* NULL: good */
	} rows[] = {
		{ "", "", NULL },
		{ "\n\n ; only a comment\n   \n", "", NULL },
		{ "a A 1.2.3.4", "1:a.z. 7 A 1.2.3.4|", NULL }, /* no final newline */
		{ "a.z. 5 IN A 1.2.3.4\n\n\nb IN 6 A 1.2.3.5 ; c\n",
			"1:a.z. 5 A 1.2.3.4|4:b.z. 6 A 1.2.3.5|", NULL },
		{ "a A 1.2.3.4\r\n  A 1.2.3.5\r\n\tTXT x\r\n",
			"1:a.z. 7 A 1.2.3.4|2:a.z. 7 A 1.2.3.5|3:a.z. 7 TXT \"x\"|", NULL },
		{ "@ 5 IN SOA ns1 host.other. ( 1 ; serial\n 2 ; refresh\n\n 3\n 4 5 )\n A 1.1.1.1",
			"1:z. 5 SOA ns1.z. host.other. 1 2 3 4 5|6:z. 7 A 1.1.1.1|", NULL },
		{ "$TTL 1h\n$ORIGIN sub\na CNAME b\n$ORIGIN z.\na CNAME @\n  CNAME .\n",
			"3:a.sub.z. 3600 CNAME b.sub.z.|5:a.z. 3600 CNAME z.|6:a.z. 3600 "
			"CNAME .|", NULL },
		{ "a TXT \"x ; y (\" z ; \"comment\n", "1:a.z. 7 TXT \"x ; y (\" \"z\"|",
			NULL },
		{ "a TXT ( \"x\"\n; (\n\"y\" ) ; )\nb A 1.1.1.1\n",
			"1:a.z. 7 TXT \"x\" \"y\"|4:b.z. 7 A 1.1.1.1|", NULL },
		{ "a\\.b TXT x\n", "1:a\\.b.z. 7 TXT \"x\"|", NULL },
		{ "\\$x A 1.1.1.1\n", "1:\\$x.z. 7 A 1.1.1.1|", NULL },
		{ "in IN A 1.1.1.1\n5 A 1.1.1.1\n", "1:in.z. 7 A 1.1.1.1|2:5.z. 7 A 1.1.1.1|",
			NULL },
		{ "a TYPE65280 \\# 2 0102\n", "1:a.z. 7 TYPE65280 \\# 2 0102|", NULL },
		{ "a.other. A 1.1.1.1\n", "1:a.other. 7 A 1.1.1.1|", NULL },
		{ "a A 1.1.1.1\nb A 1.1.1\n", "1:a.z. 7 A 1.1.1.1|", "line 2: A: \"1.1.1\"" },
		{ "\n\na TXT (\n\"x\n)\n", "", "line 3: a quote is opened" },
		{ "a TXT ( x\n\n", "", "line 1: a parenthesis is opened" },
		{ "a TXT x )\n", "", "line 1: a parenthesis is closed" },
		{ " A 1.1.1.1\n", "", "line 1: the first record has no owner" },
		{ "$INCLUDE /etc/passwd\n", "", "line 1: $INCLUDE is refused" },
		{ "$include /etc/passwd\n", "", "line 1: $INCLUDE is refused" },
		{ "$GENERATE 1-9 a A 1.1.1.$\n", "", "line 1: unknown directive" },
		{ "$TTL x\n", "", "line 1: $TTL needs" },
		{ "$ORIGIN a..b\n", "", "line 1: name \"a..b\"" },
		{ "$ORIGIN\n", "", "line 1: $ORIGIN needs" },
		{ "a CH A 1.1.1.1\n", "", "line 1: class \"CH\"" },
		{ "a\n", "", "line 1: a type is missing" },
		{ "a IN 5\n", "", "line 1: a type is missing" },
		{ "\ngarbage\xff here\n", "", "line 2: " },
		{ "a A 1.1.1.1\nstop A 1.1.1.1\nb A 1.1.1.1\n",
			"1:a.z. 7 A 1.1.1.1|2:stop.z. 7 A 1.1.1.1|", "line 2: stopped" },
	};
	struct name origin;

	(void)state;
	presentation_read_name("z", &origin, NULL);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reason reason = { "" };
		char records[4096] = "";
		FILE *file = tmpfile();
		int status;

		assert_non_null(file);
		fputs(rows[i].text, file);
		rewind(file);
		status = presentation_read_zone(file, &origin, 7, list, records, &reason);
		fclose(file);
		assert_string_equal(records, rows[i].records);
		if (!rows[i].reason && status)
			fail_msg("row %zu: %s", i, reason.text);
		if (rows[i].reason && (!status || strncmp(reason.text, rows[i].reason,
			strlen(rows[i].reason)) != 0))
			fail_msg("row %zu: \"%s\"", i, reason.text);
	}
}

static void
a_master_file_with_nul_is_refused(void **state)
{
	static const char text[] = "a TXT x\0\nb A 1.1.1.1\n";
	struct reason reason = { "" };
	char records[256] = "";
	FILE *file = tmpfile();
	struct name origin;

	(void)state;
	assert_non_null(file);
	presentation_read_name("z", &origin, NULL);
	fwrite(text, 1, sizeof(text) - 1, file);
	rewind(file);
	assert_int_equal(presentation_read_zone(file, &origin, 7, list, records, &reason),
		STATUS_INVALID);
	assert_string_equal(reason.text, "line 1: control character at column 8: "
		"write it as \\000");
	assert_string_equal(records, "");
	fclose(file);
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
		cmocka_unit_test(rdata_comes_out_as_wire_and_back_as_text),
		cmocka_unit_test(bad_rdata_is_refused_with_a_hint),
		cmocka_unit_test(long_foreign_text_is_cut_in_messages),
		cmocka_unit_test(rdata_keeps_within_its_limits),
		cmocka_unit_test(bytes_that_no_rule_explains_come_out_as_rfc3597),
		cmocka_unit_test(service_parameters_of_any_length_are_written),
		cmocka_unit_test(any_bytes_of_any_type_go_out_and_in_unchanged_or_are_refused),
		cmocka_unit_test(one_record_is_read_from_one_line),
		cmocka_unit_test(master_files_are_read),
		cmocka_unit_test(a_master_file_with_nul_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
