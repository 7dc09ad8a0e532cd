/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The decision at start, and the restore. The new environment is made in "<state>/new"; the
 * damaged one keeps its name until that takes its place in a rename.
 */
#include "sidecar/journal/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/status.h"
#include "lib/serve/layout.h"
#include "sidecar/journal/backup.h"
#include "sidecar/journal/journal_reader.h"
#include "sidecar/state/state.h"

#define CHUNK 100000        /* puts of one commit: bounds dirty pages */
#define SCAN_SIZE (1 << 20) /* of serve, read at once */
#define SERVED_MAX (UINT64_C(1) << 48) /* a revision of serve above that is not believed */
#define DOUBTS_MAX 8        /* gaps that the alarm names one by one */

struct recovery {
	const struct config *config;
	struct state_meta damaged; /* the damaged file's meta record; revision 0: not known */
	/* what there is */
	bool is_known; /* the instance of state, in `damaged` */
	bool has_backup, has_journal;
	struct backup_file backup;
	struct backup_verdict verdict;
	struct journal_survey survey;
	uint8_t instance[STATE_INSTANCE_SIZE];
	/* what is made of it */
	struct state *state;
	struct state_txn *txn;
	size_t pending;    /* puts since the last commit */
	uint64_t now_ms;   /* lease clock */
	uint64_t replayed; /* the last revision that is in it whole */
	uint64_t revision; /* of the new state */
	uint64_t rrsets;
	struct {
		uint64_t first, last;
	} gap[DOUBTS_MAX];
	size_t gaps; /* there may be more than are kept */
};

static int find(struct recovery *recovery, struct reason *reason);
static uint64_t read_served_revision(const char *dir);
static int restore(struct recovery *recovery, const char *why, bool must_quarantine,
	struct reason *reason);
static int check_reach(struct recovery *recovery, struct reason *reason);
static int make(struct recovery *recovery, const char *why, struct reason *out_what,
	struct reason *reason);
static int put_backup(struct recovery *recovery, struct reason *reason);
static int replay_journal(struct recovery *recovery, struct reason *reason);
static int finish(struct recovery *recovery, const char *why, struct reason *out_what,
	struct reason *reason);
static void describe(const struct recovery *recovery, const char *why, struct reason *out);

/* --- the decision --- */

static bool
is_missing(const struct config *config)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/data.mdb", config->store.state);
	return access(path, F_OK) != 0 && errno == ENOENT;
}

static int
recover_missing(struct recovery *recovery, bool *out_is_restored, struct reason *reason)
{
	const struct config *config = recovery->config;
	int status = find(recovery, reason);

	if (status != STATUS_OK)
		return reason_prefix(reason, status, "%s: state is missing", config->store.state);
	if (!recovery->has_backup && recovery->survey.newest == 0
		&& read_served_revision(config->store.serve) == 0)
		return STATUS_OK; /* a first start */
	status = restore(recovery, "state was missing", false, reason);
	*out_is_restored = status == STATUS_OK;
	return status;
}

/* Is the journal of this state ahead of it? */
static bool
is_old_copy(struct recovery *recovery, char why[REASON_MAX])
{
	const uint64_t revision = recovery->damaged.revision;
	struct reason reason = { "" };
	int status = journal_reader_survey(
		recovery->config->store.state, &recovery->survey, &reason);

	if (status != STATUS_OK) {
		if (status != STATUS_NOT_FOUND)
			log_line(LOG_LEVEL_WARNING, "journal: %s", reason.text);
		return false;
	}
	if (recovery->survey.newest <= revision
		|| memcmp(recovery->survey.instance, recovery->damaged.instance,
			   STATE_INSTANCE_SIZE)
			!= 0)
		return false;
	snprintf(why, REASON_MAX,
		"state was an old copy: it is at revision %" PRIu64
		", and the journal at %" PRIu64,
		revision, recovery->survey.newest);
	return true;
}

