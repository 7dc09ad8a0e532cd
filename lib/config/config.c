/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * livezone.yaml: config_raw.c reads the file into strings after libcyaml's schema, which
 * refuses unknown keys; the strings are then read by the rules of each key, store and api
 * here, zones in config_zones.c. Whatever is wrong is said with file, line and key. Runs at
 * start and on reload.
 */
#include "lib/config/config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "lib/config/config_raw.h"
#include "lib/config/config_source.h"
#include "lib/config/config_value.h"
#include "lib/config/config_zones.h"
#include "lib/base/status.h"

#define SIZE_LIMIT_MIN (UINT64_C(1) << 20)

#define STATE_DEFAULT "/var/lib/livezone"
#define SERVE_DEFAULT "/run/livezone/serve"
#define SIZE_LIMIT_DEFAULT (UINT64_C(1) << 30)
#define SNAPSHOT_LIMIT_DEFAULT (UINT64_C(256) << 20)
#define BACKUP_INTERVAL_MS_DEFAULT (UINT64_C(3600) * 1000)
#define BACKUP_COUNT_DEFAULT 24
#define BACKUP_COUNT_MAX 10000

const char *
config_path(const char *given)
{
	const char *named = getenv(CONFIG_ENVIRONMENT);

	if (given)
		return given;
	return named && *named ? named : LIVEZONE_CONF_DEFAULT;
}

static const struct config_value_choice yes_or_no[] = {
	{ "false", false },
	{ "true", true },
	{ 0 },
};

static int
read_store(const struct config_source *source, const struct config_raw *raw,
	struct config *config)
{
	int status, allowed = false;

	config->store.size_limit = SIZE_LIMIT_DEFAULT;
	config->store.snapshot_limit = SNAPSHOT_LIMIT_DEFAULT;
	status = config_value_directory(raw->store.state, STATE_DEFAULT, &config->store.state,
		source->reason);
	if (status)
		return config_source_fail(source, status, "store.state");
	status = config_value_directory(raw->store.serve, SERVE_DEFAULT, &config->store.serve,
		source->reason);
	if (!status && strcmp(config->store.state, config->store.serve) == 0)
		status = reason_set(source->reason, STATUS_INVALID,
			"state and serve must be different directories");
	if (status)
		return config_source_fail(source, status, "store.serve");
	status = config_value_size(raw->store.size_limit, SIZE_LIMIT_MIN,
		&config->store.size_limit, source->reason);
	if (status)
		return config_source_fail(source, status, "store.size-limit");
	status = config_value_size(raw->store.snapshot_limit, 0, &config->store.snapshot_limit,
		source->reason);
	if (status)
		return config_source_fail(source, status, "store.snapshot-limit");
	status = config_value_choice(raw->store.allow_network_filesystem, yes_or_no, &allowed,
		source->reason);
	if (status)
		return config_source_fail(source, status, "store.allow-network-filesystem");
	config->store.allow_network_filesystem = allowed;
	return 0;
}

static int
read_users(const struct config_source *source, const struct config_raw *raw,
	struct config *config)
{
	static char root[] = "root";
	char *only_root[] = { root };
	bool is_given = raw->api.allow_users != NULL;
	char **users = is_given ? raw->api.allow_users : only_root;
	size_t count = is_given ? raw->api.allow_users_count : 1;

	config->api.allow_users = calloc(count + 1, sizeof(*users));
	if (!config->api.allow_users)
		return reason_set(source->reason, STATUS_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		if (!*users[i]) {
			reason_set(source->reason, STATUS_INVALID,
				"needs a user name or uid");
			return config_source_fail(source, STATUS_INVALID,
				"api.allow-users[%zu]", i);
		}
		config->api.allow_users[i] = strdup(users[i]);
		if (!config->api.allow_users[i])
			return reason_set(source->reason, STATUS_NO_MEMORY, "out of memory");
		config->api.allow_users_count++;
	}
	return 0;
}

static bool
is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* "127.0.0.1:5380" or "[::1]:5380"; port 0 lets the system choose. */
static int
read_tcp(const struct config_source *source, const struct config_raw *raw,
	struct config *config)
{
	const char *text = raw->api.tcp;
	const char *colon = strrchr(text, ':');
	char address[INET6_ADDRSTRLEN] = "";
	struct in6_addr parsed;
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool is_v6 = len >= 2 && *text == '[' && text[len - 1] == ']';
	char *end = NULL;
	unsigned long port = 0;

