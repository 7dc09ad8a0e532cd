/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Opening, watching and switching the store. Every touch of a map is guarded.
 */
#include "module/live.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/filesystem.h"
#include "lib/base/status.h"
#include "lib/serve/guard.h"
#include "lib/report/report.h"

/* So many stores may break in a row without a pause before the next is tried; then the
 * pauses double. In a row: less than CALM_MS apart. */
#define BROKEN_FREE 4
#define CALM_MS 60000
#define BACK_OFF_MAX_MS 60000
/* A store that was replaced goes on answering for so long while the new one cannot be opened:
 * that may be a matter of a moment. */
#define REPLACED_MS 1000

/* What a look finds. */
enum event {
	EVENT_MOVED,    /* a reload named another directory; no worker runs yet */
	EVENT_PARKED,   /* the store of this directory is open since before a reload */
	EVENT_OFF,      /* the breaker */
	EVENT_NOTHING,  /* no store in the directory */
	EVENT_REFUSED,  /* one that may not be opened */
	EVENT_OPENED,   /* one was opened: live->opened */
	EVENT_SAME,     /* current is what lies there, in full length */
	EVENT_DELETED,  /* current does not lie there any more, and no other could be opened yet */
	EVENT_OUTDATED, /* the same for REPLACED_MS, beside another that cannot be opened */
	EVENT_BROKEN,   /* current is shorter, its lock is another, or a read of it faulted */
};

typedef void (*action_fn)(struct live *live, struct keeper_scope *scope);

/* For guard_run. */
struct opening {
	const char *dir;
	size_t slots;
	struct serve_reader *reader;
	struct reason *why;
	int status;
};

struct claim {
	struct serve_reader *reader;
	size_t slots;
};

struct reading {
	struct serve_reader *reader;
	struct serve_meta meta;
	int status;
};

static void park(struct live *live, struct keeper_scope *scope);
static void unpark(struct live *live, struct keeper_scope *scope);
static void switch_over(struct live *live, struct keeper_scope *scope);
static void give_slots(struct live *live, struct keeper_scope *scope);
static void give_up_outdated(struct live *live, struct keeper_scope *scope);
static void withdraw(struct live *live, struct keeper_scope *scope);
static void take(struct live *live, struct keeper_scope *scope, enum event event,
	const struct reason *why);
static enum event
observe(struct live *live, struct keeper_scope *scope, struct reason *why);
static enum event
observe_current(struct live *live, struct keeper_scope *scope, struct reason *why);
static enum event
observe_directory(struct live *live, struct keeper_scope *scope, struct reason *why);
static void say(struct live *live, struct keeper_scope *scope, enum keeper_state before,
	const struct reason *why_before);
static void note_suspicion(struct live *live, struct keeper_scope *scope);
static bool is_outdated(struct live *live, int status, int status_of_new);
static int
open_store(struct live *live, struct keeper_scope *scope, struct reason *why);
static int check_identity(struct live *live, struct keeper_scope *scope, struct reason *why);
static size_t slots_wanted(const struct keeper_scope *scope);
static void open_guarded(void *context);
static void back_off(struct live *live);
static void offer(struct keeper_scope *scope, struct serve_reader *reader);
static struct live_retired *find_parked(struct live *live, const char *dir);
static void retire(struct live *live, const char *parked_dir);
static void free_retired(struct live *live, struct keeper_scope *scope);
static void free_guarded(void *context);
static void claim_guarded(void *context);
static void warn(struct reason *at, const struct reason *now, struct keeper_scope *scope);
static void read_meta_guarded(void *context);

#define FROM(state) (1u << (state))
#define FROM_ANSWERING (FROM(KEEPER_LIVE) | FROM(KEEPER_DELETED))
#define FROM_OPEN (FROM_ANSWERING | FROM(KEEPER_BROKEN))
#define FROM_ALL (FROM(KEEPER_STATES) - 1)
#define FROM_CLOSED (FROM_ALL & ~FROM_OPEN)

/* What is in no row changes nothing: a store that broke stays where it is, with what was said
 * of it, until there is another. */
