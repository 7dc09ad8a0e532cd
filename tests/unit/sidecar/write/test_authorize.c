/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "lib/dns/rrset.h"
#include "sidecar/write/authorize.h"

static struct name_key zone[2];
static char *sources[] = { "k8s", "ci" };
static struct credential credential = { .id = "t",
	.verbs = CREDENTIALS_READ | CREDENTIALS_WRITE,
	.zone = zone,
	.zone_count = 1,
	.source = sources,
	.source_count = 2 };
static const struct caller caller = { .name = "token t", .token = &credential };
static const struct caller local = { .name = "uid 0" };

static int
set_up(void **state)
{
	(void)state;
	zone[0] = unit_key("a.test");
	zone[1] = unit_key("b.test");
	return 0;
}

static void
rights_end_at_the_zone_and_the_verb(void **state)
{
	static const struct {
		enum credentials_verb verb;
		const char *name;
		uint16_t type;
		const char *says; /* NULL: may */
	} rows[] = {
		{ CREDENTIALS_READ, "a.test", 0, NULL },
		{ CREDENTIALS_READ, "x.y.a.test", 0, NULL },
		{ CREDENTIALS_READ, "*.a.test", 0, NULL },
		{ CREDENTIALS_READ, "x.a.test", RRSET_CNAME, NULL },
		{ CREDENTIALS_WRITE, "x.a.test", RRSET_A, NULL },
		{ CREDENTIALS_WRITE, "x-.a.test", RRSET_A, NULL },
		{ CREDENTIALS_WRITE, "test", RRSET_A, "test. is in no zone" },
		{ CREDENTIALS_READ, "b.test", 0, "b.test. is in no zone" },
		{ CREDENTIALS_WRITE, "ba.test", RRSET_A, "ba.test. is in no zone" },
		{ CREDENTIALS_WRITE, "a.test.other", RRSET_A, "in no zone of token \"t\"" },
		{ CREDENTIALS_WRITE, "x.a.test", RRSET_CNAME, "redirect" },
		{ CREDENTIALS_WRITE, "x.a.test", RRSET_NS, "redirect" },
		{ CREDENTIALS_WRITE, "x.a.test", RRSET_DNAME, "redirect" },
		{ CREDENTIALS_WRITE, "*.a.test", RRSET_A, "redirect" },
		{ CREDENTIALS_ADMIN, "a.test", 0, "admin" },
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct name_key key = unit_key(rows[i].name);
		struct reason reason = { "" };

		assert_int_equal(authorize_name(&caller, rows[i].verb, &key, rows[i].type,
					 &reason),
			!rows[i].says);
		if (rows[i].says && !strstr(reason.text, rows[i].says))
			fail_msg("%s: %s", rows[i].name, reason.text);
		assert_true(authorize_name(&local, rows[i].verb, &key, rows[i].type, NULL));
	}
}

static void
a_caller_writes_as_the_sources_of_its_token(void **state)
{
	static char *any[] = { "*" };
	struct credential wide = credential;
	struct caller all = { .token = &wide };
	struct reason reason = { "" };

	(void)state;
	assert_true(authorize_source(&caller, "k8s", 3, &reason));
	assert_true(authorize_source(&caller, "ci", 2, &reason));
	assert_false(authorize_source(&caller, "c", 1, &reason));
	assert_false(authorize_source(&caller, "ci2", 3, &reason));
	assert_false(authorize_source(&caller, "api", 3, &reason));
	assert_non_null(strstr(reason.text, "may not write as source \"api\""));
	assert_string_equal(authorize_default_source(&caller), "k8s");
	wide.source = any;
	wide.source_count = 1;
	assert_true(authorize_source(&all, "api", 3, &reason));
	assert_string_equal(authorize_default_source(&all), "api");
	assert_true(authorize_source(&local, "api", 3, &reason));
	assert_string_equal(authorize_default_source(&local), "api");
}

static void
the_whole_store_is_every_zone(void **state)
{
	struct zone live[2] = { { .key = zone[0] }, { .key = zone[1] } };
	const struct zones zones = { .zone = live, .count = 2 };
	struct credential wide = credential;
	const struct caller both = { .token = &wide };

	(void)state;
	wide.zone_count = 2;
	assert_false(authorize_all(&caller, CREDENTIALS_READ, &zones, NULL));
	assert_true(authorize_all(&both, CREDENTIALS_READ, &zones, NULL));
	assert_false(authorize_all(&both, CREDENTIALS_ADMIN, &zones, NULL));
	assert_true(authorize_all(&local, CREDENTIALS_ADMIN, &zones, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rights_end_at_the_zone_and_the_verb),
		cmocka_unit_test(a_caller_writes_as_the_sources_of_its_token),
		cmocka_unit_test(the_whole_store_is_every_zone),
	};

	return cmocka_run_group_tests_name("authorize", tests, set_up, NULL);
}
