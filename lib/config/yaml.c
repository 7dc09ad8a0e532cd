/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The tree is made from libyaml's events. libyaml's own document tree follows aliases without
 * showing them, and leaks and forgets to say so when memory ends.
 */
#include "lib/config/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <yaml.h>

#include "lib/base/arena.h"
#include "lib/base/status.h"

enum kind { SCALAR, LIST, MAPPING };

struct yaml_node {
	enum kind kind;
	unsigned line, column; /* from 1 */
	size_t count;          /* of what is in it; of a mapping's, every other is a key */
	struct yaml_node *first, *next;
	const char *text; /* of a scalar, with a NUL behind it */
	size_t len;
};

struct yaml {
	const char *path;
	char *text; /* while the tree is made */
	size_t len;
	struct arena arena; /* the tree */
	struct yaml_node *root;
	unsigned line, column; /* of the value that was looked at last; 0: none */
	char place[YAML_PLACE_MAX];
};

/* The tree while it is made. */
struct builder {
	struct yaml *yaml;
	size_t documents, nodes, depth;
	struct {
		struct yaml_node *node;
		struct yaml_node **end; /* where the next one in it goes */
	} open[YAML_DEPTH_MAX];
};

static int read_file(struct yaml *yaml, size_t size_max, yaml_check_fn check,
	struct reason *reason);
static int read_text(struct yaml *yaml, int fd, struct reason *reason);
static int build(struct yaml *yaml, struct reason *reason);
static int take(struct builder *builder, const yaml_event_t *event, struct reason *reason);
static int add(struct builder *builder, enum kind kind, const yaml_event_t *event,
	struct reason *reason);
static int fail_at(struct yaml *yaml, yaml_mark_t mark, struct reason *reason,
	const char *text);
static int parser_error(struct yaml *yaml, const yaml_parser_t *parser, struct reason *reason);
static int check_keys(
	const struct yaml_value *value, const struct yaml_key *keys, struct reason *reason);
static struct yaml_value enter(const struct yaml_value *parent, const struct yaml_node *node,
	const struct yaml_node *at, const char *separator, const char *name);
static struct yaml_value enter_pair(
	const struct yaml_value *mapping, const struct yaml_node *key);
static void leave_to(const struct yaml_value *value);
static bool has_name(const struct yaml_node *node, const char *name);

int
yaml_open(const char *path, size_t size_max, yaml_check_fn check, struct yaml **out,
	struct reason *reason)
{
	struct yaml *yaml = calloc(1, sizeof(*yaml));
	int status;

	if (!yaml)
		return reason_set(reason, STATUS_NO_MEMORY, "%s: out of memory", path);
	yaml->path = path;
	status = read_file(yaml, size_max, check, reason);
	if (!status)
		status = build(yaml, reason);
	free(yaml->text);
	yaml->text = NULL;
	if (status) {
		yaml_blame(yaml, status, reason);
		yaml_close(yaml);
		return status;
	}
	*out = yaml;
	return 0;
}

void
yaml_close(struct yaml *yaml)
{
	if (!yaml)
		return;
	arena_done(&yaml->arena);
	free(yaml->text);
	free(yaml);
}

struct yaml_value
yaml_root(struct yaml *yaml)
{
	return (struct yaml_value){ .yaml = yaml, .node = yaml->root };
}

int
yaml_blame(const struct yaml *yaml, int status, struct reason *reason)
{
	if (*yaml->place)
		reason_prefix(reason, status, "%s", yaml->place);
	if (yaml->line == 0)
		return reason_prefix(reason, status, "%s", yaml->path);
	return reason_prefix(reason, status, "%s:%u:%u", yaml->path, yaml->line, yaml->column);
}

int
yaml_read_mapping(const struct yaml_value *value, const struct yaml_key *keys, void *out,
	struct reason *reason)
{
	int status = check_keys(value, keys, reason);

	for (const struct yaml_key *key = keys; !status && key->name; key++) {
		char *member = (char *)out + key->offset;
		const char *text;
		struct yaml_value found;

		if (!yaml_find(value, key->name, &found))
			continue;
		if (key->value) {
			status = key->value(&found, key, member, reason);
			continue;
		}
		status = yaml_read_text(&found, &text, reason);
		if (!status)
			status = key->text(text, key, member, reason);
	}
	return status;
}

int
yaml_read_keys(const struct yaml_value *value, const struct yaml_key *key, void *out,
	struct reason *reason)
{
	return yaml_read_mapping(value, key->keys, out, reason);
}

bool
yaml_find(const struct yaml_value *mapping, const char *name, struct yaml_value *out)
{
	leave_to(mapping);
	for (const struct yaml_node *key = mapping->node ? mapping->node->first : NULL; key;
		key = key->next->next) {
		if (!has_name(key, name))
			continue;
		*out = enter_pair(mapping, key);
		return true;
	}
	return false;
}

