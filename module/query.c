/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The states of a query:
 *
 *	 new --- not ours ------------------------------> next module ---> finished
 *	   \---- ours: look up --- answer --------------> finished
 *	           ^    ^     \--- CNAME out of the zones --> sub-query of the target --+
 *	           |    |      \-- on-miss: recurse ------> next module --+            |
 *	           |    +---------------------------------------- done ---+            |
 *	           +---------------------------------------------------- done ---------+
 */
#include "module/query.h"

#include "lib/base/clock.h"
#include "module/cache_purge.h"
#include "module/cname_loop.h"
#include "module/reply.h"

/* A chain whose end changed while we looked for it is followed again; this often, because
 * each round costs a recursion. */
#define ROUNDS_MAX 4

/* Of a query of a live zone that waits; in the query's region. */
struct wait {
	bool is_passed_on;       /* the next module answers, or has answered */
	unsigned rounds;         /* sub-queries so far */
	struct name target;      /* of the last sub-query; len 0: none */
	struct reply_info *rest; /* what it found; NULL: it failed */
	sldns_ede_code ede;      /* why */
};

static bool is_class_of_zones(uint16_t class);
static void look_up(const struct query_context *context, struct module_qstate *q, int id,
	const struct zone *zone, const struct name_key *key);
/* REPORT_LIVE: from a store, whichever it was. */
static enum report_stage answer(struct module_qstate *q, int id, const struct zone *zone,
	const struct answer *found);
static enum report_stage
answer_chain(struct module_qstate *q, int id, const struct answer *found);
static enum report_stage
chase(struct module_qstate *q, int id, const struct answer *found);
static bool attach(struct module_qstate *q, struct query_info *target);
static enum report_stage pass_on(struct module_qstate *q, int id);
static enum report_stage
fail(struct module_qstate *q, sldns_ede_code code, const char *text);
static struct wait *wait_of(struct module_qstate *q, int id);

void
query_operate(const struct query_context *context, struct module_qstate *q,
	enum module_ev event, int id)
{
	const struct zone *zone = NULL;
	struct name_key key;

	if (event == module_event_moddone && !q->minfo[id]) {
		cache_purge_targets(q, context->zones);
		q->ext_state[id] = module_finished;
		return;
	}
	if (event != module_event_new && event != module_event_pass
		&& event != module_event_moddone) {
		/* we send no packets, so that nothing else can come */
		reply_error(q, LDNS_RCODE_SERVFAIL);
		q->ext_state[id] = module_finished;
		return;
	}
	if (is_class_of_zones(q->qinfo.qclass)) {
		name_to_key(q->qinfo.qname, &key);
		zone = zones_match(context->zones, &key);
	}
	if (!zone) {
		if (context->state)
			worker_count(&context->state->counters.foreign);
		q->ext_state[id] = module_wait_module;
		return;
	}
	look_up(context, q, id, zone, &key);
}

/* Zones are of class IN, which a question for all classes means too. */
static bool
is_class_of_zones(uint16_t class)
{
	return class == LDNS_RR_CLASS_IN || class == LDNS_RR_CLASS_ANY;
}

static void
look_up(const struct query_context *context, struct module_qstate *q, int id,
	const struct zone *zone, const struct name_key *key)
{
	struct lookup_query query = {
		.name = q->qinfo.qname,
		.type = q->qinfo.qtype,
		/* NS answers keep it even where responses are minimal */
		.wants_additional = context->wants_additional
			|| q->qinfo.qtype == LDNS_RR_TYPE_NS,
		.now_ms = clock_boot_ms(),
	};

	enum report_stage stage;

	/* first of all: whatever becomes of this query, no cache may answer the next */
	q->no_cache_store = 1;
	q->no_cache_lookup = 1;
	q->ext_state[id] = module_finished;
	if (!context->state) {
		(void)fail(q, LDNS_EDE_OTHER, "livezone: no state for this thread");
		return;
	}
	worker_read(context->workers, context->state, context->zones, zone, key, &query);
	stage = answer(q, id, zone, &context->state->answer);
	if (stage == REPORT_LIVE)
		stage = context->state->stage;
	if (q->ext_state[id] != module_finished)
		return;
	if (stage == REPORT_STALE)
		reply_mark(q, context->state->answer.kind == ANSWER_NXDOMAIN
				? LDNS_EDE_STALE_NXDOMAIN_ANSWER
				: LDNS_EDE_STALE_ANSWER, "");
	else if (stage == REPORT_FALLBACK)
		reply_mark(q, LDNS_EDE_OTHER, "fallback");
	worker_count_answer(context->state, (size_t)(zone - context->zones->zone), stage,
		context->state->answer.kind);
}