static int
recover_damaged(struct recovery *recovery, const char *why, bool *out_is_restored,
	struct reason *reason)
{
	int status;

	log_line(LOG_LEVEL_ERROR, "%s", why);
	status = find(recovery, reason);
	if (status == STATUS_OK)
		status = restore(recovery, why, true, reason);
	else
		reason_prefix(reason, status, "%s: %s; it cannot be restored",
			recovery->config->store.state, why);
	*out_is_restored = status == STATUS_OK;
	return status;
}

int
recover_state(const struct config *config, bool *out_is_restored, struct reason *reason)
{
	struct recovery recovery = { .config = config };
	struct reason said = { "" };
	char why[REASON_MAX];

	*out_is_restored = false;
	if (is_missing(config))
		return recover_missing(&recovery, out_is_restored, reason);
	switch (state_check_spawn(config->store.state, &recovery.damaged, &said)) {
	case STATE_WHOLE:
		log_line(LOG_LEVEL_INFO, "state: %s", said.text);
		if (!is_old_copy(&recovery, why))
			return STATUS_OK;
		break;
	case STATE_NO_RECORD:
		/* with our journal beside it, it was ours */
		snprintf(why, sizeof(why), "state was damaged (no meta record)");
		if (journal_reader_survey(config->store.state, &recovery.survey, NULL) == STATUS_OK)
			break;
		/* fall through */
	case STATE_FOREIGN:
		return reason_set(reason, STATUS_FOREIGN, "state in %s: %s",
			config->store.state, said.text);
	case STATE_UNKNOWN:
		/* what is damaged is found when it is read */
		log_line(LOG_LEVEL_WARNING, "state was not checked: %s", said.text);
		if (!is_old_copy(&recovery, why))
			return STATUS_OK;
		break;
	case STATE_DAMAGED:
		snprintf(why, sizeof(why), "state was damaged (%.300s)", said.text);
		break;
	}
	return recover_damaged(&recovery, why, out_is_restored, reason);
}

/* --- what there is --- */

static void
note_skipped(void *context, const struct backup_file *file,
	const struct backup_verdict *verdict)
{
	(void)context;
	if (verdict->is_complete)
		log_line(LOG_LEVEL_WARNING, "restore: backup %s is not of this state: not used",
			file->name);
	else
		log_line(LOG_LEVEL_WARNING, "restore: backup %s is damaged in line %" PRIu64
			": %s",
			file->name, verdict->line, verdict->damage.text);
}

/* The newest backup of this state; one of another state only when nothing else is left: it was
 * copied here for that. */
static int
find_backup(struct recovery *recovery, struct reason *reason)
{
	const char *dir = recovery->config->backup.directory;
	char instance[STATE_INSTANCE_TEXT];
	int status = STATUS_NOT_FOUND;

	if (recovery->is_known) {
		state_write_instance(&recovery->damaged, instance);
		status = backup_choose(dir, instance, note_skipped, NULL, &recovery->backup,
			&recovery->verdict, reason);
	}
	if (status_is_of_file(status) && !(recovery->has_journal && recovery->survey.oldest == 0))
		status = backup_choose(dir, NULL, note_skipped, NULL, &recovery->backup,
			&recovery->verdict, reason);
	return status;
}

/* A shortage must not choose a poorer way back: it ends the start. What was damaged knows its
 * instance, or the journal does. */