int
yaml_read_list(const struct yaml_value *value, size_t min, size_t max, size_t *out_count,
	struct reason *reason)
{
	const struct yaml_node *node = value->node;

	if (!node || node->kind != LIST)
		return reason_set(reason, STATUS_INVALID, "needs a list: [a, b]");
	if (node->count < min || node->count > max)
		return reason_set(reason, STATUS_INVALID, "has %zu items: %zu to %zu are allowed",
			node->count, min, max);
	*out_count = node->count;
	return 0;
}

bool
yaml_next(const struct yaml_value *list, struct yaml_value *item)
{
	const struct yaml_node *node = item->node ? item->node->next : list->node->first;
	size_t index = item->node ? item->index + 1 : 0;
	char name[32];

	if (!node)
		return false;
	snprintf(name, sizeof(name), "[%zu]", index);
	*item = enter(list, node, node, "", name);
	item->index = index;
	return true;
}

int
yaml_read_texts(const struct yaml_value *list, const struct yaml_key *key, void *out,
	struct reason *reason)
{
	struct yaml_value item = { 0 };
	size_t count;
	int status = yaml_read_list(list, key->min, key->max, &count, reason);

	while (!status && yaml_next(list, &item)) {
		const char *text;

		status = yaml_read_text(&item, &text, reason);
		if (!status)
			status = key->item(text, key, out, reason);
	}
	return status;
}

int
yaml_read_text(const struct yaml_value *value, const char **out, struct reason *reason)
{
	const struct yaml_node *node = value->node;

	if (!node || node->kind != SCALAR)
		return reason_set(reason, STATUS_INVALID,
			"needs a single value, not a list or mapping");
	if (node->len > YAML_TEXT_MAX)
		return reason_set(reason, STATUS_TOO_LARGE, "is longer than %d bytes",
			YAML_TEXT_MAX);
	if (strlen(node->text) != node->len)
		return reason_set(reason, STATUS_INVALID, "contains a NUL character");
	*out = node->text;
	return 0;
}

static int
read_file(struct yaml *yaml, size_t size_max, yaml_check_fn check, struct reason *reason)
{
	int fd = open(yaml->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat info;
	int status;

	if (fd < 0)
		return reason_set(reason, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s",
			strerror(errno));
	if (fstat(fd, &info) != 0)
		status = reason_set(reason, STATUS_IO, "%s", strerror(errno));
	else if (!S_ISREG(info.st_mode))
		status = reason_set(reason, STATUS_INVALID, "is not a regular file");
	else if ((uint64_t)info.st_size > size_max)
		status = reason_set(reason, STATUS_TOO_LARGE, "is larger than %zu MiB",
			size_max >> 20);
	else
		status = check(&info, reason);
	if (!status) {
		yaml->len = (size_t)info.st_size;
		status = read_text(yaml, fd, reason);
	}
	close(fd);
	return status;
}

static int
read_text(struct yaml *yaml, int fd, struct reason *reason)
{
	size_t done = 0;

	yaml->text = malloc(yaml->len + 1);
	if (!yaml->text)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	while (done < yaml->len) {
		ssize_t got = read(fd, yaml->text + done, yaml->len - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return reason_set(reason, STATUS_IO, "cannot be read: %s",
				got < 0 ? strerror(errno) : "the file became shorter");
		done += (size_t)got;
	}
	return 0;
}

static int
build(struct yaml *yaml, struct reason *reason)
{
	struct builder builder = { .yaml = yaml };
	yaml_parser_t parser;
	bool is_end = false;
	int status = 0;

	if (!yaml_parser_initialize(&parser))
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)yaml->text, yaml->len);
	while (!status && !is_end) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			status = parser_error(yaml, &parser, reason);
			break;
		}
		is_end = event.type == YAML_STREAM_END_EVENT;
		status = take(&builder, &event, reason);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return status;
}

static int
take(struct builder *builder, const yaml_event_t *event, struct reason *reason)
{
	bool is_root = builder->depth == 0;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (builder->documents++ > 0)
			return fail_at(builder->yaml, event->start_mark, reason,
				"a second document begins: one file has one");
		return 0;
	case YAML_ALIAS_EVENT:
		return fail_at(builder->yaml, event->start_mark, reason,
			"an alias (*name) is not allowed here");
	case YAML_MAPPING_START_EVENT:
		return add(builder, MAPPING, event, reason);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		builder->depth--;
		return 0;
	case YAML_SCALAR_EVENT:
		if (is_root && event->data.scalar.length == 0)
			return 0; /* an empty file */
		break;
	case YAML_SEQUENCE_START_EVENT:
		break;
	default:
		return 0;
	}
	if (is_root)
		return fail_at(builder->yaml, event->start_mark, reason,
			"needs keys and values, such as \"zones: []\"");
	return add(builder, event->type == YAML_SCALAR_EVENT ? SCALAR : LIST, event, reason);
}

