/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Rdata in and out: every row is a text that a client may send, and what must come of it.
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
#include "lib/dns/rdata.h"
#include "lib/dns/rrset.h"
#include "lib/base/status.h"

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
		int used = rdata_read(type, rows[i].text, block, sizeof(block),
			&reason);

		if (used < 2)
			fail_msg("%s %s: %s", rows[i].type, rows[i].text, reason.text);
		assert_int_equal(block[0] << 8 | block[1], used - 2);
		to_hex(block + 2, (size_t)used - 2, hex);
		assert_string_equal(hex, rows[i].wire);
		written = rdata_write(type, block + 2, (size_t)used - 2);
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
		{ "MX", "65536 a.", "MX field 1: \"65536\"" },
		{ "MX", "00000000001 a.", "needs a number" },
		{ "CERT", "65536 1 8 AAAA", "CERT field 1" },
		{ "CERT", "PKIX 1 256 AAAA", "CERT field 3" },
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
		int status = rdata_read(type_of(rows[i].type), rows[i].text,
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
	assert_int_equal(rdata_read(1, text, block, sizeof(block), &reason),
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
	assert_int_equal(rdata_read(1, "1.2.3.4", small, 6, NULL), 6);
	assert_int_equal(rdata_read(1, "1.2.3.4", small, 5, NULL),
		STATUS_TOO_LARGE);
	assert_int_equal(rdata_read(1, "1.2.3.4", small, 0, NULL),
		STATUS_TOO_LARGE);

	/* 255 strings of 255 octets and one of 252: the whole block of 65535 bytes */
	for (unsigned i = 0; i < 256; i++) {
		*at++ = '"';
		for (unsigned k = 0; k < (i < 255 ? 255 : 252); k++)
			at += sprintf(at, "\\%03u", k);
		at += sprintf(at, "\" ");
	}
	used = rdata_read(16, text, block, RRSET_RDATA_MAX, NULL);
	assert_int_equal(used, RRSET_RDATA_MAX);
	strcpy(at, "a");
	assert_int_equal(rdata_read(16, text, block, RRSET_RDATA_MAX, NULL),
		STATUS_TOO_LARGE);

	memset(text, 'a', 300);
	text[300] = '\0';
	assert_int_equal(rdata_read(16, text, block, RRSET_RDATA_MAX, NULL),
		STATUS_INVALID);
	memset(text, 'a', room - 1);
	text[room - 1] = '\0';
	assert_int_equal(rdata_read(16, text, block, RRSET_RDATA_MAX, NULL),
		STATUS_TOO_LARGE);
	memset(text, ' ', 65536);
	text[65536] = '\0';
	assert_int_equal(rdata_read(16, text, block, RRSET_RDATA_MAX, NULL),
		STATUS_INVALID);
	for (unsigned i = 0; i < 70000; i++)
		memcpy(text + 2 * i, "A ", 3);
	assert_int_equal(rdata_read(47, text, block, RRSET_RDATA_MAX, NULL),
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
		char *text = rdata_write(rows[i].type,
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
		text = rdata_write(65, rdata, 7 + len + sizeof(end));
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
		text = rdata_write(type, rdata, len);
		assert_non_null(text);
		used = rdata_read(type, text, block, sizeof(block), NULL);
		if (used < 0) {
			assert_int_equal(strncmp(text, "\\# ", 3), 0);
		} else {
			assert_int_equal(used, (int)len + 2);
			assert_memory_equal(block + 2, rdata, len);
		}
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rdata_comes_out_as_wire_and_back_as_text),
		cmocka_unit_test(bad_rdata_is_refused_with_a_hint),
		cmocka_unit_test(long_foreign_text_is_cut_in_messages),
		cmocka_unit_test(rdata_keeps_within_its_limits),
		cmocka_unit_test(bytes_that_no_rule_explains_come_out_as_rfc3597),
		cmocka_unit_test(service_parameters_of_any_length_are_written),
		cmocka_unit_test(any_bytes_of_any_type_go_out_and_in_unchanged_or_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
