/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * livezoned: starts state, writer and listeners in this order, waits for signals, and
 * ends them in the other order. The main thread does nothing else.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "livezone-config.h"
#include "sidecar/api/api.h"
#include "sidecar/journal/examine.h"
#include "sidecar/journal/examiner.h"
#include "sidecar/journal/backup_thread.h"
#include "sidecar/http/http.h"
#include "lib/base/log.h"
#include "sidecar/journal/recover.h"
#include "sidecar/main/storage.h"
#include "sidecar/api/routes.h"
#include "sidecar/main/watchdog.h"

#define EXIT_USAGE 2
#define HEAP_STEP (1024 * 1024)
#define RELOAD_LOOK_MS 500 /* the watchdog looks on while the writer is busy */

struct arguments {
	const char *config;
	bool only_check;
	const char *check_state; /* directory */
	uint64_t watchdog_s;
};

struct daemon {
	struct api api;
	struct http_handler handler;
	struct http_server *http;
	const char *config_path;
	struct watchdog watchdog;
	struct examiner *examiner;
	pthread_t main_thread;
	atomic_bool must_restart;
};

static bool parse_arguments(int argc, char **argv, struct arguments *out, int *out_exit);
static bool parse_seconds(const char *text, uint64_t *out);
static int start(struct daemon *daemon, struct reason *reason);
static int make_state_dir(const char *path, struct reason *reason);
static int
open_state(struct daemon *daemon, const struct config *config, struct reason *reason);
static void want_restart(void *context);
static int restart(char **argv);
static bool serve(struct daemon *daemon, const sigset_t *signals);
static void reload(struct daemon *daemon);
static int
check_same(const struct config *old, const struct config *new, struct reason *reason);
static bool is_same_text(const char *a, const char *b);
static void stop(struct daemon *daemon);

static const char usage[] =
	"usage: livezoned [--config FILE] [--check] [--watchdog SECONDS]\n"
	"       livezoned --check-state DIR\n"
	"\n"
	"Takes writes over HTTP and keeps the live zones that Unbound serves.\n"
	"\n"
	"  -c, --config FILE  configuration (default: $LIVEZONE_CONF, else\n"
	"                     " LIVEZONE_CONF_DEFAULT ")\n"
	"      --check        check the configuration and the token file, then end\n"
	"      --watchdog SECONDS\n"
	"                     where systemd does not watch: end when the writer has\n"
	"                     not moved for so long (default: 60; 0 = never)\n"
	"      --check-state DIR\n"
	"                     check every record of the state in DIR, then end\n"
	"  -V, --version      print the version, then end\n"
	"  -h, --help         print this, then end\n"
	"\n"
	"SIGHUP reads the configuration and the token file again. See livezoned(8).\n";

int
main(int argc, char **argv)
{
	struct daemon daemon = { .main_thread = pthread_self(),
		.api = { .lock = PTHREAD_MUTEX_INITIALIZER } };
	struct arguments arguments = { .watchdog_s = WATCHDOG_OWN_S };
	struct reason reason = { "" };
	int exit_code = EXIT_SUCCESS;
	bool must_restart = false;
	sigset_t signals;

	if (!parse_arguments(argc, argv, &arguments, &exit_code))
		return exit_code;
	if (arguments.check_state) {
		exit_code = examine_child(arguments.check_state);
		fflush(stdout);
		_exit(exit_code); /* LMDB stays open: closing may end locks of others */
	}
	log_init();
	umask(0027);
	/* A thread's own heap grows by one page and one mprotect at a time, and LMDB takes the
	 * pages of a big change one by one: with one heap a bulk load needs 7 % less CPU. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, HEAP_STEP);
	daemon.config_path = config_path(arguments.config);
	if (settings_read(daemon.config_path, &daemon.api.settings, &reason) != 0) {
		log_line(LOG_LEVEL_ERROR, "%s", reason.text);
		return EXIT_FAILURE;
	}
	if (arguments.only_check) {
		printf("%s: good\n", daemon.config_path);
		settings_release(daemon.api.settings);
		return EXIT_SUCCESS;
	}
	/* threads inherit the mask: only sigtimedwait below sees these */
	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (start(&daemon, &reason) == 0) {
		watchdog_init(&daemon.watchdog, arguments.watchdog_s);
		must_restart = serve(&daemon, &signals);
	} else {
		log_line(LOG_LEVEL_ERROR, "%s", reason.text);
		exit_code = EXIT_FAILURE;
	}
	stop(&daemon);
	if (must_restart)
		exit_code = restart(argv);
	return exit_code;
}

