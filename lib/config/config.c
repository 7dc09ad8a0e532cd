/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * livezone.yaml: tables of keys say how each value is read and where it goes (yaml.h); zones
 * are read by config_zones.c. Rules about more than one key follow when all keys are read.
 * Runs at start and on reload.
 */
#include "lib/config/config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/base/status.h"
#include "lib/config/config_parts.h"

#define FILE_SIZE_MAX ((size_t)16 << 20) /* zones with long fallback lists are big */
#define SIZE_LIMIT_MIN (UINT64_C(1) << 20)
#define USERS_MAX 64
#define BACKUP_COUNT_MAX 10000

#define STATE_DEFAULT "/var/lib/livezone"
#define SERVE_DEFAULT "/run/livezone/serve"
#define SIZE_LIMIT_DEFAULT (UINT64_C(1) << 30)
#define SNAPSHOT_LIMIT_DEFAULT (UINT64_C(256) << 20)
#define BACKUP_INTERVAL_MS_DEFAULT (UINT64_C(3600) * 1000)
#define BACKUP_COUNT_DEFAULT 24
#define HISTORY_SIZE_DEFAULT (UINT64_C(256) << 20)
#define HISTORY_AGE_MS_DEFAULT (UINT64_C(7) * 24 * 3600 * 1000)

static yaml_text_fn read_tcp, read_user;
static yaml_value_fn read_users;

static const struct yaml_key store_keys[] = {
	{ "state", offsetof(struct config, store.state), .text = config_value_directory },
	{ "serve", offsetof(struct config, store.serve), .text = config_value_directory },
	{ "size-limit", offsetof(struct config, store.size_limit), .text = config_value_size,
		.min = SIZE_LIMIT_MIN },
	{ "snapshot-limit", offsetof(struct config, store.snapshot_limit),
		.text = config_value_size },
	{ "allow-network-filesystem", offsetof(struct config, store.allow_network_filesystem),
		.text = config_value_bool },
	{ 0 },
};

static const struct yaml_key api_keys[] = {
	{ "unix", offsetof(struct config, api.unix_path), .text = config_value_path,
		.max = sizeof(((struct sockaddr_un *)0)->sun_path) },
	{ "allow-users", 0, .value = read_users, .item = read_user, .max = USERS_MAX },
	{ "tokens", offsetof(struct config, api.tokens), .text = config_value_path },
	{ "insecure-no-auth", offsetof(struct config, api.insecure_no_auth),
		.text = config_value_bool },
	{ "tcp", offsetof(struct config, api.tcp), .text = read_tcp },
	{ 0 },
};

static const struct yaml_key backup_keys[] = {
	{ "directory", offsetof(struct config, backup.directory),
		.text = config_value_directory },
	{ "interval", offsetof(struct config, backup.interval_ms),
		.text = config_value_interval },
	{ "count", offsetof(struct config, backup.count), .text = config_value_count, .min = 1,
		.max = BACKUP_COUNT_MAX },
	{ 0 },
};

static const struct yaml_key history_keys[] = {
	{ "size", offsetof(struct config, history.size), .text = config_value_size,
		.min = SIZE_LIMIT_MIN },
	{ "age", offsetof(struct config, history.age_ms), .text = config_value_interval },
	{ 0 },
};

static const struct yaml_key root_keys[] = {
	{ "store", 0, .value = yaml_read_keys, .keys = store_keys },
	{ "api", 0, .value = yaml_read_keys, .keys = api_keys },
	{ "backup", 0, .value = yaml_read_keys, .keys = backup_keys },
	{ "history", 0, .value = yaml_read_keys, .keys = history_keys },
	{ "zones", offsetof(struct config, zones), .value = config_zones_read },
	{ 0 },
};

static int check_file(const struct stat *info, struct reason *reason);
static int read_keys(struct yaml *yaml, struct config *config, struct reason *reason);
static int set_defaults(struct config *config, struct reason *reason);
static int check_store(
	const struct yaml_value *root, struct config *config, struct reason *reason);
static int check_api(
	const struct yaml_value *root, const struct config *config, struct reason *reason);
static int add_user(struct config *config, const char *name, struct reason *reason);

const char *
config_path(const char *given)
{
	const char *named = getenv(CONFIG_ENVIRONMENT);

	if (given)
		return given;
	return named && *named ? named : LIVEZONE_CONF_DEFAULT;
}

int
config_read(const char *path, struct config **out, struct reason *reason)
{
	struct config *config = NULL;
	struct yaml *yaml;
	int status = yaml_open(path, FILE_SIZE_MAX, check_file, &yaml, reason);

	if (status)
		return status;
	config = calloc(1, sizeof(*config));
	if (config)
		config->path = strdup(path);
	if (!config || !config->path)
		status = reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	else
		status = read_keys(yaml, config, reason);
	if (status) {
		yaml_blame(yaml, status, reason);
		config_free(config);
	} else {
		*out = config;
	}
	yaml_close(yaml);
	return status;
}

void
config_free(struct config *config)
{
	if (!config)
		return;
	free(config->path);
	free(config->store.state);
	free(config->store.serve);
	free(config->backup.directory);
	free(config->api.unix_path);
	for (size_t i = 0; i < config->api.allow_users_count; i++)
		free(config->api.allow_users[i]);
	free(config->api.allow_users);
	free(config->api.tcp);
	free(config->api.tokens);
	zones_done(&config->zones);
	free(config);
}