static int
find(struct recovery *recovery, struct reason *reason)
{
	static const uint8_t none[STATE_INSTANCE_SIZE];
	uint8_t *instance = recovery->damaged.instance;
	int status = journal_reader_survey(
		recovery->config->store.state, &recovery->survey, reason);

	if (status != STATUS_OK && !status_is_of_file(status))
		return status;
	if (memcmp(instance, none, sizeof(none)) == 0)
		memcpy(instance, recovery->survey.instance, sizeof(none));
	recovery->is_known = memcmp(instance, none, sizeof(none)) != 0;
	recovery->has_journal = status == STATUS_OK && recovery->is_known
				&& memcmp(instance, recovery->survey.instance, sizeof(none)) == 0;
	memcpy(recovery->instance, instance, sizeof(none));
	status = find_backup(recovery, reason);
	recovery->has_backup = status == STATUS_OK;
	if (status != STATUS_OK && !status_is_of_file(status))
		return status;
	if (!recovery->has_backup)
		return STATUS_OK;
	if (!state_read_instance(recovery->verdict.instance, recovery->instance))
		return reason_set(reason, STATUS_CORRUPT, "%s: no instance in its header",
			recovery->backup.name);
	if (recovery->has_journal
		&& memcmp(recovery->instance, recovery->survey.instance, STATE_INSTANCE_SIZE)
			!= 0) {
		log_line(LOG_LEVEL_WARNING,
			"restore: the journal is of another state than backup %s, and not used",
			recovery->backup.name);
		recovery->has_journal = false;
	}
	return STATUS_OK;
}

/* The newest revision that serve has, 0 for none: there was a state, and resolvers have seen that
 * serial. Found by the checksum of its meta record, wherever that stands in the file: nothing
 * else is believed, as Unbound's user can write to it, and no transaction is taken. */
static uint64_t
read_served_revision(const char *dir)
{
	char path[PATH_MAX];
	uint8_t *bytes = malloc(SCAN_SIZE);
	size_t kept = 0;
	uint64_t newest = 0;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	while (bytes && fd >= 0
		&& (len = read(fd, bytes + kept, SCAN_SIZE - kept)) > 0) {
		size_t used = kept + (size_t)len, at;

		for (at = 0; at + SERVE_META_SIZE <= used; at++) {
			struct serve_meta meta;

			if (bytes[at + 4] == 'L'
				&& serve_decode_meta(bytes + at, SERVE_META_SIZE, &meta, NULL)
					== STATUS_OK
				&& meta.revision > newest && meta.revision <= SERVED_MAX)
				newest = meta.revision;
		}
		kept = used < SERVE_META_SIZE ? used : SERVE_META_SIZE - 1;
		memmove(bytes, bytes + used - kept, kept);
	}
	if (fd >= 0)
		close(fd);
	free(bytes);
	return newest;
}

/* --- the restore --- */

static int
restore(struct recovery *recovery, const char *why, bool must_quarantine,
	struct reason *reason)
{
	const char *dir = recovery->config->store.state;
	char quarantine[PATH_MAX];
	struct reason what = { "" };
	int status = check_reach(recovery, reason);

	if (status == STATUS_OK)
		status = make(recovery, why, &what, reason);
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
	log_line(LOG_LEVEL_ERROR, "state: %s", what.text);
	log_line(LOG_LEVEL_ERROR,
		"state: alarm \"%s\" stands until it is acknowledged: livezonectl acknowledge %s",
		RECOVER_ALARM, RECOVER_ALARM);
	return STATUS_OK;
}

/* A part of the records would deny the names of the others. */
static int
check_reach(struct recovery *recovery, struct reason *reason)
{
	if (recovery->has_backup || (recovery->has_journal && recovery->survey.oldest == 0))
		return STATUS_OK;
	if (recovery->has_journal)
		return reason_set(reason, STATUS_CORRUPT,
			"there is no complete backup in %s, and the journal begins at revision "
			"%" PRIu64 ": copy a backup there, or move data.mdb, journal and serve "
			"away to begin with nothing",
			recovery->config->backup.directory, recovery->survey.oldest);
	return reason_set(reason, STATUS_CORRUPT,
		"there is neither a complete backup in %s nor a journal: copy a backup there, or "
		"move data.mdb and serve away to begin with nothing",
		recovery->config->backup.directory);
}

static int
make(struct recovery *recovery, const char *why, struct reason *out_what,
	struct reason *reason)
{
	const struct config *config = recovery->config;
	bool changed;
	int status = state_create(config->store.state, config->store.size_limit,
		recovery->instance, &recovery->state, reason);

