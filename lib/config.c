/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * livezone.yaml: libcyaml reads the file into strings after a schema, which refuses unknown
 * keys; the strings are then read by the rules of each key. Whatever is wrong is said with
 * file, line and key (yaml_place.h finds the line). Runs at start and on reload.
 */
#include "lib/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cyaml/cyaml.h>

#include "lib/duration.h"
#include "lib/masterfile.h"
#include "lib/presentation.h"
#include "lib/status.h"
#include "lib/yaml_place.h"

#define FILE_SIZE_MAX (16 * 1024 * 1024) /* zones with long fallback lists are big */
#define ZONES_MAX 4096                   /* doubles are found by comparing all pairs */
#define FALLBACK_LINES_MAX 16384
#define USERS_MAX 64
#define VALUE_MAX (256 * 1024) /* a fallback record is the longest */
#define PATH_LENGTH_MAX 3072   /* leaves room for names in the directory */
#define SIZE_LIMIT_MIN (UINT64_C(1) << 20)
#define SIZE_LIMIT_MAX (UINT64_C(1) << 44) /* well inside a 47-bit address space */
#define STALE_MS_MAX (UINT64_C(366) * 86400 * 1000)
#define KEY_MAX 128

#define STATE_DEFAULT "/var/lib/livezone"
#define SERVE_DEFAULT "/run/livezone/serve"
#define SIZE_LIMIT_DEFAULT (UINT64_C(1) << 30)
#define SNAPSHOT_LIMIT_DEFAULT (UINT64_C(256) << 20)
#define TTL_DEFAULT 5
#define STALE_MS_DEFAULT (UINT64_C(24) * 3600 * 1000)

/* The file as libcyaml gives it: NULL = the key is absent. */
struct raw_zone {
	char *name;
	char *ttl;
	char *negative_ttl;
	char *on_miss;
	char *on_failure;
	char *stale;
	char *delegation;
	char *soa_serial;
	char *contact;
	char **ns;
	unsigned ns_count;
	char **fallback;
	unsigned fallback_count;
};

struct raw {
	struct {
		char *state;
		char *serve;
		char *size_limit;
		char *snapshot_limit;
	} store;
	struct {
		char *unix_path;
		char **allow_users;
		unsigned allow_users_count;
		char *tcp;
		char *tokens;
		char *insecure_no_auth;
	} api;
	struct raw_zone *zones;
	unsigned zones_count;
};

/* What libcyaml says of a fault: the message, then where it was, innermost first. */
struct complaint {
	char text[160];
	char key[KEY_MAX];
	char missing[64];     /* key that the message names */
	bool in_field;        /* the innermost place is a field */
	bool is_missing;      /* the message: a required key is not there */
	bool is_unknown;
	unsigned places;
};

struct reader {
	const char *path;
	char *text;
	size_t len;
	struct raw *raw;
	struct config *config;
	struct reason *reason;
};

struct choice {
	const char *text;
	int value;
};

#define STRING(key, structure, member) \
	CYAML_FIELD_STRING_PTR( \
		key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, structure, member, 0, VALUE_MAX)

static const cyaml_schema_value_t string_value = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, VALUE_MAX),
};

static const cyaml_schema_field_t zone_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct raw_zone, name, 0, VALUE_MAX),
	STRING("ttl", struct raw_zone, ttl),
	STRING("negative-ttl", struct raw_zone, negative_ttl),
	STRING("on-miss", struct raw_zone, on_miss),
	STRING("on-failure", struct raw_zone, on_failure),
	STRING("stale", struct raw_zone, stale),
	STRING("delegation", struct raw_zone, delegation),
	STRING("soa-serial", struct raw_zone, soa_serial),
	STRING("contact", struct raw_zone, contact),
	CYAML_FIELD_SEQUENCE("ns", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_zone, ns,
		&string_value, 0, ZONE_NS_MAX),
	CYAML_FIELD_SEQUENCE("fallback", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct raw_zone, fallback, &string_value, 0, FALLBACK_LINES_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t zone_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_zone, zone_fields),
};

