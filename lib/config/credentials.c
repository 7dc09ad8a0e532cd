/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * tokens.yaml to struct credentials.
 */
#include "lib/config/credentials.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/duration.h"
#include "lib/dns/presentation.h"
#include "lib/base/status.h"
#include "lib/config/yaml_place.h"

/* The file as libcyaml reads it. */
struct entry {
	char *id;
	char *sha256;
	char *expires;
	char **zones;
	unsigned zones_count;
	char **verbs;
	unsigned verbs_count;
};

struct document {
	struct entry *tokens;
	unsigned tokens_count;
};

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

static const cyaml_schema_value_t text_value = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 1024),
};

static const cyaml_schema_field_t entry_fields[] = {
	CYAML_FIELD_STRING_PTR(
		"id", CYAML_FLAG_POINTER, struct entry, id, 1, CREDENTIALS_ID_MAX),
	CYAML_FIELD_STRING_PTR(
		"sha256", CYAML_FLAG_POINTER, struct entry, sha256, 0, 1024),
	CYAML_FIELD_STRING_PTR("expires", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct entry, expires, 0, 64),
	CYAML_FIELD_SEQUENCE(
		"zones", CYAML_FLAG_POINTER, struct entry, zones, &text_value, 1, 1024),
	CYAML_FIELD_SEQUENCE(
		"verbs", CYAML_FLAG_POINTER, struct entry, verbs, &text_value, 1, VERBS),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t entry_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct entry, entry_fields),
};

static const cyaml_schema_field_t document_fields[] = {
	CYAML_FIELD_SEQUENCE("tokens", CYAML_FLAG_POINTER, struct document, tokens,
		&entry_value, 0, CREDENTIALS_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t document_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct document, document_fields),
};

static int
read_file(const char *path, char **out_text, size_t *out_len, struct reason *reason);
static int check_file(int fd, size_t *out_len, struct reason *reason);
static int read_document(
	const char *text, size_t len, struct credentials *out, struct reason *reason);
static int
read_entry(const struct entry *entry, struct credential *out, struct reason *reason);
static int read_hash(const char *text, uint8_t *out, struct reason *reason);
static int read_verb(const char *text, unsigned *out, struct reason *reason);
static int read_zone(const char *text, struct name_key *out, struct reason *reason);
static int
check_double(const struct credentials *credentials, size_t index, struct reason *reason);
static void
note_error(cyaml_log_t level, void *context, const char *format, va_list args);

int
credentials_read(const char *path, struct credentials **out, struct reason *reason)
{
	struct credentials *credentials = calloc(1, sizeof(*credentials));
	char *text = NULL;
	size_t len = 0;
	int status;

	if (!credentials)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	status = read_file(path, &text, &len, reason);
	if (!status)
		status = read_document(text, len, credentials, reason);
	free(text);
	if (status) {
		credentials_free(credentials);
		return reason_prefix(reason, status, "%s", path);
	}
	*out = credentials;
	return 0;
}

