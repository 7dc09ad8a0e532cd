/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The walk may not remove, so it collects questions, which are removed after it. (Only
 * making messages expire, as flush_zone does, is not enough with serve-expired.)
 */
#include "module/forget.h"

#include <stdlib.h>

#include "lib/name.h"

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
static void forget(struct module_env *env, struct question *question);

void
forget_zone(struct module_env *env, const struct zone *zone)
{
	struct walk walk = { .zone = zone };

	slabhash_traverse(env->msg_cache, 0, &collect, &walk);
	while (walk.found) {
		struct question *question = walk.found;

		walk.found = question->next;
		forget(env, question);
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
	if (!question || name_from_wire(message->key.qname, message->key.qname_len,
				&question->name)) {
		free(question);
		return;
	}
	question->type = message->key.qtype;
	question->class = message->key.qclass;
	question->next = walk->found;
	walk->found = question;
}

static void
forget(struct module_env *env, struct question *question)
{
	msg_cache_remove(env, question->name.wire, question->name.len, question->type,
		question->class, 0);
	/* the host keeps AAAA apart for clients that check by themselves */
	if (question->type == LDNS_RR_TYPE_AAAA)
		msg_cache_remove(env, question->name.wire, question->name.len,
			question->type, question->class, BIT_CD);
}
