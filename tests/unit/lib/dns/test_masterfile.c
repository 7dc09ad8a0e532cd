/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Records and master files: a text, and the records or the message that must come of it.
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

#include "lib/dns/masterfile.h"
#include "lib/dns/presentation.h"
#include "lib/dns/rdata.h"
#include "lib/base/status.h"

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

static uint8_t block[RRSET_RDATA_MAX + 64];

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
		{ "valkey.service.internal. 5 6 IN A 10.0.0.5", "\"6\"" },
		{ "valkey.service.internal. 5 IN 6 A 10.0.0.5", "\"6\"" },
		{ "valkey.service.internal. 5 IN IN A 10.0.0.5", "\"IN\"" },
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
		int status = masterfile_read_record(rows[i].text, block, sizeof(block),
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
	char *rdata = rdata_write(rr->type, rr->rdata + 2, rr->rdata_len - 2);

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
		status = masterfile_read(file, &origin, 7, list, records, &reason);
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
	assert_int_equal(masterfile_read(file, &origin, 7, list, records, &reason),
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
		cmocka_unit_test(one_record_is_read_from_one_line),
		cmocka_unit_test(master_files_are_read),
		cmocka_unit_test(a_master_file_with_nul_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
