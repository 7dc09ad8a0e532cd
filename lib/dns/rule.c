/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Pattern and template of a rule. The template is cut into parts when the rule is made, so
 * that a query costs a match, a few copies and the reading of one rdata.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "lib/dns/rule.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/presentation.h"
#include "lib/dns/rdata.h"
#include "lib/dns/rrset.h"
#include "lib/base/status.h"

#define PARTS_MAX 64
#define GROUP_NAME_MAX 32 /* PCRE2's own limit */
#define BLOCK_MAX (2 + RULE_TEXT_MAX)
#define NIBBLES 32

/* Makes a text of a group's; returns the end, or NULL when it has not the form that the
 * helper wants. There is room for RULE_TEXT_MAX. */
typedef char *(*helper_fn)(const char *group, size_t len, char *out);

struct part {
	const char *literal; /* in rule->rdata; NULL: a group */
	size_t len;
	unsigned group;
	helper_fn helper;
};

struct rule {
	pcre2_code *pattern;
	uint16_t type;
	uint32_t ttl;
	size_t part_count;
	struct part part[PARTS_MAX];
	char rdata[RULE_RDATA_MAX + 1];
};

struct rule_scratch {
	pcre2_match_data *match;
	pcre2_match_context *limits;
	size_t name_len;
	char name[PRESENTATION_NAME_MAX];
	char text[RULE_TEXT_MAX + 1];
	uint8_t block[BLOCK_MAX];
};

static char *write_colons(const char *group, size_t len, char *out);
static char *write_nibbles(const char *group, size_t len, char *out);

static const struct {
	const char *name;
	helper_fn write;
} helpers[] = {
	{ "colons", write_colons },
	{ "nibbles", write_nibbles },
};

/* --- making --- */

static int
compile_pattern(const char *match, struct rule *rule, struct reason *reason)
{
	const uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY
		| PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
	PCRE2_UCHAR message[128];
	PCRE2_SIZE at;
	uint32_t groups = 0;
	int code;

	if (strlen(match) > RULE_PATTERN_MAX)
		return reason_set(reason, STATUS_TOO_LARGE, "is longer than %d octets",
			RULE_PATTERN_MAX);
	rule->pattern = pcre2_compile(
		(PCRE2_SPTR)match, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);
	if (!rule->pattern && code == PCRE2_ERROR_HEAP_FAILED)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (!rule->pattern) {
		pcre2_get_error_message(code, message, sizeof(message));
		return reason_set(reason, STATUS_INVALID, "at character %zu: %s",
			(size_t)at + 1, (const char *)message);
	}
	pcre2_pattern_info(rule->pattern, PCRE2_INFO_CAPTURECOUNT, &groups);
	if (groups > RULE_GROUPS_MAX)
		return reason_set(reason, STATUS_TOO_LARGE, "has more than %d groups",
			RULE_GROUPS_MAX);
	/* where memory may not be executable, PCRE2 interprets the pattern */
	pcre2_jit_compile(rule->pattern, PCRE2_JIT_COMPLETE);
	return STATUS_OK;
}

static int
find_helper(const char *name, size_t len, helper_fn *out, struct reason *reason)
{
	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
		if (strlen(helpers[i].name) == len && memcmp(helpers[i].name, name, len) == 0) {
			*out = helpers[i].write;
			return STATUS_OK;
		}
	}
	return reason_set(reason, STATUS_INVALID,
		"unknown helper \"%.*s\": needs colons or nibbles",
		(int)(len < GROUP_NAME_MAX ? len : GROUP_NAME_MAX), name);
}

/* The inside of ${...}. */
static int
read_group(const struct rule *rule, const char *text, size_t len, struct part *out,
	struct reason *reason)
{
	const char *bar = memchr(text, '|', len);
	size_t name_len = bar ? (size_t)(bar - text) : len;
	char name[GROUP_NAME_MAX + 1] = "", shown[REASON_EXCERPT_SIZE];
	int group = PCRE2_ERROR_NOSUBSTRING;