static const cyaml_schema_field_t store_fields[] = {
	STRING("state", struct raw, store.state),
	STRING("serve", struct raw, store.serve),
	STRING("size-limit", struct raw, store.size_limit),
	STRING("snapshot-limit", struct raw, store.snapshot_limit),
	CYAML_FIELD_END,
};

/* A mapping inside struct raw has offsets from raw itself, so these begin at 0. */
static const cyaml_schema_field_t api_fields[] = {
	STRING("unix", struct raw, api.unix_path),
	CYAML_FIELD_SEQUENCE("allow-users", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw,
		api.allow_users, &string_value, 0, USERS_MAX),
	STRING("tcp", struct raw, api.tcp),
	STRING("tokens", struct raw, api.tokens),
	STRING("insecure-no-auth", struct raw, api.insecure_no_auth),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t root_fields[] = {
	{
		.key = "store",
		.value = { .type = CYAML_MAPPING,
			.flags = CYAML_FLAG_OPTIONAL,
			.data_size = sizeof(struct raw),
			.mapping = { .fields = store_fields } },
	},
	{
		.key = "api",
		.value = { .type = CYAML_MAPPING,
			.flags = CYAML_FLAG_OPTIONAL,
			.data_size = sizeof(struct raw),
			.mapping = { .fields = api_fields } },
	},
	CYAML_FIELD_SEQUENCE("zones", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw, zones,
		&zone_value, 0, ZONES_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t root_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw, root_fields),
};

static const struct choice on_miss_choices[] = {
	{ "nxdomain", ZONE_MISS_NXDOMAIN },
	{ "recurse", ZONE_MISS_RECURSE },
	{ "refuse", ZONE_MISS_REFUSE },
	{ 0 },
};
static const struct choice on_failure_choices[] = {
	{ "servfail", ZONE_FAILURE_SERVFAIL },
	{ "recurse", ZONE_FAILURE_RECURSE },
	{ 0 },
};
static const struct choice delegation_choices[] = {
	{ "refer", ZONE_DELEGATION_REFER },
	{ "recurse", ZONE_DELEGATION_RECURSE },
	{ 0 },
};
static const struct choice soa_serial_choices[] = {
	{ "auto", ZONE_SERIAL_AUTO },
	{ "stored", ZONE_SERIAL_STORED },
	{ 0 },
};
static const struct choice bool_choices[] = {
	{ "false", false },
	{ "true", true },
	{ 0 },
};

static int read_file(struct reader *reader);
static int load(struct reader *reader);
static void hear(cyaml_log_t level, void *context, const char *format, va_list args);
static int fail_at_line(const struct reader *reader, int status, int line, const char *key);
static int fail(const struct reader *reader, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int read_store(struct reader *reader);
static int read_api(struct reader *reader);
static int read_users(struct reader *reader);
static int read_tcp(struct reader *reader);
static int read_zones(struct reader *reader);
static int read_zone(struct reader *reader, size_t index, struct zone *zone);
static int read_zone_name(struct reader *reader, size_t index, struct zone *zone);
static int read_zone_policies(struct reader *reader, size_t index, struct zone *zone);
static int read_servers(struct reader *reader, size_t index, struct zone *zone);
static int read_contact(const char *text, struct name *out, struct reason *reason);
static int read_fallback(struct reader *reader, size_t index, struct zone *zone);
static int read_fallback_line(const char *text, struct zone *zone, uint8_t *block,
	struct reason *reason);
static int add_fallback(struct zone *zone, const struct rrset *rr, struct reason *reason);
static int extend_fallback(struct rrset *set, const struct rrset *rr, struct reason *reason);
static void finish_fallback(struct zone *zone, uint8_t *scratch);
static int compare_rrsets(const void *a, const void *b);
static int set_directory(const char *text, const char *fallback, char **out,
	struct reason *reason);
static int set_path(const char *text, size_t max, char **out, struct reason *reason);
static int set_size(const char *text, uint64_t min, uint64_t *out, struct reason *reason);
static int set_choice(const char *text, const struct choice *choices, int *out,
	struct reason *reason);
static int set_ttl(const char *text, uint32_t *out, struct reason *reason);
static int set_stale(const char *text, uint64_t *out, struct reason *reason);
static bool is_loopback(const char *address);

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
	struct reader reader = { .path = path, .reason = reason };
	static const cyaml_config_t cyaml = { .mem_fn = cyaml_mem };
	int status = read_file(&reader);

	if (!status)
		status = load(&reader);
	if (!status) {
		reader.config = calloc(1, sizeof(*reader.config));
		status = reader.config ? 0 : STATUS_NO_MEMORY;
	}
	if (!status) {
		reader.config->path = strdup(path);
		status = reader.config->path ? 0 : STATUS_NO_MEMORY;
	}
	if (status == STATUS_NO_MEMORY)
		reason_set(reason, status, "%s: out of memory", path);
	if (!status)
		status = read_store(&reader);
	if (!status)
		status = read_api(&reader);
	if (!status)
		status = read_zones(&reader);
	if (status)
		config_free(reader.config);
	else
		*out = reader.config;
	cyaml_free(&cyaml, &root_value, reader.raw, 0);
	free(reader.text);
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
	free(config->api.unix_path);
	for (size_t i = 0; i < config->api.allow_users_count; i++)
		free(config->api.allow_users[i]);
	free(config->api.allow_users);
	free(config->api.tcp);
	free(config->api.tokens);
	zones_done(&config->zones);
	free(config);
}

/* The file. */

static int
read_file(struct reader *reader)
{
	int fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat info;
	ssize_t got = 1;
	int status = 0;

	if (fd < 0)
		return reason_set(reader->reason,
			errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s: %s",
			reader->path, strerror(errno));
	if (fstat(fd, &info) || !S_ISREG(info.st_mode))
		status = reason_set(reader->reason, STATUS_INVALID,
			"%s: not a regular file", reader->path);
	else if (info.st_mode & S_IWOTH)
		status = reason_set(reader->reason, STATUS_INVALID,
			"%s: everybody may write to it: chmod o-w", reader->path);
	else if (info.st_size > FILE_SIZE_MAX)
		status = reason_set(reader->reason, STATUS_TOO_LARGE,
			"%s: larger than %d MiB", reader->path, FILE_SIZE_MAX >> 20);
	else if (!(reader->text = malloc((size_t)info.st_size + 1)))
		status = STATUS_NO_MEMORY;
	while (!status && got > 0 && reader->len < (size_t)info.st_size) {
		got = read(fd, reader->text + reader->len,
			(size_t)info.st_size - reader->len);
		if (got < 0)
			status = reason_set(reader->reason, STATUS_IO, "%s: %s",
				reader->path, strerror(errno));
		else
			reader->len += (size_t)got;
	}
	close(fd);
	return status;
}

static int
load(struct reader *reader)
{
	struct complaint complaint = { .places = 0 };
	const cyaml_config_t cyaml = {
		.log_fn = hear,
		.log_ctx = &complaint,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	cyaml_err_t error;
	bool is_empty = false;
	int line = 0;
	int status = yaml_place_check(reader->text, reader->len, &is_empty, &line,
		reader->reason);

	if (status)
		return fail_at_line(reader, status, line, NULL);
	if (is_empty) {
		reader->raw = calloc(1, sizeof(*reader->raw));
		return reader->raw ? 0 : STATUS_NO_MEMORY;
	}
	error = cyaml_load_data((const uint8_t *)reader->text, reader->len, &cyaml,
		&root_value, (cyaml_data_t **)&reader->raw, NULL);
	if (error == CYAML_ERR_OOM)
		return STATUS_NO_MEMORY;
	if (error == CYAML_OK)
		return 0;
	if (complaint.is_unknown || complaint.is_missing) {
		size_t len = strlen(complaint.key);

		if (complaint.is_unknown)
			snprintf(complaint.key + len, KEY_MAX - len, "%s%s",
				len > 0 ? "." : "", complaint.missing);
		reason_set(reader->reason, STATUS_INVALID, "%s",
			complaint.is_unknown ? "unknown key" : complaint.text);
	} else {
		reason_set(reader->reason, STATUS_INVALID, "%s",
			*complaint.text ? complaint.text : cyaml_strerror(error));
	}
	return fail(reader, STATUS_INVALID, "%s", complaint.key);
}

/* libcyaml's log: "Load: <message>", "Load: Backtrace:", then a line for each place. What
 * is not understood stays in the text, so another version costs precision only. */
static void
hear(cyaml_log_t level, void *context, const char *format, va_list args)
{
	struct complaint *complaint = context;
	char line[256], name[64] = "", old[KEY_MAX];
	const char *text = line;
	unsigned entry;

	(void)level;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(text, "Load: ", 6) == 0)
		text += 6;
	memcpy(old, complaint->key, KEY_MAX);
	if (sscanf(text, "Unexpected key: %63s", complaint->missing) == 1)
		complaint->is_unknown = true;
	else if (sscanf(text, "Missing required mapping field: %63s", complaint->missing) == 1)
		complaint->is_missing = true;
	if (sscanf(text, " in mapping field '%63[^']'", name) == 1) {
		/* a missing key is blamed on the field that was read last */
		if (complaint->places++ > 0 || !complaint->is_missing)
			snprintf(complaint->key, KEY_MAX, "%s%s%.*s", name,
				*old && *old != '[' ? "." : "", KEY_MAX - 68, old);
	} else if (sscanf(text, " in sequence entry '%u'", &entry) == 1) {
		complaint->places++;
		snprintf(complaint->key, KEY_MAX, "[%u]%s%.*s", entry > 0 ? entry - 1 : 0,
			*old && *old != '[' ? "." : "", KEY_MAX - 16, old);
	} else if (strncmp(text, "  in ", 5) == 0) {
		complaint->places++;
	} else if (complaint->is_missing && !*complaint->text) {
		snprintf(complaint->text, sizeof(complaint->text), "the key \"%s\" is missing",
			complaint->missing);
	} else if (!*complaint->text && strcmp(text, "Backtrace:") != 0) {
		snprintf(complaint->text, sizeof(complaint->text), "%.150s", text);
	}
}

/* Puts the place in front of the reason. */
static int
fail_at_line(const struct reader *reader, int status, int line, const char *key)
{
	if (key && *key)
		reason_prefix(reader->reason, status, "%s", key);
	if (line > 0)
		return reason_prefix(reader->reason, status, "%s:%d", reader->path, line);
	return reason_prefix(reader->reason, status, "%s", reader->path);
}

static int
fail(const struct reader *reader, int status, const char *format, ...)
{
	char key[KEY_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(key, sizeof(key), format, args);
	va_end(args);
	return fail_at_line(reader, status, yaml_place_find(reader->text, reader->len, key),
		key);
}

/* store: */

static int
read_store(struct reader *reader)
{
	struct config *config = reader->config;
	const struct raw *raw = reader->raw;
	int status;

	config->store.size_limit = SIZE_LIMIT_DEFAULT;
	config->store.snapshot_limit = SNAPSHOT_LIMIT_DEFAULT;
	status = set_directory(raw->store.state, STATE_DEFAULT, &config->store.state,
		reader->reason);
	if (status)
		return fail(reader, status, "store.state");
	status = set_directory(raw->store.serve, SERVE_DEFAULT, &config->store.serve,
		reader->reason);
	if (!status && strcmp(config->store.state, config->store.serve) == 0)
		status = reason_set(reader->reason, STATUS_INVALID,
			"state and serve must be different directories");
	if (status)
		return fail(reader, status, "store.serve");
	status = set_size(raw->store.size_limit, SIZE_LIMIT_MIN, &config->store.size_limit,
		reader->reason);
	if (status)
		return fail(reader, status, "store.size-limit");
	status = set_size(raw->store.snapshot_limit, 0, &config->store.snapshot_limit,
		reader->reason);
	if (status)
		return fail(reader, status, "store.snapshot-limit");
	return 0;
}

/* api: */

static int
read_api(struct reader *reader)
{
	struct config *config = reader->config;
	const struct raw *raw = reader->raw;
	int insecure = false;
	int status;

	if (raw->api.unix_path) {
		status = set_path(raw->api.unix_path, sizeof(((struct sockaddr_un *)0)->sun_path),
			&config->api.unix_path, reader->reason);
		if (status)
			return fail(reader, status, "api.unix");
	}
	status = read_users(reader);
	if (status)
		return status;
	if (raw->api.tokens) {
		status = set_path(raw->api.tokens, PATH_LENGTH_MAX, &config->api.tokens,
			reader->reason);
		if (status)
			return fail(reader, status, "api.tokens");
	}
	status = set_choice(raw->api.insecure_no_auth, bool_choices, &insecure,
		reader->reason);
	if (status)
		return fail(reader, status, "api.insecure-no-auth");
	config->api.insecure_no_auth = insecure;
	return raw->api.tcp ? read_tcp(reader) : 0;
}

static int
read_users(struct reader *reader)
{
	static char root[] = "root";
	char *only_root[] = { root };
	bool is_given = reader->raw->api.allow_users != NULL;
	char **users = is_given ? reader->raw->api.allow_users : only_root;
	size_t count = is_given ? reader->raw->api.allow_users_count : 1;
	struct config *config = reader->config;

	config->api.allow_users = calloc(count + 1, sizeof(*users));
	if (!config->api.allow_users)
		return reason_set(reader->reason, STATUS_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		if (!*users[i]) {
			reason_set(reader->reason, STATUS_INVALID,
				"needs a user name or uid");
			return fail(reader, STATUS_INVALID, "api.allow-users[%zu]", i);
		}
		config->api.allow_users[i] = strdup(users[i]);
		if (!config->api.allow_users[i])
			return reason_set(reader->reason, STATUS_NO_MEMORY, "out of memory");
		config->api.allow_users_count++;
	}
	return 0;
}

/* "127.0.0.1:5380" or "[::1]:5380"; port 0 lets the system choose. */
static int
read_tcp(struct reader *reader)
{
	struct config *config = reader->config;
	const char *text = reader->raw->api.tcp;
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
		reason_set(reader->reason, STATUS_INVALID,
			"\"%.60s\": needs an address and a port such as 127.0.0.1:5380",
			reader->raw->api.tcp);
		return fail(reader, STATUS_INVALID, "api.tcp");
	}
	if (config->api.insecure_no_auth && !is_loopback(address)) {
		reason_set(reader->reason, STATUS_INVALID,
			"is for loopback addresses only, and tcp is %.60s: set tokens",
			reader->raw->api.tcp);
		return fail(reader, STATUS_INVALID, "api.insecure-no-auth");
	}
	if (!config->api.tokens && !config->api.insecure_no_auth) {
		reason_set(reader->reason, STATUS_INVALID,
			"needs api.tokens (or api.insecure-no-auth: true on loopback)");
		return fail(reader, STATUS_INVALID, "api.tcp");
	}
	config->api.tcp = strdup(reader->raw->api.tcp);
	if (!config->api.tcp)
		return reason_set(reader->reason, STATUS_NO_MEMORY, "out of memory");
	return 0;
}

static bool
is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* zones: */

static int
read_zones(struct reader *reader)
{
	struct zones *zones = &reader->config->zones;
	size_t count = reader->raw->zones_count;
	int status;

	zones->zone = calloc(count + 1, sizeof(*zones->zone));
	if (!zones->zone)
		return reason_set(reader->reason, STATUS_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		zones->count++;
		status = read_zone(reader, i, &zones->zone[i]);
		if (status)
			return status;
	}
	status = zones_finish(zones, reader->reason);
	return status ? fail(reader, status, "zones") : 0;
}

static int
read_zone(struct reader *reader, size_t index, struct zone *zone)
{
	int status = read_zone_name(reader, index, zone);

	if (!status)
		status = read_zone_policies(reader, index, zone);
	if (!status)
		status = read_servers(reader, index, zone);
	if (!status)
		status = read_fallback(reader, index, zone);
	return status;
}

static int
read_zone_name(struct reader *reader, size_t index, struct zone *zone)
{
	const struct zone *zones = reader->config->zones.zone;
	const char *text = reader->raw->zones[index].name;
	int status = presentation_read_name(text, &zone->name, reader->reason);

	if (!status && zone->name.len == 1)
		status = reason_set(reader->reason, STATUS_INVALID,
			"the root cannot be a live zone");
	if (status)
		return fail(reader, status, "zones[%zu].name", index);
	name_lower(&zone->name);
	name_to_key(zone->name.wire, &zone->key);
	for (size_t i = 0; i < index; i++) {
		if (!name_equal(zones[i].name.wire, zone->name.wire))
			continue;
		reason_set(reader->reason, STATUS_INVALID,
			"zone \"%.60s\" is there already, as zones[%zu]: merge the two", text, i);
		return fail(reader, STATUS_INVALID, "zones[%zu].name", index);
	}
	return 0;
}

static int
read_zone_policies(struct reader *reader, size_t index, struct zone *zone)
{
	const struct raw_zone *raw = &reader->raw->zones[index];
	int on_miss = ZONE_MISS_NXDOMAIN, on_failure = ZONE_FAILURE_SERVFAIL;
	int delegation = ZONE_DELEGATION_REFER, soa_serial = ZONE_SERIAL_AUTO;
	const struct {
		const char *key;
		const char *text;
		const struct choice *choices;
		int *out;
	} rows[] = {
		{ "on-miss", raw->on_miss, on_miss_choices, &on_miss },
		{ "on-failure", raw->on_failure, on_failure_choices, &on_failure },
		{ "delegation", raw->delegation, delegation_choices, &delegation },
		{ "soa-serial", raw->soa_serial, soa_serial_choices, &soa_serial },
	};
	int status;

	zone->ttl = TTL_DEFAULT;
	zone->negative_ttl = TTL_DEFAULT;
	zone->stale_ms = STALE_MS_DEFAULT;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		status = set_choice(rows[i].text, rows[i].choices, rows[i].out, reader->reason);
		if (status)
			return fail(reader, status, "zones[%zu].%s", index, rows[i].key);
	}
	zone->on_miss = (enum zone_on_miss)on_miss;
	zone->on_failure = (enum zone_on_failure)on_failure;
	zone->delegation = (enum zone_delegation)delegation;
	zone->soa_serial = (enum zone_soa_serial)soa_serial;
	status = set_ttl(raw->ttl, &zone->ttl, reader->reason);
	if (status)
		return fail(reader, status, "zones[%zu].ttl", index);
	status = set_ttl(raw->negative_ttl, &zone->negative_ttl, reader->reason);
	if (status)
		return fail(reader, status, "zones[%zu].negative-ttl", index);
	status = set_stale(raw->stale, &zone->stale_ms, reader->reason);
	return status ? fail(reader, status, "zones[%zu].stale", index) : 0;
}

