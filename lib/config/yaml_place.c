/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A walk over libyaml's events that knows the path of each node.
 */
#include "lib/config/yaml_place.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <yaml.h>

#include "lib/base/status.h"

struct level {
	bool is_mapping;
	bool awaits_value; /* of a mapping: the key was there */
	size_t index;      /* of a sequence: the next entry */
	size_t path_len;   /* of the node itself */
};

struct walk {
	yaml_parser_t parser;
	struct level level[YAML_PLACE_DEPTH_MAX];
	size_t depth;
	size_t documents;
	char path[YAML_PLACE_PATH_MAX];
};

static int next(struct walk *walk, yaml_event_t *event, int *out_line,
	struct reason *reason);
static bool enter(struct walk *walk, const yaml_event_t *event);
static void leave(struct walk *walk);
static void append(struct walk *walk, size_t at, const char *text);
static bool begins_with(const char *path, const char *part);
static int refuse(const yaml_event_t *event, int *out_line, struct reason *reason,
	const char *text);

int
yaml_place_check(const char *text, size_t len, bool *out_is_empty, int *out_line,
	struct reason *reason)
{
	struct walk walk = { .depth = 0 };
	bool is_end = false;
	bool is_empty = true;
	int status = 0;

	if (!yaml_parser_initialize(&walk.parser))
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	yaml_parser_set_input_string(&walk.parser, (const unsigned char *)text, len);
	while (!status && !is_end) {
		yaml_event_t event;

		status = next(&walk, &event, out_line, reason);
		if (status)
			break;
		is_end = event.type == YAML_STREAM_END_EVENT;
		is_empty = is_empty && event.type != YAML_MAPPING_START_EVENT;
		if (event.type == YAML_ALIAS_EVENT)
			status = refuse(&event, out_line, reason,
				"an alias (*name) is not allowed here");
		else if (event.type == YAML_DOCUMENT_START_EVENT && walk.documents++ > 0)
			status = refuse(&event, out_line, reason,
				"a second document begins: one file has one");
		else if (walk.depth == 0 && (event.type == YAML_SEQUENCE_START_EVENT
			|| (event.type == YAML_SCALAR_EVENT && event.data.scalar.length > 0)))
			status = refuse(&event, out_line, reason,
				"needs keys such as store: and zones:");
		else if (!enter(&walk, &event))
			status = refuse(&event, out_line, reason, "too deeply nested");
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&walk.parser);
	if (!status)
		*out_is_empty = is_empty;
	return status;
}

int
yaml_place_find(const char *text, size_t len, const char *path)
{
	struct walk walk = { .depth = 0 };
	size_t best = 0;
	bool is_end = false;
	int line = 0;

	if (!yaml_parser_initialize(&walk.parser))
		return 0;
	yaml_parser_set_input_string(&walk.parser, (const unsigned char *)text, len);
	while (!is_end) {
		yaml_event_t event;
		int ignored;
		size_t path_len;

		if (next(&walk, &event, &ignored, NULL))
			break;
		is_end = event.type == YAML_STREAM_END_EVENT || !enter(&walk, &event);
		path_len = strlen(walk.path);
		if (path_len > best && begins_with(path, walk.path)) {
			best = path_len;
			line = (int)event.start_mark.line + 1;
			is_end = is_end || path[path_len] == '\0';
		}
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&walk.parser);
	return line;
}

static int
next(struct walk *walk, yaml_event_t *event, int *out_line, struct reason *reason)
{
	const yaml_parser_t *parser = &walk->parser;

	if (yaml_parser_parse(&walk->parser, event))
		return 0;
	if (parser->error == YAML_MEMORY_ERROR)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	*out_line = (int)parser->problem_mark.line + 1;
	return reason_set(reason, STATUS_INVALID, "not YAML: %s%s%s",
		parser->problem ? parser->problem : "unreadable",
		parser->context ? " " : "", parser->context ? parser->context : "");
}

/* Follows an event; walk->path is then the path of its node or key. False when the
 * nesting is too deep. */
static bool
enter(struct walk *walk, const yaml_event_t *event)
{
	struct level *level = walk->depth > 0 ? &walk->level[walk->depth - 1] : NULL;
	bool is_start = event->type == YAML_MAPPING_START_EVENT
		|| event->type == YAML_SEQUENCE_START_EVENT;
	char index[32];

	if (event->type == YAML_MAPPING_END_EVENT
		|| event->type == YAML_SEQUENCE_END_EVENT) {
		leave(walk);
		return true;
	}
	if (!is_start && event->type != YAML_SCALAR_EVENT)
		return true;
	if (level && !level->is_mapping) {
		snprintf(index, sizeof(index), "[%zu]", level->index++);
		append(walk, level->path_len, index);
	} else if (level && !level->awaits_value) {
		append(walk, level->path_len, level->path_len > 0 ? "." : "");
		append(walk, strlen(walk->path), event->type == YAML_SCALAR_EVENT
			? (const char *)event->data.scalar.value : "?");
		level->awaits_value = true;
	} else if (level) {
		level->awaits_value = false;
	}
	if (!is_start)
		return true;
	if (walk->depth == YAML_PLACE_DEPTH_MAX)
		return false;
	walk->level[walk->depth++] = (struct level){
		.is_mapping = event->type == YAML_MAPPING_START_EVENT,
		.path_len = strlen(walk->path),
	};
	return true;
}

static void
leave(struct walk *walk)
{
	if (walk->depth > 0)
		walk->path[walk->level[--walk->depth].path_len] = '\0';
}

static void
append(struct walk *walk, size_t at, const char *text)
{
	snprintf(walk->path + at, sizeof(walk->path) - at, "%s", text);
}

/* Is `part` the whole path or a part of it that ends where a key or index ends? */
static bool
begins_with(const char *path, const char *part)
{
	size_t len = strlen(part);

	return strncmp(path, part, len) == 0
		&& (path[len] == '\0' || path[len] == '.' || path[len] == '[');
}

static int
refuse(const yaml_event_t *event, int *out_line, struct reason *reason, const char *text)
{
	*out_line = (int)event->start_mark.line + 1;
	return reason_set(reason, STATUS_INVALID, "%s", text);
}
