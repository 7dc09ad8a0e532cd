/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Warnings of the keeper.
 */
#include "module/warning.h"

#include <stdio.h>
#include <string.h>

#include "lib/serve/identity.h"
#include "lib/base/status.h"

static void set(struct reason *at, const struct reason *now, keeper_say_fn say);
static void show(const struct warning *warning, struct report *report);

int
warning_check_side(struct warning *warning, const char *dir, struct report *report,
	keeper_say_fn say, struct reason *why)
{
	struct reason reason = { "" };
	struct identity other;

	/* missing or not readable: of another version, and says nothing */
	if (identity_read(dir, &other, NULL))
		return STATUS_OK;
	if (identity_compare(&report->side, &other, &reason) == IDENTITY_DIFFERS)
		return reason_set(why, STATUS_FOREIGN, "livezoned: %s", reason.text);
	/* one pid twice: livezoned has no reader slot that ours could be taken for, but
	 * one that we leave by a crash is never cleared */
	set(&warning->side, &reason, say);
	show(warning, report);
	return STATUS_OK;
}

void
warning_check_slots(struct warning *warning, size_t have, size_t want, struct report *report,
	keeper_say_fn say)
{
	struct reason reason = { "" };

	if (have < want)
		reason_set(&reason, STATUS_UNAVAILABLE,
			"%zu of %zu reader slots are left for us: the other threads answer "
			"from the snapshot",
			have, want);
	set(&warning->slots, &reason, say);
	show(warning, report);
}

static void
set(struct reason *at, const struct reason *now, keeper_say_fn say)
{
	if (now->text[0] && strcmp(at->text, now->text) != 0)
		say(KEEPER_WARNING, now->text);
	*at = *now;
}

static void
show(const struct warning *warning, struct report *report)
{
	const struct reason *first =
		warning->slots.text[0] ? &warning->slots : &warning->side;

	snprintf(report->warning, sizeof(report->warning), "%.255s", first->text);
}