	if (status != STATUS_OK)
		return status;
	recovery->now_ms = lease_clock_look(config->store.state) + clock_boot_ms();
	status = state_begin_write(recovery->state, &recovery->txn, reason);
	if (status == STATUS_OK && recovery->has_backup)
		status = put_backup(recovery, reason);
	if (status == STATUS_OK && recovery->has_journal)
		status = replay_journal(recovery, reason);
	if (status == STATUS_OK)
		status = state_recount_zones(recovery->txn, &config->zones, &changed, reason);
	if (status == STATUS_OK)
		status = finish(recovery, why, out_what, reason);
	if (status == STATUS_OK) {
		status = state_commit(recovery->txn, reason);
		recovery->txn = NULL;
	}
	state_abort(recovery->txn);
	state_close(recovery->state);
	if (status != STATUS_OK)
		state_file_remove_new(config->store.state);
	return status;
}

static const struct name_key *
apex_of(const struct recovery *recovery, const struct name_key *owner)
{
	const struct zone *zone = zones_match(&recovery->config->zones, owner);

	return zone ? &zone->key : NULL;
}

/* Commits now and then. */
static int
count_write(struct recovery *recovery, struct reason *reason)
{
	int status;

	if (++recovery->pending < CHUNK)
		return STATUS_OK;
	recovery->pending = 0;
	status = state_commit(recovery->txn, reason);
	recovery->txn = NULL;
	return status == STATUS_OK
		? state_begin_write(recovery->state, &recovery->txn, reason)
		: status;
}

static int
put(void *context, const struct state_record *record, struct reason *reason)
{
	struct recovery *recovery = context;
	struct state_record copy = *record;
	int status;

	if (copy.expires_ms != STATE_LEASE_OVER)
		copy.expires_ms = copy.lease_ms ? recovery->now_ms + copy.lease_ms : 0;
	status = state_put(recovery->txn, apex_of(recovery, &copy.rrset.owner), &copy, reason);
	return status == STATUS_OK ? count_write(recovery, reason) : status;
}

static int
put_backup(struct recovery *recovery, struct reason *reason)
{
	char *path = backup_path(recovery->config->backup.directory, recovery->backup.name);
	struct backup_verdict verdict = { .line = 0 };
	int status = path ? backup_read(path, put, recovery, &verdict, reason)
			  : reason_set(reason, STATUS_NO_MEMORY, "out of memory");

	free(path);
	if (status == STATUS_OK && !verdict.is_complete)
		status = reason_set(reason, STATUS_IO, "changed while it was read: %.200s",
			verdict.damage.text);
	recovery->replayed = recovery->verdict.revision;
	return status == STATUS_OK ? status
				   : reason_prefix(reason, status, "backup %s, line %" PRIu64,
					     recovery->backup.name, verdict.line);
}

static void
note_gap(struct recovery *recovery, uint64_t first, uint64_t last)
{
	if (recovery->gaps < DOUBTS_MAX) {
		recovery->gap[recovery->gaps].first = first;
		recovery->gap[recovery->gaps].last = last;
	}
	recovery->gaps++;
}

static int
replay_entry(struct recovery *recovery, const struct journal_entry *entry,
	struct reason *reason)
{
	int status;

	if (entry->event == JOURNAL_GAP) {
		note_gap(recovery, entry->previous + 1, entry->revision);
		return STATUS_OK;
	}
	recovery->replayed = entry->revision;
	if (entry->has_after)
		return put(recovery, &entry->after, reason);
	status = state_delete(recovery->txn, apex_of(recovery, &entry->owner), &entry->owner,
		entry->type, entry->revision, reason);
	if (status == STATUS_NOT_FOUND)
		return STATUS_OK; /* in a gap it may have gone before */
	return status == STATUS_OK ? count_write(recovery, reason) : status;
}

