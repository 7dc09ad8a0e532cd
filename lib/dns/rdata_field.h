/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What an rdata field of each kind is made of, who reads it, and what to say when it is
 * wrong. A record type is a list of such kinds (ldns' descriptors). Internal to rdata.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/dns/ldns_scope.h"

struct tokens;

/* How many words a field is made of. */
enum rdata_field_take {
	RDATA_FIELD_ONE,
	RDATA_FIELD_REST,
	RDATA_FIELD_THREE,
};

/* `text` may be written to and comes back as it was; `max` is for numbers. */
typedef bool (*rdata_field_check_fn)(char *text, uint32_t max);

struct rdata_field {
	enum rdata_field_take take;
	bool quotable;
	uint32_t max; /* of numbers */
	rdata_field_check_fn check; /* is it safe and right, as far as ldns does not look? */
	ldns_status (*read)(ldns_rdf **, const char *); /* NULL: a name, not read by ldns here */
	const char *needs;
};

/* NULL for a kind without text form: its types have only the form of RFC 3597. */
const struct rdata_field *rdata_field_find(ldns_rdf_type kind);

/* The text of a field that starts at token `at`, which must exist, and how many tokens it
 * took; NULL when there are too few words. Tokens may be joined. */
char *rdata_field_take_words(const struct rdata_field *field, struct tokens *tokens, size_t at,
	size_t *out_used);

/* Checks and reads a text; not for names. On success *out is the caller's. */
ldns_status rdata_field_read(const struct rdata_field *field, char *text, ldns_rdf **out);

/* Decimal digits only, up to `max`. */
bool rdata_field_is_number(char *text, uint32_t max);
