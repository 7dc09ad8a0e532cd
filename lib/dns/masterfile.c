/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Records and master files: the lines of an entry go to tokens.h, its data to rdata.h.
 */
#include "lib/dns/masterfile.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/presentation.h"
#include "lib/dns/rdata.h"
#include "lib/base/status.h"
#include "lib/dns/tokens.h"

/* What is said in front of a record's rdata. */
struct head {
	struct name owner;
	uint32_t ttl;
	bool has_ttl;
	uint16_t type;
	size_t rdata; /* index of the first token behind it */
};

/* The state of a master file between its entries. */
struct zone_file {
	FILE *file;
	struct name origin;
	struct name owner; /* of the last record; len 0 before the first */
	uint32_t default_ttl;
	int line;
	char *buf;
	size_t room;
	uint8_t *block;
	struct tokens tokens;
	masterfile_record_fn fn;
	void *context;
};

static bool
is_class(const char *text, bool *out_internet)
{
	static const char *const others[] = { "CH", "HS", "CS", "NONE", "ANY" };

	*out_internet = strcasecmp(text, "IN") == 0 || strcasecmp(text, "CLASS1") == 0;
	if (*out_internet)
		return true;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (strcasecmp(text, others[i]) == 0)
			return true;
	}
	return strncasecmp(text, "CLASS", 5) == 0 && isdigit((unsigned char)text[5]);
}

/* TTL and class in either order, both may be left out, then the type. */
static int
read_head(const struct tokens *tokens, size_t at, struct head *head,
	struct reason *reason)
{
	bool has_class = false, is_internet;

	head->has_ttl = false;
	for (; at < tokens->count && !tokens->token[at].quoted; at++) {
		const char *text = tokens_text(tokens, at);

		if (!head->has_ttl && isdigit((unsigned char)*text)) {
			if (presentation_read_ttl(text, &head->ttl))
				return reason_set(reason, STATUS_INVALID,
					"TTL \"%.60s\": needs seconds such as 5 or 1h",
					text);
			head->has_ttl = true;
			continue;
		}
		if (!has_class && is_class(text, &is_internet)) {
			if (!is_internet)
				return reason_set(reason, STATUS_INVALID,
					"class \"%.60s\": only IN is served", text);
			has_class = true;
			continue;
		}
		head->rdata = at + 1;
		return presentation_read_type(text, &head->type, reason);
	}
	return reason_set(reason, STATUS_INVALID, "a type is missing: needs \"owner ttl IN "
		"type data\"");
}

/* The record's data behind its head, as an RRset of one record in `block`. */
static int
read_data(struct tokens *tokens, const struct head *head, const struct name *origin,
	uint8_t *block, size_t room, struct rrset *out, struct reason *reason)
{
	const struct rdata_words words = { tokens, head->rdata, origin };
	int used = rdata_read_words(head->type, &words, block, room, reason);

	if (used < 0)
		return used;
	out->type = head->type;
	out->ttl = head->ttl;
	out->count = 1;
	out->rdata_len = (uint32_t)used;
	out->rdata = block;
	name_to_key(head->owner.wire, &out->owner);
	return 0;
}

int
masterfile_read_record(const char *text, uint8_t *block, size_t room,
	struct rrset *out, struct reason *reason)
{
	__attribute__((cleanup(tokens_done))) struct tokens tokens;
	struct head head;
	int status;

	tokens_init(&tokens);
	status = tokens_add_line(&tokens, text, strlen(text), TOKENS_LINE, reason);
	if (status)
		return status;
	if (tokens.count == 0 || tokens.starts_blank)
		return reason_set(reason, STATUS_INVALID,
			"needs \"owner ttl IN type data\"");
	status = presentation_read_name(tokens_text(&tokens, 0), &head.owner, reason);
	if (!status)
		status = read_head(&tokens, 1, &head, reason);
	if (status)
		return status;
	if (!head.has_ttl)
		return reason_set(reason, STATUS_INVALID,
			"a TTL is missing: needs \"owner ttl IN type data\"");
	return read_data(&tokens, &head, NULL, block, room, out, reason);
}

/* The next line, added to the entry's tokens; STATUS_NOT_FOUND at the end of the file. */
static int
read_line(struct zone_file *zone, struct reason *reason)
{
	size_t len = 0;
	int c;

	while ((c = getc_unlocked(zone->file)) != EOF && c != '\n') {
		if (len == TOKENS_TEXT_MAX)
			return reason_set(reason, STATUS_TOO_LARGE,
				"a line is longer than %d bytes", TOKENS_TEXT_MAX);
		if (len == zone->room) {
			size_t room = zone->room > 0 ? 2 * zone->room : BUFSIZ;
			char *buf = realloc(zone->buf, room);

			if (!buf)
				return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
			zone->buf = buf;
			zone->room = room;
		}
		zone->buf[len++] = (char)c;
	}
	if (c == EOF && ferror(zone->file))
		return reason_set(reason, STATUS_IO, "cannot read: %s", strerror(errno));
	if (c == EOF && len == 0)
		return STATUS_NOT_FOUND;
	zone->line++;
	if (len > 0 && zone->buf[len - 1] == '\r')
		len--;
	return tokens_add_line(&zone->tokens, len > 0 ? zone->buf : "", len, TOKENS_ENTRY,
		reason);
}

