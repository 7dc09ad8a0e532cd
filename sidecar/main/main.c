/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * livezoned: starts state, writer and listeners in this order, and ends them in the other
 * order. The main thread runs one event loop, from the first moment on: signals, the watchdog
 * and the end of the start and of a reload. The start may take long (state is checked, serve
 * rebuilt), so a thread of its own does it.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "livezone-config.h"
#include "sidecar/api/api.h"
#include "sidecar/state/state.h"
#include "sidecar/journal/backup.h"
#include "sidecar/http/http.h"
#include "lib/base/log.h"
#include "sidecar/journal/history.h"
#include "sidecar/journal/recover.h"
#include "sidecar/main/storage.h"
#include "sidecar/main/watchdog.h"

#define EXIT_USAGE 2
#define HEAP_STEP (1024 * 1024)
#define HTTP_MEMORY_MAX ((size_t)1 << 30) /* bodies and replies */
#define RELOAD_LOOK_MS 20 /* between two looks whether the writer has taken a reload over */

struct arguments {
	const char *config;
	bool only_check;
	const char *check_state; /* directory */
	uint64_t watchdog_s;
};

struct daemon {
	struct api api;
	struct http_handler handler;
	_Atomic(struct http_server *) http; /* the writer's thread announces revisions to it */
	const char *config_path;
	/* of the main thread */
	sd_event *event;
	sd_event_source *start_timer, *watch_timer, *reload_timer;
	struct watchdog watchdog;
	uint64_t watchdog_s;
	struct api_settings *reloading; /* what the writer is taking over; NULL: none */
	bool must_reload;           /* asked for in the meantime */
	bool is_running;            /* the start has succeeded */
	int end_signal;             /* came at the end of the start; 0: none */
	/* of the thread that starts; the main thread's once started_fd was written to */
	pthread_t starter;
	atomic_bool is_listening; /* clients may be there: no more _exit */
	int started_fd;
	int start_status;
	struct reason start_reason;
};

static bool parse_arguments(int argc, char **argv, struct arguments *out, int *out_exit);
static bool parse_seconds(const char *text, uint64_t *out);
static void set_up_heap(void);
static int run(struct daemon *daemon, struct reason *reason);
static int set_up_loop(struct daemon *daemon);
static int add_timer(struct daemon *daemon, sd_event_time_handler_t handler,
	sd_event_source **out);
static void set_timer(sd_event_source *timer, uint64_t ms);
static void *start_in_thread(void *context);
static int start(struct daemon *daemon, struct reason *reason);
static size_t memory_for_http(void);
static void announce(void *context, uint64_t revision);
static int make_state_dir(const char *path, struct reason *reason);
static int
open_state(struct daemon *daemon, const struct config *config, struct reason *reason);
static int on_start_time(sd_event_source *source, uint64_t usec, void *context);
static int on_started(sd_event_source *source, int fd, uint32_t events, void *context);
static int on_watch_time(sd_event_source *source, uint64_t usec, void *context);
static int
on_end(sd_event_source *source, const struct signalfd_siginfo *info, void *context);
static int begin_stop(struct daemon *daemon, int signal);
static int
on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *context);
static void begin_reload(struct daemon *daemon);
static int on_reload_time(sd_event_source *source, uint64_t usec, void *context);
static void end_reload(struct daemon *daemon);
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
	"                     where systemd does not watch: exit when the writer has\n"
	"                     made no progress for so long (default: 60; 0 = never)\n"
	"      --check-state DIR\n"
	"                     check every record of the state in DIR, then end\n"
	"  -V, --version      print the version, then end\n"
	"  -h, --help         print this, then end\n"
	"\n"
	"SIGHUP reads the configuration and the token file again. See livezoned(8).\n";

