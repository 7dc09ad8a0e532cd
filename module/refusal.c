/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Pauses between openings of files that were refused.
 */
#include "module/refusal.h"

#include "lib/base/clock.h"
#include "lib/base/status.h"

void
refusal_note(struct refusal *refusal, const char *dir, int status, const struct reason *why)
{
	refusal->status = STATUS_OK;
	if (status == STATUS_OK || mdb_files_stat(dir, &refusal->files, NULL) != STATUS_OK)
		return;
	refusal->status = status;
	refusal->why = *why;
	refusal->until_ms = clock_boot_ms() + REFUSAL_MS;
}

int
refusal_check(const struct refusal *refusal, const char *dir, struct reason *why)
{
	struct mdb_files now;

	if (refusal->status == STATUS_OK || clock_boot_ms() >= refusal->until_ms
		|| mdb_files_stat(dir, &now, NULL) != STATUS_OK
		|| mdb_files_compare(&refusal->files, &now, NULL) != STATUS_OK)
		return STATUS_OK;
	return reason_set(why, refusal->status, "%s", refusal->why.text);
}
