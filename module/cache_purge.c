/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Removing from the host's message cache. A walk over it may not remove, so it collects
 * questions, which are removed behind it. (Only making messages expire, as flush_zone
 * does, is not enough with serve-expired.)
 */
#include "module/cache_purge.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "lib/dns/name.h"

struct question {
	struct question *next;
	struct name name;
	uint16_t type;
	uint16_t class;
};

struct walk {
	const struct zone *zone;
	struct question *found;
};

static void collect(struct lruhash_entry *entry, void *context);
static void
forget(struct module_env *env, struct name *name, uint16_t type, uint16_t class);
static void cache_purge_target(struct module_qstate *q, const struct zones *zones,
	const uint8_t *rdata, size_t len);

void
cache_purge_zone(struct module_env *env, const struct zone *zone)
{
	struct walk walk = { .zone = zone };

	slabhash_traverse(env->msg_cache, 0, &collect, &walk);
	while (walk.found) {
		struct question *question = walk.found;

		walk.found = question->next;
		forget(env, &question->name, question->type, question->class);
		free(question);
	}
}

/* The entry is locked. Out of memory it stays and ends with its TTL. */
static void
collect(struct lruhash_entry *entry, void *context)
{
	const struct msgreply_entry *message = entry->key;
	struct walk *walk = context;
	struct question *question;
	struct name_key key;

	name_to_key(message->key.qname, &key);
	if (!name_key_is_within(key.bytes, key.len, &walk->zone->key))
		return;
	question = malloc(sizeof(*question));
	if (!question
		|| name_from_wire(
			message->key.qname, message->key.qname_len, &question->name)) {
		free(question);
		return;
	}
	question->type = message->key.qtype;
	question->class = message->key.qclass;
	question->next = walk->found;
	walk->found = question;
}

static void
forget(struct module_env *env, struct name *name, uint16_t type, uint16_t class)
{
	msg_cache_remove(env, name->wire, name->len, type, class, 0);
	/* the host keeps AAAA apart for clients that check by themselves */
	if (type == LDNS_RR_TYPE_AAAA)
		msg_cache_remove(env, name->wire, name->len, type, class, BIT_CD);
}

void
cache_purge_targets(struct module_qstate *q, const struct zones *zones)
{
	const struct reply_info *reply = q->return_msg ? q->return_msg->rep : NULL;

	for (size_t i = 0; reply && i < reply->an_numrrsets; i++) {
		const struct ub_packed_rrset_key *rrset = reply->rrsets[i];
		const struct packed_rrset_data *data = rrset->entry.data;

		if (rrset->rk.type == htons(LDNS_RR_TYPE_CNAME) && data->count > 0)
			cache_purge_target(
				q, zones, data->rr_data[0] + 2, data->rr_len[0] - 2);
	}
}

static void
cache_purge_target(struct module_qstate *q, const struct zones *zones, const uint8_t *rdata,
	size_t len)
{
	struct name target;
	struct name_key key;

	if (name_from_wire(rdata, len, &target))
		return;
	name_to_key(target.wire, &key);
	if (!zones_match(zones, &key))
		return;
	forget(q->env, &target, q->qinfo.qtype, q->qinfo.qclass);
	cache_purge_answer(q);
}

void
cache_purge_answer(struct module_qstate *q)
{
	/* clients see the TTLs of the records */
	if (q->return_msg && q->return_msg->rep)
		q->return_msg->rep->ttl = 0;
}
