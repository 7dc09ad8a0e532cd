/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Tables for people, JSON for programs.
 */
#include "client/output.h"

#include <ctype.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define INDENT 2 /* between columns */

static void
print_sources(FILE *file, struct json_object *before, struct json_object *after);
static const char *const rrset_heading[] = { "NAME", "TTL", "TYPE", "SOURCE", "REVISION",
	"LEASE", "RECORD" };
#define RRSET_COLUMNS (sizeof(rrset_heading) / sizeof(rrset_heading[0]))

static struct json_object *find(struct json_object *json, const char *key, enum json_type type);
static void *must(void *memory);
static void print_cell(FILE *file, const char *text, size_t width);
static void print_data(FILE *file, struct json_object *data, const char *type);
static void print_records(FILE *file, struct json_object *data);
static void print_counts(struct json_object *reply);

void
output_row(struct output_table *table, size_t columns, const char *const *cells)
{
	table->columns = columns;
	if (table->count + columns > table->room) {
		table->room = 2 * table->room + 16 * columns;
		table->cell = must(realloc(table->cell, table->room * sizeof(*table->cell)));
	}
	for (size_t i = 0; i < columns; i++)
		table->cell[table->count++] = must(strdup(cells[i]));
}

void
output_table(FILE *file, struct output_table *table)
{
	size_t width[OUTPUT_COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < table->count; i++) {
		size_t len = strlen(table->cell[i]);

		if (len > width[i % table->columns])
			width[i % table->columns] = len;
	}
	for (size_t i = 0; i < table->count; i++) {
		bool last = i % table->columns == table->columns - 1;

		print_cell(file, table->cell[i],
			last ? 0 : width[i % table->columns] + INDENT);
		if (last)
			putc('\n', file);
		free(table->cell[i]);
	}
	free(table->cell);
	memset(table, 0, sizeof(*table));
}

void
output_rrset(struct output_table *table, struct json_object *rrset)
{
	struct json_object *records = output_array(rrset, "records");
	size_t count = output_count(records);
	char ttl[24], revision[24], lease[64] = "-";

	if (table->count == 0)
		output_row(table, RRSET_COLUMNS, rrset_heading);
	snprintf(ttl, sizeof(ttl), "%llu", output_number(rrset, "ttl"));
	snprintf(revision, sizeof(revision), "%llu",
		output_number(rrset, "revision"));
	if (*output_text(rrset, "lease"))
		snprintf(lease, sizeof(lease), "%s of %s", output_text(rrset, "lease-left"),
			output_text(rrset, "lease"));
	for (size_t i = 0; i < count; i++) {
		const char *record =
			json_object_get_string(json_object_array_get_idx(records, i));
		const char *const cells[] = { output_text(rrset, "name"), ttl,
			output_text(rrset, "type"), output_text(rrset, "source"), revision,
			lease, record ? record : "" };

		output_row(table, RRSET_COLUMNS, cells);
	}
}

void
output_difference(FILE *file, struct json_object *difference)
{
	const char *op = output_text(difference, "op");
	const char *type = output_text(difference, "type");
	struct json_object *before = output_object(difference, "before");
	struct json_object *after = output_object(difference, "after");
	char sign = '~';

	if (strcmp(op, "add") == 0)
		sign = '+';
	else if (strcmp(op, "delete") == 0)
		sign = '-';
	fprintf(file, "%c ", sign);
	print_cell(file, output_text(difference, "name"), 0);
	if (sign != '~' || !before || !after) {
		print_data(file, after ? after : before, type);
	} else if (output_number(before, "ttl") == output_number(after, "ttl")) {
		print_data(file, before, type);
		fputs(" ->", file);
		print_records(file, after);
	} else {
		print_data(file, before, type);
		fputs(" ->", file);
		print_data(file, after, type);
	}
	print_sources(file, before, after);
	putc('\n', file);
}

/* Only what is worth to be said is in the reply of an apply. */
static void
print_sources(FILE *file, struct json_object *before, struct json_object *after)
{
	const char *from = before ? output_text(before, "source") : "";
	const char *to = after ? output_text(after, "source") : "";

	if (*from && after && !*to)
		fprintf(file, " (taken over from %s)", from);
	else if (*from && *to && strcmp(from, to) != 0)
		fprintf(file, " (source %s -> %s)", from, to);
	else if (*from || *to)
		fprintf(file, " (source %s)", *to ? to : from);
}

