/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The served copy. It takes no read transaction on serve (D10): what it needs to know it
 * reads inside its write transactions.
 */
#include "sidecar/serving.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/boot.h"
#include "lib/clock.h"
#include "lib/filesystem.h"
#include "lib/guard.h"
#include "lib/node.h"
#include "lib/reverse.h"
#include "lib/status.h"
#include "sidecar/log.h"
#include "sidecar/pulse.h"

#define LOOK_MS  1000        /* R9 */
#define SWEEP_MS 5000        /* R11 */
/* A report of damage is believed again after a second, or so many times what the rebuild took. */
#define DAMAGE_MS 1000
#define DAMAGE_TIMES 20
#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS 60000
#define CHUNK_NAMES 500000   /* names per commit of a rebuild: bounds dirty pages */
#define CATCH_UP_MAX 100000  /* names; more are rebuilt */

/* --- faults --- */

/* A call that reads or changes pages of what is served. Where they are damaged, LMDB may
 * fault or fail an assertion (H21, H22). */
struct job {
	struct serving *serving;
	struct plan_touched *touched;
	uint64_t revision;
	struct state_txn *from;
	struct store_txn *to;
	struct store_writer *store;
	struct store_meta meta;
	int status;
};

/* After a fault nobody touches the environment again, and the next step is a rebuild beside
 * it. */
static void
give_up(struct serving *serving, enum guard_trip trip)
{
	store_writer_abandon(serving->store);
	serving->store = NULL;
	serving->is_current = false;
	serving->retry_ms = 0;
	reason_set(&serving->reason, STATUS_CORRUPT, "%s in serve", guard_name(trip));
	state_suspect(serving->state); /* which was read there, too */
}

/* Returns the job's status. */
static int
run_guarded(struct serving *serving, guard_fn fn, struct job *job)
{
	enum guard_trip trip = guard_run(fn, job);

	if (trip == GUARD_NONE)
		return job->status;
	give_up(serving, trip);
	return STATUS_CORRUPT;
}

static void
close_guarded(void *context)
{
	struct job *job = context;

	store_writer_close(job->store);
}

/* --- nodes --- */

static int
write_node(struct compile *compile, struct store_txn *txn, struct reason *reason)
{
	size_t size;
	uint8_t *value;
	int status;

	if (compile->count == 0)
		return store_writer_delete(txn, &compile->owner, reason);
	size = node_size(compile->rrset, compile->count);
	status = store_writer_reserve(txn, &compile->owner, size, &value, reason);
	if (status == STATUS_OK)
		node_encode(&compile->owner, compile->revision, compile->flags, compile->rrset,
			compile->count, value);
	return status;
}

static int
write_names(struct serving *serving, const struct plan_names *names, struct state_txn *from,
	struct store_txn *to)
{
	struct compile *compile = &serving->compile;
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < names->count; i++) {
		pulse_beat();
		status = compile_name(compile, from, names->name[i], &serving->reason);
		if (status == STATUS_OK)
			status = write_node(compile, to, &serving->reason);
	}
	return status;
}

/* --- rebuild --- */

struct rebuild {
	struct serving *serving;
	struct state_txn *from;
	struct store_writer *store;
	struct store_txn *to;
	bool has_name;
	bool *has_apex; /* per zone: its node is written */
	size_t written;
	uint64_t records, owned; /* read; as the sources count */
};

static int
finish_name(struct rebuild *rebuild, struct reason *reason)
{
	struct compile *compile = &rebuild->serving->compile;
	const struct zone *zone = zones_find(compile->zones, &compile->owner);
	int status = compile_finish(compile, rebuild->from, reason);

	pulse_beat();
	rebuild->has_name = false;
	if (zone)
		rebuild->has_apex[zone - compile->zones->zone] = true;
	if (status == STATUS_OK)
		status = write_node(compile, rebuild->to, reason);
	if (status == STATUS_OK && ++rebuild->written % CHUNK_NAMES == 0) {
		struct store_txn *txn = rebuild->to;

		rebuild->to = NULL;
		status = store_writer_commit(txn, reason);
		if (status == STATUS_OK)
			status = store_writer_begin(rebuild->store, &rebuild->to, reason);
	}
	return status;
}

