/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The steps of a restore in order: see what there is, choose, write. How a node of serve
 * becomes records is in restore_serve.c, what is said of it all in restore_say.c.
 */
#include "sidecar/journal/restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/state/state_file.h"
#include "lib/base/status.h"
#include "sidecar/journal/backup.h"
#include "lib/base/log.h"
#include "sidecar/journal/restore_work.h"

/* --- what there is --- */

static void
note_revision(struct restore *restore, uint64_t revision)
{
	if (revision > restore->highest)
		restore->highest = revision;
}

static int
learn(void *context, const struct state_record *record, struct reason *reason)
{
	struct restore *restore = context;

	note_revision(restore, record->revision);
	return known_add(&restore->known, record, reason);
}

/* What the file itself is to blame for is told, and it is not used; all else ends the restore:
 * a shortage must not choose a poorer source. */
static int
skip(int status, const char *what, const struct reason *reason)
{
	if (!status_is_of_file(status))
		return status;
	log_line(LOG_LEVEL_WARNING, "restore: %s is not used: %s", what, reason->text);
	return STATUS_OK;
}

static int
open_salvage(struct restore *restore, struct reason *reason)
{
	int status = state_salvage_open(restore->config->store.state, &restore->salvage, reason);

	if (status != STATUS_OK)
		return skip(status, "the damaged state", reason);
	restore->has_salvage = true;
	status = state_salvage_walk(&restore->salvage, learn, restore,
		&restore->is_salvage_complete, reason);
	if (status == STATUS_OK)
		status = state_salvage_revision(&restore->salvage, &restore->highest, reason);
	return status;
}

static int
open_serve(struct restore *restore, struct reason *reason)
{
	const struct state_salvage *salvage = &restore->salvage;
	int status = serve_image_open(restore->config->store.serve, &restore->serve, reason);

	if (status == STATUS_OK && restore->has_salvage && salvage->has_meta
		&& memcmp(restore->serve.meta.instance, salvage->meta.instance,
			   STATE_INSTANCE_SIZE)
			!= 0)
		status = reason_set(reason, STATUS_FOREIGN, "it was made from another state");
	restore->has_serve = status == STATUS_OK;
	return skip(status, "serve", reason);
}

static void
note_skipped(void *context, const struct backup_file *file,
	const struct backup_verdict *verdict)
{
	(void)context;
	log_line(LOG_LEVEL_WARNING, "restore: backup %s is damaged in line %" PRIu64 ": %s",
		file->name, verdict->line, verdict->damage.text);
}

/* The chosen backup, which must read as it did when it was chosen. */
static int
read_backup(struct restore *restore, state_record_fn fn, struct reason *reason)
{
	const struct backup_verdict *chosen = &restore->backup_verdict;
	struct backup_verdict verdict;
	int status = backup_read(restore->backup_path, fn, restore, &verdict, reason);

	if (status == STATUS_OK
		&& (verdict.is_complete != chosen->is_complete
			|| verdict.records != chosen->records))
		status = reason_set(reason, STATUS_IO, "it reads otherwise now: line %" PRIu64
						       ": %.200s",
			verdict.line, verdict.damage.text);
	return status == STATUS_OK ? status
				   : reason_prefix(reason, status, "backup %s, line %" PRIu64,
					     restore->backup.name, verdict.line);
}

static int
open_backup(struct restore *restore, struct reason *reason)
{
	const char *dir = restore->config->backup.directory;
	int status = backup_choose(dir, note_skipped, NULL, &restore->backup,
		&restore->backup_verdict, reason);

	if (status != STATUS_OK)
		return skip(status, "a backup", reason);
	restore->backup_path = backup_path(dir, restore->backup.name);
	if (!restore->backup_path)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	restore->has_backup = true;
	return restore->is_salvage_complete ? STATUS_OK : read_backup(restore, learn, reason);
}

/* --- the choice --- */

/* Is it whole, and of a later revision? */
static bool
has_newer_backup(const struct restore *restore, uint64_t revision)
{
	return restore->has_backup && restore->backup_verdict.is_complete
		&& restore->backup_verdict.revision > revision;
}

/* A source that is ahead of a commit that was followed by one at most has that one. */
static bool
may_lack_commit(const struct restore *restore)
{
	uint64_t revision = restore->salvage.meta.revision;

	return restore->has_salvage && restore->salvage.image.may_be_older
		&& !(restore->salvage.has_meta
			&& (has_newer_backup(restore, revision)
				|| (restore->has_serve
					&& restore->serve.meta.revision > revision)));
}