int
main(int argc, char **argv)
{
	struct daemon daemon = { .api = { .lock = PTHREAD_MUTEX_INITIALIZER },
		.started_fd = -1 };
	struct arguments arguments = { .watchdog_s = WATCHDOG_OWN_S };
	struct reason reason = { "" };
	int exit_code = EXIT_SUCCESS;

	if (!parse_arguments(argc, argv, &arguments, &exit_code))
		return exit_code;
	if (arguments.check_state) {
		exit_code = state_check_child(arguments.check_state);
		fflush(stdout);
		_exit(exit_code); /* LMDB stays open: closing may end locks of others */
	}
	log_init();
	umask(0027);
	set_up_heap();
	daemon.watchdog_s = arguments.watchdog_s;
	daemon.config_path = config_path(arguments.config);
	if (api_settings_read(daemon.config_path, &daemon.api.settings, &reason) != 0) {
		log_line(LOG_LEVEL_ERROR, "%s", reason.text);
		return EXIT_FAILURE;
	}
	if (arguments.only_check) {
		printf("%s: good\n", daemon.config_path);
		api_settings_release(daemon.api.settings);
		return EXIT_SUCCESS;
	}
	if (run(&daemon, &reason) != 0) {
		log_line(LOG_LEVEL_ERROR, "%s", reason.text);
		exit_code = EXIT_FAILURE;
	}
	stop(&daemon);
	return exit_code;
}

/* A thread's own heap grows by one page and one mprotect at a time, and LMDB takes the pages of
 * a big change one by one: with one heap a bulk load needs 7 % less CPU. */
static void
set_up_heap(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, HEAP_STEP);
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
		.memory = memory_for_http(),
	};
	struct http_server *http;
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
	status = make_state_dir(config->store.state, reason);
	if (!status)
		status = storage_check(config, reason);
	if (!status)
		status = open_state(daemon, config, reason);
	if (!status)
		status = history_open(
			daemon->api.state, config, &daemon->api.history, reason);
	if (!status) {
		const struct writer_hook hook = history_hook(daemon->api.history);

		status = writer_start(
			daemon->api.state, config, &hook, &daemon->api.writer, reason);
	}
	if (status)
		return status;
	status = backup_thread_start(daemon->api.state,
		history_journal(daemon->api.history), config, &daemon->api.backups, reason);
	if (status)
		return status;
	daemon->api.started_ms = clock_wall_ms();
	daemon->api.started_boot_ms = clock_boot_ms();
	daemon->handler = routes_handler(&daemon->api);
	writer_on_publish(daemon->api.writer, announce, daemon);
	daemon->is_listening = true;
	status = http_start(&listeners, &daemon->handler, &http, reason);
	if (status)
		return status;
	daemon->http = http;
	log_line(LOG_LEVEL_INFO, "version %s, %zu zones", PACKAGE_VERSION,
		config->zones.count);
	if (listeners.unix_path)
		log_line(LOG_LEVEL_INFO, "listening at %s", listeners.unix_path);
	if (listeners.tcp)
		log_line(LOG_LEVEL_INFO, "listening at %s, port %u", listeners.tcp,
			http_tcp_port(daemon->http));
	return 0;
}

/* A quarter of what there is: a change needs more than its body. */
static size_t
memory_for_http(void)
{
	const uint64_t machine =
		(uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	const uint64_t limit = storage_memory_limit(STORAGE_LIMIT_ROOT, STORAGE_LIMIT_GROUPS);
	const uint64_t quarter = (limit < machine ? limit : machine) / 4;

	return quarter < HTTP_MEMORY_MAX ? (size_t)quarter : HTTP_MEMORY_MAX;
}

/* For the long polls. On the writer's thread. */
static void
announce(void *context, uint64_t revision)
{
	struct daemon *daemon = context;

	if (daemon->http)
		http_announce(daemon->http, revision);
}

static int
make_state_dir(const char *path, struct reason *reason)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return 0;
	return reason_set(reason, STATUS_IO, "store.state: cannot make %s: %s", path,
		strerror(errno));
}

/* Locked first: what is checked, and restored if need be, must be what is opened. */
static int
open_state(struct daemon *daemon, const struct config *config, struct reason *reason)
{
	bool is_restored;
	int lock_fd, status = state_lock(config->store.state, &lock_fd, reason);

	if (status)
		return status;
	status = recover_state(config, &is_restored, reason);
	if (status) {
		state_unlock(lock_fd);
		return status;
	}
	return state_open_locked(config->store.state, config->store.size_limit, lock_fd,
		&daemon->api.state, reason);
}

