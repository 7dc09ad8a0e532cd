/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/dns/rdata.h"
#include "lib/dns/rrset.h"
#include "lib/dns/rule.h"
#include "lib/base/status.h"

#define IP4 "(?<a>\\d+)-(?<b>\\d+)-(?<c>\\d+)-(?<d>\\d+)"

static struct rule_scratch *scratch;

static int
set_up(void **state)
{
	(void)state;
	scratch = rule_scratch_new();
	return scratch ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	rule_scratch_free(scratch);
	return 0;
}

static struct rule *
make(const char *match, const char *type, const char *rdata)
{
	struct rule_text text = { match, type, rdata, 60 };
	struct rule *rule = NULL;
	struct reason reason = { "" };
	const char *key;

	if (rule_new(&text, &rule, &key, &reason) != STATUS_OK)
		fail_msg("%s: %s", key, reason.text);
	return rule;
}

static bool
apply(const struct rule *rule, const char *name, struct rrset *out)
{
	struct name_key key = unit_key(name);

	rule_take_name(scratch, &key);
	return rule_apply(rule, scratch, out) == STATUS_OK;
}

static void
a_name_that_matches_gives_rdata(void **state)
{
	static const struct {
		const char *match, *type, *rdata, *name, *expected;
	} rows[] = {
		{ "ip-" IP4 "\\.node\\.internal\\.", "A", "${a}.${b}.${c}.${d}",
			"ip-10-0-0-1.node.internal", "10.0.0.1" },
		{ "ip-" IP4 "\\.node\\.internal\\.", "A", "${a}.${b}.${c}.${d}",
			"IP-10-0-0-1.Node.INTERNAL", "10.0.0.1" },
		{ "(?<d>\\d+)\\.(?<c>\\d+)\\.(?<b>\\d+)\\.(?<a>\\d+)\\.in-addr\\.arpa\\.", "PTR",
			"ip-${a}-${b}-${c}-${d}.node.internal.", "1.0.0.10.in-addr.arpa",
			"ip-10-0-0-1.node.internal." },
		{ "ip6-(?<a>[0-9a-f-]+)\\.node\\.internal\\.", "AAAA", "${a|colons}",
			"ip6-2001-db8--1.node.internal", "2001:db8::1" },
		{ "(?<n>([0-9a-f]\\.){32})ip6\\.arpa\\.", "PTR",
			"ip6-${n|nibbles}.node.internal.",
			"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
			"ip6-2001-0db8-0000-0000-0000-0000-0000-0001.node.internal." },
		{ ".*\\.fixed\\.", "TXT", "\"a $ is a $\"", "x.fixed", "\"a $ is a $\"" },
		{ "(?<who>[^.]+)\\.mail\\.", "MX", "10 ${who}.mx.example.", "me.mail",
			"10 me.mx.example." },
		{ "(?<host>.+)\\.old\\.", "CNAME", "${host}.new.", "a.b.old", "a.b.new." },
		{ "x(?<maybe>y)?\\.opt\\.", "TXT", "\"<${maybe}>\"", "x.opt", "\"<>\"" },
		{ "(?<n>.*)", "TXT", "\"${n}\"", "q\"b\\;.t", "\"q\\\"b\\\\\\;.t.\"" },
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct rule *rule = make(rows[i].match, rows[i].type, rows[i].rdata);
		uint8_t expected[512];
		struct rrset rrset;
		int len;

		if (!apply(rule, rows[i].name, &rrset))
			fail_msg("%s: no match", rows[i].name);
		len = rdata_read(rrset.type, rows[i].expected, expected, sizeof(expected), NULL);
		assert_int_equal(rrset.count, 1);
		assert_int_equal(rrset.ttl, 60);
		assert_int_equal(rrset.rdata_len, len);
		assert_memory_equal(rrset.rdata, expected, rrset.rdata_len);
		rule_free(rule);
	}
}