/* The same process, so that no supervisor has to notice. What was open is closed. */
static int
restart(char **argv)
{
	watchdog_hand_over();
	execv("/proc/self/exe", argv);
	log_line(LOG_LEVEL_ERROR, "cannot start anew: %s", strerror(errno));
	return EXIT_FAILURE;
}

static bool
parse_arguments(int argc, char **argv, struct arguments *out, int *out_exit)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "check-state", required_argument, NULL, 's' },
		{ "watchdog", required_argument, NULL, 'w' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*out_exit = EXIT_SUCCESS;
	while ((option = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			out->config = optarg;
			break;
		case 'k':
			out->only_check = true;
			break;
		case 'w':
			if (parse_seconds(optarg, &out->watchdog_s))
				break;
			*out_exit = EXIT_USAGE;
			return false;
		case 's':
			out->check_state = optarg;
			break;
		case 'V':
			printf("livezoned %s\n", PACKAGE_VERSION);
			return false;
		case 'h':
			fputs(usage, stdout);
			return false;
		default:
			fputs(usage, stderr);
			*out_exit = EXIT_USAGE;
			return false;
		}
	}
	if (optind == argc)
		return true;
	fprintf(stderr, "livezoned: unexpected argument \"%s\"\n%s", argv[optind], usage);
	*out_exit = EXIT_USAGE;
	return false;
}

static bool
parse_seconds(const char *text, uint64_t *out)
{
	char *end;
	long seconds = strtol(text, &end, 10);

	if (end != text && *end == '\0' && seconds >= 0 && seconds <= WATCHDOG_OWN_MAX_S) {
		*out = (uint64_t)seconds;
		return true;
	}
	fprintf(stderr, "livezoned: --watchdog \"%s\": a number of seconds, %d at most\n",
		text, WATCHDOG_OWN_MAX_S);
	return false;
}

static int
start(struct daemon *daemon, struct reason *reason)
{
	const struct config *config = daemon->api.settings->config;
	const struct http_settings listeners = {
		.unix_path = config->api.unix_path,
		.tcp = config->api.tcp,
		.spool_dir = config->store.state,
	};
	int status;

	/* LMDB tells processes apart by pid, and pid 1 of another container is another
	 * process */
	if (getpid() == 1)
		return reason_set(reason, STATUS_INVALID,
			"livezoned does not run as process 1: start it under an init "
			"(docker run --init, shareProcessNamespace: true)");
	if (!listeners.unix_path && !listeners.tcp)
		return reason_set(reason, STATUS_INVALID,
			"%s: api: neither unix nor tcp is set, nobody could write",
			config->path);
	pulse_watch(watchdog_extend_start);
	status = make_state_dir(config->store.state, reason);
	if (!status)
		status = storage_check(config, reason);
	if (!status)
		status = open_state(daemon, config, reason);
	if (!status)
		status = writer_start(
			daemon->api.state, config, &daemon->api.writer, reason);
	if (status)
		return status;
	status = backup_thread_start(daemon->api.state, config, &daemon->api.backups, reason);
	if (status)
		return status;
	daemon->api.started_ms = clock_wall_ms();
	daemon->api.started_boot_ms = clock_boot_ms();
	daemon->handler = routes_handler(&daemon->api);
	status = http_start(&listeners, &daemon->handler, &daemon->http, reason);
	if (status)
		return status;
	log_line(LOG_LEVEL_INFO, "version %s, %zu zones", PACKAGE_VERSION,
		config->zones.count);
	if (listeners.unix_path)
		log_line(LOG_LEVEL_INFO, "listening at %s", listeners.unix_path);
	if (listeners.tcp)
		log_line(LOG_LEVEL_INFO, "listening at %s, port %u", listeners.tcp,
			http_tcp_port(daemon->http));
	return 0;
}

static int
make_state_dir(const char *path, struct reason *reason)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return 0;
	return reason_set(reason, STATUS_IO, "store.state: cannot make %s: %s", path,
		strerror(errno));
}

/* State is damaged: the start that follows knows what to do. */
static void
want_restart(void *context)
{
	struct daemon *daemon = context;

	daemon->must_restart = true;
	pthread_kill(daemon->main_thread, SIGTERM);
}