/* Serve of the same revision is as good as the damaged file's records, and its chain has been
 * checked; a revision behind, it lacks writes, and deletes are found in the log alone. */
static int
choose(struct restore *restore, struct reason *reason)
{
	uint64_t served = restore->has_serve ? restore->serve.meta.revision : 0;
	uint64_t salvaged = restore->salvage.meta.revision;

	if (restore->is_salvage_complete && !has_newer_backup(restore, salvaged)
		&& (!restore->has_serve || served < salvaged)) {
		restore->base = RESTORE_SALVAGE;
		restore->base_revision = 0;
	} else if (restore->has_serve && !has_newer_backup(restore, served)) {
		restore->base = RESTORE_SERVE;
		restore->base_revision = served;
	} else if (restore->has_backup) {
		restore->base = RESTORE_BACKUP;
		restore->base_revision = restore->backup_verdict.revision;
	} else {
		return reason_set(reason, STATUS_CORRUPT,
			"there is neither an intact serve nor a backup in %s: copy one there, "
			"or move data.mdb away to begin with nothing",
			restore->config->backup.directory);
	}
	if (restore->has_serve)
		note_revision(restore, served);
	if (restore->has_backup)
		note_revision(restore, restore->backup_verdict.revision);
	restore->may_lack_commit = may_lack_commit(restore);
	restore->revision = restore->highest + 1;
	if (!restore->has_salvage || !restore->salvage.has_meta || restore->may_lack_commit)
		restore->revision += RESTORE_REVISION_GAP;
	return STATUS_OK;
}

/* --- writing --- */

int
restore_put(struct restore *restore, const struct state_record *record,
	struct reason *reason)
{
	const struct zone *zone =
		zones_match(&restore->config->zones, &record->rrset.owner);
	int status = state_put(
		restore->txn, zone ? &zone->key : NULL, record, reason);

	if (status != STATUS_OK || ++restore->pending < RESTORE_CHUNK)
		return status;
	restore->pending = 0;
	status = state_commit(restore->txn, reason);
	restore->txn = NULL;
	return status == STATUS_OK ? state_begin_write(restore->state, &restore->txn, reason)
				   : status;
}

static int
put_from_backup(void *context, const struct state_record *record, struct reason *reason)
{
	struct restore *restore = context;
	struct state_record copy = *record;

	if (copy.lease_ms != 0 && copy.expires_ms == 0)
		copy.expires_ms = restore->now_ms + copy.lease_ms;
	restore->rrsets++;
	return restore_put(restore, &copy, reason);
}

static int
put_later(void *context, const struct state_record *record, struct reason *reason)
{
	struct restore *restore = context;
	struct state_record old;
	int status;

	if (record->revision <= restore->base_revision)
		return STATUS_OK;
	status = state_get(restore->txn, &record->rrset.owner, record->rrset.type, &old, reason);
	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		return status;
	restore->later++;
	restore->rrsets += status == STATUS_NOT_FOUND;
	return restore_put(restore, record, reason);
}

/* The log has the end of a lease as a delete, but in a zone with on-expiry: remove the RRset
 * may have stayed. Over already in the base, it was deleted. */
static bool
is_lease_end(struct restore *restore, const struct state_record *known)
{
	struct state_record now;

	return known->expires_ms == STATE_LEASE_OVER
		&& state_get(restore->txn, &known->rrset.owner, known->rrset.type, &now, NULL)
			== STATUS_OK
		&& now.expires_ms != STATE_LEASE_OVER;
}

/* Deletes of later revisions; what was put again afterwards stands in table R. */
static int
delete_later(void *context, uint64_t revision, bool reset,
	const struct state_log_item *items, size_t count, struct reason *reason)
{
	struct restore *restore = context;
	int status = STATUS_OK;
	size_t i;

	restore->log_entries++;
	restore->has_reset |= reset;
	for (i = 0; status == STATUS_OK && i < count; i++) {
		const struct name_key *owner = &items[i].owner;
		const struct zone *zone = zones_match(&restore->config->zones, owner);
		struct state_record record;
		bool is_known = known_find(&restore->known, owner, items[i].type, &record);

		if (!items[i].deleted || (is_known && record.revision > revision))
			continue;
		if (is_known && is_lease_end(restore, &record)) {
			restore->later++;
			status = state_renew(restore->txn, owner, items[i].type,
				STATE_LEASE_OVER, reason);
			continue;
		}
		status = state_delete(restore->txn, zone ? &zone->key : NULL, owner,
			items[i].type, revision, reason);
		if (status == STATUS_OK)
			restore->rrsets--;
		if (status == STATUS_OK)
			restore->later++;
		else if (status == STATUS_NOT_FOUND)
			status = STATUS_OK;
	}
	return status;
}