	if (name_len <= GROUP_NAME_MAX) {
		memcpy(name, text, name_len);
		group = pcre2_substring_number_from_name(rule->pattern, (PCRE2_SPTR)name);
	}
	if (group <= 0) {
		reason_excerpt(text - 2, shown);
		return reason_set(reason, STATUS_INVALID,
			"\"%s\": the pattern has no group (?<name>...) of this name", shown);
	}
	*out = (struct part){ .group = (unsigned)group };
	return bar ? find_helper(bar + 1, len - name_len - 1, &out->helper, reason)
		   : STATUS_OK;
}

static int
read_template(const char *text, struct rule *rule, struct reason *reason)
{
	const char *at = rule->rdata;

	if (strlen(text) > RULE_RDATA_MAX)
		return reason_set(reason, STATUS_TOO_LARGE, "is longer than %d octets",
			RULE_RDATA_MAX);
	memcpy(rule->rdata, text, strlen(text) + 1);
	while (*at) {
		const char *group = strstr(at, "${"), *end;
		size_t len = group ? (size_t)(group - at) : strlen(at);
		int status;

		if (rule->part_count + 2 > PARTS_MAX)
			return reason_set(reason, STATUS_TOO_LARGE,
				"has more than %d groups", PARTS_MAX / 2 - 1);
		if (len > 0)
			rule->part[rule->part_count++] =
				(struct part){ .literal = at, .len = len };
		at += len;
		if (!group)
			break;
		end = strchr(at, '}');
		if (!end)
			return reason_set(reason, STATUS_INVALID,
				"\"%.40s\": a } is missing", at);
		status = read_group(rule, at + 2, (size_t)(end - at) - 2,
			&rule->part[rule->part_count++], reason);
		if (status != STATUS_OK)
			return status;
		at = end + 1;
	}
	return STATUS_OK;
}

/* A text without groups can be looked at now. */
static int
check_constant(const struct rule *rule, struct reason *reason)
{
	uint8_t block[BLOCK_MAX];
	int len;

	for (size_t i = 0; i < rule->part_count; i++)
		if (!rule->part[i].literal)
			return STATUS_OK;
	len = rdata_read(rule->type, rule->rdata, block, sizeof(block), reason);
	return len < 0 ? len : STATUS_OK;
}

/* Zones are made of these; a rule makes answers. */
static int
read_type(const char *text, uint16_t *out, struct reason *reason)
{
	int status = presentation_read_type(text, out, reason);

	if (status == STATUS_OK
		&& (*out == RRSET_SOA || *out == RRSET_NS || *out == RRSET_DNAME
			|| *out == RRSET_DS))
		return reason_set(reason, STATUS_INVALID,
			"SOA, NS, DS and DNAME cannot come from a rule: write them");
	return status;
}

int
rule_new(const struct rule_text *text, struct rule **out, const char **out_key,
	struct reason *reason)
{
	struct rule *rule = calloc(1, sizeof(*rule));
	int status;

	*out_key = "match";
	if (!rule)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	rule->ttl = text->ttl;
	status = compile_pattern(text->match, rule, reason);
	if (status == STATUS_OK) {
		*out_key = "type";
		status = read_type(text->type, &rule->type, reason);
	}
	if (status == STATUS_OK) {
		*out_key = "rdata";
		status = read_template(text->rdata, rule, reason);
	}
	if (status == STATUS_OK)
		status = check_constant(rule, reason);
	if (status != STATUS_OK) {
		rule_free(rule);
		return status;
	}
	*out = rule;
	return STATUS_OK;
}

void
rule_free(struct rule *rule)
{
	if (!rule)
		return;
	pcre2_code_free(rule->pattern);
	free(rule);
}

/* --- working memory --- */

