/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Rights of tokens: verbs, zones and sources. Who has no token may do everything.
 */
#include "sidecar/write/authorize.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/status.h"
#include "lib/dns/presentation.h"
#include "lib/dns/rrset.h"

static bool is_redirect(const struct name_key *name, uint16_t type);

bool
authorize_name(const struct caller *caller, enum credentials_verb verb,
	const struct name_key *name, uint16_t type, struct reason *reason)
{
	const struct credential *token = caller->token;
	char text[PRESENTATION_NAME_MAX];
	bool is_within = false;
	struct name wire;

	if (!token)
		return true;
	if (!authorize_verb(caller, verb, reason))
		return false;
	for (size_t i = 0; i < token->zone_count && !is_within; i++)
		is_within = name_key_is_within(name->bytes, name->len, &token->zone[i]);
	if (!is_within) {
		if (name_from_key(name->bytes, name->len, &wire) == 0)
			presentation_write_name(&wire, text);
		else
			snprintf(text, sizeof(text), "this name");
		reason_set(reason, STATUS_INVALID, "%.300s is in no zone of token \"%s\"",
			text, token->id);
		return false;
	}
	return verb != CREDENTIALS_WRITE || !is_redirect(name, type)
	       || authorize_verb(caller, CREDENTIALS_REDIRECT, reason);
}

bool
authorize_all(const struct caller *caller, enum credentials_verb verb,
	const struct zones *zones, struct reason *reason)
{
	if (!authorize_verb(caller, verb, reason))
		return false;
	for (size_t i = 0; i < zones->count; i++)
		if (!authorize_name(caller, verb, &zones->zone[i].key, 0, reason))
			return false;
	return true;
}

bool
authorize_verb(
	const struct caller *caller, enum credentials_verb verb, struct reason *reason)
{
	if (!caller->token || (caller->token->verbs & verb))
		return true;
	reason_set(reason, STATUS_INVALID, "token \"%s\" lacks the verb \"%s\"",
		caller->token->id, credentials_verb_name(verb));
	return false;
}

bool
authorize_source(const struct caller *caller, const char *source, size_t source_len,
	struct reason *reason)
{
	const struct credential *token = caller->token;

	if (!token)
		return true;
	for (size_t i = 0; i < token->source_count; i++) {
		const char *own = token->source[i];

		if (strcmp(own, CREDENTIALS_ANY_SOURCE) == 0
			|| (strlen(own) == source_len
				&& memcmp(own, source, source_len) == 0))
			return true;
	}
	reason_set(reason, STATUS_INVALID,
		"token \"%s\" may not write as source \"%.*s\": \"sources\" in the tokens file",
		token->id, (int)source_len, source);
	return false;
}

const char *
authorize_default_source(const struct caller *caller)
{
	const struct credential *token = caller->token;

	return token && strcmp(token->source[0], CREDENTIALS_ANY_SOURCE) != 0
		       ? token->source[0]
		       : CALLER_SOURCE_DEFAULT;
}

/* What sends queries elsewhere, or catches those of others' names. */
static bool
is_redirect(const struct name_key *name, uint16_t type)
{
	return type == RRSET_CNAME || type == RRSET_NS || type == RRSET_DNAME
	       || name_key_is_wildcard(name);
}