	if (is_v6) {
		text++;
		len -= 2;
	}
	if (len > 0 && len < sizeof(address))
		memcpy(address, text, len);
	if (colon && colon[1] >= '0' && colon[1] <= '9')
		port = strtoul(colon + 1, &end, 10);
	if (!end || *end || port > UINT16_MAX
		|| inet_pton(is_v6 ? AF_INET6 : AF_INET, address, &parsed) != 1) {
		reason_set(source->reason, STATUS_INVALID,
			"\"%.60s\": needs an address and a port such as 127.0.0.1:5380",
			raw->api.tcp);
		return config_source_fail(source, STATUS_INVALID, "api.tcp");
	}
	if (config->api.insecure_no_auth && !is_loopback(address)) {
		reason_set(source->reason, STATUS_INVALID,
			"is for loopback addresses only, and tcp is %.60s: set tokens",
			raw->api.tcp);
		return config_source_fail(source, STATUS_INVALID, "api.insecure-no-auth");
	}
	if (!config->api.tokens && !config->api.insecure_no_auth) {
		reason_set(source->reason, STATUS_INVALID,
			"needs api.tokens (or api.insecure-no-auth: true on loopback)");
		return config_source_fail(source, STATUS_INVALID, "api.tcp");
	}
	config->api.tcp = strdup(raw->api.tcp);
	if (!config->api.tcp)
		return reason_set(source->reason, STATUS_NO_MEMORY, "out of memory");
	return 0;
}

static int
read_api(const struct config_source *source, const struct config_raw *raw,
	struct config *config)
{
	int insecure = false;
	int status;

	if (raw->api.unix_path) {
		status = config_value_path(raw->api.unix_path,
			sizeof(((struct sockaddr_un *)0)->sun_path),
			&config->api.unix_path, source->reason);
		if (status)
			return config_source_fail(source, status, "api.unix");
	}
	status = read_users(source, raw, config);
	if (status)
		return status;
	if (raw->api.tokens) {
		status = config_value_path(raw->api.tokens, CONFIG_VALUE_PATH_MAX,
			&config->api.tokens, source->reason);
		if (status)
			return config_source_fail(source, status, "api.tokens");
	}
	status = config_value_choice(raw->api.insecure_no_auth, yes_or_no, &insecure,
		source->reason);
	if (status)
		return config_source_fail(source, status, "api.insecure-no-auth");
	config->api.insecure_no_auth = insecure;
	return raw->api.tcp ? read_tcp(source, raw, config) : 0;
}

/* In the directory of the state when none is named. */
static int
read_backup(const struct config_source *source, const struct config_raw *raw,
	struct config *config)
{
	char beside[CONFIG_PATH_MAX];
	int status;

	config->backup.interval_ms = BACKUP_INTERVAL_MS_DEFAULT;
	config->backup.count = BACKUP_COUNT_DEFAULT;
	snprintf(beside, sizeof(beside), "%s/backups", config->store.state);
	if (raw->backup.directory)
		status = config_value_directory(raw->backup.directory, NULL,
			&config->backup.directory, source->reason);
	else if ((config->backup.directory = strdup(beside)))
		status = 0;
	else
		status = reason_set(source->reason, STATUS_NO_MEMORY, "out of memory");
	if (status)
		return config_source_fail(source, status, "backup.directory");
	status = config_value_interval(raw->backup.interval, &config->backup.interval_ms,
		source->reason);
	if (status)
		return config_source_fail(source, status, "backup.interval");
	status = config_value_count(raw->backup.count, 1, BACKUP_COUNT_MAX,
		&config->backup.count, source->reason);
	return status ? config_source_fail(source, status, "backup.count") : 0;
}

int
config_read(const char *path, struct config **out, struct reason *reason)
{
	struct config_source source = { .path = path, .reason = reason };
	struct config_raw *raw = NULL;
	struct config *config = NULL;
	int status = config_source_read(&source);

	if (!status)
		status = config_raw_load(&source, &raw);
	if (!status) {
		config = calloc(1, sizeof(*config));
		status = config ? 0 : STATUS_NO_MEMORY;
	}
	if (!status) {
		config->path = strdup(path);
		status = config->path ? 0 : STATUS_NO_MEMORY;
	}
	if (status == STATUS_NO_MEMORY)
		reason_set(reason, status, "%s: out of memory", path);
	if (!status)
		status = read_store(&source, raw, config);
	if (!status)
		status = read_api(&source, raw, config);
	if (!status)
		status = read_backup(&source, raw, config);
	if (!status)
		status = config_zones_read(&source, raw, &config->zones);
	if (status)
		config_free(config);
	else
		*out = config;
	config_raw_free(raw);
	config_source_done(&source);
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
