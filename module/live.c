/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Opening, watching, switching and checking the store. Every touch of a map is guarded.
 */
#include "module/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/filesystem.h"
#include "lib/serve/guard.h"
#include "lib/base/status.h"
#include "module/stats.h"

/* So many stores may break in a row without a pause before the next is tried; then the
 * pauses double. In a row: less than CALM_MS apart. */
#define BROKEN_FREE 4
#define CALM_MS 60000
#define BACK_OFF_MAX_MS 60000
/* A store that was replaced goes on as live for so long while the new one cannot be opened:
 * that may be a matter of a moment. */
#define REPLACED_MS 1000

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
	struct reason why;
	int status;
};

static void check_current(struct live *live, const struct live_order *order);
static int
open_store(struct live *live, const struct live_order *order, struct reason *why);
static void open_guarded(void *context);
static enum guard_trip run_guarded(const struct live_order *order,
	struct serve_reader *reader, guard_fn fn, void *context);
static void back_off(struct live *live);
static int switch_to(struct live *live, const struct live_order *order,
	struct serve_reader *reader, struct reason *why);
static bool is_outdated(struct live *live, int status, int status_of_new);
static void withdraw(struct live *live, const struct live_order *order);
static bool unpark(struct live *live, const struct live_order *order);
static void retire(struct live *live, bool is_parked);
static void free_retired(struct live *live, const struct live_order *order);
static void free_guarded(void *context);
static void offer(const struct live_order *order, struct serve_reader *reader);
static void claim_guarded(void *context);
static void set_store(struct live *live, const struct live_order *order, const char *store,
	const char *why);
static void read_meta_guarded(void *context);

/* Is what the workers read still what lies in the directory? */
void
live_look(struct live *live, const struct live_order *order)
{
	struct reason why = { "" };

	live->was_switched = false;
	free_retired(live, order);
	if (live->current && strcmp(live->dir, order->dir)) {
		/* a reload named another directory; no worker runs yet */
		offer(order, NULL);
		retire(live, true);
	}
	if (!live->current && order->why_off) {
		set_store(live, order, "disabled", order->why_off);
		return;
	}
	if (!live->current && !unpark(live, order)) {
		int status = open_store(live, order, &why);

		if (status)
			set_store(live, order,
				status == STATUS_NOT_FOUND ? "absent" : "refused",
				why.text);
		return;
	}
	if (live->is_sound)
		check_current(live, order);
	else /* on failure, what was said when it was withdrawn stands */
		(void)open_store(live, order, NULL);
}