static int
add(struct builder *builder, enum kind kind, const yaml_event_t *event, struct reason *reason)
{
	size_t depth = builder->depth;
	struct arena *arena = &builder->yaml->arena;
	struct yaml_node *node;

	if (depth == YAML_DEPTH_MAX && kind != SCALAR)
		return fail_at(builder->yaml, event->start_mark, reason, "too deeply nested");
	if (builder->nodes++ == YAML_NODES_MAX)
		return fail_at(builder->yaml, event->start_mark, reason, "too many values");
	node = arena_alloc(arena, sizeof(*node));
	if (!node)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	*node = (struct yaml_node){ .kind = kind,
		.line = (unsigned)event->start_mark.line + 1,
		.column = (unsigned)event->start_mark.column + 1 };
	if (depth > 0) {
		*builder->open[depth - 1].end = node;
		builder->open[depth - 1].end = &node->next;
		builder->open[depth - 1].node->count++;
	} else {
		builder->yaml->root = node;
	}
	if (kind != SCALAR) {
		builder->open[depth].node = node;
		builder->open[depth].end = &node->first;
		builder->depth++;
		return 0;
	}
	node->len = event->data.scalar.length;
	node->text = arena_copy(arena, event->data.scalar.value, node->len + 1);
	return node->text ? 0 : reason_set(reason, STATUS_NO_MEMORY, "out of memory");
}

static int
fail_at(struct yaml *yaml, yaml_mark_t mark, struct reason *reason, const char *text)
{
	yaml->line = (unsigned)mark.line + 1;
	yaml->column = (unsigned)mark.column + 1;
	return reason_set(reason, STATUS_INVALID, "%s", text);
}

static int
parser_error(struct yaml *yaml, const yaml_parser_t *parser, struct reason *reason)
{
	yaml_mark_t mark = parser->problem_mark;
	char text[160];

	if (parser->error == YAML_MEMORY_ERROR)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (parser->error == YAML_READER_ERROR) { /* has an offset, no mark */
		mark = (yaml_mark_t){ 0 };
		for (size_t i = 0; i < parser->problem_offset && i < yaml->len; i++) {
			mark.column++;
			if (yaml->text[i] == '\n') {
				mark.line++;
				mark.column = 0;
			}
		}
	}
	snprintf(text, sizeof(text), "not YAML: %s%s%s",
		parser->problem ? parser->problem : "unreadable",
		parser->context ? " " : "", parser->context ? parser->context : "");
	return fail_at(yaml, mark, reason, text);
}

/* Is it a mapping with keys of the table, each once, and with all that are needed? */
static int
check_keys(const struct yaml_value *value, const struct yaml_key *keys, struct reason *reason)
{
	const struct yaml_node *node = value->node;
	uint64_t seen = 0;

	if (node && node->kind != MAPPING)
		return reason_set(reason, STATUS_INVALID, "needs keys and values below it");
	for (const struct yaml_node *key = node ? node->first : NULL; key;
		key = key->next->next) {
		size_t row = 0;

		enter_pair(value, key);
		while (keys[row].name && !has_name(key, keys[row].name))
			row++;
		if (!keys[row].name)
			return reason_set(reason, STATUS_INVALID, "unknown key");
		if (seen & UINT64_C(1) << row)
			return reason_set(reason, STATUS_INVALID,
				"duplicate key: it is above already");
		seen |= UINT64_C(1) << row;
	}
	leave_to(value);
	for (size_t row = 0; keys[row].name; row++)
		if (keys[row].is_required && !(seen & UINT64_C(1) << row))
			return reason_set(reason, STATUS_INVALID,
				"the key \"%s\" is missing", keys[row].name);
	return 0;
}

/* Makes a value below `parent` the one to blame, at the place of `at`. */
static struct yaml_value
enter(const struct yaml_value *parent, const struct yaml_node *node,
	const struct yaml_node *at, const char *separator, const char *name)
{
	struct yaml *yaml = parent->yaml;
	size_t room = sizeof(yaml->place) - parent->path_len;

	snprintf(yaml->place + parent->path_len, room, "%s%s", separator, name);
	yaml->line = at->line;
	yaml->column = at->column;
	return (struct yaml_value){ yaml, node, strlen(yaml->place), 0 };
}

/* The place of a mapping's value is that of its key: lists and mappings begin a line later. */
static struct yaml_value
enter_pair(const struct yaml_value *mapping, const struct yaml_node *key)
{
	char name[REASON_EXCERPT_SIZE];

	reason_excerpt(key->kind == SCALAR ? key->text : "?", name);
	return enter(mapping, key->next, key, mapping->path_len > 0 ? "." : "", name);
}

static void
leave_to(const struct yaml_value *value)
{
	value->yaml->place[value->path_len] = '\0';
	value->yaml->line = value->node ? value->node->line : 0;
	value->yaml->column = value->node ? value->node->column : 0;
}

static bool
has_name(const struct yaml_node *node, const char *name)
{
	return node->kind == SCALAR && node->len == strlen(name)
		&& memcmp(node->text, name, node->len) == 0;
}