static const struct transition {
	unsigned from;
	enum event event;
	enum keeper_state to;
	action_fn action; /* NULL: none */
} transitions[] = {
	{ FROM_OPEN, EVENT_MOVED, KEEPER_STARTING, park },
	{ FROM_CLOSED, EVENT_PARKED, KEEPER_DELETED, unpark },
	{ FROM_CLOSED, EVENT_OFF, KEEPER_DISABLED, NULL },
	{ FROM_CLOSED, EVENT_NOTHING, KEEPER_ABSENT, NULL },
	{ FROM_CLOSED, EVENT_REFUSED, KEEPER_REFUSED, NULL },
	{ FROM_ALL, EVENT_OPENED, KEEPER_LIVE, switch_over },
	{ FROM_ANSWERING, EVENT_SAME, KEEPER_LIVE, give_slots },
	{ FROM_ANSWERING, EVENT_DELETED, KEEPER_DELETED, NULL },
	{ FROM_ANSWERING, EVENT_OUTDATED, KEEPER_REFUSED, give_up_outdated },
	{ FROM_ANSWERING, EVENT_BROKEN, KEEPER_BROKEN, withdraw },
};

static const char *const state_names[KEEPER_STATES] = {
	[KEEPER_STARTING] = "starting",
	[KEEPER_LIVE] = "live",
	[KEEPER_DELETED] = "deleted",
	[KEEPER_BROKEN] = "refused",
	[KEEPER_ABSENT] = "absent",
	[KEEPER_REFUSED] = "refused",
	[KEEPER_DISABLED] = "disabled",
};

void
live_look(struct live *live, struct keeper_scope *scope)
{
	const enum keeper_state before = live->state;
	const struct reason why_before = live->why;
	enum event event;

	live->was_switched = false;
	free_retired(live, scope);
	note_suspicion(live, scope);
	do {
		struct reason why = { "" };

		event = observe(live, scope, &why);
		take(live, scope, event, &why);
	} while (event == EVENT_MOVED || event == EVENT_PARKED);
	say(live, scope, before, &why_before);
}

static void
take(struct live *live, struct keeper_scope *scope, enum event event,
	const struct reason *why)
{
	for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
		const struct transition *row = &transitions[i];

		if (row->event != event || !(row->from & FROM(live->state)))
			continue;
		if (row->action)
			row->action(live, scope);
		live->state = row->to;
		live->why = *why;
		return;
	}
}

static enum event
observe(struct live *live, struct keeper_scope *scope, struct reason *why)
{
	if (live->current && strcmp(live->dir, scope->dir) != 0)
		return EVENT_MOVED;
	switch (live->state) {
	case KEEPER_LIVE:
	case KEEPER_DELETED:
		return observe_current(live, scope, why);
	case KEEPER_STARTING:
	case KEEPER_ABSENT:
	case KEEPER_REFUSED:
	case KEEPER_DISABLED:
		if (live->off_reason) {
			reason_set(why, STATUS_UNAVAILABLE, "%s", live->off_reason);
			return EVENT_OFF;
		}
		if (find_parked(live, scope->dir))
			return EVENT_PARKED;
		break;
	case KEEPER_BROKEN:
	case KEEPER_STATES:
		break;
	}
	return observe_directory(live, scope, why);
}

static enum event
observe_directory(struct live *live, struct keeper_scope *scope, struct reason *why)
{
	switch (open_store(live, scope, why)) {
	case STATUS_OK:
		return EVENT_OPENED;
	case STATUS_NOT_FOUND:
		return EVENT_NOTHING;
	default:
		return EVENT_REFUSED;
	}
}

static enum event
observe_current(struct live *live, struct keeper_scope *scope, struct reason *why)
{
	struct reason why_not = { "" };
	int trip = serve_reader_poisoned(live->current);
	int status, status_of_new;

	if (trip)
		status = reason_set(why, STATUS_CORRUPT, "%s while it was read",
			guard_name((enum guard_trip)trip));
	else
		status = serve_reader_check(live->current, why);
	if (status == STATUS_OK)
		return EVENT_SAME;
	if (status == STATUS_CORRUPT)
		return EVENT_BROKEN;
	/* still mapped and whole, the best that there is until there is another */
	status_of_new = open_store(live, scope, &why_not);
	if (status_of_new == STATUS_OK)
		return EVENT_OPENED;
	if (status == STATUS_FOREIGN)
		*why = why_not;
	return is_outdated(live, status, status_of_new) ? EVENT_OUTDATED : EVENT_DELETED;
}