static int
rebuild_record(void *context, const struct state_record *record, struct reason *reason)
{
	struct rebuild *rebuild = context;
	struct compile *compile = &rebuild->serving->compile;
	const struct name_key *owner = &record->rrset.owner;
	int status = STATUS_OK;

	rebuild->records++;
	if (rebuild->has_name
		&& (compile->owner.len != owner->len
			|| memcmp(compile->owner.bytes, owner->bytes, owner->len) != 0))
		status = finish_name(rebuild, reason);
	if (status != STATUS_OK)
		return status;
	if (!rebuild->has_name)
		compile_begin(compile, owner);
	rebuild->has_name = true;
	return compile_add(compile, record, reason);
}

/* A reverse name of auto-ptr; one that has records of its own is written once more. */
static int
rebuild_reverse_name(void *context, const struct name_key *name, struct reason *reason)
{
	struct rebuild *rebuild = context;
	int status = compile_begin_name(&rebuild->serving->compile, rebuild->from, name, reason);

	return status == STATUS_OK ? finish_name(rebuild, reason) : status;
}

/* Apexes at which nothing is stored have an SOA all the same. */
static int
rebuild_apexes(struct rebuild *rebuild, struct reason *reason)
{
	struct compile *compile = &rebuild->serving->compile;
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < compile->zones->count; i++) {
		if (rebuild->has_apex[i])
			continue;
		compile_begin(compile, &compile->zones->zone[i].key);
		status = finish_name(rebuild, reason);
	}
	return status;
}

static int
add_owned(void *context, const char *source, size_t source_len,
	const struct state_source *record, struct reason *reason)
{
	struct rebuild *rebuild = context;

	(void)source;
	(void)source_len;
	(void)reason;
	rebuild->owned += record->rrsets;
	return STATUS_OK;
}

/* A page of state that is damaged may hide records, and a serve without them would deny
 * names that exist. */
static int
check_count(struct rebuild *rebuild, struct reason *reason)
{
	int status = state_walk_sources(rebuild->from, add_owned, rebuild, reason);

	if (status == STATUS_OK && rebuild->records != rebuild->owned)
		status = reason_set(reason, STATUS_CORRUPT,
			"state: %llu RRsets where its sources have %llu",
			(unsigned long long)rebuild->records,
			(unsigned long long)rebuild->owned);
	return status;
}

static int
fill(struct rebuild *rebuild, struct store_meta *out_meta, struct reason *reason)
{
	static const struct name_key root;
	struct state_meta meta;
	int status = state_read_meta(rebuild->from, &meta, reason);

	if (status == STATUS_OK)
		status = store_writer_begin(rebuild->store, &rebuild->to, reason);
	if (status == STATUS_OK)
		status = state_walk_below(rebuild->from, &root, rebuild_record, rebuild,
			reason);
	if (status == STATUS_OK && rebuild->has_name)
		status = finish_name(rebuild, reason);
	if (status == STATUS_OK)
		status = check_count(rebuild, reason);
	if (status == STATUS_OK)
		status = state_walk_reverse_names(rebuild->from, rebuild_reverse_name, rebuild,
			reason);
	if (status == STATUS_OK)
		status = rebuild_apexes(rebuild, reason);
	if (status != STATUS_OK)
		return status;
	out_meta->revision = meta.revision;
	memcpy(out_meta->instance, meta.instance, sizeof(meta.instance));
	return store_writer_put_meta(rebuild->to, out_meta, reason);
}

/* Fills the new environment from state in one consistent read. */
static int
fill_from_state(struct serving *serving, struct store_writer *store,
	struct store_meta *out_meta)
{
	struct rebuild rebuild = { .serving = serving, .store = store };
	int status = state_begin_read(serving->state, &rebuild.from, &serving->reason);

	if (status != STATUS_OK)
		return status;
	rebuild.has_apex = calloc(serving->compile.zones->count + 1, sizeof(bool));
	status = rebuild.has_apex
		? fill(&rebuild, out_meta, &serving->reason)
		: reason_set(&serving->reason, STATUS_NO_MEMORY, "out of memory");
	free(rebuild.has_apex);
	state_abort(rebuild.from);
	if (!rebuild.to)
		return status;
	if (status == STATUS_OK)
		return store_writer_commit(rebuild.to, &serving->reason);
	store_writer_abort(rebuild.to);
	return status;
}

/* Until they are gone from the old directory, which says who they are: a livezoned that is
 * killed meanwhile must find that. */
static void
wait_for_readers(struct serving *serving, const struct store_writer *store)
{
	reporters_wait(&serving->reporters, serving->dir, store_writer_inode(store));
	store_writer_tidy(serving->dir);
}

static int
publish(struct serving *serving, struct store_writer *store)
{
	int status;

	reporters_look(&serving->reporters, serving->dir);
	status = store_writer_publish(store, &serving->reason);
	if (status == STATUS_OK)
		wait_for_readers(serving, store);
	return status;
}

