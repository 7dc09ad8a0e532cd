/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The six functions that Unbound calls, and what lives as long as the process: this
 * library is never unloaded (-z nodelete), so that a reload calls deinit() and then
 * init() of the same code with the same statics, and the store stays open in between.
 *
 * init(), deinit(): main thread, while no worker runs. operate(), inform_super(),
 * clear(), get_mem(): worker threads.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/config/config.h"
#include "lib/base/status.h"
#include "lib/serve/guard.h"
#include "module/host.h"
#include "module/keeper.h"
#include "module/query.h"
#include "module/recursion.h"
#include "module/worker.h"

#define EXPORT __attribute__((visibility("default")))

/* A moment without memory at start or reload is waited out: what is not had then would be
 * missing until the next one. */
#define MEMORY_TRIES 20
#define MEMORY_WAIT_MS 50

/* Set: the host shall only find out whether it starts (livezone-prestart). The store and its
 * reports are those of another Unbound, whose crashes must not be forgotten. */
#define TRIAL_ENVIRONMENT "LIVEZONE_TRIAL"

EXPORT int init(struct module_env *env, int id);
EXPORT void deinit(struct module_env *env, int id);
EXPORT void operate(struct module_qstate *q, enum module_ev event, int id,
	struct outbound_entry *outbound);
EXPORT void inform_super(struct module_qstate *q, int id, struct module_qstate *super);
EXPORT void clear(struct module_qstate *q, int id);
EXPORT size_t get_mem(struct module_env *env, int id);

static struct config *config; /* changes in init() only */
static struct keeper *keeper;
static struct workers workers;
static int keeper_thread_number; /* in the host's log lines */
static bool sends_additional; /* changes in init() only */
static pid_t loaded_by; /* process that has at_exit; its children have it, too */

static int read_settings(struct module_env *env);
static int start_keeper(const struct keeper_settings *settings, struct reason *reason);
static bool wait_for_memory(unsigned *inout_tries);
static void at_exit(void);
static void purge_new_zones(struct module_env *env, const struct config *before);
static size_t host_threads(struct module_env *env);
static bool host_sends_additional(struct module_env *env);
static void say(enum keeper_level level, const char *text);
static struct worker_state *state_of(struct module_qstate *q, int id);
static struct worker_state *make_state(struct module_qstate *q, int id);

/* Returns 0, which ends the host, in two cases only: another host than the one that this
 * was built for, and no valid settings at the first start. (Nor any for want of memory, for
 * a second: without them every name of ours would be asked of the Internet.) */
int
init(struct module_env *env, int id)
{
	struct keeper_settings settings = {
		.workers = &workers,
		.host = HOST_VERSION,
		.say = &say,
	};
	struct reason reason = { "" };

	if (host_check(env, id, &init, &reason)) {
		log_err("livezone: %s: rebuild livezone.so for this Unbound",
			reason.text);
		return 0;
	}
	if (!read_settings(env))
		return 0;
	if (!recursion_mark_begin(env, id, &config->zones))
		log_warn("livezone: the host refuses an EDNS option: circles of CNAMEs "
			 "through public names end by time-out only");
	if (getenv(TRIAL_ENVIRONMENT))
		return 1;
	if (!loaded_by && atexit(&at_exit) == 0)
		loaded_by = getpid();
	settings.config = config;
	settings.threads = host_threads(env);
	sends_additional = host_sends_additional(env);
	keeper_thread_number = (int)settings.threads;
	if (start_keeper(&settings, &reason))
		/* what is open stays readable; without a store on-failure decides */
		log_err("livezone: no keeper thread: %s", reason.text);
	return 1;
}

static int
read_settings(struct module_env *env)
{
	struct config *before = config, *now;
	struct reason reason = { "" };
	unsigned tries = 0;
	int status;

	do
		status = config_read(config_path(NULL), &now, &reason);
	while (status == STATUS_NO_MEMORY && wait_for_memory(&tries));
	if (status) {
		log_err("livezone: %s", reason.text);
		if (before)
			log_warn("livezone: the settings of the last load stay in force");
		return before != NULL;
	}
	config = now;
	if (before)
		purge_new_zones(env, before);
	config_free(before);
	log_info("livezone: %zu zones from %s", now->zones.count, now->path);
	return 1;
}

/* For want of a thread as for want of memory. */
static int
start_keeper(const struct keeper_settings *settings, struct reason *reason)
{
	unsigned tries = 0;
	int status;

	do {
		if (!keeper)
			keeper = keeper_new();
		status = keeper ? keeper_start(keeper, settings, reason)
				: reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	} while (status && wait_for_memory(&tries));
	return status;
}