static int
put_base(struct restore *restore, struct reason *reason)
{
	switch (restore->base) {
	case RESTORE_SERVE:
		return restore_from_serve(restore, reason);
	case RESTORE_BACKUP:
		return read_backup(restore, put_from_backup, reason);
	default:
		return STATUS_OK; /* all of it is "later" */
	}
}

/* Serials go on, so that no resolver or secondary believes it has seen them. */
static int
finish(struct restore *restore, struct reason *reason)
{
	const struct zones *zones = &restore->config->zones;
	bool lost_nothing = restore->base == RESTORE_SERVE && restore->has_salvage
		&& restore->salvage.has_meta && !restore->may_lack_commit
		&& restore->salvage.meta.revision == restore->base_revision;
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < zones->count; i++)
		status = state_touch_zone(
			restore->txn, &zones->zone[i].key, restore->revision, reason);
	/* a log that begins behind serve lets it be caught up; else it is built anew */
	if (status == STATUS_OK && lost_nothing)
		status = state_log_append(restore->txn, restore->revision, NULL, 0, reason);
	if (status == STATUS_OK)
		status = state_set_revision(restore->txn, restore->revision, reason);
	return status;
}

static int
write_all(struct restore *restore, struct reason *reason)
{
	bool changed;
	int status = state_begin_write(restore->state, &restore->txn, reason);

	if (status == STATUS_OK)
		status = put_base(restore, reason);
	if (status == STATUS_OK && restore->has_salvage)
		status = state_salvage_walk(&restore->salvage, put_later, restore,
			&restore->is_salvage_complete, reason);
	if (status == STATUS_OK && restore->has_salvage && restore->base != RESTORE_SALVAGE)
		status = state_salvage_walk_log(&restore->salvage, restore->base_revision,
			delete_later, restore, reason);
	if (status == STATUS_OK)
		status = state_recount_zones(
			restore->txn, &restore->config->zones, &changed, reason);
	if (status == STATUS_OK && restore->base == RESTORE_SERVE)
		status = restore_made_by_hand(restore, reason);
	return status == STATUS_OK ? finish(restore, reason) : status;
}

static int
make(struct restore *restore, const char *why, struct restore_result *out,
	struct reason *reason)
{
	const char *dir = restore->config->store.state;
	const uint8_t *instance = restore->base == RESTORE_SERVE ? restore->serve.meta.instance
		: restore->base == RESTORE_SALVAGE ? restore->salvage.meta.instance : NULL;
	int status = state_create(dir, restore->config->store.size_limit, instance,
		&restore->state, reason);

	if (status != STATUS_OK)
		return status;
	status = write_all(restore, reason);
	if (status == STATUS_OK) {
		restore_describe(restore, why, out->what, sizeof(out->what));
		status = restore_raise_alarms(restore, out->what, reason);
	}
	if (status == STATUS_OK) {
		status = state_commit(restore->txn, reason);
		restore->txn = NULL;
	}
	state_abort(restore->txn);
	state_close(restore->state);
	if (status != STATUS_OK)
		state_file_remove_new(dir);
	out->revision = restore->revision;
	out->rrsets = restore->rrsets;
	return status;
}

int
restore_make(const struct config *config, const char *why, struct restore_result *out,
	struct reason *reason)
{
	struct restore restore = { .config = config };
	int status;

	restore_init(&restore);
	status = open_salvage(&restore, reason);
	if (status == STATUS_OK)
		status = open_serve(&restore, reason);
	if (status == STATUS_OK)
		status = open_backup(&restore, reason);
	if (status == STATUS_OK)
		status = choose(&restore, reason);
	if (status == STATUS_OK)
		status = make(&restore, why, out, reason);
	free(restore.backup_path);
	known_done(&restore.known);
	serve_image_close(&restore.serve);
	state_salvage_close(&restore.salvage);
	return status;
}