/* The loop, until a signal ends it or the start has failed. */
static int
run(struct daemon *daemon, struct reason *reason)
{
	int error;

	if (set_up_loop(daemon) < 0)
		return reason_set(reason, STATUS_NO_MEMORY, "no event loop: %s", strerror(errno));
	set_timer(daemon->start_timer, 0);
	if (pthread_create(&daemon->starter, NULL, start_in_thread, daemon) != 0)
		return reason_set(reason, STATUS_NO_MEMORY, "cannot start a thread");
	error = sd_event_loop(daemon->event);
	if (error < 0) { /* perhaps in the middle of the start: nothing can be taken down */
		log_line(LOG_LEVEL_ERROR, "the event loop failed: %s", strerror(-error));
		_exit(EXIT_FAILURE);
	}
	if (daemon->start_status)
		*reason = daemon->start_reason;
	return daemon->start_status;
}

/* A negative errno, as sd-event does. The signals are blocked in all threads, which inherit
 * that. */
static int
set_up_loop(struct daemon *daemon)
{
	sigset_t signals;
	int error;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	daemon->started_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (daemon->started_fd < 0)
		return -errno;
	error = sd_event_new(&daemon->event);
	if (error >= 0)
		error = sd_event_add_signal(daemon->event, NULL, SIGTERM, on_end, daemon);
	if (error >= 0)
		error = sd_event_add_signal(daemon->event, NULL, SIGINT, on_end, daemon);
	if (error >= 0)
		error = sd_event_add_signal(daemon->event, NULL, SIGHUP, on_hangup, daemon);
	if (error >= 0)
		error = sd_event_add_io(daemon->event, NULL, daemon->started_fd, EPOLLIN,
			on_started, daemon);
	if (error >= 0)
		error = add_timer(daemon, on_start_time, &daemon->start_timer);
	if (error >= 0)
		error = add_timer(daemon, on_watch_time, &daemon->watch_timer);
	if (error >= 0)
		error = add_timer(daemon, on_reload_time, &daemon->reload_timer);
	errno = error < 0 ? -error : 0;
	return error;
}

/* Off until set_timer. */
static int
add_timer(struct daemon *daemon, sd_event_time_handler_t handler, sd_event_source **out)
{
	int error = sd_event_add_time(
		daemon->event, out, CLOCK_MONOTONIC, UINT64_MAX, 1000, handler, daemon);

	return error < 0 ? error : sd_event_source_set_enabled(*out, SD_EVENT_OFF);
}

/* Once, so many ms from now. */
static void
set_timer(sd_event_source *timer, uint64_t ms)
{
	sd_event_source_set_time_relative(timer, ms * 1000);
	sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void *
start_in_thread(void *context)
{
	struct daemon *daemon = context;

	pthread_setname_np(pthread_self(), "start");
	daemon->start_status = start(daemon, &daemon->start_reason);
	(void)!eventfd_write(daemon->started_fd, 1); /* cannot fail: the counter is 0 */
	return NULL;
}

static int
on_start_time(sd_event_source *source, uint64_t usec, void *context)
{
	(void)usec, (void)context;
	set_timer(source, watchdog_extend_start());
	return 0;
}

static int
on_started(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct daemon *daemon = context;
	struct writer_beat beat;

	(void)fd, (void)events;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	sd_event_source_set_enabled(daemon->start_timer, SD_EVENT_OFF);
	pthread_join(daemon->starter, NULL);
	if (daemon->start_status)
		return sd_event_exit(daemon->event, 0);
	daemon->is_running = true;
	writer_read_beat(daemon->api.writer, &beat);
	watchdog_init(&daemon->watchdog, daemon->watchdog_s, &beat);
	if (daemon->watchdog.limit_ms)
		set_timer(daemon->watch_timer, 0);
	sd_notify(0, "READY=1");
	if (daemon->end_signal)
		return begin_stop(daemon, daemon->end_signal);
	if (daemon->must_reload)
		begin_reload(daemon);
	return 0;
}

static int
on_watch_time(sd_event_source *source, uint64_t usec, void *context)
{
	struct daemon *daemon = context;
	struct writer_beat beat;

	(void)usec;
	writer_read_beat(daemon->api.writer, &beat);
	watchdog_look(&daemon->watchdog, &beat);
	set_timer(source, daemon->watchdog.interval_ms);
	return 0;
}

static int
on_end(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct daemon *daemon = context;

	(void)source;
	if (daemon->is_running)
		return begin_stop(daemon, (int)info->ssi_signo);
	if (daemon->is_listening) {
		daemon->end_signal = (int)info->ssi_signo;
		return 0;
	}
	/* there is nothing to lose: a start may be killed anywhere, and begins again next time */
	log_line(LOG_LEVEL_INFO, "stopping: %s, during the start",
		strsignal((int)info->ssi_signo));
	_exit(EXIT_SUCCESS);
}

static int
begin_stop(struct daemon *daemon, int signal)
{
	sd_notify(0, "STOPPING=1");
	log_line(LOG_LEVEL_INFO, "stopping: %s, %zu connections",
		strsignal(signal), http_connections(daemon->http));
	return sd_event_exit(daemon->event, 0);
}

static int
on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct daemon *daemon = context;

	(void)source, (void)info;
	if (daemon->is_running && !daemon->reloading)
		begin_reload(daemon);
	else
		daemon->must_reload = true;
	return 0;
}