/* The lines of one entry; STATUS_NOT_FOUND at the end of the file. */
static int
read_entry(struct zone_file *zone, struct reason *reason)
{
	int status;

	do
		status = read_line(zone, reason);
	while (!status && zone->tokens.depth > 0);
	if (status == STATUS_NOT_FOUND && zone->tokens.depth > 0)
		return reason_set(reason, STATUS_INVALID,
			"a parenthesis is opened and not closed");
	return status;
}

static int
handle_directive(struct zone_file *zone, struct reason *reason)
{
	const char *word = tokens_text(&zone->tokens, 0);
	const char *value = zone->tokens.count == 2 ? tokens_text(&zone->tokens, 1) : NULL;
	const struct name origin = zone->origin;

	if (strcasecmp(word, "$ORIGIN") == 0) {
		if (!value)
			return reason_set(reason, STATUS_INVALID, "$ORIGIN needs one name");
		return presentation_read_relative_name(value, &origin, &zone->origin,
			reason);
	}
	if (strcasecmp(word, "$TTL") == 0) {
		if (!value || presentation_read_ttl(value, &zone->default_ttl))
			return reason_set(reason, STATUS_INVALID,
				"$TTL needs seconds such as 5 or 1h");
		return 0;
	}
	if (strcasecmp(word, "$INCLUDE") == 0)
		return reason_set(reason, STATUS_INVALID,
			"$INCLUDE is refused: put the records into this file");
	return reason_set(reason, STATUS_INVALID, "unknown directive \"%.60s\"", word);
}

static int
handle_record(struct zone_file *zone, int line, struct reason *reason)
{
	struct tokens *tokens = &zone->tokens;
	struct rrset rr;
	struct head head;
	int status = 0;

	if (!tokens->starts_blank)
		status = presentation_read_relative_name(tokens_text(tokens, 0),
			&zone->origin, &zone->owner, reason);
	else if (zone->owner.len == 0)
		return reason_set(reason, STATUS_INVALID, "the first record has no owner");
	if (!status)
		status = read_head(tokens, tokens->starts_blank ? 0 : 1, &head, reason);
	if (status)
		return status;
	head.owner = zone->owner;
	if (!head.has_ttl)
		head.ttl = zone->default_ttl;
	status = read_data(tokens, &head, &zone->origin, zone->block, RRSET_RDATA_MAX, &rr,
		reason);
	return status ? status : zone->fn(zone->context, &rr, line, reason);
}

static int
handle_entry(struct zone_file *zone, int line, struct reason *reason)
{
	if (!zone->tokens.starts_blank && tokens_text(&zone->tokens, 0)[0] == '$'
		&& !zone->tokens.token[0].quoted)
		return handle_directive(zone, reason);
	return handle_record(zone, line, reason);
}

static void
cleanup_zone_file(struct zone_file *zone)
{
	tokens_done(&zone->tokens);
	free(zone->block);
	free(zone->buf);
}

static int skip_mark(FILE *file, struct reason *reason);

int
masterfile_read(FILE *file, const struct name *origin, uint32_t default_ttl,
	masterfile_record_fn fn, void *context, struct reason *reason)
{
	__attribute__((cleanup(cleanup_zone_file))) struct zone_file zone = {
		.file = file,
		.origin = *origin,
		.default_ttl = default_ttl,
		.block = malloc(RRSET_RDATA_MAX),
		.fn = fn,
		.context = context,
	};
	int status;

	tokens_init(&zone.tokens);
	if (!zone.block)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	status = skip_mark(file, reason);
	while (!status) {
		int line = zone.line + 1;

		tokens_clear(&zone.tokens);
		status = read_entry(&zone, reason);
		if (status == STATUS_NOT_FOUND)
			return 0;
		if (!status && zone.tokens.count > 0)
			status = handle_entry(&zone, line, reason);
		if (status)
			reason_prefix(reason, status, "line %d", line);
	}
	return status;
}

/* The byte order mark of UTF-8, which some editors write. No name begins with its first octet. */
static int
skip_mark(FILE *file, struct reason *reason)
{
	const int first = getc(file);

	if (first == 0xff || first == 0xfe)
		return reason_set(reason, STATUS_INVALID,
			"line 1: this is UTF-16, UTF-8 is needed");
	if (first != 0xef) {
		ungetc(first, file);
		return 0;
	}
	if (getc(file) == 0xbb && getc(file) == 0xbf)
		return 0;
	return reason_set(reason, STATUS_INVALID,
		"line 1: octet 239 must be written as \\239 (international names as xn--...)");
}