static enum report_stage
answer(struct module_qstate *q, int id, const struct zone *zone,
	const struct answer *found)
{
	switch (found->kind) {
	case ANSWER_FOUND:
	case ANSWER_NODATA:
	case ANSWER_NXDOMAIN:
	case ANSWER_REFERRAL:
	case ANSWER_YXDOMAIN:
		reply_answer(q, found, NULL);
		return REPORT_LIVE;
	case ANSWER_REFUSED:
		reply_error(q, LDNS_RCODE_REFUSED);
		return REPORT_LIVE;
	case ANSWER_ELSEWHERE:
		/* of a question for all classes the iterator makes one for each, behind us,
		 * and stores the answers; as a sub-query the one for IN comes by here */
		return found->rrset_count == 0 && q->qinfo.qclass == LDNS_RR_CLASS_IN
			? pass_on(q, id)
			: answer_chain(q, id, found);
	case ANSWER_FAILED:
		if (zone->on_failure == ZONE_FAILURE_RECURSE
			&& q->qinfo.qclass == LDNS_RR_CLASS_IN)
			return pass_on(q, id);
		break;
	}
	return fail(q, LDNS_EDE_NOT_READY, "livezone: the store cannot be read");
}

static enum report_stage
pass_on(struct module_qstate *q, int id)
{
	struct wait *wait = wait_of(q, id);

	if (!wait)
		return fail(q, LDNS_EDE_OTHER, "livezone: out of memory");
	if (!wait->is_passed_on) {
		wait->is_passed_on = true;
		q->ext_state[id] = module_wait_module;
	} else { /* the next module has answered, and that stands */
		cache_purge_answer(q);
	}
	return REPORT_NEXT;
}

/* A chain that leads out of the live zones: complete when the end that we have is the end
 * that it has now. */
static enum report_stage
answer_chain(struct module_qstate *q, int id, const struct answer *found)
{
	const struct wait *wait = wait_of(q, id);

	if (!wait)
		return fail(q, LDNS_EDE_OTHER, "livezone: out of memory");
	if (!(q->query_flags & BIT_RD)) {
		/* asked as an authority: the rest is somebody else's */
		reply_answer(q, found, NULL);
		return REPORT_LIVE;
	}
	if (wait->target.len == 0 || !name_equal(wait->target.wire, found->target.wire))
		return chase(q, id, found);
	if (!wait->rest)
		return fail(q, wait->ede, "livezone: the end of the CNAME chain failed");
	reply_answer(q, found, wait->rest);
	return REPORT_LIVE;
}

static enum report_stage
chase(struct module_qstate *q, int id, const struct answer *found)
{
	struct wait *wait = wait_of(q, id);
	struct query_info target = {
		.qname = wait->target.wire,
		.qname_len = found->target.len,
		.qtype = q->qinfo.qtype,
		.qclass = LDNS_RR_CLASS_IN,
	};

	if (wait->rounds++ == ROUNDS_MAX)
		return fail(
			q, LDNS_EDE_OTHER, "livezone: the CNAME chain keeps changing");
	wait->target = found->target;
	wait->rest = NULL;
	wait->ede = LDNS_EDE_NONE;
	if (!attach(q, &target)) {
		/* a circle: the chain as far as it goes, as inside the zones */
		reply_answer(q, found, NULL);
		return REPORT_LIVE;
	}
	q->ext_state[id] = module_wait_subquery;
	return REPORT_LIVE;
}

/* Waits for the target, unless that would be for ever: in the mesh, which the host sees,
 * or by way of the network (loop.h). */
static bool
attach(struct module_qstate *q, struct query_info *target)
{
	uint16_t flags = (uint16_t)(BIT_RD | (q->query_flags & BIT_CD));
	unsigned turn = cname_loop_turn(q);
	bool is_new;

	if (turn >= 2 || !host_attach_sub(q, target, flags, &is_new))
		return false;
	if (turn > 0 && !is_new) {
		(*q->env->detach_subs)(q);
		return false;
	}
	return true;
}

static enum report_stage
fail(struct module_qstate *q, sldns_ede_code code, const char *text)
{
	reply_fail(q, code, text);
	return REPORT_FAILED;
}

static struct wait *
wait_of(struct module_qstate *q, int id)
{
	if (!q->minfo[id])
		q->minfo[id] = regional_alloc_zero(q->region, sizeof(struct wait));
	return q->minfo[id];
}

void
query_inform(struct module_qstate *sub, int id, struct module_qstate *super)
{
	struct wait *wait = super->minfo[id];
	const struct reply_info *found = sub->return_msg ? sub->return_msg->rep : NULL;

	if (!wait || wait->target.len == 0 || !found)
		return;
	wait->ede = host_reply_ede(found);
	if (sub->return_rcode == LDNS_RCODE_NOERROR
		&& FLAGS_GET_RCODE(found->flags) != LDNS_RCODE_SERVFAIL)
		wait->rest = reply_copy(super, found);
}