/* Writes go to the store that took its place: what the workers read is old, and no longer
 * live although it is whole. */
static bool
is_outdated(struct live *live, int status, int status_of_new)
{
	uint64_t now = clock_boot_ms();

	if (status != STATUS_FOREIGN || status_of_new == STATUS_NOT_FOUND)
		live->replaced_ms = 0;
	else if (live->replaced_ms == 0)
		live->replaced_ms = now;
	return live->replaced_ms != 0 && now - live->replaced_ms >= REPLACED_MS;
}

/* A worker found that a value of it fails its checks; what fails from now on asks again. */
static void
note_suspicion(struct live *live, struct keeper_scope *scope)
{
	uint64_t suspect = atomic_load(&scope->workers->suspect);

	if (!live->current || suspect != serve_reader_id(live->current))
		return;
	atomic_store(&scope->workers->suspect, 0);
	if (live->damaged_inode != serve_reader_inode(live->current))
		scope->say(KEEPER_WARNING,
			"store is damaged: a value of it fails its checks; livezoned is asked "
			"to rebuild it");
	live_note_damage(live);
}

/* A change is said once. */
static void
say(struct live *live, struct keeper_scope *scope, enum keeper_state before,
	const struct reason *why_before)
{
	char line[REASON_MAX + PATH_MAX + 64];

	if (live->state == before && !live->was_switched
		&& strcmp(live->why.text, why_before->text) == 0)
		return;
	live->has_news = true;
	if (live->state == KEEPER_LIVE)
		snprintf(line, sizeof(line), "store %s is live, revision %llu", live->dir,
			(unsigned long long)serve_reader_meta(live->current)->revision);
	else
		snprintf(line, sizeof(line), "store is %s: %s", state_names[live->state],
			live->why.text);
	scope->say(live->state == KEEPER_LIVE ? KEEPER_INFO : KEEPER_WARNING, line);
}

/* --- actions of the table --- */

static void
park(struct live *live, struct keeper_scope *scope)
{
	offer(scope, NULL);
	retire(live, live->dir);
}

static void
unpark(struct live *live, struct keeper_scope *scope)
{
	struct live_retired *parked = find_parked(live, scope->dir);

	live->current = parked->reader;
	snprintf(live->dir, sizeof(live->dir), "%s", scope->dir);
	*parked = (struct live_retired){ 0 };
}

static void
switch_over(struct live *live, struct keeper_scope *scope)
{
	offer(scope, live->opened);
	if (live->current)
		retire(live, NULL);
	live->current = live->opened;
	live->opened = NULL;
	snprintf(live->dir, sizeof(live->dir), "%s", scope->dir);
	live->replaced_ms = 0;
	live->was_switched = true;
	live->damaged_inode = 0;
	scope->report.opens++;
}

/* A reload may have raised the number of threads. */
static void
give_slots(struct live *live, struct keeper_scope *scope)
{
	struct claim claim = { .reader = live->current, .slots = slots_wanted(scope) };
	struct reason too_few = { "" };
	size_t have;

	(void)workers_guard(&scope->report, live->current, &claim_guarded, &claim);
	have = serve_reader_slots(live->current);
	if (have < claim.slots)
		reason_set(&too_few, STATUS_UNAVAILABLE,
			"%zu of %zu reader slots are left for us: the other threads answer "
			"from the snapshot",
			have, claim.slots);
	warn(&live->slots, &too_few, scope);
	offer(scope, live->current);
	live->replaced_ms = 0;
}

static void
give_up_outdated(struct live *live, struct keeper_scope *scope)
{
	offer(scope, NULL);
	retire(live, NULL);
	live->was_switched = true;
}

/* Truncated, or the writer no longer sees our locks: a read may end the process. */
static void
withdraw(struct live *live, struct keeper_scope *scope)
{
	offer(scope, NULL);
	live->was_switched = true;
	live_note_damage(live); /* at once: writes are not seen */
	back_off(live);
}

/* --- opening --- */