/* False when it was tried often enough. */
static bool
wait_for_memory(unsigned *inout_tries)
{
	const struct timespec moment = { .tv_nsec = MEMORY_WAIT_MS * 1000000L };

	if (++*inout_tries == MEMORY_TRIES)
		return false;
	nanosleep(&moment, NULL);
	return true;
}

/* A host that cannot start, for another module's sake or its settings', ends by exit(3)
 * without deinit(). That is no crash: no query has been answered from a store since the load. */
static void
at_exit(void)
{
	if (keeper && loaded_by == getpid() && workers_count(&workers) == 0)
		(void)keeper_stop(keeper);
}

static void
purge_new_zones(struct module_env *env, const struct config *before)
{
	for (size_t i = 0; i < config->zones.count; i++) {
		const struct zone *zone = &config->zones.zone[i];

		if (!zones_find(&before->zones, &zone->key))
			recursion_purge_zone(env, zone);
	}
}

/* Asked for by name: no offset in the host's configuration has to be right. */
static size_t
host_threads(struct module_env *env)
{
	char *text = NULL;
	unsigned long threads = 1;

	if (config_get_option_collate(env->cfg, "num-threads", &text) == 0)
		threads = strtoul(text, NULL, 10);
	free(text);
	if (threads > WORKERS_LIVE_MAX - 1)
		log_warn("livezone: num-threads is %lu: only %d of them answer live, the others "
			 "from copies of the store", threads, WORKERS_LIVE_MAX - 1);
	return threads ? threads : 1;
}

/* With minimal-responses the host leaves additional records out, so that looking for them
 * would be in vain. */
static bool
host_sends_additional(struct module_env *env)
{
	char *text = NULL;
	bool is_minimal = config_get_option_collate(env->cfg, "minimal-responses", &text) != 0
		|| strcmp(text, "no") != 0;

	free(text);
	return !is_minimal;
}

/* On the keeper's thread. */
static void
say(enum keeper_level level, const char *text)
{
	log_thread_set(&keeper_thread_number);
	if (level == KEEPER_WARNING)
		log_warn("livezone: %s", text);
	else
		log_info("livezone: %s", text);
}

/* At a reload and at the end of the process, which look the same from here. */
void
deinit(struct module_env *env, int id)
{
	recursion_mark_end(env, id);
	if (keeper && !keeper_stop(keeper)) {
		log_err("livezone: the keeper waits for another process and is left behind");
		keeper = NULL;
	}
	for (size_t i = 0; i < workers_count(&workers); i++) {
		struct worker_state *state = atomic_load(&workers.state[i]);

		if (state)
			free(state->host);
	}
	workers_reset(&workers);
}

void
operate(struct module_qstate *q, enum module_ev event, int id,
	struct outbound_entry *outbound)
{
	struct query_context context = {
		.zones = &config->zones,
		.workers = &workers,
		.state = state_of(q, id),
		.wants_additional = sends_additional,
	};

	(void)outbound;
	query_operate(&context, q, event, id);
}

/* env is the worker's own copy, and modinfo[] in it: the wrapper that this points to is
 * shared by all workers until a worker puts its own clone there. */
static struct worker_state *
state_of(struct module_qstate *q, int id)
{
	struct dynlibmod_env *wrapper = q->env->modinfo[id];

	return wrapper->dyn_env ? wrapper->dyn_env : make_state(q, id);
}

static struct worker_state *
make_state(struct module_qstate *q, int id)
{
	static atomic_flag was_said = ATOMIC_FLAG_INIT;
	struct dynlibmod_env *own;
	struct worker_state *state;

	if (!host_check_query(q)) {
		if (!atomic_flag_test_and_set(&was_said))
			log_err("livezone: queries are laid out differently in this "
				"Unbound: rebuild livezone.so for it");
		return NULL;
	}
	guard_unblock();
	own = malloc(sizeof(*own));
	if (!own)
		return NULL;
	state = worker_new(&workers, config->zones.count);
	if (!state) {
		free(own);
		return NULL;
	}
	*own = *(struct dynlibmod_env *)q->env->modinfo[id];
	own->dyn_env = state;
	state->host = own;
	q->env->modinfo[id] = own;
	return state;
}

void
inform_super(struct module_qstate *q, int id, struct module_qstate *super)
{
	query_inform(q, id, super);
}

/* What a query has lies in its region. */
void
clear(struct module_qstate *q, int id)
{
	q->minfo[id] = NULL;
}

/* What is allocated; the store itself is a mapped file, shared by all processes. */
size_t
get_mem(struct module_env *env, int id)
{
	(void)env;
	(void)id;
	return workers_memory(&workers);
}
