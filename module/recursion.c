/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What the host's own recursion does with names of ours: what it learned of them is removed
 * from its message cache, and what it asks for them is marked. A walk over the cache may not
 * remove, so it collects questions, which are removed behind it. (Only making messages expire,
 * as flush_zone does, is not enough with serve-expired.)
 */
#include "module/recursion.h"

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
static void purge_target(struct module_qstate *q, const struct zones *zones,
	const uint8_t *rdata, size_t len);
static int mark(struct query_info *qinfo, uint16_t flags, struct module_qstate *q,
	struct sockaddr_storage *addr, socklen_t addrlen, uint8_t *zone, size_t zonelen,
	struct regional *region, int id, void *context);
static uint8_t next_turn(const struct module_qstate *q);

void
recursion_purge_zone(struct module_env *env, const struct zone *zone)
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
recursion_purge_targets(struct module_qstate *q, const struct zones *zones)
{
	const struct reply_info *reply = q->return_msg ? q->return_msg->rep : NULL;

	for (size_t i = 0; reply && i < reply->an_numrrsets; i++) {
		const struct ub_packed_rrset_key *rrset = reply->rrsets[i];
		const struct packed_rrset_data *data = rrset->entry.data;

		if (rrset->rk.type == htons(LDNS_RR_TYPE_CNAME) && data->count > 0)
			purge_target(
				q, zones, data->rr_data[0] + 2, data->rr_len[0] - 2);
	}
}

static void
purge_target(struct module_qstate *q, const struct zones *zones, const uint8_t *rdata,
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
	recursion_purge_answer(q);
}

void
recursion_purge_answer(struct module_qstate *q)
{
	/* clients see the TTLs of the records */
	if (q->return_msg && q->return_msg->rep)
		q->return_msg->rep->ttl = 0;
}

bool
recursion_mark_begin(struct module_env *env, int id, const struct zones *zones)
{
	const struct dynlibmod_env *wrapper = env->modinfo[id];

	/* through the wrapper: the host calls no function that it does not know */
	return edns_register_option(LOOP_OPTION, 0, 1, env)
	       && wrapper->inplace_cb_register_wrapped((void *)&mark, inplace_cb_query,
		       (void *)(uintptr_t)zones, env, id);
}

void
recursion_mark_end(struct module_env *env, int id)
{
	const struct dynlibmod_env *wrapper = env->modinfo[id];

	wrapper->inplace_cb_delete_wrapped(env, inplace_cb_query, id);
}

/* An inplace callback of the host; the option list is this one packet's. */
static int
mark(struct query_info *qinfo, uint16_t flags, struct module_qstate *q,
	struct sockaddr_storage *addr, socklen_t addrlen, uint8_t *zone, size_t zonelen,
	struct regional *region, int id, void *context)
{
	const struct zones *zones = context;
	const struct zone *live;
	struct name_key key;
	uint8_t turn;

	(void)flags, (void)addr, (void)addrlen, (void)zone, (void)zonelen, (void)id;
	name_to_key(qinfo->qname, &key);
	live = zones_match(zones, &key);
	/* the others are not forwarded to this server but asked of strangers */
	if (!live || !zone_is_answered_whole(live))
		return 1;
	turn = next_turn(q);
	(void)edns_opt_list_append(
		&q->edns_opts_back_out, LOOP_OPTION, sizeof(turn), &turn, region);
	return 1;
}

/* One more than the highest turn of those for whom q is asked. */
static uint8_t
next_turn(const struct module_qstate *q)
{
	unsigned turn = recursion_turn(q);
	struct mesh_state_ref *super;

	RBTREE_FOR(super, struct mesh_state_ref *, &q->mesh_info->super_set)
	{
		unsigned of_super = recursion_turn(&super->s->s);

		if (of_super > turn)
			turn = of_super;
	}
	return (uint8_t)(turn < UINT8_MAX ? turn + 1 : UINT8_MAX);
}

unsigned
recursion_turn(const struct module_qstate *q)
{
	const struct edns_option *option =
		edns_opt_list_find(q->edns_opts_front_in, LOOP_OPTION);

	return option && option->opt_len == 1 ? option->opt_data[0] : 0;
}