/* Into live->opened. STATUS_NOT_FOUND: there is none. */
static int
open_store(struct live *live, struct keeper_scope *scope, struct reason *why)
{
	struct reason refused = { "" };
	struct opening opening = {
		.dir = scope->dir,
		.slots = slots_wanted(scope),
		.why = &refused,
	};
	struct mdb_files files;
	enum guard_trip trip;

	if (!scope->allows_network_filesystem
		&& filesystem_refuse_network(scope->dir, why) != STATUS_OK)
		return STATUS_FOREIGN;
	if (clock_boot_ms() < live->retry_ms)
		return reason_set(why, STATUS_CORRUPT,
			"stores broke %u times in a row: waiting", live->broken);
	opening.status = check_identity(live, scope, why);
	if (opening.status == STATUS_OK)
		opening.status = live_refused_check(&live->refused, scope->dir, why);
	if (opening.status)
		return opening.status;
	trip = workers_guard(&scope->report, NULL, &open_guarded, &opening);
	if (trip != GUARD_NONE) {
		/* what was opened so far is abandoned, and known as open */
		back_off(live);
		opening.status = reason_set(&refused, STATUS_CORRUPT,
			"%s while it was opened", guard_name(trip));
	} else {
		live_refused_note(&live->refused, scope->dir, opening.status, &refused);
	}
	if (opening.status == STATUS_OK) {
		live->opened = opening.reader;
		return STATUS_OK;
	}
	/* livezoned, which has it open, may not have noticed */
	if (opening.status == STATUS_CORRUPT
		&& mdb_files_stat(scope->dir, &files, NULL) == STATUS_OK)
		live->damaged_inode = files.data_inode;
	return reason_set(why, opening.status, "%s", refused.text);
}

static size_t
slots_wanted(const struct keeper_scope *scope)
{
	return workers_slots(scope->workers, scope->threads, WORKERS_LIVE_MAX);
}

static void
open_guarded(void *context)
{
	struct opening *opening = context;

	opening->status = serve_reader_open(
		opening->dir, opening->slots, &opening->reader, opening->why);
}

/* Compares what livezoned says of itself with what the report says of us. A status other than
 * STATUS_OK: both must not use one lock file. */
static int
check_identity(struct live *live, struct keeper_scope *scope, struct reason *why)
{
	struct reason reason = { "" };
	struct identity other;

	/* missing or not readable: of another version, and says nothing */
	if (report_identity_read(scope->dir, &other, NULL))
		return STATUS_OK;
	if (report_identity_compare(&scope->report.identity, &other, &reason) == IDENTITY_DIFFERS)
		return reason_set(why, STATUS_FOREIGN, "livezoned: %s", reason.text);
	/* one pid twice: livezoned has no reader slot that ours could be taken for, but
	 * one that we leave by a crash is never cleared */
	warn(&live->identity, &reason, scope);
	return STATUS_OK;
}

/* Said once in the log, and in each report. */
static void
warn(struct reason *at, const struct reason *now, struct keeper_scope *scope)
{
	if (now->text[0] && strcmp(at->text, now->text) != 0)
		scope->say(KEEPER_WARNING, now->text);
	*at = *now;
}

int
live_refused_check(
	const struct live_refused *refused, const char *dir, struct reason *why)
{
	struct mdb_files now;

	if (refused->status == STATUS_OK || clock_boot_ms() >= refused->until_ms
		|| mdb_files_stat(dir, &now, NULL) != STATUS_OK
		|| mdb_files_compare(&refused->files, &now, NULL) != STATUS_OK)
		return STATUS_OK;
	return reason_set(why, refused->status, "%s", refused->why.text);
}

void
live_refused_note(struct live_refused *refused, const char *dir, int status,
	const struct reason *why)
{
	refused->status = STATUS_OK;
	if (status == STATUS_OK || mdb_files_stat(dir, &refused->files, NULL) != STATUS_OK)
		return;
	refused->status = status;
	refused->why = *why;
	refused->until_ms = clock_boot_ms() + LIVE_REFUSED_MS;
}

/* A store in which a fault was caught costs its address space and two descriptors for ever, so
 * that one which breaks again and again must not be followed at its pace. */
static void
back_off(struct live *live)
{
	uint64_t now = clock_boot_ms();
	unsigned steps;

	if (now - live->broken_ms > CALM_MS)
		live->broken = 0;
	live->broken_ms = now;
	steps = live->broken++;
	if (steps >= BROKEN_FREE)
		live->retry_ms = now + (steps - BROKEN_FREE < 6
			? UINT64_C(1000) << (steps - BROKEN_FREE) : BACK_OFF_MAX_MS);
}

