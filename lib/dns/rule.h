/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * One rule of a zone: a pattern that owner names are matched with, and the record that a
 * name gets when it matches and the store has nothing there.
 *
 *	 match: 'ip-(?<a>\d+)-(?<b>\d+)-(?<c>\d+)-(?<d>\d+)\.node\.internal\.'
 *	 type: A
 *	 rdata: "${a}.${b}.${c}.${d}"
 *
 * The pattern (PCRE2) is matched with the whole name: lower case, as master files write it,
 * with its trailing dot. ${group} in rdata stands for what a named group holds, and
 * ${group|helper} for what a helper makes of it:
 *
 *	 colons   "2001-db8--1" becomes "2001:db8::1"
 *	 nibbles  the 32 labels under ip6.arpa become "2001-0db8-0000-...-0001"
 *
 * Rules are made when the configuration is read and const afterwards; any thread may apply
 * one, with working memory of its own. Only rule.c knows PCRE2.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/dns/name.h"
#include "lib/dns/rrset.h"
#include "lib/base/reason.h"

#define RULE_PATTERN_MAX 1024 /* octets of a pattern */
#define RULE_RDATA_MAX 1024   /* of an rdata text, before groups are filled in */
#define RULE_TEXT_MAX 4096    /* and after: a name has up to 1023, and may stand in it often */
#define RULE_GROUPS_MAX 64    /* of a pattern */

/* What one match may cost. Who asks chooses the name, so no pattern may be driven to work
 * without end; a match that comes to a limit is no match. */
#define RULE_STEPS_MAX 10000
#define RULE_DEPTH_MAX 1000
#define RULE_HEAP_KIB 256 /* without JIT; with it PCRE2 takes 32 KiB of the stack */

struct rule;
struct rule_scratch;

/* What the configuration says. */
struct rule_text {
	const char *match;
	const char *type;
	const char *rdata;
	uint32_t ttl;
};

/* Makes a rule. STATUS_INVALID with a reason; *out_key then names the member at fault. */
int rule_new(const struct rule_text *text, struct rule **out, const char **out_key,
	struct reason *reason);
void rule_free(struct rule *rule);

/* A thread's working memory; NULL when there is no memory. */
struct rule_scratch *rule_scratch_new(void);
void rule_scratch_free(struct rule_scratch *scratch);

/* Sets the name that rules are applied to next. */
void rule_take_name(struct rule_scratch *scratch, const struct name_key *key);

/* Does the name match, and is what it gives data of the rule's type? Then *out is the
 * RRset without its owner, in the scratch until the next call. Else STATUS_NOT_FOUND; STATUS_NO_MEMORY when
 * that could not be found out. */
int rule_apply(const struct rule *rule, struct rule_scratch *scratch,
	struct rrset *out);