/* Builds a new directory and puts it in place of whatever is there. */
static void
rebuild(struct serving *serving)
{
	struct store_writer *store;
	struct store_meta meta = serving->meta;
	const struct reason why = serving->reason;
	uint64_t began_ms = clock_boot_ms();
	struct job job = { 0 };
	int status = store_writer_create(serving->dir, serving->size_limit, &store,
		&serving->reason);

	serving->is_current = false;
	if (status == STATUS_OK) {
		status = fill_from_state(serving, store, &meta);
		serving->believe_ms = clock_boot_ms() + DAMAGE_MS
			+ DAMAGE_TIMES * (clock_boot_ms() - began_ms);
		if (status == STATUS_OK)
			status = publish(serving, store);
		if (status != STATUS_OK)
			store_writer_close(store);
	}
	if (status == STATUS_CORRUPT)
		state_suspect(serving->state);
	if (status != STATUS_OK) {
		serving->retry_after_ms = serving->retry_after_ms == 0
			? RETRY_FIRST_MS
			: serving->retry_after_ms * 2;
		if (serving->retry_after_ms > RETRY_MAX_MS)
			serving->retry_after_ms = RETRY_MAX_MS;
		serving->retry_ms = clock_boot_ms() + serving->retry_after_ms;
		return;
	}
	job.store = serving->store;
	(void)run_guarded(serving, &close_guarded, &job);
	serving->store = store;
	serving->meta = meta;
	serving->is_current = true;
	serving->retry_after_ms = 0;
	serving->rebuilds++;
	if (why.text[0] != '\0')
		log_line(LOG_LEVEL_WARNING, "serve was built anew: %s", why.text);
	serving->reason.text[0] = '\0';
}

/* --- following state --- */

static int
write_touched(const struct job *job, const struct store_meta *meta)
{
	struct serving *serving = job->serving;
	int status = write_names(serving, &job->touched->names, job->from, job->to);

	if (status == STATUS_OK)
		status = write_names(serving, &job->touched->reverse, job->from, job->to);
	if (status == STATUS_OK)
		status = write_names(serving, &job->touched->apexes, job->from, job->to);
	if (status == STATUS_OK)
		status = store_writer_put_meta(job->to, meta, &serving->reason);
	return status;
}

static void
update_guarded(void *context)
{
	struct job *job = context;
	struct serving *serving = job->serving;
	struct store_meta meta = serving->meta;

	meta.revision = job->revision;
	job->status = store_writer_begin(serving->store, &job->to, &serving->reason);
	if (job->status != STATUS_OK)
		return;
	job->status = write_touched(job, &meta);
	if (job->status != STATUS_OK) {
		store_writer_abort(job->to);
		return;
	}
	job->status = store_writer_commit(job->to, &serving->reason);
	if (job->status == STATUS_OK)
		serving->meta = meta;
}

static int
update(struct serving *serving, struct plan_touched *touched, uint64_t revision)
{
	struct job job = { .serving = serving, .touched = touched, .revision = revision };
	int status = state_begin_read(serving->state, &job.from, &serving->reason);

	if (status != STATUS_OK)
		return status;
	plan_names_sort(&touched->names);
	plan_names_sort(&touched->reverse);
	plan_names_sort(&touched->apexes);
	status = run_guarded(serving, &update_guarded, &job);
	state_abort(job.from);
	return status;
}

static int
check_files(struct serving *serving)
{
	return serving->store ? store_writer_check(serving->store, &serving->reason)
			      : STATUS_NOT_FOUND;
}

void
serving_update(struct serving *serving, struct plan_touched *touched, uint64_t revision)
{
	if (serving->is_current && check_files(serving) == STATUS_OK
		&& update(serving, touched, revision) == STATUS_OK)
		return;
	if (!serving->is_current && clock_boot_ms() < serving->retry_ms)
		return;
	rebuild(serving);
}

bool
serving_is_seen(struct serving *serving, struct reason *reason)
{
	const struct reporter *behind;
	uint64_t inode;

	if (!serving->is_current) {
		*reason = serving->reason;
		return false;
	}
	inode = store_writer_inode(serving->store);
	if (!reporters_find_behind(&serving->reporters, inode))
		return true;
	reporters_look(&serving->reporters, serving->dir);
	behind = reporters_find_behind(&serving->reporters, inode);
	if (!behind)
		return true;
	reason_set(reason, STATUS_UNAVAILABLE,
		"Unbound with pid %ld still reads the store that was replaced",
		(long)behind->pid);
	return false;
}