static int
check_file(const struct stat *info, struct reason *reason)
{
	if (info->st_mode & S_IWOTH)
		return reason_set(reason, STATUS_INVALID, "is world-writable: chmod o-w it");
	return 0;
}

static int
read_keys(struct yaml *yaml, struct config *config, struct reason *reason)
{
	const struct yaml_value root = yaml_root(yaml);
	int status;

	config->store.size_limit = SIZE_LIMIT_DEFAULT;
	config->store.snapshot_limit = SNAPSHOT_LIMIT_DEFAULT;
	config->backup.interval_ms = BACKUP_INTERVAL_MS_DEFAULT;
	config->backup.count = BACKUP_COUNT_DEFAULT;
	config->history.size = HISTORY_SIZE_DEFAULT;
	config->history.age_ms = HISTORY_AGE_MS_DEFAULT;
	status = yaml_read_mapping(&root, root_keys, config, reason);
	if (!status)
		status = set_defaults(config, reason);
	if (!status)
		status = check_store(&root, config, reason);
	return status ? status : check_api(&root, config, reason);
}

/* Those that are allocated; backups are in the directory of the state. */
static int
set_defaults(struct config *config, struct reason *reason)
{
	char beside[CONFIG_PATH_MAX];

	if (!config->store.state)
		config->store.state = strdup(STATE_DEFAULT);
	if (!config->store.serve)
		config->store.serve = strdup(SERVE_DEFAULT);
	if (!config->store.state || !config->store.serve)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	snprintf(beside, sizeof(beside), "%s/backups", config->store.state);
	if (!config->backup.directory)
		config->backup.directory = strdup(beside);
	if (!config->backup.directory)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	return config->api.allow_users ? 0 : add_user(config, "root", reason);
}

static int
check_store(const struct yaml_value *root, struct config *config, struct reason *reason)
{
	struct yaml_value store, ignored;

	if (strcmp(config->store.state, config->store.serve) != 0)
		return 0;
	if (yaml_find(root, "store", &store))
		yaml_find(&store, "serve", &ignored);
	return reason_set(reason, STATUS_INVALID,
		"state and serve must be different directories");
}

static bool
is_loopback(const char *tcp)
{
	return strncmp(tcp, "127.", 4) == 0 || strncmp(tcp, "[::1]:", 6) == 0;
}

static int
check_api(const struct yaml_value *root, const struct config *config, struct reason *reason)
{
	struct yaml_value api, ignored;

	if (!config->api.tcp || !yaml_find(root, "api", &api))
		return 0;
	if (config->api.insecure_no_auth && !is_loopback(config->api.tcp)) {
		yaml_find(&api, "insecure-no-auth", &ignored);
		return reason_set(reason, STATUS_INVALID,
			"is for loopback addresses only, and tcp is %.60s: set tokens",
			config->api.tcp);
	}
	if (config->api.tokens || config->api.insecure_no_auth)
		return 0;
	yaml_find(&api, "tcp", &ignored);
	return reason_set(reason, STATUS_INVALID,
		"needs api.tokens (or api.insecure-no-auth: true on loopback)");
}

/* "127.0.0.1:5380" or "[::1]:5380"; port 0 lets the system choose. */
static int
read_tcp(const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	const char *colon = strrchr(text, ':');
	char address[INET6_ADDRSTRLEN] = "";
	struct in6_addr parsed;
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool is_v6 = len >= 2 && *text == '[' && text[len - 1] == ']';
	char *end = NULL;
	unsigned long port = 0;
	char *copy;

	(void)key;
	if (is_v6)
		len -= 2;
	if (len > 0 && len < sizeof(address))
		memcpy(address, text + is_v6, len);
	if (colon && colon[1] >= '0' && colon[1] <= '9')
		port = strtoul(colon + 1, &end, 10);
	if (!end || *end || port > UINT16_MAX
		|| inet_pton(is_v6 ? AF_INET6 : AF_INET, address, &parsed) != 1)
		return reason_set(reason, STATUS_INVALID,
			"\"%.60s\": needs an address and a port such as 127.0.0.1:5380", text);
	copy = strdup(text);
	if (!copy)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	*(char **)out = copy;
	return 0;
}

/* An empty list is one, too: nobody may. */
static int
read_users(const struct yaml_value *list, const struct yaml_key *key, void *out,
	struct reason *reason)
{
	struct config *config = out;

	config->api.allow_users = calloc(USERS_MAX, sizeof(*config->api.allow_users));
	if (!config->api.allow_users)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	return yaml_read_texts(list, key, out, reason);
}

static int
read_user(const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	(void)key;
	if (!*text)
		return reason_set(reason, STATUS_INVALID, "needs a user name or uid");
	return add_user(out, text, reason);
}

static int
add_user(struct config *config, const char *name, struct reason *reason)
{
	char *copy = strdup(name);

	if (!config->api.allow_users)
		config->api.allow_users = calloc(1, sizeof(*config->api.allow_users));
	if (!copy || !config->api.allow_users) {
		free(copy);
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	}
	config->api.allow_users[config->api.allow_users_count++] = copy;
	return 0;
}
