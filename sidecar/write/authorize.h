/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What a caller may do. Each question is asked of the final canonical name; a change is
 * authorised by the writer's plan, name by name, inside the transaction that writes it, so that
 * nothing can come between the question and the write. Replies that read ask the same
 * functions. Who the caller is was found out before (sidecar/api/auth.h). Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"
#include "sidecar/write/credentials.h"
#include "lib/dns/zones.h"

#define CALLER_NAME_MAX (CREDENTIALS_ID_MAX + 16)
#define CALLER_SOURCE_DEFAULT "api" /* of a write that names no source, without a token */

struct caller {
	char name[CALLER_NAME_MAX];     /* "uid 0", "token sentinel"; "" is livezoned itself */
	const struct credential *token; /* borrowed; NULL: may do everything */
};

/* May the caller do this to the name? `type` is 0 when the whole name or zone is meant. Writing
 * what redirects (CNAME, NS, DNAME, wildcards) needs that verb, too. False: the reason, which
 * may be NULL, says what is missing. The same for all that follow. */
bool authorize_name(const struct caller *caller, enum credentials_verb verb,
	const struct name_key *name, uint16_t type, struct reason *reason);

/* To the whole store, that is to every zone of the configuration? */
bool authorize_all(const struct caller *caller, enum credentials_verb verb,
	const struct zones *zones, struct reason *reason);

/* Has the caller the verb anywhere? For replies that are filtered by name, and status. */
bool authorize_verb(
	const struct caller *caller, enum credentials_verb verb, struct reason *reason);

/* May the caller write as this source? */
bool authorize_source(const struct caller *caller, const char *source, size_t source_len,
	struct reason *reason);

/* The source of a write that names none. */
const char *authorize_default_source(const struct caller *caller);
