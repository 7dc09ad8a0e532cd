/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Marking what the iterator sends for names of live zones; on the worker's thread.
 */
#include "module/cname_loop.h"

static int mark(struct query_info *qinfo, uint16_t flags, struct module_qstate *q,
	struct sockaddr_storage *addr, socklen_t addrlen, uint8_t *zone, size_t zonelen,
	struct regional *region, int id, void *context);
static uint8_t next_turn(const struct module_qstate *q);

bool
cname_loop_init(struct module_env *env, int id, const struct zones *zones)
{
	const struct dynlibmod_env *wrapper = env->modinfo[id];

	/* through the wrapper: the host calls no function that it does not know */
	return edns_register_option(LOOP_OPTION, 0, 1, env)
	       && wrapper->inplace_cb_register_wrapped((void *)&mark, inplace_cb_query,
		       (void *)(uintptr_t)zones, env, id);
}

void
cname_loop_done(struct module_env *env, int id)
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
	unsigned turn = cname_loop_turn(q);
	struct mesh_state_ref *super;

	RBTREE_FOR(super, struct mesh_state_ref *, &q->mesh_info->super_set)
	{
		unsigned of_super = cname_loop_turn(&super->s->s);

		if (of_super > turn)
			turn = of_super;
	}
	return (uint8_t)(turn < UINT8_MAX ? turn + 1 : UINT8_MAX);
}

unsigned
cname_loop_turn(const struct module_qstate *q)
{
	const struct edns_option *option =
		edns_opt_list_find(q->edns_opts_front_in, LOOP_OPTION);

	return option && option->opt_len == 1 ? option->opt_data[0] : 0;
}