static void
begin_guarded(void *context)
{
	struct job *job = context;

	job->status = store_writer_begin(
		job->serving->store, &job->to, &job->serving->reason);
}

int
serving_begin_look(struct serving *serving, struct store_txn **out, struct reason *reason)
{
	struct job job = { .serving = serving };
	int status;

	if (serving->is_current && check_files(serving) != STATUS_OK)
		rebuild(serving);
	if (!serving->is_current) {
		*reason = serving->reason;
		return reason_prefix(reason, STATUS_UNAVAILABLE, "serve");
	}
	status = run_guarded(serving, &begin_guarded, &job);
	if (status != STATUS_OK) {
		*reason = serving->reason;
		return status;
	}
	*out = job.to;
	return STATUS_OK;
}

int
serving_look(struct serving *serving, guard_fn fn, void *context, struct reason *reason)
{
	enum guard_trip trip = guard_run(fn, context);

	if (trip == GUARD_NONE)
		return STATUS_OK;
	give_up(serving, trip);
	*reason = serving->reason;
	return STATUS_UNAVAILABLE;
}

/* Whoever reports is another process: it shall not keep us at nothing but rebuilds. */
static bool
is_reported_damaged(struct serving *serving, uint64_t now)
{
	const struct reporter *reporter = reporters_find_damaged(
		&serving->reporters, store_writer_inode(serving->store));

	if (!reporter || now < serving->believe_ms)
		return false;
	reason_set(&serving->reason, STATUS_CORRUPT,
		"Unbound with pid %ld found serve damaged", (long)reporter->pid);
	return true;
}

static void
sweep_guarded(void *context)
{
	struct job *job = context;

	store_writer_sweep(job->serving->store);
}

void
serving_tick(struct serving *serving)
{
	struct job job = { .serving = serving };
	uint64_t now = clock_boot_ms();

	if (!serving->is_current) {
		if (now >= serving->retry_ms)
			rebuild(serving);
		return;
	}
	if (now - serving->looked_ms < LOOK_MS)
		return;
	serving->looked_ms = now;
	reporters_look(&serving->reporters, serving->dir);
	if (check_files(serving) != STATUS_OK || is_reported_damaged(serving, now)) {
		rebuild(serving);
		return;
	}
	if (now - serving->swept_ms >= SWEEP_MS) {
		serving->swept_ms = now;
		(void)run_guarded(serving, &sweep_guarded, &job);
	}
}

/* --- start --- */

/* Is what the directory holds gone after a power loss? Then what is there is whole. */
static bool
is_in_memory(const char *dir)
{
	enum filesystem kind = FILESYSTEM_DISK;
	const char *name;

	return filesystem_of(dir, &kind, &name, NULL) == STATUS_OK
		&& kind == FILESYSTEM_MEMORY;
}

static void
open_guarded(void *context)
{
	struct job *job = context;
	struct serving *serving = job->serving;

	job->status = store_writer_open(serving->dir, serving->size_limit, &serving->store,
		&serving->reason);
	if (job->status == STATUS_OK)
		job->status = store_writer_begin(serving->store, &job->to, &serving->reason);
	if (job->status != STATUS_OK)
		return;
	job->status = store_read_meta(job->to, &job->meta, &serving->reason);
	store_writer_abort(job->to);
}

/* Names to catch up with; owners are copied into the arena. */
struct catch_up {
	struct serving *serving;
	struct plan_touched touched;
	struct arena arena;
};

static int
catch_up_name(struct catch_up *catch_up, const struct name_key *owner)
{
	const struct name_key *copy;

	if (catch_up->touched.names.count == CATCH_UP_MAX)
		return STATUS_TOO_LARGE;
	copy = arena_copy(&catch_up->arena, owner, sizeof(*owner));
	return copy ? plan_names_add(&catch_up->touched.names, copy) : STATUS_NO_MEMORY;
}

static bool
has_pointers(const struct catch_up *catch_up, const struct name_key *owner, uint16_t type)
{
	const struct zones *zones = catch_up->serving->compile.zones;

	return zones->has_auto_ptr && reverse_is_wanted(zones_match(zones, owner), owner, type);
}

