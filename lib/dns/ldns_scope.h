/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * libldns with scope cleanup for its objects. The one place that includes it; presentation.c
 * and the rdata files include this, nobody else does.
 */
#pragma once

#include <ldns/ldns.h>

static inline void
ldns_scope_rdf(ldns_rdf **rdf)
{
	ldns_rdf_deep_free(*rdf);
}

static inline void
ldns_scope_rr(ldns_rr **rr)
{
	ldns_rr_free(*rr);
}

static inline void
ldns_scope_buffer(ldns_buffer **buffer)
{
	ldns_buffer_free(*buffer);
}
