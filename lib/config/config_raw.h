/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * livezone.yaml as libcyaml reads it: strings under known keys, not yet looked at. Internal
 * to the config files; libcyaml is known to config_raw.c (and credentials.c) only.
 */
#pragma once

struct config_source;

struct config_raw_rule {
	char *match;
	char *type;
	char *rdata;
	char *ttl;
};

/* NULL = the key is absent. */
struct config_raw_zone {
	char *name;
	char *ttl;
	char *negative_ttl;
	char *on_miss;
	char *on_failure;
	char *on_expiry;
	char *stale;
	char *delegation;
	char *soa_serial;
	char *any;
	char *auto_ptr;
	char *contact;
	char **ns;
	unsigned ns_count;
	char **fallback;
	unsigned fallback_count;
	struct config_raw_rule *rules;
	unsigned rules_count;
};

struct config_raw {
	struct {
		char *state;
		char *serve;
		char *size_limit;
		char *snapshot_limit;
		char *allow_network_filesystem;
	} store;
	struct {
		char *unix_path;
		char **allow_users;
		unsigned allow_users_count;
		char *tcp;
		char *tokens;
		char *insecure_no_auth;
	} api;
	struct {
		char *directory;
		char *interval;
		char *count;
	} backup;
	struct config_raw_zone *zones;
	unsigned zones_count;
};

/* Reads the text by the schema, which refuses unknown keys. On success *out is the
 * caller's. On STATUS_NO_MEMORY alone the reason is not set. */
int config_raw_load(const struct config_source *source, struct config_raw **out);

/* NULL is allowed. */
void config_raw_free(struct config_raw *raw);
