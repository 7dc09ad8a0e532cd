/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The token file of the API (api.tokens): who may do what, where, until when. Only hashes
 * of tokens are stored. Read by livezoned at start and on SIGHUP, const afterwards.
 *
 *	tokens:
 *	  - id: sentinel                # for the log
 *	    sha256: 9f86d081...         # of the token, hex
 *	    zones: [service.internal]   # and all below
 *	    verbs: [read, write]
 *	    sources: [sentinel]         # whose RRsets it may write; default: its id; "*": all
 *	    expires: 2027-01-01T00:00:00Z   # may be left out
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/dns/name.h"
#include "lib/base/reason.h"

#define CREDENTIALS_MAX 1024
#define CREDENTIALS_FILE_MAX (1024 * 1024)
#define CREDENTIALS_HASH_SIZE 32
#define CREDENTIALS_ID_MAX 64
#define CREDENTIALS_SOURCE_MAX 64 /* bytes of a source's name */
#define CREDENTIALS_ANY_SOURCE "*"

/* What a token may do, as bits. */
enum credentials_verb {
	CREDENTIALS_READ = 1,     /* read what is in its zones */
	CREDENTIALS_WRITE = 2,    /* write there */
	CREDENTIALS_REDIRECT = 4, /* with write: wildcard owners, CNAME, NS, DNAME */
	CREDENTIALS_ADMIN = 8,    /* backup and restore */
};

struct credential {
	char *id;
	uint8_t hash[CREDENTIALS_HASH_SIZE];
	unsigned verbs;
	uint64_t expires_ms; /* wall clock; 0 = never */
	struct name_key *zone;
	size_t zone_count;
	char **source; /* at least one */
	size_t source_count;
};

struct credentials {
	struct credential *credential;
	size_t count;
};

/* Reads and checks the file: regular, not for others to read or write, unknown keys
 * refused. Reason: "<file>:<line>:<column>: tokens[2].expires: ...". On success *out is the
 * caller's. */
int credentials_read(const char *path, struct credentials **out, struct reason *reason);

/* NULL is allowed. */
void credentials_free(struct credentials *credentials);

/* The word of one verb, for messages. */
const char *credentials_verb_name(enum credentials_verb verb);