static void
a_name_that_does_not_fit_is_no_match(void **state)
{
	static const struct {
		const char *match, *type, *rdata, *name;
	} rows[] = {
		{ "ip-" IP4 "\\.n\\.", "A", "${a}.${b}.${c}.${d}", "ip-999-0-0-1.n" },
		{ "ip-" IP4 "\\.n\\.", "A", "${a}.${b}.${c}.${d}", "ip-10-0-0-1.n.more" },
		{ "ip-" IP4 "\\.n\\.", "A", "${a}.${b}.${c}.${d}", "x.ip-10-0-0-1.n" },
		{ "(?<a>.*)\\.n\\.", "AAAA", "${a|colons}", "a-b-c.n" },
		{ "(?<n>.*)ip6\\.arpa\\.", "PTR", "${n|nibbles}.n.", "1.2.3.ip6.arpa" },
		/* too long a name */
		{ "(?<a>.*)", "PTR", "${a}${a}${a}${a}",
			"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd."
			"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd" },
		/* work without end */
		{ "((a+)+)+b\\.", "TXT", "x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac" },
		{ "(*NO_JIT)((a|a)+)+b\\.", "TXT", "x",
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac" },
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct rule *rule = make(rows[i].match, rows[i].type, rows[i].rdata);
		struct rrset rrset;

		if (apply(rule, rows[i].name, &rrset))
			fail_msg("%s matches %s", rows[i].name, rows[i].match);
		rule_free(rule);
	}
}

static void
a_text_that_fills_up_is_no_match(void **state)
{
	char rdata[RULE_RDATA_MAX + 1] = "";
	struct name name = { .len = 255 };
	struct name_key key;
	struct rrset rrset;
	struct rule *rule;

	(void)state;
	for (size_t i = 0; i < 20; i++)
		strcat(rdata, "\"${all}\" ");
	rule = make("(?<all>.*)", "TXT", rdata);
	for (size_t i = 0; i < 127; i++)
		name.wire[2 * i] = 1; /* and a NUL octet, four characters in text */
	name_to_key(name.wire, &key);
	rule_take_name(scratch, &key);
	assert_int_equal(rule_apply(rule, scratch, &rrset), STATUS_NOT_FOUND);
	rule_free(rule);
}

static void
a_bad_rule_is_refused_by_its_key(void **state)
{
	static const struct {
		const char *match, *type, *rdata, *key, *part;
	} rows[] = {
		{ "(", "A", "10.0.0.1", "match", "at character 2: missing closing" },
		{ "(?<a>x)(?<a>y)", "A", "10.0.0.1", "match", "two named" },
		{ "(*UTF)x", "A", "10.0.0.1", "match", "UTF" },
		{ "x", "NONSENSE", "10.0.0.1", "type", "unknown type" },
		{ "x", "ANY", "10.0.0.1", "type", "cannot be stored" },
		{ "x", "NS", "ns.x.", "type", "cannot come from a rule" },
		{ "x", "DS", "1 8 2 00", "type", "cannot come from a rule" },
		{ "x", "SOA", "a. b. 1 1 1 1 1", "type", "cannot come from a rule" },
		{ "x", "DNAME", "x.", "type", "cannot come from a rule" },
		{ "x", "A", "10.0.0", "rdata", "IPv4" },
		{ "x", "A", "", "rdata", "" },
		{ "(?<a>x)", "A", "${b}", "rdata", "\"${b}\": the pattern has no group" },
		{ "(x)", "A", "${1}", "rdata", "no group" },
		{ "(?<a>x)", "A", "${}", "rdata", "no group" },
		{ "(?<a>x)", "A", "${a", "rdata", "a } is missing" },
		{ "(?<a>x)", "A", "${a|upper}", "rdata", "unknown helper \"upper\"" },
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct rule_text text = { rows[i].match, rows[i].type, rows[i].rdata, 60 };
		struct rule *rule = NULL;
		struct reason reason = { "" };
		const char *key = NULL;

		assert_int_equal(rule_new(&text, &rule, &key, &reason), STATUS_INVALID);
		assert_null(rule);
		assert_string_equal(key, rows[i].key);
		if (!strstr(reason.text, rows[i].part))
			fail_msg("\"%s\" lacks \"%s\"", reason.text, rows[i].part);
	}
}

static void
a_rule_has_limits(void **state)
{
	char match[5 * (RULE_GROUPS_MAX + 1) + RULE_PATTERN_MAX] = "";
	char rdata[RULE_RDATA_MAX + 2];
	struct rule_text text = { match, "TXT", rdata, 60 };
	struct rule *rule = NULL;
	const char *key;

	(void)state;
	strcpy(rdata, "x");
	for (size_t i = 0; i <= RULE_GROUPS_MAX; i++)
		strcat(match, "(x)");
	assert_int_equal(rule_new(&text, &rule, &key, NULL), STATUS_TOO_LARGE);
	memset(match, 'x', RULE_PATTERN_MAX + 1);
	match[RULE_PATTERN_MAX + 1] = '\0';
	assert_int_equal(rule_new(&text, &rule, &key, NULL), STATUS_TOO_LARGE);
	strcpy(match, "x");
	memset(rdata, 'x', RULE_RDATA_MAX + 1);
	rdata[RULE_RDATA_MAX + 1] = '\0';
	assert_int_equal(rule_new(&text, &rule, &key, NULL), STATUS_TOO_LARGE);
	assert_string_equal(key, "rdata");
}

/* A literal and a group take two of its 64 parts. */
static void
a_rule_fills_in_31_groups_and_text(void **state)
{
	char rdata[RULE_RDATA_MAX + 1] = "\"";
	struct rule_text text = { "(?<a>x)\\.", "TXT", rdata, 60 };
	struct rule *rule = NULL;
	struct reason reason = { "" };
	struct rrset rrset;
	const char *key;

	(void)state;
	for (size_t i = 0; i < 31; i++)
		strcat(rdata, "-${a}");
	strcat(rdata, "\"");
	assert_int_equal(rule_new(&text, &rule, &key, &reason), STATUS_OK);
	assert_true(apply(rule, "x", &rrset));
	assert_int_equal(rrset.rdata_len, 2 + 1 + 2 * 31);
	rule_free(rule);
	strcpy(rdata + strlen(rdata) - 1, "-${a}\"");
	assert_int_equal(rule_new(&text, &rule, &key, &reason), STATUS_TOO_LARGE);
	assert_non_null(strstr(reason.text, "more than 31 groups"));
	/* the longest texts are taken */
	memset(rdata, 'x', 255);
	strcpy(rdata + 255, "");
	assert_int_equal(rule_new(&text, &rule, &key, &reason), STATUS_OK);
	rule_free(rule);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_that_matches_gives_rdata),
		cmocka_unit_test(a_name_that_does_not_fit_is_no_match),
		cmocka_unit_test(a_text_that_fills_up_is_no_match),
		cmocka_unit_test(a_bad_rule_is_refused_by_its_key),
		cmocka_unit_test(a_rule_has_limits),
		cmocka_unit_test(a_rule_fills_in_31_groups_and_text),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