static int
read_servers(struct reader *reader, size_t index, struct zone *zone)
{
	const struct raw_zone *raw = &reader->raw->zones[index];
	int status;

	for (size_t i = 0; i < raw->ns_count; i++) {
		status = presentation_read_name(raw->ns[i], &zone->ns[i], reader->reason);
		for (size_t k = 0; !status && k < i; k++) {
			if (name_equal(zone->ns[k].wire, zone->ns[i].wire))
				status = reason_set(reader->reason, STATUS_INVALID,
					"\"%.60s\" is there twice", raw->ns[i]);
		}
		if (status)
			return fail(reader, status, "zones[%zu].ns[%zu]", index, i);
		zone->ns_count++;
	}
	if (!raw->contact)
		return 0;
	status = read_contact(raw->contact, &zone->contact, reader->reason);
	return status ? fail(reader, status, "zones[%zu].contact", index) : 0;
}

/* A mail address, or a name in the form of an SOA's RNAME (RFC 1035 section 8). */
static int
read_contact(const char *text, struct name *out, struct reason *reason)
{
	const char *at = strchr(text, '@');
	char name[PRESENTATION_NAME_MAX];
	char *to = name;

	if (!at || at == text)
		return presentation_read_name(text, out, reason);
	if (strlen(text) > NAME_WIRE_MAX)
		return reason_set(reason, STATUS_INVALID, "\"%.60s...\" is too long", text);
	for (; text < at; text++) {
		if (*text == '.')
			*to++ = '\\';
		*to++ = *text;
	}
	snprintf(to, sizeof(name) - (size_t)(to - name), ".%s", at + 1);
	return presentation_read_name(name, out, reason);
}

