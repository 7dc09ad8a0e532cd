/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What people and programs read: tables, JSON lines, durations; and the few questions
 * that commands ask of a JSON reply.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;

#define OUTPUT_COLUMNS_MAX 8

/* Cells are copied; a row has as many as the first one, which is the heading. */
struct output_table {
	size_t columns;
	size_t count; /* of cells */
	size_t room;
	char **cell;
};

/* Appends a row of `columns` strings (the same number for every row). Ends the program
 * when out of memory. */
void output_row(struct output_table *table, size_t columns, const char *const *cells);

/* Prints it with columns aligned and control bytes replaced, and frees it. */
void output_table(FILE *file, struct output_table *table);

/* Adds an RRset as the API gives it: one row for each record; the heading with the
 * first. */
void output_rrset(struct output_table *table, struct json_object *rrset);

/* Prints one change of an apply: "+ name ttl type records", "-" or "~". */
void output_difference(FILE *file, struct json_object *difference);

/* Prints the same with revision, time and caller in front: of the revision that it is of. */
void output_change(FILE *file, struct json_object *revision, struct json_object *change);

/* Prints the differences of a reply and their counts. */
void output_applied(struct json_object *reply);

/* "1 added, 0 changed, 2 deleted, 3 unchanged, revision 5" of a zone or everything replaced. */
void output_replaced(struct json_object *reply);

/* Prints a text of a reply; control bytes are replaced. NULL is nothing. */
void output_safe(FILE *file, const char *text);

/* One line of compact JSON on standard output. */
void output_json(struct json_object *json);

/* Values of a reply; "", 0, false and NULL when absent or of another type. */
const char *output_text(struct json_object *json, const char *key);
unsigned long long output_number(struct json_object *json, const char *key);
bool output_flag(struct json_object *json, const char *key);
struct json_object *output_array(struct json_object *json, const char *key);
struct json_object *output_object(struct json_object *json, const char *key);

/* The elements of an array; 0 for NULL. */
size_t output_count(struct json_object *array);

/* "93784.2s" as "1d 2h 3m"; at most two units, anything else is copied. */
void output_duration(const char *seconds, char out[32]);

/* 1536 as "1.5 KiB". */
void output_bytes(uint64_t bytes, char out[32]);