void
credentials_free(struct credentials *credentials)
{
	if (!credentials)
		return;
	for (size_t i = 0; i < credentials->count; i++) {
		free(credentials->credential[i].id);
		free(credentials->credential[i].zone);
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
read_file(const char *path, char **out_text, size_t *out_len, struct reason *reason)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;
	size_t len = 0, done = 0;
	int status;

	if (fd < 0)
		return reason_set(reason, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO,
			"%s", strerror(errno));
	status = check_file(fd, &len, reason);
	if (!status) {
		text = malloc(len + 1);
		if (!text)
			status = reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	}
	while (!status && done < len) {
		ssize_t got = read(fd, text + done, len - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			status = reason_set(reason, STATUS_IO, "cannot be read: %s",
				got < 0 ? strerror(errno) : "it became shorter");
		else
			done += (size_t)got;
	}
	close(fd);
	if (status) {
		free(text);
		return status;
	}
	*out_text = text;
	*out_len = len;
	return 0;
}

static int
check_file(int fd, size_t *out_len, struct reason *reason)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return reason_set(reason, STATUS_IO, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return reason_set(reason, STATUS_INVALID, "is no regular file");
	if (st.st_mode & 07)
		return reason_set(reason, STATUS_INVALID,
			"is open to every user (mode %04o): chmod 0640 it",
			(unsigned)st.st_mode & 07777);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return reason_set(reason, STATUS_INVALID,
			"belongs to user %u: root or livezoned's own user must own it",
			(unsigned)st.st_uid);
	if (st.st_size > CREDENTIALS_FILE_MAX)
		return reason_set(reason, STATUS_TOO_LARGE, "is longer than %d bytes",
			CREDENTIALS_FILE_MAX);
	*out_len = (size_t)st.st_size;
	return 0;
}

/* libcyaml does not tell a libyaml that lacks memory from one that found a fault. */
static int
status_from_cyaml(cyaml_err_t error, const char *text, size_t len)
{
	bool is_empty;
	int line;

	if (error == CYAML_ERR_OOM || error == CYAML_ERR_LIBYAML_PARSER_INIT)
		return STATUS_NO_MEMORY;
	if (error == CYAML_ERR_LIBYAML_PARSER
		&& yaml_place_check(text, len, &is_empty, &line, NULL) != STATUS_INVALID)
		return STATUS_NO_MEMORY;
	return STATUS_INVALID;
}

static int
read_document(
	const char *text, size_t len, struct credentials *out, struct reason *reason)
{
	struct reason first = { "" };
	const cyaml_config_t config = {
		.log_fn = note_error,
		.log_ctx = &first,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	struct document *document = NULL;
	cyaml_err_t error = cyaml_load_data((const uint8_t *)text, len, &config,
		&document_value, (cyaml_data_t **)&document, NULL);
	int status = 0;

	if (error != CYAML_OK)
		return reason_set(reason, status_from_cyaml(error, text, len), "%s",
			first.text[0] ? first.text : cyaml_strerror(error));
	if (!document)
		return reason_set(
			reason, STATUS_INVALID, "is empty: \"tokens:\" is needed");
	out->credential = calloc(document->tokens_count + 1, sizeof(*out->credential));
	if (!out->credential)
		status = reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	for (unsigned i = 0; !status && i < document->tokens_count; i++) {
		out->count = i + 1;
		status = read_entry(&document->tokens[i], &out->credential[i], reason);
		if (!status)
			status = check_double(out, i, reason);
		if (status)
			reason_prefix(reason, status, "tokens[%u]", i);
	}
	cyaml_free(&config, &document_value, document, 0);
	return status;
}

static int
read_entry(const struct entry *entry, struct credential *out, struct reason *reason)
{
	int status = read_hash(entry->sha256, out->hash, reason);

	if (status)
		return reason_prefix(reason, status, "sha256");
	for (unsigned i = 0; i < entry->verbs_count; i++) {
		status = read_verb(entry->verbs[i], &out->verbs, reason);
		if (status)
			return reason_prefix(reason, status, "verbs[%u]", i);
	}
	if (entry->expires) {
		status = duration_read_time(entry->expires, &out->expires_ms, reason);
		if (status)
			return reason_prefix(reason, status, "expires");
		if (out->expires_ms == 0)
			out->expires_ms = 1; /* 1970 is no "never" */
	}
	out->id = strdup(entry->id);
	out->zone = calloc(entry->zones_count, sizeof(*out->zone));
	if (!out->id || !out->zone)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	for (unsigned i = 0; i < entry->zones_count; i++) {
		status = read_zone(entry->zones[i], &out->zone[i], reason);
		if (status)
			return reason_prefix(reason, status, "zones[%u]", i);
		out->zone_count = i + 1;
	}
	return 0;
}

static int
read_hash(const char *text, uint8_t *out, struct reason *reason)
{
	static const char digits[] = "0123456789abcdef";

	if (strlen(text) != 2 * CREDENTIALS_HASH_SIZE
		|| strspn(text, "0123456789abcdefABCDEF") != 2 * CREDENTIALS_HASH_SIZE)
		return reason_set(reason, STATUS_INVALID,
			"64 hexadecimal digits are needed (printf %%s TOKEN | "
			"sha256sum)");
	for (size_t i = 0; i < CREDENTIALS_HASH_SIZE; i++) {
		long high = strchr(digits, text[2 * i] | 0x20) - digits;
		long low = strchr(digits, text[2 * i + 1] | 0x20) - digits;

		out[i] = (uint8_t)(high * 16 + low);
	}
	return 0;
}

static int
read_verb(const char *text, unsigned *out, struct reason *reason)
{
	for (size_t i = 0; i < VERBS; i++) {
		if (strcmp(text, verbs[i].name) != 0)
			continue;
		*out |= verbs[i].verb;
		return 0;
	}
	return reason_set(reason, STATUS_INVALID,
		"\"%.40s\" is none of read, write, redirect, admin", text);
}

static int
read_zone(const char *text, struct name_key *out, struct reason *reason)
{
	struct name name;
	int status = presentation_read_name(text, &name, reason);

	if (!status)
		name_to_key(name.wire, out);
	return status;
}

static int
check_double(const struct credentials *credentials, size_t index, struct reason *reason)
{
	const struct credential *last = &credentials->credential[index];

	for (size_t i = 0; i < index; i++) {
		const struct credential *other = &credentials->credential[i];

		if (strcmp(other->id, last->id) == 0)
			return reason_set(reason, STATUS_INVALID,
				"id \"%s\" is that of tokens[%zu]", last->id, i);
		if (memcmp(other->hash, last->hash, CREDENTIALS_HASH_SIZE) == 0)
			return reason_set(reason, STATUS_INVALID,
				"the token is that of tokens[%zu]", i);
	}
	return 0;
}

/* libcyaml tells the fault first, then where it was, from inside out; the first two lines
 * have what a person needs. */
static void
note_error(cyaml_log_t level, void *context, const char *format, va_list args)
{
	struct reason *reason = context;
	char line[256];
	size_t used = strlen(reason->text);
	size_t len;

	(void)level;
	vsnprintf(line, sizeof(line), format, args);
	len = strcspn(line, "\n");
	line[len] = '\0';
	if (used == 0)
		snprintf(reason->text, sizeof(reason->text), "%s",
			strncmp(line, "Load: ", 6) == 0 ? line + 6 : line);
	else if (strstr(line, "in ") && !strstr(reason->text, " in "))
		snprintf(reason->text + used, sizeof(reason->text) - used, " %s",
			strstr(line, "in "));
}