/* All or nothing: what cannot be used whole leaves the old settings as they are. The writer
 * takes the new ones over when it has done what was queued before. */
static void
begin_reload(struct daemon *daemon)
{
	struct api_settings *new = NULL;
	struct reason reason = { "" };
	int status;

	daemon->must_reload = false;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		clock_read_ms(CLOCK_MONOTONIC) * 1000);
	status = api_settings_read(daemon->config_path, &new, &reason);
	if (!status)
		status = check_same(daemon->api.settings->config, new->config, &reason);
	if (status) {
		api_settings_release(new);
		log_line(LOG_LEVEL_ERROR, "reload: %s; the old settings stay",
			reason.text);
		sd_notifyf(0, "READY=1\nSTATUS=reload failed: %s", reason.text);
		return;
	}
	writer_reload(daemon->api.writer, new->config);
	daemon->reloading = new;
	set_timer(daemon->reload_timer, 0);
}

static int
on_reload_time(sd_event_source *source, uint64_t usec, void *context)
{
	struct daemon *daemon = context;

	(void)usec;
	if (writer_is_reloaded(daemon->api.writer, 0))
		end_reload(daemon);
	else
		set_timer(source, RELOAD_LOOK_MS);
	return 0;
}

static void
end_reload(struct daemon *daemon)
{
	struct api_settings *old = daemon->api.settings; /* only this thread replaces it */
	struct api_settings *new = daemon->reloading;

	daemon->reloading = NULL;
	backup_thread_use(daemon->api.backups, new->config);
	history_use(daemon->api.history, new->config);
	pthread_mutex_lock(&daemon->api.lock);
	daemon->api.settings = new;
	pthread_mutex_unlock(&daemon->api.lock);
	log_line(LOG_LEVEL_INFO, "reload: %zu zones", new->config->zones.count);
	api_settings_release(old);
	sd_notify(0, "READY=1\nSTATUS=");
	if (daemon->must_reload)
		begin_reload(daemon);
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
	http_stop(daemon->http);
	backup_thread_stop(daemon->api.backups);
	writer_stop(daemon->api.writer);
	history_close(daemon->api.history);
	writer_free(daemon->api.writer);
	http_free(daemon->http); /* what the writer announced to */
	state_close(daemon->api.state);
	api_settings_release(daemon->reloading);
	api_settings_release(daemon->api.settings);
	sd_event_source_unref(daemon->start_timer);
	sd_event_source_unref(daemon->watch_timer);
	sd_event_source_unref(daemon->reload_timer);
	sd_event_unref(daemon->event);
	if (daemon->started_fd >= 0)
		close(daemon->started_fd);
}