struct rule_scratch *
rule_scratch_new(void)
{
	struct rule_scratch *scratch = calloc(1, sizeof(*scratch));

	if (!scratch)
		return NULL;
	scratch->match = pcre2_match_data_create(1 + RULE_GROUPS_MAX, NULL);
	scratch->limits = pcre2_match_context_create(NULL);
	if (!scratch->match || !scratch->limits) {
		rule_scratch_free(scratch);
		return NULL;
	}
	pcre2_set_match_limit(scratch->limits, RULE_STEPS_MAX);
	pcre2_set_depth_limit(scratch->limits, RULE_DEPTH_MAX);
	pcre2_set_heap_limit(scratch->limits, RULE_HEAP_KIB);
	return scratch;
}

void
rule_scratch_free(struct rule_scratch *scratch)
{
	if (!scratch)
		return;
	pcre2_match_data_free(scratch->match);
	pcre2_match_context_free(scratch->limits);
	free(scratch);
}

/* --- applying --- */

void
rule_take_name(struct rule_scratch *scratch, const struct name_key *key)
{
	struct name name;

	scratch->name_len = 0;
	if (name_from_key(key->bytes, key->len, &name) != STATUS_OK)
		return; /* matches nothing that a zone can hold */
	presentation_write_name(&name, scratch->name);
	scratch->name_len = strlen(scratch->name);
}

/* Fills the template into scratch->text. */
static bool
fill_in(const struct rule *rule, struct rule_scratch *scratch)
{
	const PCRE2_SIZE *span = pcre2_get_ovector_pointer(scratch->match);
	size_t used = 0;

	for (size_t i = 0; i < rule->part_count; i++) {
		const struct part *part = &rule->part[i];
		const char *from = part->literal;
		size_t len = part->len;
		char made[RULE_TEXT_MAX];

		if (!from && span[2 * part->group] == PCRE2_UNSET)
			continue; /* a group that took no part is empty */
		if (!from) {
			from = scratch->name + span[2 * part->group];
			len = span[2 * part->group + 1] - span[2 * part->group];
		}
		if (part->helper) {
			const char *end = part->helper(from, len, made);

			if (!end)
				return false;
			from = made;
			len = (size_t)(end - made);
		}
		if (len > RULE_TEXT_MAX - used)
			return false;
		memcpy(scratch->text + used, from, len);
		used += len;
	}
	scratch->text[used] = '\0';
	return true;
}

int
rule_apply(const struct rule *rule, struct rule_scratch *scratch, struct rrset *out)
{
	int found = pcre2_match(rule->pattern, (PCRE2_SPTR)scratch->name, scratch->name_len, 0,
		0, scratch->match, scratch->limits);
	int len;

	if (found == PCRE2_ERROR_NOMEMORY)
		return STATUS_NO_MEMORY;
	if (found <= 0 || !fill_in(rule, scratch))
		return STATUS_NOT_FOUND;
	len = rdata_read(rule->type, scratch->text, scratch->block, sizeof(scratch->block),
		NULL);
	if (len < 0)
		return len == STATUS_NO_MEMORY ? len : STATUS_NOT_FOUND;
	*out = (struct rrset){
		.type = rule->type,
		.count = 1,
		.ttl = rule->ttl,
		.rdata = scratch->block,
		.rdata_len = (uint32_t)len,
	};
	return STATUS_OK;
}

/* --- helpers --- */

static char *
write_colons(const char *group, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		*out++ = (char)(group[i] == '-' ? ':' : group[i]);
	return out;
}

/* "1.0.0. ... .8.b.d.0.1.0.0.2", with or without a last dot. */
static char *
write_nibbles(const char *group, size_t len, char *out)
{
	if (len == 2 * NIBBLES)
		len--;
	if (len != 2 * NIBBLES - 1)
		return NULL;
	for (size_t i = 0; i < NIBBLES; i++) {
		if (i > 0 && i % 4 == 0)
			*out++ = '-';
		*out++ = group[len - 1 - 2 * i];
	}
	return out;
}
