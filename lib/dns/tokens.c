/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Splits presentation format into words. What is not plain (a control character, an open
 * quote) is refused here, so that no text can carry a second record past its reader.
 */
#include "lib/dns/tokens.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"

static bool is_blank(char c);
static bool ends_word(char c);
static int check_characters(const char *line, size_t len, struct reason *reason);
static int reserve(struct tokens *tokens, size_t text, struct reason *reason);
static int skip_between(struct tokens *tokens, char c, struct reason *reason);
static const char *quoted_end(const char *at, const char *end);
static const char *word_end(const char *at, const char *end);
static void add(struct tokens *tokens, const char *at, size_t len, bool quoted);

void
tokens_init(struct tokens *tokens)
{
	tokens->text = tokens->fixed_text;
	tokens->room = sizeof(tokens->fixed_text);
	tokens->token = tokens->fixed_token;
	tokens->token_room = TOKENS_FIXED;
	tokens_clear(tokens);
}

void
tokens_done(struct tokens *tokens)
{
	if (tokens->text != tokens->fixed_text)
		free(tokens->text);
	if (tokens->token != tokens->fixed_token)
		free(tokens->token);
}

void
tokens_clear(struct tokens *tokens)
{
	tokens->used = 0;
	tokens->count = 0;
	tokens->depth = 0;
	tokens->starts_blank = false;
}

int
tokens_add_line(struct tokens *tokens, const char *line, size_t len,
	enum tokens_form form, struct reason *reason)
{
	const char *at = line;
	const char *const end = line + len;
	int status = check_characters(line, len, reason);

	if (!status)
		status = reserve(tokens, len, reason);
	if (status)
		return status;
	if (tokens->count == 0 && tokens->depth == 0)
		tokens->starts_blank = len > 0 && is_blank(*line);
	while (at < end) {
		bool quoted = *at == '"';
		const char *stop;

		if (*at == ';') {
			if (form == TOKENS_ENTRY)
				break;
			return reason_set(reason, STATUS_INVALID,
				"';' begins a comment: put the text in quotes or write "
				"\\;");
		}
		if (is_blank(*at) || *at == '(' || *at == ')') {
			status = skip_between(tokens, *at++, reason);
			if (status)
				return status;
			continue;
		}
		stop = quoted ? quoted_end(at + 1, end) : word_end(at, end);
		if (!stop)
			return reason_set(reason, STATUS_INVALID,
				"a quote is opened and not closed");
		status = reserve(tokens, (size_t)(end - at), reason);
		if (status)
			return status;
		add(tokens, at + quoted, (size_t)(stop - at) - quoted, quoted);
		at = stop + quoted;
		if (at < end && !ends_word(*at))
			return reason_set(reason, STATUS_INVALID,
				"a blank is missing behind the closing quote");
	}
	if (form == TOKENS_LINE && tokens->depth > 0)
		return reason_set(reason, STATUS_INVALID,
			"a parenthesis is opened and not closed");
	return 0;
}

char *
tokens_text(const struct tokens *tokens, size_t index)
{
	return tokens->text + tokens->token[index].at;
}

char *
tokens_join(struct tokens *tokens, size_t first)
{
	const struct token *last = &tokens->token[tokens->count - 1];
	struct token *joined = &tokens->token[first];

	for (size_t i = first; i + 1 < tokens->count; i++)
		tokens->text[tokens->token[i].at + tokens->token[i].len] = ' ';
	joined->len = last->at + last->len - joined->at;
	tokens->count = first + 1;
	return tokens->text + joined->at;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
ends_word(char c)
{
	return is_blank(c) || c == '(' || c == ')' || c == ';';
}

static int
check_characters(const char *line, size_t len, struct reason *reason)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return reason_set(reason, STATUS_INVALID,
				"control character at column %zu: write it as \\%03u",
				i + 1, c);
	}
	return 0;
}

/* Room for one more token and `text` more bytes with a NUL behind each word of them:
 * a word has a blank or a quote less than it has NUL, so twice the length is enough. */
static int
reserve(struct tokens *tokens, size_t text, struct reason *reason)
{
	size_t needed = tokens->used + 2 * text + 1;

	if (tokens->used + text > TOKENS_TEXT_MAX)
		return reason_set(reason, STATUS_TOO_LARGE,
			"the text of one record is longer than %d bytes", TOKENS_TEXT_MAX);
	if (needed > tokens->room) {
		bool fixed = tokens->text == tokens->fixed_text;
		char *text_new = realloc(fixed ? NULL : tokens->text, 2 * needed);

		if (!text_new)
			return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
		if (fixed)
			memcpy(text_new, tokens->fixed_text, tokens->used);
		tokens->text = text_new;
		tokens->room = 2 * needed;
	}
	if (tokens->count == tokens->token_room) {
		bool fixed = tokens->token == tokens->fixed_token;
		struct token *token_new = realloc(fixed ? NULL : tokens->token,
			2 * tokens->token_room * sizeof(*token_new));

		if (!token_new)
			return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
		if (fixed)
			memcpy(token_new, tokens->fixed_token, sizeof(tokens->fixed_token));
		tokens->token = token_new;
		tokens->token_room *= 2;
	}
	return 0;
}

static int
skip_between(struct tokens *tokens, char c, struct reason *reason)
{
	if (c == '(')
		tokens->depth++;
	if (c != ')')
		return 0;
	if (tokens->depth == 0)
		return reason_set(reason, STATUS_INVALID,
			"a parenthesis is closed and was not opened");
	tokens->depth--;
	return 0;
}

/* The closing quote, or NULL. */
static const char *
quoted_end(const char *at, const char *end)
{
	for (; at < end && *at != '"'; at++) {
		if (*at == '\\')
			at++;
	}
	return at < end ? at : NULL;
}

/* The end of a word, which may have a quoted part: alpn="h2,h3" (RFC 9460). */
static const char *
word_end(const char *at, const char *end)
{
	while (at < end && !ends_word(*at)) {
		if (*at == '"') {
			at = quoted_end(at + 1, end);
			if (!at)
				return NULL;
		} else if (*at == '\\') {
			at++;
		}
		at++;
	}
	return at < end ? at : end;
}

static void
add(struct tokens *tokens, const char *at, size_t len, bool quoted)
{
	struct token *token = &tokens->token[tokens->count++];

	token->at = (uint32_t)tokens->used;
	token->len = (uint32_t)len;
	token->quoted = quoted;
	memcpy(tokens->text + tokens->used, at, len);
	tokens->text[tokens->used + len] = '\0';
	tokens->used += len + 1;
}
