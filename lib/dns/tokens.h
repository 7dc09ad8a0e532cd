/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The words of one entry of presentation format (RFC 1035 section 5.1): blanks, quotes,
 * parentheses and comments are understood here, escapes are kept as they are. Used by
 * rdata.c and masterfile.c only; no allocation for entries of ordinary size.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"

#define TOKENS_TEXT_MAX (512 * 1024) /* 64 KiB of rdata, each octet as \DDD, and room */
#define TOKENS_TEXT_FIXED 512
#define TOKENS_FIXED 32

struct token {
	uint32_t at; /* in text; NUL-terminated, the next token follows behind the NUL */
	uint32_t len;
	bool quoted;
};

struct tokens {
	char *text;
	size_t used;
	size_t room;
	struct token *token;
	size_t count;
	size_t token_room;
	unsigned depth;    /* open parentheses: the entry goes on in the next line */
	bool starts_blank; /* the first line begins with a blank: the owner is left out */
	char fixed_text[TOKENS_TEXT_FIXED];
	struct token fixed_token[TOKENS_FIXED];
};

/* What a line may hold beside words. */
enum tokens_form {
	TOKENS_LINE,  /* one line by itself: comments and open parentheses are refused */
	TOKENS_ENTRY, /* a line of a master file */
};

void tokens_init(struct tokens *tokens);
void tokens_done(struct tokens *tokens);

/* Empties it for the next entry; memory is kept. */
void tokens_clear(struct tokens *tokens);

/* Adds the words of a line (without its newline). Returns 0, STATUS_INVALID,
 * STATUS_TOO_LARGE or STATUS_NO_MEMORY. */
int tokens_add_line(struct tokens *tokens, const char *line, size_t len,
	enum tokens_form form, struct reason *reason);

/* The text of the index-th token, which must exist. */
char *tokens_text(const struct tokens *tokens, size_t index);

/* Makes one text of the tokens from `first` on, a space between each; they are one token
 * afterwards. At least one must be there. */
char *tokens_join(struct tokens *tokens, size_t first);
