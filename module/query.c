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

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/lookup/answer.h"
#include "module/recursion.h"

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

/* Makes q->return_msg from an answer (not ANSWER_FAILED). `rest`, or NULL, is what the
 * target of the answer's last CNAME came to (reply_copy): its rcode, its records behind
 * ours, the lower security of both. Out of memory: SERVFAIL. */
static void reply_answer(struct module_qstate *q, const struct answer *answer,
	const struct reply_info *rest);

/* Makes it an error with this rcode. */
static void reply_error(struct module_qstate *q, int rcode);

/* SERVFAIL with an extended error; `text` goes into the host's log of failures. */
static void reply_fail(struct module_qstate *q, sldns_ede_code code, const char *text);

/* Adds an extended error (RFC 8914) to an answer, for a client that speaks EDNS. */
static void reply_mark(struct module_qstate *q, sldns_ede_code code, const char *text);

/* A deep copy of another query's reply into q's region, without its additional section.
 * NULL when out of memory. */
static struct reply_info *reply_copy(struct module_qstate *q, const struct reply_info *reply);

static const struct reply_info no_rest;

static bool add_rrsets(struct module_qstate *q, struct reply_info *reply,
	const struct answer *answer, const struct reply_info *rest);
static struct ub_packed_rrset_key *
rrset_new(struct module_qstate *q, const struct answer_rrset *from);
static void fill_rrset(struct packed_rrset_data *data, const struct answer_rrset *from);
static void finish(struct module_qstate *q, struct reply_info *reply, int rcode);

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
		recursion_purge_targets(q, context->zones);
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
		recursion_purge_answer(q);
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
 * or by way of the network (recursion.h). */