static void
check_current(struct live *live, const struct live_order *order)
{
	struct reason why = { "" }, why_not = { "" };
	struct claim claim = { .reader = live->current, .slots = order->slots };
	int trip = serve_reader_poisoned(live->current);
	int status, status_of_new;

	if (trip)
		status = reason_set(&why, STATUS_CORRUPT, "%s while it was read",
			guard_name((enum guard_trip)trip));
	else
		status = serve_reader_check(live->current, &why);
	if (status == 0) {
		/* a reload may have raised the number of threads */
		(void)run_guarded(order, live->current, &claim_guarded, &claim);
		warning_check_slots(&live->warning, serve_reader_slots(live->current),
			order->slots, order->report, order->say);
		offer(order, live->current);
		live->replaced_ms = 0;
		set_store(live, order, "live", "");
		return;
	}
	if (status == STATUS_CORRUPT) {
		withdraw(live, order);
		/* said even when there is another store already: somebody broke this one */
		set_store(live, order, "refused", why.text);
	}
	/* deleted: still mapped and whole, the best that there is until there is another */
	status_of_new = open_store(live, order, &why_not);
	if (status_of_new == STATUS_OK)
		return;
	if (is_outdated(live, status, status_of_new)) {
		offer(order, NULL);
		retire(live, false);
		live->was_switched = true;
	}
	set_store(live, order, live->current && live->is_sound ? "deleted" : "refused",
		status == STATUS_FOREIGN ? why_not.text : why.text);
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

static int
open_store(struct live *live, const struct live_order *order, struct reason *why)
{
	struct reason refused = { "" };
	struct opening opening = {
		.dir = order->dir,
		.slots = order->slots,
		.why = &refused,
	};
	enum guard_trip trip;

	if (!order->allows_network_filesystem
		&& filesystem_refuse_network(order->dir, why) != STATUS_OK)
		return STATUS_FOREIGN;
	if (clock_boot_ms() < live->retry_ms)
		return reason_set(why, STATUS_CORRUPT,
			"stores broke %u times in a row: waiting", live->broken);
	opening.status = warning_check_side(
		&live->warning, order->dir, order->report, order->say, why);
	if (opening.status == STATUS_OK)
		opening.status = refusal_check(&live->refusal, order->dir, why);
	if (opening.status)
		return opening.status;
	trip = run_guarded(order, NULL, &open_guarded, &opening);
	if (trip != GUARD_NONE) {
		/* what was opened so far is abandoned, and known as open */
		back_off(live);
		return reason_set(why, STATUS_CORRUPT, "%s while it was opened",
			guard_name(trip));
	}
	refusal_note(&live->refusal, order->dir, opening.status, &refused);
	return opening.status
		? reason_set(why, opening.status, "%s", refused.text)
		: switch_to(live, order, opening.reader, why);
}

static void
open_guarded(void *context)
{
	struct opening *opening = context;

	opening->status = serve_reader_open(
		opening->dir, opening->slots, &opening->reader, opening->why);
}

/* Calls fn in the guard; a reader that tripped it is poisoned. */
static enum guard_trip
run_guarded(const struct live_order *order, struct serve_reader *reader, guard_fn fn,
	void *context)
{
	enum guard_trip trip = guard_run(fn, context);

	if (trip == GUARD_NONE)
		return trip;
	stats_add_trip(trip, order->report);
	if (reader)
		serve_reader_poison(reader, (int)trip);
	return trip;
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
offer(const struct live_order *order, struct serve_reader *reader)
{
	if (!atomic_load(order->is_over))
		atomic_store(&order->workers->live, reader);
}

static int
switch_to(struct live *live, const struct live_order *order, struct serve_reader *reader,
	struct reason *why)
{
	char *dir = strdup(order->dir);

	if (!dir) {
		serve_reader_close(reader);
		return reason_set(why, STATUS_NO_MEMORY, "out of memory");
	}
	offer(order, reader);
	if (live->current)
		retire(live, false);
	live->current = reader;
	live->dir = dir;
	live->is_sound = true;
	live->replaced_ms = 0;
	live->was_switched = live->has_news = true;
	live->damaged_inode = 0;
	order->report->opens++;
	set_store(live, order, "live", "");
	return 0;
}

/* Truncated, or the writer no longer sees our locks: a read may end the process. */
static void
withdraw(struct live *live, const struct live_order *order)
{
	offer(order, NULL);
	live->is_sound = false;
	live->was_switched = true;
	live_note_damage(live); /* at once: writes are not seen */
	back_off(live);
}

static bool
unpark(struct live *live, const struct live_order *order)
{
	for (size_t i = 0; i < LIVE_RETIRED_MAX; i++) {
		struct live_retired *at = &live->retired[i];

		if (!at->parked_dir || strcmp(at->parked_dir, order->dir))
			continue;
		live->current = at->reader;
		live->dir = at->parked_dir;
		live->is_sound = true;
		*at = (struct live_retired){ 0 };
		return true;
	}
	return false;
}

/* Puts the current store away. One in which a fault was caught is abandoned as it is, because
 * its inner state is unknown; and one that may not be read, when its files are still shared. */
static void
retire(struct live *live, bool is_parked)
{
	struct live_retired *last = &live->retired[LIVE_RETIRED_MAX - 1];
	struct live_retired now = { .reader = live->current };

	if (is_parked && live->is_sound)
		now.parked_dir = live->dir;
	else
		free(live->dir);
	if (live->is_sound || (!is_parked && !serve_reader_poisoned(live->current))) {
		free(last->parked_dir);
		memmove(&live->retired[1], &live->retired[0],
			(LIVE_RETIRED_MAX - 1) * sizeof(*last));
		live->retired[0] = now;
	}
	live->current = NULL;
	live->dir = NULL;
}

static void
free_retired(struct live *live, const struct live_order *order)
{
	for (size_t i = 0; i < LIVE_RETIRED_MAX; i++) {
		struct live_retired *at = &live->retired[i];

		if (atomic_load(order->is_over)) /* closing the last one may have taken long */
			return;
		if (!at->reader || at->parked_dir
			|| workers_use(order->workers, at->reader))
			continue;
		if (!serve_reader_poisoned(at->reader))
			(void)run_guarded(order, NULL, &free_guarded, at->reader);
		*at = (struct live_retired){ 0 };
	}
}

static void
free_guarded(void *context)
{
	serve_reader_close(context);
}

static void
claim_guarded(void *context)
{
	const struct claim *claim = context;

	(void)serve_reader_claim(claim->reader, claim->slots, NULL);
}

/* Says a change once. */
static void
set_store(struct live *live, const struct live_order *order, const char *store,
	const char *why)
{
	struct report *report = order->report;
	char line[REASON_MAX + 256];
	bool is_live = !strcmp(store, "live");

	if (!strcmp(report->store, store) && !live->was_switched
		&& !strncmp(report->store_reason, why, sizeof(report->store_reason) - 1))
		return;
	live->has_news = true;
	snprintf(report->store, sizeof(report->store), "%s", store);
	snprintf(report->store_reason, sizeof(report->store_reason), "%.255s", why);
	if (is_live)
		snprintf(line, sizeof(line), "store %s is live, revision %llu",
			live->dir,
			(unsigned long long)serve_reader_meta(live->current)->revision);
	else
		snprintf(line, sizeof(line), "store is %s: %s", store, why);
	order->say(is_live ? KEEPER_INFO : KEEPER_WARNING, line);
}

void
live_check(struct live *live, const struct live_order *order)
{
	uint64_t inode;

	if (!live_is_readable(live, order)
		|| atomic_load(&order->workers->suspect) != serve_reader_id(live->current))
		return;
	/* what fails from now on asks again */
	atomic_store(&order->workers->suspect, 0);
	inode = serve_reader_inode(live->current);
	if (live->damaged_inode != inode)
		order->say(KEEPER_WARNING, "store is damaged: a value fails its checks");
	live_note_damage(live);
}

bool
live_is_readable(const struct live *live, const struct live_order *order)
{
	return live->current && atomic_load(&order->workers->live)
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
live_report(struct live *live, const struct live_order *order, struct report *report)
{
	struct reading reading = { .reader = live->current, .status = STATUS_UNAVAILABLE };

	report->damaged_inode = live->damaged_inode;
	if (!live_is_readable(live, order))
		return;
	report->serve_inode = serve_reader_inode(live->current);
	if (run_guarded(order, live->current, &read_meta_guarded, &reading) != GUARD_NONE
		|| reading.status != STATUS_OK)
		return;
	order->report->revision = report->revision = reading.meta.revision;
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

void
live_forget(struct live *live, struct workers *workers)
{
	/* abandoned as they are: even closing them is the parent's business */
	atomic_store(&workers->live, NULL);
	free(live->dir);
	for (size_t i = 0; i < LIVE_RETIRED_MAX; i++)
		free(live->retired[i].parked_dir);
	*live = (struct live){ 0 };
}
