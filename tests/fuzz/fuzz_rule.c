/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A rule (lib/dns/rule.h): texts that end in NUL: pattern, type, rdata; then names that the rule
 * is asked about.
 */
#include "lib/dns/rule.h"

#include "lib/dns/presentation.h"
#include "lib/dns/rrset.h"
#include "lib/base/status.h"
#include "tests/fuzz/fuzz.h"

static void
apply(const struct rule *rule, struct rule_scratch *scratch, const char *text)
{
	struct rrset rrset;
	struct name_key key;
	struct name name;

	if (presentation_read_name(text, &name, NULL) != STATUS_OK)
		return;
	name_to_key(name.wire, &key);
	rule_take_name(scratch, &key);
	if (rule_apply(rule, scratch, &rrset) != STATUS_OK)
		return;
	FUZZ_CHECK(rrset.count == 1 && rrset.ttl == 5);
	FUZZ_CHECK(rrset_is_well_formed(rrset.rdata, rrset.rdata_len, 1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *match = fuzz_take_text(&data, &size), *type = fuzz_take_text(&data, &size);
	char *rdata = fuzz_take_text(&data, &size);
	struct rule_text text = { match, type, rdata, 5 };
	struct reason reason = { "" };
	const char *key = NULL;
	struct rule *rule = NULL;

	if (rule_new(&text, &rule, &key, &reason) != STATUS_OK) {
		FUZZ_CHECK(!rule && key && reason.text[0] != '\0');
	} else {
		struct rule_scratch *scratch = fuzz_must(rule_scratch_new());

		while (size > 0) {
			char *name = fuzz_take_text(&data, &size);

			apply(rule, scratch, name);
			free(name);
		}
		rule_scratch_free(scratch);
		rule_free(rule);
	}
	free(match);
	free(type);
	free(rdata);
	return 0;
}