/* Locked first: what is checked, and restored if need be, must be what is opened. */
static int
open_state(struct daemon *daemon, const struct config *config, struct reason *reason)
{
	struct recover_result recovered;
	int lock_fd, status = state_lock(config->store.state, &lock_fd, reason);

	if (status)
		return status;
	status = recover_state(config, &recovered, reason);
	if (status) {
		state_unlock(lock_fd);
		return status;
	}
	status = state_open_locked(config->store.state, config->store.size_limit, lock_fd,
		&daemon->api.state, reason);
	if (!status && recovered.must_recount)
		state_want_recount(daemon->api.state);
	return status ? status
		      : examiner_start(daemon->api.state, config->store.state, want_restart,
				daemon, &daemon->examiner, reason);
}

/* Until SIGTERM or SIGINT, with a look at the writer in between. True: livezoned is to start
 * anew; who wants that later, while it stops, is not heard. */
static bool
serve(struct daemon *daemon, const sigset_t *signals)
{
	uint64_t interval_ms = daemon->watchdog.limit_ms ? daemon->watchdog.interval_ms
							 : 3600 * 1000;
	const struct timespec wait = { .tv_sec = (time_t)(interval_ms / 1000),
		.tv_nsec = (long)(interval_ms % 1000) * 1000000 };
	int signal = 0;
	bool must_restart;

	sd_notify(0, "READY=1");
	while (signal != SIGTERM && signal != SIGINT) {
		signal = sigtimedwait(signals, NULL, &wait);
		if (signal == SIGHUP)
			reload(daemon);
		watchdog_look(&daemon->watchdog);
	}
	must_restart = daemon->must_restart;
	if (must_restart)
		sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
			clock_read_ms(CLOCK_MONOTONIC) * 1000);
	else
		sd_notify(0, "STOPPING=1");
	log_line(LOG_LEVEL_INFO, "stopping: %s, %zu connections",
		must_restart ? "to start anew" : strsignal(signal),
		http_connections(daemon->http));
	return must_restart;
}

/* All or nothing: what cannot be used whole leaves the old settings as they are. */
static void
reload(struct daemon *daemon)
{
	struct settings *old = daemon->api.settings; /* only this thread replaces it */
	struct settings *new = NULL;
	struct reason reason = { "" };
	int status;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		clock_read_ms(CLOCK_MONOTONIC) * 1000);
	status = settings_read(daemon->config_path, &new, &reason);
	if (!status)
		status = check_same(old->config, new->config, &reason);
	if (status) {
		settings_release(new);
		log_line(LOG_LEVEL_ERROR, "reload: %s; the old settings stay",
			reason.text);
		sd_notifyf(0, "READY=1\nSTATUS=reload failed: %s", reason.text);
		return;
	}
	writer_reload(daemon->api.writer, new->config);
	while (!writer_is_reloaded(daemon->api.writer, RELOAD_LOOK_MS))
		watchdog_look(&daemon->watchdog);
	backup_thread_use(daemon->api.backups, new->config);
	pthread_mutex_lock(&daemon->api.lock);
	daemon->api.settings = new;
	pthread_mutex_unlock(&daemon->api.lock);
	log_line(LOG_LEVEL_INFO, "reload: %zu zones", new->config->zones.count);
	settings_release(old);
	sd_notify(0, "READY=1\nSTATUS=");
}

/* What is opened once at start. */
static int
check_same(const struct config *old, const struct config *new, struct reason *reason)
{
	const char *key = NULL;

	if (!is_same_text(old->store.state, new->store.state))
		key = "store.state";
	else if (!is_same_text(old->store.serve, new->store.serve))
		key = "store.serve";
	else if (old->store.size_limit != new->store.size_limit)
		key = "store.size-limit";
	else if (!is_same_text(old->api.unix_path, new->api.unix_path))
		key = "api.unix";
	else if (!is_same_text(old->api.tcp, new->api.tcp))
		key = "api.tcp";
	if (!key)
		return 0;
	return reason_set(reason, STATUS_INVALID, "%s: a change of %s needs a restart",
		new->path, key);
}

static bool
is_same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Whatever start() got to. */
static void
stop(struct daemon *daemon)
{
	examiner_give_up(daemon->examiner); /* all the others may wait for it */
	http_stop(daemon->http);
	backup_thread_stop(daemon->api.backups);
	writer_stop(daemon->api.writer);
	examiner_stop(daemon->examiner);
	state_close(daemon->api.state);
	settings_release(daemon->api.settings);
}
