/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Small text files that one process writes for another: a first line that names the format,
 * then lines "key value". A table says where a struct keeps each key. Written whole under
 * another name and renamed, so that nobody reads half of one; read without trust in a byte:
 * unknown keys and bad numbers are skipped, and a text is cut to its room.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/reason.h"

enum field_kind {
	FIELD_TEXT,
	FIELD_NUMBER,   /* uint64_t */
	FIELD_UNSIGNED, /* unsigned, at most UINT16_MAX */
};

struct field {
	const char *key;
	enum field_kind kind;
	size_t offset;
	size_t size; /* of texts */
};

struct field_table {
	const struct field *field;
	size_t count;
};

/* One line for each field of the struct at `record`. */
void field_print_all(FILE *file, const struct field_table *table, const void *record);

/* A text as part of a line: control characters become '?'. */
void field_print_text(FILE *file, const char *text);

/* Puts "key value" into the struct at `record`; `line` has no newline. */
void field_parse_line(const char *line, const struct field_table *table, void *record);

/* All of `text` is a decimal number. */
bool field_parse_number(const char *text, uint64_t *out);

/* Opens `dir`. STATUS_NOT_FOUND when there is none. */
int field_open_directory(const char *dir, int *out_fd, struct reason *reason);

typedef void (*field_print_fn)(FILE *file, const void *record);

/* Writes the file `name` (at most FIELD_NAME_MAX - 5 bytes) of the directory, over the one
 * before. STATUS_FULL, or STATUS_IO and errno. */
int field_write_file(int directory, const char *name, field_print_fn print,
	const void *record);

/* Reads a regular file of at most `size_max` bytes as one text; *out is the caller's to
 * free. STATUS_NOT_FOUND when there is none. */
int field_read_file(int directory, const char *name, size_t size_max, char **out);

#define FIELD_NAME_MAX 64
