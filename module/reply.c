/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * struct answer -> struct dns_msg. Rdata has in the store the very form that the host
 * wants, so an rrset is one allocation and one memcpy.
 */
#include "module/reply.h"

#include <arpa/inet.h>
#include <string.h>

static const struct reply_info no_rest;

static bool add_rrsets(struct module_qstate *q, struct reply_info *reply,
	const struct answer *answer, const struct reply_info *rest);
static struct ub_packed_rrset_key *
rrset_new(struct module_qstate *q, const struct answer_rrset *from);
static void fill_rrset(struct packed_rrset_data *data, const struct answer_rrset *from);
static void finish(struct module_qstate *q, struct reply_info *reply, int rcode);

void
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

void
reply_error(struct module_qstate *q, int rcode)
{
	finish(q, NULL, rcode);
}

void
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

void
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

struct reply_info *
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