static int
read_fallback(struct reader *reader, size_t index, struct zone *zone)
{
	const struct raw_zone *raw = &reader->raw->zones[index];
	uint8_t *block = malloc(RRSET_RDATA_MAX);
	int status = block ? 0 : reason_set(reader->reason, STATUS_NO_MEMORY, "out of memory");

	for (size_t i = 0; !status && i < raw->fallback_count; i++) {
		status = read_fallback_line(raw->fallback[i], zone, block, reader->reason);
		if (status)
			fail(reader, status, "zones[%zu].fallback[%zu]", index, i);
	}
	if (!status)
		finish_fallback(zone, block);
	free(block);
	return status;
}

static int
read_fallback_line(const char *text, struct zone *zone, uint8_t *block,
	struct reason *reason)
{
	struct rrset rr;
	int status = masterfile_read_record(text, block, RRSET_RDATA_MAX, &rr, reason);

	if (status)
		return status;
	if (!name_key_is_within(rr.owner.bytes, rr.owner.len, &zone->key))
		return reason_set(reason, STATUS_INVALID,
			"\"%.*s\" lies outside the zone: write the full name",
			(int)(strcspn(text, " \t") < 60 ? strcspn(text, " \t") : 60), text);
	if (rr.ttl > RRSET_TTL_MAX)
		return reason_set(reason, STATUS_INVALID, "TTL %u: needs 0 to %d", rr.ttl,
			RRSET_TTL_MAX);
	return add_fallback(zone, &rr, reason);
}