static bool
attach(struct module_qstate *q, struct query_info *target)
{
	uint16_t flags = (uint16_t)(BIT_RD | (q->query_flags & BIT_CD));
	unsigned turn = recursion_turn(q);
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

/* --- replies: everything is allocated in the query's own region and goes with the query.
 * Rdata has in the store the very form that the host wants, so an rrset is one allocation and
 * one memcpy. --- */

static void
reply_answer(struct module_qstate *q, const struct answer *answer,
	const struct reply_info *rest)
{
	int rcode = (int)answer_rcode(answer);
	struct host_counts counts = { 0 };
	enum sec_status security = sec_status_insecure;
	struct reply_info *reply;

	for (size_t i = 0; i < answer->rrset_count; i++) {
		switch (answer->rrset[i].section) {
		case ANSWER_ANSWER:
			counts.answer++;
			break;
		case ANSWER_AUTHORITY:
			counts.authority++;
			break;
		case ANSWER_ADDITIONAL:
			counts.additional++;
			break;
		}
	}
	if (rest) {
		rcode = (int)FLAGS_GET_RCODE(rest->flags);
		counts.answer += rest->an_numrrsets;
		counts.authority += rest->ns_numrrsets;
		/* what the validator rejected is withheld by the host for the same
		 * reason that it would be without our part */
		if (rest->security < security)
			security = rest->security;
	}
	reply = host_reply_new(q->region, rcode, &counts, security);
	if (!reply || !add_rrsets(q, reply, answer, rest ? rest : &no_rest)) {
		reply_error(q, LDNS_RCODE_SERVFAIL);
		return;
	}
	if (rest)
		host_reply_set_ede(reply, host_reply_ede(rest));
	if (!answer_is_authoritative(answer) || q->qinfo.qclass == LDNS_RR_CLASS_ANY)
		reply->authoritative = 0; /* class ANY: RFC 1034 section 3.7.1 */
	finish(q, reply, LDNS_RCODE_NOERROR);
}

/* Sections in order; within one, ours come first. */
static bool
add_rrsets(struct module_qstate *q, struct reply_info *reply, const struct answer *answer,
	const struct reply_info *rest)
{
	const size_t rest_count[] = { rest->an_numrrsets, rest->ns_numrrsets, 0 };
	struct ub_packed_rrset_key *const *theirs = rest->rrsets;
	struct ub_packed_rrset_key **at = reply->rrsets;

	for (unsigned section = ANSWER_ANSWER; section <= ANSWER_ADDITIONAL; section++) {
		for (size_t i = 0; i < answer->rrset_count; i++) {
			if (answer->rrset[i].section != section)
				continue;
			*at = rrset_new(q, &answer->rrset[i]);
			if (!*at++)
				return false;
		}
		for (size_t i = 0; i < rest_count[section]; i++)
			*at++ = *theirs++;
	}
	return true;
}

static struct ub_packed_rrset_key *
rrset_new(struct module_qstate *q, const struct answer_rrset *from)
{
	/* key, data, owner in one block; data ends with the bytes of the rdata */
	size_t per_record = sizeof(size_t) + sizeof(uint8_t *) + sizeof(time_t);
	size_t data_size = sizeof(struct packed_rrset_data) + from->count * per_record
			   + from->rdata_len;
	struct ub_packed_rrset_key *key;
	struct packed_rrset_data *data;

	key = regional_alloc(q->region, sizeof(*key) + data_size + from->owner_len);
	if (!key)
		return NULL;
	memset(key, 0, sizeof(*key) + sizeof(*data));
	data = (struct packed_rrset_data *)(key + 1);
	fill_rrset(data, from);
	key->entry.key = key;
	key->entry.data = data;
	key->rk.dname = (uint8_t *)data + data_size;
	memcpy(key->rk.dname, from->owner, from->owner_len);
	key->rk.dname_len = from->owner_len;
	key->rk.type = htons(from->type);
	key->rk.rrset_class = htons(LDNS_RR_CLASS_IN);
	/* The hash is for the rrset cache, where ours never go, and would be half of this
	 * function's cost. Behind a module that stores rrsets, as dns64 does, it is one
	 * with which nobody looks for them. */
	if (q->curmod > 0)
		key->entry.hash = rrset_key_hash(&key->rk) ^ 1;
	return key;
}

static void
fill_rrset(struct packed_rrset_data *data, const struct answer_rrset *from)
{
	const uint8_t *at = from->rdata;

	data->ttl = (time_t)from->ttl;
	data->count = from->count;
	data->trust = rrset_trust_ultimate;
	data->security = sec_status_insecure;
	data->rr_len = (size_t *)(data + 1);
	for (size_t i = 0; i < from->count; i++) {
		data->rr_len[i] = 2 + ((size_t)at[0] << 8 | at[1]);
		at += data->rr_len[i];
	}
	packed_rrset_ptr_fixup(data); /* needs rr_len, sets rr_data and rr_ttl */
	for (size_t i = 0; i < from->count; i++)
		data->rr_ttl[i] = (time_t)from->ttl;
	memcpy(data->rr_data[0], from->rdata, from->rdata_len);
}

static void
reply_error(struct module_qstate *q, int rcode)
{
	finish(q, NULL, rcode);
}

static void
reply_fail(struct module_qstate *q, sldns_ede_code code, const char *text)
{
	struct host_counts none = { 0 };
	struct reply_info *reply = host_reply_new(
		q->region, LDNS_RCODE_SERVFAIL, &none, sec_status_insecure);

	errinf_ede(q, text, code);
	if (reply)
		host_reply_set_ede(reply, code);
	finish(q, reply, LDNS_RCODE_SERVFAIL);
}

static void
reply_mark(struct module_qstate *q, sldns_ede_code code, const char *text)
{
	uint8_t option[64] = { (uint8_t)(code >> 8), (uint8_t)code };
	size_t len = strnlen(text, sizeof(option) - 2);

	memcpy(option + 2, text, len);
	(void)edns_opt_list_append(
		&q->edns_opts_front_out, LDNS_EDNS_EDE, 2 + len, option, q->region);
}

static void
finish(struct module_qstate *q, struct reply_info *reply, int rcode)
{
	q->return_rcode = rcode;
	q->return_msg = NULL;
	if (!reply)
		return;
	q->return_msg = regional_alloc_zero(q->region, sizeof(*q->return_msg));
	if (!q->return_msg)
		return; /* without a message NOERROR becomes SERVFAIL */
	q->return_msg->qinfo = q->qinfo;
	q->return_msg->rep = reply;
}

static struct reply_info *
reply_copy(struct module_qstate *q, const struct reply_info *reply)
{
	struct host_counts counts = { .answer = reply->an_numrrsets,
		.authority = reply->ns_numrrsets };
	struct reply_info *copy = host_reply_new(q->region,
		(int)FLAGS_GET_RCODE(reply->flags), &counts, reply->security);

	if (!copy)
		return NULL;
	host_reply_set_ede(copy, host_reply_ede(reply));
	for (size_t i = 0; i < copy->rrset_count; i++) {
		/* TTLs are relative already: `now` is 0 */
		copy->rrsets[i] =
			packed_rrset_copy_region(reply->rrsets[i], q->region, 0);
		if (!copy->rrsets[i])
			return NULL;
	}
	return copy;
}
