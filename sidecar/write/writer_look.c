/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Look-ups of other threads into both stores, by the one thread that may open serve.
 */
#include "sidecar/write/writer_look.h"

#include <string.h>

#include "lib/base/status.h"
#include "sidecar/write/writer_thread.h"

/* For serving_look. */
struct look_call {
	const struct writer_looker *look;
	struct serve_txn *serve;
	struct state_txn *state;
};

static void call_look(void *context);

int
writer_look(
	struct writer *writer, writer_look_fn fn, void *context, struct reason *reason)
{
	struct writer_looker look = { .fn = fn, .context = context };

	pthread_mutex_lock(&writer->lock);
	if (writer->is_stopping || writer->look_count >= WRITER_LOOKS_MAX) {
		look.status = reason_set(reason, STATUS_UNAVAILABLE, "%s",
			writer->is_stopping ? "livezoned is stopping"
					    : "too many look-ups are waiting");
		pthread_mutex_unlock(&writer->lock);
		return look.status;
	}
	pthread_cond_init(&look.answered, NULL);
	look.next = writer->looks;
	writer->looks = &look;
	writer->look_count++;
	pthread_cond_signal(&writer->work);
	while (!look.is_answered)
		pthread_cond_wait(&look.answered, &writer->lock);
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_destroy(&look.answered);
	if (look.status != STATUS_OK)
		*reason = look.reason;
	return look.status;
}

struct writer_looker *
writer_look_take(struct writer *writer)
{
	struct writer_looker *looks = writer->looks;

	writer->looks = NULL;
	writer->look_count = 0;
	return looks;
}

void
writer_look_run(struct writer *writer, struct writer_looker *looks)
{
	struct reason reason = { "" };
	struct look_call call = { 0 };
	int status = serving_begin_look(&writer->serving, &call.serve, &reason);

	if (status == STATUS_OK)
		status = state_begin_read(writer->state, &call.state, &reason);
	for (call.look = looks; looks; call.look = looks = looks->next) {
		if (status == STATUS_OK
			&& serving_look(&writer->serving, call_look, &call, &reason)
				   != STATUS_OK) {
			call.serve = NULL;
			status = STATUS_UNAVAILABLE;
		}
		looks->status = status;
		looks->reason = reason;
	}
	state_abort(call.state);
	if (call.serve)
		serve_writer_abort(call.serve);
}

static void
call_look(void *context)
{
	const struct look_call *call = context;

	call->look->fn(call->look->context, call->serve, call->state);
}

void
writer_look_answer(struct writer_looker *looks)
{
	while (looks) {
		struct writer_looker *next =
			looks->next; /* the look is gone once answered */

		looks->is_answered = true;
		pthread_cond_signal(&looks->answered);
		looks = next;
	}
}