/* Adds a record to its RRset. Each RRset's block is grown in place; `fallback` has room
 * for the next power of two. */
static int
add_fallback(struct zone *zone, const struct rrset *rr, struct reason *reason)
{
	size_t count = zone->fallback_count;
	uint8_t *rdata;

	for (size_t i = 0; i < count; i++) {
		struct rrset *set = &zone->fallback[i];

		if (set->owner.len != rr->owner.len
			|| memcmp(set->owner.bytes, rr->owner.bytes, rr->owner.len) != 0)
			continue;
		if (set->type == rr->type)
			return extend_fallback(set, rr, reason);
		if (set->type == RRSET_CNAME || rr->type == RRSET_CNAME)
			return reason_set(reason, STATUS_INVALID,
				"a CNAME and other data at one name: keep one of them");
	}
	if (count == ZONE_FALLBACK_MAX)
		return reason_set(reason, STATUS_TOO_LARGE,
			"more than %d fallback RRsets in one zone", ZONE_FALLBACK_MAX);
	if ((count & (count - 1)) == 0) {
		struct rrset *grown = realloc(zone->fallback,
			(count > 0 ? 2 * count : 1) * sizeof(*grown));

		if (!grown)
			return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
		zone->fallback = grown;
	}
	rdata = malloc(rr->rdata_len);
	if (!rdata)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	memcpy(rdata, rr->rdata, rr->rdata_len);
	zone->fallback[count] = *rr;
	zone->fallback[count].rdata = rdata;
	zone->fallback_count++;
	return 0;
}