static int
replay_journal(struct recovery *recovery, struct reason *reason)
{
	struct journal_reader *reader;
	struct journal_entry *entry = malloc(sizeof(*entry));
	int status = entry ? journal_reader_open(recovery->config->store.state,
				     recovery->replayed, &reader, reason)
			   : reason_set(reason, STATUS_NO_MEMORY, "out of memory");

	if (status != STATUS_OK) {
		free(entry);
		return status;
	}
	do {
		status = journal_reader_next(reader, entry, reason);
		if (status == STATUS_OK && entry->event != JOURNAL_END)
			status = replay_entry(recovery, entry, reason);
	} while (status == STATUS_OK && entry->event != JOURNAL_END);
	journal_reader_close(reader);
	free(entry);
	return status == STATUS_OK ? status : reason_prefix(reason, status, "journal");
}

static int
count_record(void *context, const struct state_record *record, struct reason *reason)
{
	(void)record;
	(void)reason;
	++*(uint64_t *)context;
	return STATUS_OK;
}

/* Serials go on, so that no resolver or secondary believes that it has seen them. */
static int
finish(struct recovery *recovery, const char *why, struct reason *out_what,
	struct reason *reason)
{
	static const struct name_key root;
	const struct zones *zones = &recovery->config->zones;
	uint64_t highest = recovery->replayed;
	int status = state_walk_below(
		recovery->txn, &root, count_record, &recovery->rrsets, reason);
	const uint64_t served = read_served_revision(recovery->config->store.serve);
	size_t i;

	if (recovery->damaged.revision > highest)
		highest = recovery->damaged.revision;
	if (served > highest)
		highest = served;
	if (recovery->has_journal && recovery->survey.newest > highest)
		highest = recovery->survey.newest;
	recovery->revision = highest + RECOVER_REVISION_GAP;
	for (i = 0; status == STATUS_OK && i < zones->count; i++)
		status = state_touch_zone(
			recovery->txn, &zones->zone[i].key, recovery->revision, reason);
	if (status == STATUS_OK)
		status = state_set_revision(recovery->txn, recovery->revision, reason);
	describe(recovery, why, out_what);
	if (status == STATUS_OK)
		status = state_raise_alarm(recovery->txn, RECOVER_ALARM, out_what->text, reason);
	return status;
}

/* --- what it says of itself --- */

__attribute__((format(printf, 2, 3))) static void
say(struct reason *out, const char *format, ...)
{
	const size_t used = strlen(out->text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(out->text + used, sizeof(out->text) - used, format, arguments);
	va_end(arguments);
}

static void
describe(const struct recovery *recovery, const char *why, struct reason *out)
{
	size_t i;

	out->text[0] = '\0';
	say(out, "%s; restored from %s%s%s: %" PRIu64 " RRsets of revision %" PRIu64
		 ", now at revision %" PRIu64,
		why, recovery->has_backup ? "backup " : "", recovery->backup.name,
		!recovery->has_journal     ? ""
			: recovery->has_backup ? " and the journal"
					       : "the journal",
		recovery->rrsets, recovery->replayed, recovery->revision);
	for (i = 0; i < recovery->gaps && i < DOUBTS_MAX; i++)
		say(out, "; writes of revisions %" PRIu64 " to %" PRIu64 " may be missing",
			recovery->gap[i].first, recovery->gap[i].last);
	if (recovery->gaps > DOUBTS_MAX)
		say(out, "; and of %zu more gaps of the journal", recovery->gaps - DOUBTS_MAX);
	if (recovery->damaged.revision > recovery->replayed)
		say(out, "; writes of revisions %" PRIu64 " to %" PRIu64 " may be missing",
			recovery->replayed + 1, recovery->damaged.revision);
	else if (recovery->damaged.revision != recovery->replayed)
		say(out, "; writes after revision %" PRIu64 " may be missing",
			recovery->replayed);
	else if (recovery->gaps == 0)
		say(out, "; no write is missing");
}
