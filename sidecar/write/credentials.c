/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The tokens file to struct credentials, by tables of keys (yaml.h).
 */
#include "sidecar/write/credentials.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/duration.h"
#include "lib/base/status.h"
#include "lib/config/yaml.h"
#include "lib/dns/presentation.h"

#define ZONES_MAX 1024 /* of one token */
#define SOURCES_MAX 1024

static const struct {
	const char *name;
	enum credentials_verb verb;
} verbs[] = {
	{ "read", CREDENTIALS_READ },
	{ "write", CREDENTIALS_WRITE },
	{ "redirect", CREDENTIALS_REDIRECT },
	{ "admin", CREDENTIALS_ADMIN },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static yaml_value_fn read_tokens;
static yaml_text_fn read_id, read_hash, read_expires, read_verb, read_zone, read_source;

static const struct yaml_key root_keys[] = {
	{ "tokens", 0, .value = read_tokens, .is_required = true },
	{ 0 },
};

static const struct yaml_key token_keys[] = {
	{ "id", offsetof(struct credential, id), .text = read_id, .is_required = true },
	{ "sha256", offsetof(struct credential, hash), .text = read_hash, .is_required = true },
	{ "verbs", offsetof(struct credential, verbs), .value = yaml_read_texts,
		.item = read_verb, .min = 1, .max = VERBS, .is_required = true },
	{ "zones", 0, .value = yaml_read_texts, .item = read_zone, .min = 1, .max = ZONES_MAX,
		.is_required = true },
	{ "sources", 0, .value = yaml_read_texts, .item = read_source, .min = 1,
		.max = SOURCES_MAX },
	{ "expires", offsetof(struct credential, expires_ms), .text = read_expires },
	{ 0 },
};

static int check_file(const struct stat *info, struct reason *reason);
static int add_source(struct credential *credential, const char *text, struct reason *reason);
static int check_sources(
	const struct yaml_value *item, struct credential *credential, struct reason *reason);
static int
check_duplicate(const struct yaml_value *item, const struct credentials *credentials,
	struct reason *reason);

int
credentials_read(const char *path, struct credentials **out, struct reason *reason)
{
	struct credentials *credentials;
	struct yaml *yaml;
	struct yaml_value root;
	int status = yaml_open(path, CREDENTIALS_FILE_MAX, check_file, &yaml, reason);

	if (status)
		return status;
	root = yaml_root(yaml);
	credentials = calloc(1, sizeof(*credentials));
	if (credentials)
		status = yaml_read_mapping(&root, root_keys, credentials, reason);
	else
		status = reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (status) {
		yaml_blame(yaml, status, reason);
		credentials_free(credentials);
	} else {
		*out = credentials;
	}
	yaml_close(yaml);
	return status;
}

void
credentials_free(struct credentials *credentials)
{
	if (!credentials)
		return;
	for (size_t i = 0; i < credentials->count; i++) {
		free(credentials->credential[i].id);
		free(credentials->credential[i].zone);
		for (size_t j = 0; j < credentials->credential[i].source_count; j++)
			free(credentials->credential[i].source[j]);
		free(credentials->credential[i].source);
	}
	free(credentials->credential);
	free(credentials);
}

const char *
credentials_verb_name(enum credentials_verb verb)
{
	for (size_t i = 0; i < VERBS; i++)
		if (verbs[i].verb == verb)
			return verbs[i].name;
	return "?";
}

static int
check_file(const struct stat *info, struct reason *reason)
{
	if (info->st_mode & 07)
		return reason_set(reason, STATUS_INVALID,
			"is open to every user (mode %04o): chmod 0640 it",
			(unsigned)info->st_mode & 07777);
	if (info->st_uid != 0 && info->st_uid != geteuid())
		return reason_set(reason, STATUS_INVALID,
			"belongs to user %u: root or livezoned's own user must own it",
			(unsigned)info->st_uid);
	return 0;
}

static int
read_tokens(const struct yaml_value *list, const struct yaml_key *key, void *out,
	struct reason *reason)
{
	struct credentials *credentials = out;
	struct yaml_value item = { 0 };
	size_t count;
	int status = yaml_read_list(list, 0, CREDENTIALS_MAX, &count, reason);

	(void)key;
	if (status)
		return status;
	credentials->credential = calloc(count + 1, sizeof(*credentials->credential));
	if (!credentials->credential)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	while (!status && yaml_next(list, &item)) {
		status = yaml_read_mapping(&item, token_keys,
			&credentials->credential[credentials->count++], reason);
		if (!status)
			status = check_sources(&item,
				&credentials->credential[credentials->count - 1], reason);
		if (!status)
			status = check_duplicate(&item, credentials, reason);
	}
	return status;
}

static int
read_id(const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	char *id;

	(void)key;
	if (!*text || strlen(text) > CREDENTIALS_ID_MAX)
		return reason_set(reason, STATUS_INVALID, "needs 1 to %d characters",
			CREDENTIALS_ID_MAX);
	id = strdup(text);
	if (!id)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	*(char **)out = id;
	return 0;
}

static int
read_hash(const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *hash = out;

	(void)key;
	if (strlen(text) != 2 * CREDENTIALS_HASH_SIZE
		|| strspn(text, "0123456789abcdefABCDEF") != 2 * CREDENTIALS_HASH_SIZE)
		return reason_set(reason, STATUS_INVALID,
			"64 hexadecimal digits are needed (printf %%s TOKEN | "
			"sha256sum)");
	for (size_t i = 0; i < CREDENTIALS_HASH_SIZE; i++) {
		long high = strchr(digits, text[2 * i] | 0x20) - digits;
		long low = strchr(digits, text[2 * i + 1] | 0x20) - digits;

		hash[i] = (uint8_t)(high * 16 + low);
	}
	return 0;
}

static int
read_expires(const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	uint64_t *expires_ms = out;
	int status = duration_read_time(text, expires_ms, reason);

	(void)key;
	if (!status && *expires_ms == 0)
		*expires_ms = 1; /* 1970 does not mean "never" */
	return status;
}

static int
read_verb(const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	(void)key;
	for (size_t i = 0; i < VERBS; i++) {
		if (strcmp(text, verbs[i].name) != 0)
			continue;
		*(unsigned *)out |= verbs[i].verb;
		return 0;
	}
	return reason_set(reason, STATUS_INVALID,
		"\"%.40s\": needs one of read, write, redirect, admin", text);
}

static int
read_zone(const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	struct credential *credential = out;
	struct name_key *zone;
	struct name name;
	int status = presentation_read_name(text, &name, reason);

	(void)key;
	if (status)
		return status;
	zone = realloc(credential->zone, (credential->zone_count + 1) * sizeof(*zone));
	if (!zone)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	credential->zone = zone;
	name_to_key(name.wire, &zone[credential->zone_count++]);
	return 0;
}

/* As the API has them, but for the "*". */
static bool
is_source(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	const size_t len = strlen(text);

	return strcmp(text, CREDENTIALS_ANY_SOURCE) == 0
	       || (len >= 1 && len <= CREDENTIALS_SOURCE_MAX && strspn(text, letters) == len
		       && !strchr("._-", text[0]));
}

static int
read_source(const char *text, const struct yaml_key *key, void *out, struct reason *reason)
{
	(void)key;
	if (!is_source(text))
		return reason_set(reason, STATUS_INVALID,
			"\"%.80s\" is not a source name: letters, digits, '.', '_' and '-', at "
			"most %d, a letter or digit first; \"*\" is all sources",
			text, CREDENTIALS_SOURCE_MAX);
	return add_source(out, text, reason);
}

static int
add_source(struct credential *credential, const char *text, struct reason *reason)
{
	char *copy = strdup(text);
	char **source = realloc(
		credential->source, (credential->source_count + 1) * sizeof(*source));

	if (source)
		credential->source = source;
	if (!copy || !source) {
		free(copy);
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	}
	source[credential->source_count++] = copy;
	return 0;
}

/* A token that names no sources writes as its own id. */
static int
check_sources(
	const struct yaml_value *item, struct credential *credential, struct reason *reason)
{
	struct yaml_value ignored;

	if (credential->source_count > 0)
		return 0;
	if (!is_source(credential->id)) {
		yaml_find(item, "id", &ignored);
		return reason_set(reason, STATUS_INVALID,
			"\"%s\" is not a source name that the token could write as: add "
			"\"sources\"",
			credential->id);
	}
	return add_source(credential, credential->id, reason);
}

static int
check_duplicate(const struct yaml_value *item, const struct credentials *credentials,
	struct reason *reason)
{
	size_t index = credentials->count - 1;
	const struct credential *last = &credentials->credential[index];
	struct yaml_value ignored;

	for (size_t i = 0; i < index; i++) {
		const struct credential *other = &credentials->credential[i];

		if (strcmp(other->id, last->id) == 0) {
			yaml_find(item, "id", &ignored);
			return reason_set(reason, STATUS_INVALID,
				"\"%s\" is the id of tokens[%zu] already", last->id, i);
		}
		if (memcmp(other->hash, last->hash, CREDENTIALS_HASH_SIZE) == 0) {
			yaml_find(item, "sha256", &ignored);
			return reason_set(reason, STATUS_INVALID,
				"the same token as that of tokens[%zu]", i);
		}
	}
	return 0;
}