static int
extend_fallback(struct rrset *set, const struct rrset *rr, struct reason *reason)
{
	uint8_t *rdata = (uint8_t *)(uintptr_t)set->rdata;

	if (rr->type == RRSET_CNAME || rr->type == RRSET_DNAME || rr->type == RRSET_SOA)
		return reason_set(reason, STATUS_INVALID,
			"only one record of this type is allowed at a name");
	if (rr->ttl != set->ttl)
		return reason_set(reason, STATUS_INVALID,
			"TTL %u, and the same name and type has %u above: make them equal",
			rr->ttl, set->ttl);
	if (set->count == RRSET_RECORDS_MAX || rr->rdata_len > RRSET_RDATA_MAX - set->rdata_len)
		return reason_set(reason, STATUS_TOO_LARGE,
			"an RRset has at most %d records and %d bytes", RRSET_RECORDS_MAX,
			RRSET_RDATA_MAX);
	rdata = realloc(rdata, set->rdata_len + rr->rdata_len);
	if (!rdata)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	memcpy(rdata + set->rdata_len, rr->rdata, rr->rdata_len);
	set->rdata = rdata;
	set->rdata_len += rr->rdata_len;
	set->count++;
	return 0;
}

/* Sorts the records of each RRset, then the RRsets. */
static void
finish_fallback(struct zone *zone, uint8_t *scratch)
{
	for (size_t i = 0; i < zone->fallback_count; i++) {
		struct rrset *set = &zone->fallback[i];
		size_t len = set->rdata_len;

		set->count = rrset_canonicalize((uint8_t *)(uintptr_t)set->rdata, &len,
			set->count, scratch);
		set->rdata_len = (uint32_t)len;
	}
	if (zone->fallback_count > 0)
		qsort(zone->fallback, zone->fallback_count, sizeof(*zone->fallback),
			compare_rrsets);
}

