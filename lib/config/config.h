/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * livezone.yaml as one struct: read once by each program, const afterwards. A file
 * that breaks a rule is refused whole, with file, line, column and key in the reason.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"
#include "lib/dns/zones.h"

#define CONFIG_ENVIRONMENT "LIVEZONE_CONF"
#define CONFIG_PATH_MAX 3200 /* of a directory, and the names that we make in it */

struct config {
	char *path; /* the file that was read */
	struct {
		char *state;             /* directory */
		char *serve;             /* directory */
		uint64_t size_limit;     /* bytes, of each environment */
		uint64_t snapshot_limit; /* bytes; 0 = no snapshot */
		bool allow_network_filesystem;
	} store;
	struct {
		char *unix_path;    /* NULL = off */
		char **allow_users; /* names or decimal uids; root when the key is absent */
		size_t allow_users_count;
		char *tcp;          /* "127.0.0.1:5380", "[::1]:5380"; NULL = off */
		char *tokens;       /* file; NULL = none */
		bool insecure_no_auth;
	} api;
	struct {
		char *directory;
		uint64_t interval_ms; /* 0 = off */
		unsigned count;       /* kept; at least 1 */
	} backup; /* livezoned only */
	struct {
		uint64_t size;   /* bytes of the journal */
		uint64_t age_ms; /* 0 = no limit */
	} history; /* livezoned only */
	struct zones zones;
};

/* The file to read: `given` when not NULL, else $LIVEZONE_CONF, else the built-in
 * $(sysconfdir)/livezone/livezone.yaml. Borrowed or static. */
const char *config_path(const char *given);

/* Reads and checks a file. On success *out is owned by the caller; on failure nothing
 * is kept. Reason: "<file>:<line>:<column>: zones[1].fallback[0]: ...". Unknown keys, duplicate
 * zones, bad records and out-of-range values are refused. */
int config_read(const char *path, struct config **out, struct reason *reason);

/* NULL is allowed. */
void config_free(struct config *config);
