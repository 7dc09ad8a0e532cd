/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The decision at start. DNS goes on meanwhile: nothing here touches serve.
 */
#include "sidecar/journal/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sidecar/state/state_file.h"
#include "lib/base/status.h"
#include "lib/serve/image.h"
#include "sidecar/journal/backup.h"
#include "sidecar/journal/examine.h"
#include "lib/base/log.h"
#include "sidecar/journal/restore.h"

static bool
is_missing(const struct config *config)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/data.mdb", config->store.state);
	return access(path, F_OK) != 0 && errno == ENOENT;
}

/* Was there a state before? Serve has names or revisions that came from one, or a backup. */
static int
find_traces(const struct config *config, bool *out_found, struct reason *reason)
{
	struct serve_image serve;
	struct backup_list backups = { 0 };
	bool found = false;
	int status = serve_image_open(config->store.serve, &serve, reason);

	if (status == STATUS_OK) {
		found = serve.meta.revision > 0;
		serve_image_close(&serve);
	} else if (!status_is_of_file(status)) {
		return status;
	}
	if (!found) {
		status = backup_list(config->backup.directory, &backups, reason);
		if (status != STATUS_OK && !status_is_of_file(status))
			return status;
		found = backups.count > 0;
	}
	backup_list_done(&backups);
	*out_found = found;
	return STATUS_OK;
}

/* Made whole beside the damaged one, which keeps its name until then. */
static int
restore(const struct config *config, const char *why, bool must_quarantine,
	struct reason *reason)
{
	const char *dir = config->store.state;
	char quarantine[PATH_MAX];
	struct restore_result result;
	int status = restore_make(config, why, &result, reason);

	if (status == STATUS_OK && must_quarantine)
		status = state_file_quarantine(dir, quarantine, reason);
	if (status == STATUS_OK)
		status = state_file_adopt(dir, reason);
	if (status != STATUS_OK) {
		state_file_remove_new(dir);
		return reason_prefix(reason, status, "%s: %s; it cannot be restored", dir, why);
	}
	if (must_quarantine)
		log_line(LOG_LEVEL_ERROR, "state: the damaged file is kept as %s", quarantine);
	log_line(LOG_LEVEL_ERROR, "state: %s", result.what);
	log_line(LOG_LEVEL_ERROR,
		"state: alarm \"%s\" stands until it is acknowledged: livezonectl acknowledge %s",
		RESTORE_ALARM, RESTORE_ALARM);
	return STATUS_OK;
}

int
recover_state(const struct config *config, struct recover_result *out, struct reason *reason)
{
	struct reason said = { "" };
	char why[REASON_MAX];
	int status;

	*out = (struct recover_result){ 0 };
	if (is_missing(config)) {
		bool has_traces;

		status = find_traces(config, &has_traces, reason);
		if (status != STATUS_OK)
			return reason_prefix(reason, status, "%s: state is missing",
				config->store.state);
		if (!has_traces)
			return STATUS_OK; /* a first start */
		snprintf(why, sizeof(why), "state was missing");
		status = restore(config, why, false, reason);
		out->is_restored = status == STATUS_OK;
		return status;
	}
	switch (examine_run(config->store.state, &said)) {
	case EXAMINE_COUNTS_WRONG:
		out->must_recount = true;
		/* fall through */
	case EXAMINE_WHOLE:
		log_line(LOG_LEVEL_INFO, "state: %s", said.text);
		return STATUS_OK;
	case EXAMINE_FOREIGN:
		return reason_set(reason, STATUS_FOREIGN, "state in %s: %s",
			config->store.state, said.text);
	case EXAMINE_UNKNOWN:
		/* what is damaged is found when it is read */
		log_line(LOG_LEVEL_WARNING, "state was not checked: %s", said.text);
		return STATUS_OK;
	case EXAMINE_DAMAGED:
		break;
	}
	snprintf(why, sizeof(why), "state was damaged (%.300s)", said.text);
	log_line(LOG_LEVEL_ERROR, "%s", why);
	status = restore(config, why, true, reason);
	out->is_restored = status == STATUS_OK;
	return status;
}
