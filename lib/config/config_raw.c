/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * libcyaml's schema of livezone.yaml, and its complaints in our words. A new key has a row
 * here and a member in config_raw.h.
 */
#include "lib/config/config_raw.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cyaml/cyaml.h>

#include "lib/config/config_source.h"
#include "lib/base/status.h"
#include "lib/config/yaml_place.h"
#include "lib/dns/zones.h"

#define ZONES_MAX 4096 /* doubles are found by comparing all pairs */
#define FALLBACK_LINES_MAX 16384
#define USERS_MAX 64
#define VALUE_MAX (256 * 1024) /* a fallback record is the longest */
#define KEY_MAX CONFIG_SOURCE_KEY_MAX

/* What libcyaml says of a fault: the message, then where it was, innermost first. */
struct complaint {
	char text[160];
	char key[KEY_MAX];
	char missing[64]; /* key that the message names */
	bool is_missing;  /* the message: a required key is not there */
	bool is_unknown;
	unsigned places;
};

#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define STRING(key, structure, member) \
	CYAML_FIELD_STRING_PTR(key, OPTIONAL, structure, member, 0, VALUE_MAX)

static const cyaml_schema_value_t string_value = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, VALUE_MAX),
};

static const cyaml_schema_field_t rule_fields[] = {
	CYAML_FIELD_STRING_PTR("match", CYAML_FLAG_POINTER, struct config_raw_rule, match, 0,
		VALUE_MAX),
	CYAML_FIELD_STRING_PTR("type", CYAML_FLAG_POINTER, struct config_raw_rule, type, 0,
		VALUE_MAX),
	CYAML_FIELD_STRING_PTR("rdata", CYAML_FLAG_POINTER, struct config_raw_rule, rdata, 0,
		VALUE_MAX),
	STRING("ttl", struct config_raw_rule, ttl),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t rule_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_raw_rule, rule_fields),
};

static const cyaml_schema_field_t zone_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct config_raw_zone, name, 0,
		VALUE_MAX),
	STRING("ttl", struct config_raw_zone, ttl),
	STRING("negative-ttl", struct config_raw_zone, negative_ttl),
	STRING("on-miss", struct config_raw_zone, on_miss),
	STRING("on-failure", struct config_raw_zone, on_failure),
	STRING("on-expiry", struct config_raw_zone, on_expiry),
	STRING("stale", struct config_raw_zone, stale),
	STRING("delegation", struct config_raw_zone, delegation),
	STRING("soa-serial", struct config_raw_zone, soa_serial),
	STRING("any", struct config_raw_zone, any),
	STRING("auto-ptr", struct config_raw_zone, auto_ptr),
	STRING("contact", struct config_raw_zone, contact),
	CYAML_FIELD_SEQUENCE("ns", OPTIONAL, struct config_raw_zone, ns, &string_value, 0,
		ZONE_NS_MAX),
	CYAML_FIELD_SEQUENCE("fallback", OPTIONAL, struct config_raw_zone, fallback,
		&string_value, 0, FALLBACK_LINES_MAX),
	CYAML_FIELD_SEQUENCE("rules", OPTIONAL, struct config_raw_zone, rules, &rule_value, 0,
		ZONE_RULES_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t zone_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_raw_zone, zone_fields),
};

static const cyaml_schema_field_t store_fields[] = {
	STRING("state", struct config_raw, store.state),
	STRING("serve", struct config_raw, store.serve),
	STRING("size-limit", struct config_raw, store.size_limit),
	STRING("snapshot-limit", struct config_raw, store.snapshot_limit),
	STRING("allow-network-filesystem", struct config_raw,
		store.allow_network_filesystem),
	CYAML_FIELD_END,
};

/* A mapping inside struct config_raw has offsets from raw itself, so these begin at 0. */
static const cyaml_schema_field_t api_fields[] = {
	STRING("unix", struct config_raw, api.unix_path),
	CYAML_FIELD_SEQUENCE("allow-users", OPTIONAL, struct config_raw, api.allow_users,
		&string_value, 0, USERS_MAX),
	STRING("tcp", struct config_raw, api.tcp),
	STRING("tokens", struct config_raw, api.tokens),
	STRING("insecure-no-auth", struct config_raw, api.insecure_no_auth),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t backup_fields[] = {
	STRING("directory", struct config_raw, backup.directory),
	STRING("interval", struct config_raw, backup.interval),
	STRING("count", struct config_raw, backup.count),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t root_fields[] = {
	{
		.key = "store",
		.value = { .type = CYAML_MAPPING,
			.flags = CYAML_FLAG_OPTIONAL,
			.data_size = sizeof(struct config_raw),
			.mapping = { .fields = store_fields } },
	},
	{
		.key = "api",
		.value = { .type = CYAML_MAPPING,
			.flags = CYAML_FLAG_OPTIONAL,
			.data_size = sizeof(struct config_raw),
			.mapping = { .fields = api_fields } },
	},
	{
		.key = "backup",
		.value = { .type = CYAML_MAPPING,
			.flags = CYAML_FLAG_OPTIONAL,
			.data_size = sizeof(struct config_raw),
			.mapping = { .fields = backup_fields } },
	},
	CYAML_FIELD_SEQUENCE("zones", OPTIONAL, struct config_raw, zones, &zone_value, 0,
		ZONES_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t root_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_raw, root_fields),
};

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

/* Says what libcyaml said, with file, line and key. */
static int
refuse(const struct config_source *source, struct complaint *complaint, cyaml_err_t error)
{
	if (complaint->is_unknown || complaint->is_missing) {
		size_t len = strlen(complaint->key);

		if (complaint->is_unknown)
			snprintf(complaint->key + len, KEY_MAX - len, "%s%s",
				len > 0 ? "." : "", complaint->missing);
		reason_set(source->reason, STATUS_INVALID, "%s",
			complaint->is_unknown ? "unknown key" : complaint->text);
	} else {
		reason_set(source->reason, STATUS_INVALID, "%s",
			*complaint->text ? complaint->text : cyaml_strerror(error));
	}
	return config_source_fail(source, STATUS_INVALID, "%s", complaint->key);
}

int
config_raw_load(const struct config_source *source, struct config_raw **out)
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
	int status = yaml_place_check(source->text, source->len, &is_empty, &line,
		source->reason);

	if (status)
		return config_source_fail_at_line(source, status, line, NULL);
	if (is_empty) {
		*out = calloc(1, sizeof(**out));
		return *out ? 0 : STATUS_NO_MEMORY;
	}
	error = cyaml_load_data((const uint8_t *)source->text, source->len, &cyaml,
		&root_value, (cyaml_data_t **)out, NULL);
	if (error == CYAML_OK)
		return 0;
	/* the text is well-formed, as was seen above: what libyaml lacks is memory */
	if (error == CYAML_ERR_OOM || error == CYAML_ERR_LIBYAML_PARSER_INIT
		|| error == CYAML_ERR_LIBYAML_PARSER)
		return STATUS_NO_MEMORY;
	return refuse(source, &complaint, error);
}

void
config_raw_free(struct config_raw *raw)
{
	static const cyaml_config_t cyaml = { .mem_fn = cyaml_mem };

	cyaml_free(&cyaml, &root_value, raw, 0);
}
