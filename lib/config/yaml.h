/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A YAML file as a tree in which each value knows its place. A table of keys says what a
 * mapping may hold, how each value is read and where it goes; what the table does not name is
 * refused, and so are a key given twice, an alias, a second document and deep nesting. What
 * reads a value only says what is wrong with it: the file remembers which value that was, and
 * yaml_blame puts "<file>:<line>:<column>: zones[1].ttl: " in front. For livezone.yaml and the
 * tokens file. The one place that knows libyaml. One thread for each file.
 *
 * A new key is one row:
 *
 *	{ "interval", offsetof(struct config, backup.interval_ms), .text = config_value_interval },
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/reason.h"

#define YAML_DEPTH_MAX 16          /* nesting that a hostile or broken file may have */
#define YAML_NODES_MAX 1000000     /* keys and values, which take about 80 bytes each */
#define YAML_PLACE_MAX 192         /* a place such as zones[1].fallback[0] */
#define YAML_TEXT_MAX (256 * 1024) /* of one value: a fallback record is the longest */

struct stat;
struct yaml;
struct yaml_key;
struct yaml_node;

/* A value in the file; to be copied freely, valid until yaml_close. */
struct yaml_value {
	struct yaml *yaml;
	const struct yaml_node *node; /* NULL: of an empty file */
	size_t path_len;              /* of its place */
	size_t index;                 /* in its list */
};

/* Reads one value into *out: 0, or a status and what is wrong, without the place. */
typedef int yaml_text_fn(
	const char *text, const struct yaml_key *key, void *out, struct reason *reason);
typedef int yaml_value_fn(const struct yaml_value *value, const struct yaml_key *key,
	void *out, struct reason *reason);

/* A word and what it stands for; a list ends with NULL. */
struct yaml_choice {
	const char *text;
	int value;
};

/* A key that a mapping may have; a table ends with a name of NULL and has at most 64 rows.
 * Rows are read in the order of the table, whatever the order in the file. */
struct yaml_key {
	const char *name;
	size_t offset;        /* in the struct that the mapping fills */
	yaml_text_fn *text;   /* reads a scalar; or: */
	yaml_value_fn *value; /* reads a mapping or list */
	yaml_text_fn *item;   /* with yaml_read_texts: reads one of a list */
	bool is_required;
	/* what the reader needs to know, if anything: */
	uint64_t min, max;
	const struct yaml_choice *choices;
	const struct yaml_key *keys; /* of a mapping */
};

/* May the file be read, by its owner, mode and such? */
typedef int (*yaml_check_fn)(const struct stat *info, struct reason *reason);

/* Reads a regular file of at most `size_max` bytes that `check` takes, with one document whose
 * root is a mapping (or nothing at all). The reason has the place already. `path` is borrowed
 * until yaml_close. STATUS_NOT_FOUND, _IO, _TOO_LARGE, _NO_MEMORY, _INVALID. */
int yaml_open(const char *path, size_t size_max, yaml_check_fn check, struct yaml **out,
	struct reason *reason);

void yaml_close(struct yaml *yaml); /* NULL is allowed */

struct yaml_value yaml_root(struct yaml *yaml);

/* Puts the place of the value that was looked at last in front of the reason. Returns
 * `status`. */
int yaml_blame(const struct yaml *yaml, int status, struct reason *reason);

/* Reads a mapping by the table into the struct at `out`. Keys that are absent leave their
 * members as they are. */
int yaml_read_mapping(const struct yaml_value *value, const struct yaml_key *keys, void *out,
	struct reason *reason);

/* The same as a row's `value`: the table is key->keys. */
yaml_value_fn yaml_read_keys;

/* The value of a key of a mapping; true makes it the one to blame, false the mapping. */
bool yaml_find(const struct yaml_value *mapping, const char *name, struct yaml_value *out);

/* Is it a list of `min` to `max` items, and of how many? */
int yaml_read_list(const struct yaml_value *value, size_t min, size_t max, size_t *out_count,
	struct reason *reason);

/* The first item of a list into an empty *item, then the one behind *item, which is then the
 * one to blame. False: there are no more. */
bool yaml_next(const struct yaml_value *list, struct yaml_value *item);

/* A row's `value` for a list of `min` to `max` scalars: each is read by key->item into *out. */
yaml_value_fn yaml_read_texts;

/* The text of a scalar, "" for none; lives until yaml_close. */
int yaml_read_text(const struct yaml_value *value, const char **out, struct reason *reason);