static int
catch_up_entry(void *context, uint64_t revision, bool reset,
	const struct state_log_item *items, size_t count, struct reason *reason)
{
	const struct catch_up *catch_up = context;
	int status = reset ? STATUS_TOO_LARGE : STATUS_OK;
	size_t i;

	(void)revision;
	(void)reason;
	for (i = 0; status == STATUS_OK && i < count; i++) {
		/* nobody knows which addresses it had before: rebuild */
		if (has_pointers(catch_up, &items[i].owner, items[i].type))
			status = STATUS_TOO_LARGE;
		else
			status = catch_up_name(context, &items[i].owner);
	}
	return status;
}

/* A heartbeat makes no revision, so leases may be newer than serve has them. */
static int
catch_up_lease(void *context, const struct state_record *record, struct reason *reason)
{
	const struct rrset *rrset = &record->rrset;
	bool points = has_pointers(context, &rrset->owner, rrset->type);
	size_t at, len;
	int status = catch_up_name(context, &rrset->owner);

	(void)reason;
	for (at = 0; points && status == STATUS_OK && at < rrset->rdata_len; at += 2 + len) {
		struct name_key reverse;

		len = (size_t)rrset->rdata[at] << 8 | rrset->rdata[at + 1];
		if (reverse_key(rrset->type, rrset->rdata + at + 2, len, &reverse) == STATUS_OK)
			status = catch_up_name(context, &reverse);
	}
	return status;
}

static int
collect_catch_up(struct serving *serving, struct catch_up *catch_up, uint64_t since,
	struct state_meta *out_meta)
{
	const struct zones *zones = serving->compile.zones;
	struct state_txn *txn;
	size_t i;
	int status = state_begin_read(serving->state, &txn, &serving->reason);

	if (status != STATUS_OK)
		return status;
	status = state_read_meta(txn, out_meta, &serving->reason);
	if (status == STATUS_OK)
		status = state_walk_log(txn, since, SIZE_MAX, catch_up_entry, catch_up,
			&serving->reason);
	if (status == STATUS_OK)
		status = state_walk_expired(txn, UINT64_MAX, catch_up_lease, catch_up,
			&serving->reason);
	/* the configuration may say another ns, contact or ttl than before */
	for (i = 0; status == STATUS_OK && i < zones->count; i++)
		status = plan_names_add(&catch_up->touched.apexes, &zones->zone[i].key);
	state_abort(txn);
	return status;
}

/* Opens what is there and brings it to state's revision. Any failure means: rebuild. */
static int
catch_up(struct serving *serving)
{
	struct catch_up catch_up = { .serving = serving };
	struct job job = { .serving = serving };
	struct store_meta found;
	struct state_meta meta;
	int status = run_guarded(serving, &open_guarded, &job);

	found = job.meta;
	if (status == STATUS_OK
		&& memcmp(found.boot_id, serving->meta.boot_id, sizeof(found.boot_id)) != 0
		&& !is_in_memory(serving->dir))
		status = reason_set(&serving->reason, STATUS_CORRUPT,
			"serve is on a disk and of another boot");
	if (status == STATUS_OK)
		status = collect_catch_up(serving, &catch_up, found.revision, &meta);
	if (status == STATUS_OK
		&& memcmp(found.instance, meta.instance, sizeof(meta.instance)) != 0)
		status = reason_set(&serving->reason, STATUS_FOREIGN,
			"serve was made from another state");
	if (status == STATUS_OK) {
		memcpy(serving->meta.instance, meta.instance, sizeof(meta.instance));
		status = update(serving, &catch_up.touched, meta.revision);
		serving->catch_ups += found.revision != meta.revision;
	}
	plan_touched_done(&catch_up.touched);
	arena_done(&catch_up.arena);
	return status;
}

/* The livezoned before this one may have ended right after it put a new directory in place:
 * an Unbound that still reads the old one would not see what is written now. */
static void
look_for_readers(struct serving *serving)
{
	char old[PATH_MAX];

	if (snprintf(old, sizeof(old), "%s" STORE_NEW_SUFFIX, serving->dir) < (int)sizeof(old))
		reporters_look(&serving->reporters, old);
	reporters_look(&serving->reporters, serving->dir);
}

void
serving_start(struct serving *serving, bool must_rebuild)
{
	boot_read_id(serving->meta.boot_id);
	look_for_readers(serving);
	serving->is_current = !must_rebuild && catch_up(serving) == STATUS_OK;
	if (serving->is_current)
		wait_for_readers(serving, serving->store);
	else
		rebuild(serving);
}

void
serving_stop(struct serving *serving)
{
	struct job job = { .store = serving->store };

	(void)run_guarded(serving, &close_guarded, &job);
	serving->store = NULL;
	free(serving->dir);
	serving->dir = NULL;
}
