/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The host, Unbound: the only file that includes its headers, and the only one that knows
 * that its versions differ. HOST_MINOR, by our configure, is 22 for Unbound 1.22.0.
 */
#pragma once

#include "config.h" /* Unbound's, as all of its files begin */

#include <stdbool.h>

#include "lib/base/reason.h"

/* its own config_read() is none of our business, and ours has that name */
#define config_read host_config_read
#include "util/config_file.h"
#undef config_read

#include "dynlibmod/dynlibmod.h"
#include "services/cache/dns.h"
#include "services/mesh.h"
#include "sldns/rrdef.h"
#include "util/data/msgreply.h"
#include "util/data/packed_rrset.h"
#include "util/locks.h"
#include "util/log.h"
#include "util/module.h"
#include "util/net_help.h"
#include "util/regional.h"
#include "util/storage/slabhash.h"

#ifdef THREADS_DISABLED
#error "this Unbound has no threads: it forks its workers, in which no LMDB environment may be used"
#endif

#define HOST_STRING PACKAGE_STRING   /* "unbound 1.22.0" */
#define HOST_VERSION PACKAGE_VERSION /* "1.22.0" */

/* Is this the host that we were built for? At load, on the main thread. `own_init` is our
 * init(). Returns 0, or STATUS_FOREIGN and says what differs. */
int host_check(struct module_env *env, int id, func_init_t own_init, struct reason *reason);

/* Once per worker, with its first query: is a query laid out as we think? */
bool host_check_query(const struct module_qstate *q);

/* Sections of a message, in their order. */
struct host_counts {
	size_t answer;
	size_t authority;
	size_t additional;
};

/* An authoritative answer without its rrsets, in the region; NULL when out of memory. The
 * message's own TTL is 0: clients see those of the records, and a module in front that
 * stores what it is given, as dns64 does, does not store this. */
static inline struct reply_info *
host_reply_new(struct regional *region, int rcode, const struct host_counts *counts,
	enum sec_status security)
{
	uint16_t flags = (uint16_t)(BIT_QR | BIT_AA | BIT_RA | rcode);
	size_t total = counts->answer + counts->authority + counts->additional;
	struct reply_info *reply = construct_reply_info_base(
		region, flags, 1, 0, 0, 0,
#if HOST_MINOR >= 22
		0, /* how long a failed refresh is not tried again: never cached */
#endif
		counts->answer, counts->authority, counts->additional, total, security
#if HOST_MINOR >= 18
		,
		LDNS_EDE_NONE
#endif
	);

	if (reply)
		reply->authoritative = 1; /* else AA is removed at encoding */
	return reply;
}

/* The extended error (RFC 8914) of a reply that becomes SERVFAIL. Before 1.18 only the
 * validator could set one. */
static inline void
host_reply_set_ede(struct reply_info *reply, sldns_ede_code code)
{
#if HOST_MINOR >= 18
	reply->reason_bogus = code;
#else
	(void)reply;
	(void)code;
#endif
}

static inline sldns_ede_code
host_reply_ede(const struct reply_info *reply)
{
#if HOST_MINOR >= 18
	return reply->reason_bogus;
#else
	(void)reply;
	return LDNS_EDE_NONE;
#endif
}

/* Starts a sub-query, or joins one that runs. Returns 0 when that would close a circle of
 * queries that wait for each other, or when out of memory. */
static inline int
host_attach_sub(struct module_qstate *q, struct query_info *target, uint16_t flags,
	bool *out_is_new)
{
	struct module_qstate *sub = NULL;
	int is_attached = (*q->env->attach_sub)(q, target,
#if HOST_MINOR >= 25
		q->client_info,
#endif
		flags, 0, 0, &sub);

	*out_is_new = sub != NULL;
	return is_attached;
}
