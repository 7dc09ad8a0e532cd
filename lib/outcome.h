/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * How a look-up ends in a zone: each of these fills the answer and says what comes next.
 * Where the data has nothing, the zone's fallback records have their say first.
 */
#pragma once

#include "lib/search.h"

/* The RRset answers the query, with the addresses of the names that it points to. */
enum search_step outcome_found(struct search *search, const struct node_rrset *rrset);

/* A referral: the cut's NS RRset in the authority section, with glue. `cut` bytes of the
 * key are the cut. Or what the zone wants instead (delegation: recurse). */
enum search_step
outcome_refer(struct search *search, size_t cut, const struct node_rrset *ns);

/* The name does not exist: fallback records, else what on-miss says. */
enum search_step outcome_missing(struct search *search);

/* It exists, but not with this type: fallback records, else NODATA. */
enum search_step outcome_nodata(struct search *search);

/* The rest of the resolver shall look for search->name. */
enum search_step outcome_elsewhere(struct search *search);

/* The fallback records of the configuration. SEARCH_ON: there are none for the name. */
enum search_step outcome_fallback(struct search *search);
