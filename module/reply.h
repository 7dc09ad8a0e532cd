/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * From what a look-up found to the host's message. Everything is allocated in the query's
 * own region and goes with the query. On the worker's thread.
 */
#pragma once

#include "lib/lookup/answer.h"
#include "module/host.h"

/* Makes q->return_msg from an answer (not ANSWER_FAILED). `rest`, or NULL, is what the
 * target of the answer's last CNAME came to (reply_copy): its rcode, its records behind
 * ours, the lower security of both. Out of memory: SERVFAIL. */
void reply_answer(struct module_qstate *q, const struct answer *answer,
	const struct reply_info *rest);

/* Makes it an error with this rcode. */
void reply_error(struct module_qstate *q, int rcode);

/* SERVFAIL with an extended error; `text` goes into the host's log of failures. */
void reply_fail(struct module_qstate *q, sldns_ede_code code, const char *text);

/* Adds an extended error (RFC 8914) to an answer, for a client that speaks EDNS. */
void reply_mark(struct module_qstate *q, sldns_ede_code code, const char *text);

/* A deep copy of another query's reply into q's region, without its additional section.
 * NULL when out of memory. */
struct reply_info *reply_copy(struct module_qstate *q, const struct reply_info *reply);
