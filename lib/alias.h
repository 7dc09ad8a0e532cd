/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The links of a chain in a look-up: CNAME (RFC 1034 section 3.6.2) and DNAME (RFC 6672).
 * Each is added to the answer, and the search goes on with the target, as far as loops and
 * LOOKUP_CHAIN_MAX allow.
 */
#pragma once

#include "lib/search.h"

/* The CNAME of search->name. */
enum search_step alias_add_cname(struct search *search, const struct node_rrset *cname);

/* The DNAME of the ancestor that is `above` bytes of the key, and a CNAME made from it (RFC
 * 6672 section 3.2), which is the answer itself when the query is for one. */
enum search_step
alias_add_dname(struct search *search, size_t above, const struct node_rrset *dname);