void
output_change(FILE *file, struct json_object *revision, struct json_object *change)
{
	fprintf(file, "%llu ", output_number(revision, "revision"));
	print_cell(file, output_text(revision, "time"), 0);
	putc(' ', file);
	print_cell(file, output_text(revision, "caller"), 0);
	putc(' ', file);
	output_difference(file, change);
}

void
output_applied(struct json_object *reply)
{
	struct json_object *difference = output_array(reply, "difference");
	size_t shown = output_count(difference);
	unsigned long long all = output_number(reply, "added")
		+ output_number(reply, "changed") + output_number(reply, "deleted");

	for (size_t i = 0; i < shown; i++)
		output_difference(stdout, json_object_array_get_idx(difference, i));
	if (shown < all)
		printf("... and %llu more\n", all - shown);
	print_counts(reply);
	putchar('\n');
}

void
output_replaced(struct json_object *reply)
{
	print_counts(reply);
	printf(", revision %llu\n", output_number(reply, "revision"));
}

static void
print_counts(struct json_object *reply)
{
	printf("%llu added, %llu changed, %llu deleted, %llu unchanged",
		output_number(reply, "added"), output_number(reply, "changed"),
		output_number(reply, "deleted"), output_number(reply, "unchanged"));
}

void
output_safe(FILE *file, const char *text)
{
	print_cell(file, text ? text : "", 0);
}

void
output_json(struct json_object *json)
{
	puts(json_object_to_json_string_ext(json,
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

const char *
output_text(struct json_object *json, const char *key)
{
	struct json_object *value = find(json, key, json_type_string);

	return value ? json_object_get_string(value) : "";
}

unsigned long long
output_number(struct json_object *json, const char *key)
{
	struct json_object *value = find(json, key, json_type_int);

	return value ? json_object_get_uint64(value) : 0;
}

bool
output_flag(struct json_object *json, const char *key)
{
	return json_object_get_boolean(find(json, key, json_type_boolean));
}

struct json_object *
output_array(struct json_object *json, const char *key)
{
	return find(json, key, json_type_array);
}

struct json_object *
output_object(struct json_object *json, const char *key)
{
	return find(json, key, json_type_object);
}

static struct json_object *
find(struct json_object *json, const char *key, enum json_type type)
{
	struct json_object *value;

	return json_object_object_get_ex(json, key, &value) && json_object_is_type(value, type)
		       ? value
		       : NULL;
}

size_t
output_count(struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

void
output_duration(const char *seconds, char out[32])
{
	char *end;
	double number = strtod(seconds, &end);
	unsigned long whole;

	if (end == seconds || strcmp(end, "s") != 0 || !(number >= 0 && number < 1e12)) {
		snprintf(out, 32, "%s", seconds);
		return;
	}
	whole = (unsigned long)number;
	if (whole < 60)
		snprintf(out, 32, "%.3gs", number);
	else if (whole < 3600)
		snprintf(out, 32, "%lum %lus", whole / 60, whole % 60);
	else if (whole < 86400)
		snprintf(out, 32, "%luh %lum", whole / 3600, whole / 60 % 60);
	else
		snprintf(out, 32, "%lud %luh", whole / 86400, whole / 3600 % 24);
}

void
output_bytes(uint64_t bytes, char out[32])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double number = (double)bytes;
	size_t unit = 0;

	while (number >= 1024 && unit < 4) {
		number /= 1024;
		unit++;
	}
	snprintf(out, 32, unit == 0 ? "%.0f %s" : "%.1f %s", number, units[unit]);
}

static void *
must(void *memory)
{
	if (memory)
		return memory;
	fputs("livezonectl: out of memory\n", stderr);
	exit(1);
}

static void
print_cell(FILE *file, const char *text, size_t width)
{
	size_t len = 0;

	for (; text[len]; len++)
		putc(iscntrl((unsigned char)text[len]) ? '?' : text[len], file);
	for (; len < width; len++)
		putc(' ', file);
}

/* " 5 A 10.0.0.6, 10.0.0.7" */
static void
print_data(FILE *file, struct json_object *data, const char *type)
{
	if (data)
		fprintf(file, " %llu", output_number(data, "ttl"));
	putc(' ', file);
	print_cell(file, type, 0);
	print_records(file, data);
}

static void
print_records(FILE *file, struct json_object *data)
{
	struct json_object *records = output_array(data, "records");
	size_t count = output_count(records);

	for (size_t i = 0; i < count; i++) {
		const char *record =
			json_object_get_string(json_object_array_get_idx(records, i));

		fputs(i == 0 ? " " : ", ", file);
		print_cell(file, record ? record : "", 0);
	}
}