/* A keeper that was given up while it waited must not come between its successor and the
 * workers. */
static void
offer(struct keeper_scope *scope, struct serve_reader *reader)
{
	if (!atomic_load(&scope->is_stopping))
		atomic_store(&scope->workers->live, reader);
}

static void
claim_guarded(void *context)
{
	const struct claim *claim = context;

	(void)serve_reader_claim(claim->reader, claim->slots, NULL);
}

/* --- what is open but not current --- */

static struct live_retired *
find_parked(struct live *live, const char *dir)
{
	for (size_t i = 0; i < LIVE_RETIRED_MAX; i++)
		if (live->retired[i].reader && strcmp(live->retired[i].parked_dir, dir) == 0)
			return &live->retired[i];
	return NULL;
}

/* Puts the current store away. One in which a fault was caught is abandoned as it is, because
 * its inner state is unknown; and one that may not be read, when its files are still shared. */
static void
retire(struct live *live, const char *parked_dir)
{
	const bool is_sound = live->state != KEEPER_BROKEN;
	struct live_retired now = { .reader = live->current };

	if (parked_dir && is_sound)
		snprintf(now.parked_dir, sizeof(now.parked_dir), "%s", parked_dir);
	if (is_sound || (!parked_dir && !serve_reader_poisoned(live->current))) {
		memmove(&live->retired[1], &live->retired[0],
			(LIVE_RETIRED_MAX - 1) * sizeof(now));
		live->retired[0] = now;
	}
	live->current = NULL;
}

static void
free_retired(struct live *live, struct keeper_scope *scope)
{
	for (size_t i = 0; i < LIVE_RETIRED_MAX; i++) {
		struct live_retired *at = &live->retired[i];

		/* closing the last one may have taken long */
		if (atomic_load(&scope->is_stopping))
			return;
		if (!at->reader || at->parked_dir[0]
			|| workers_use(scope->workers, at->reader))
			continue;
		if (!serve_reader_poisoned(at->reader))
			(void)workers_guard(&scope->report, NULL, &free_guarded, at->reader);
		*at = (struct live_retired){ 0 };
	}
}

static void
free_guarded(void *context)
{
	serve_reader_close(context);
}

/* --- for the rest of the keeper --- */

bool
live_is_readable(const struct live *live, struct keeper_scope *scope)
{
	return live->current && atomic_load(&scope->workers->live)
		&& !serve_reader_poisoned(live->current);
}

void
live_note_damage(struct live *live)
{
	uint64_t inode = serve_reader_inode(live->current);

	if (live->damaged_inode != inode)
		live->has_news = true;
	live->damaged_inode = inode;
}

void
live_report(struct live *live, struct keeper_scope *scope, struct report *report)
{
	const struct reason *warning = live->slots.text[0] ? &live->slots : &live->identity;
	struct reading reading = { .reader = live->current, .status = STATUS_UNAVAILABLE };

	snprintf(report->store, sizeof(report->store), "%s", state_names[live->state]);
	snprintf(report->store_reason, sizeof(report->store_reason), "%.255s", live->why.text);
	snprintf(report->warning, sizeof(report->warning), "%.255s", warning->text);
	report->damaged_inode = live->damaged_inode;
	report->revision = live->revision;
	if (!live_is_readable(live, scope))
		return;
	report->serve_inode = serve_reader_inode(live->current);
	if (workers_guard(&scope->report, live->current, &read_meta_guarded, &reading) != GUARD_NONE
		|| reading.status != STATUS_OK)
		return;
	live->revision = report->revision = reading.meta.revision;
	for (size_t i = 0; i < sizeof(reading.meta.instance); i++)
		snprintf(report->serve_instance + 2 * i, 3, "%02x", reading.meta.instance[i]);
}

static void
read_meta_guarded(void *context)
{
	struct reading *reading = context;
	struct serve_txn *txn = serve_reader_slot(reading->reader, 0);

	if (serve_reader_begin(txn))
		return;
	reading->status = serve_read_meta(txn, &reading->meta, NULL);
	serve_reader_end(txn);
}