static int
compare_rrsets(const void *a, const void *b)
{
	const struct rrset *left = a, *right = b;
	size_t shorter = left->owner.len < right->owner.len ? left->owner.len : right->owner.len;
	int order = memcmp(left->owner.bytes, right->owner.bytes, shorter);

	if (order == 0)
		order = left->owner.len - right->owner.len;
	return order != 0 ? order : left->type - right->type;
}

/* Single values. An absent text leaves the default. */

static int
set_directory(const char *text, const char *fallback, char **out, struct reason *reason)
{
	int status = set_path(text ? text : fallback, PATH_LENGTH_MAX, out, reason);
	size_t len = status ? 0 : strlen(*out);

	while (len > 1 && (*out)[len - 1] == '/')
		(*out)[--len] = '\0';
	return status;
}

static int
set_path(const char *text, size_t max, char **out, struct reason *reason)
{
	if (*text != '/')
		return reason_set(reason, STATUS_INVALID,
			"\"%.60s\": needs a path that begins with /", text);
	if (strlen(text) >= max)
		return reason_set(reason, STATUS_INVALID, "the path is longer than %zu bytes",
			max - 1);
	*out = strdup(text);
	return *out ? 0 : reason_set(reason, STATUS_NO_MEMORY, "out of memory");
}

static int
set_size(const char *text, uint64_t min, uint64_t *out, struct reason *reason)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = { { "", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 }, { "TiB", 40 } };
	unsigned long long value;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	for (size_t i = 0; *text >= '0' && *text <= '9' && !errno
		&& i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (value > SIZE_LIMIT_MAX >> units[i].shift || value << units[i].shift < min)
			return reason_set(reason, STATUS_INVALID,
				"\"%.60s\": needs a size from %s to 16TiB", text,
				min > 0 ? "1MiB" : "0");
		*out = value << units[i].shift;
		return 0;
	}
	return reason_set(reason, STATUS_INVALID,
		"\"%.60s\": needs bytes or a size such as 512KiB, 256MiB, 1GiB", text);
}

static int
set_choice(const char *text, const struct choice *choices, int *out, struct reason *reason)
{
	char list[128] = "";

	if (!text)
		return 0;
	for (const struct choice *choice = choices; choice->text; choice++) {
		size_t len = strlen(list);

		if (strcmp(text, choice->text) == 0) {
			*out = choice->value;
			return 0;
		}
		snprintf(list + len, sizeof(list) - len, "%s%s", len > 0 ? ", " : "",
			choice->text);
	}
	return reason_set(reason, STATUS_INVALID, "\"%.60s\": needs one of %s", text, list);
}

static int
set_ttl(const char *text, uint32_t *out, struct reason *reason)
{
	uint64_t ms = UINT64_MAX;

	if (!text)
		return 0;
	if (*text && text[strspn(text, "0123456789")] == '\0' && strlen(text) < 10)
		ms = strtoull(text, NULL, 10) * 1000;
	else
		duration_read(text, &ms, NULL);
	if (ms > (uint64_t)RRSET_TTL_MAX * 1000 || ms % 1000 != 0)
		return reason_set(reason, STATUS_INVALID,
			"\"%.60s\": needs whole seconds from 0 to %d", text, RRSET_TTL_MAX);
	*out = (uint32_t)(ms / 1000);
	return 0;
}

static int
set_stale(const char *text, uint64_t *out, struct reason *reason)
{
	uint64_t ms = 0;

	if (!text)
		return 0;
	if (strcmp(text, "0") != 0 && duration_read(text, &ms, NULL))
		ms = UINT64_MAX;
	if (ms > STALE_MS_MAX)
		return reason_set(reason, STATUS_INVALID,
			"\"%.60s\": needs a time such as 24h (up to 366d), or 0 for never", text);
	*out = ms;
	return 0;
}
