/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Segments from the oldest that is needed to the newest, part by part. A part is believed when
 * its checksum holds, a revision when all its parts do; what comes from the file is never
 * trusted for more than its place in it.
 */
#include "sidecar/journal/journal_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/checksum.h"
#include "lib/base/cursor.h"
#include "lib/base/status.h"

#define WINDOW (2 * JOURNAL_PART_MAX) /* bytes read at once */

/* The head of a part. */
struct part {
	uint32_t len;
	uint64_t revision, rest, wall_ms;
	uint8_t verb, caller_len;
};

struct journal_reader {
	char *state_dir;
	int fd;             /* of the segment in hand; -1: none */
	uint64_t base;      /* of that segment */
	uint64_t offset;    /* in it, of the next part */
	uint64_t since;     /* the last revision that was shown, passed over or reported missing */
	uint64_t bytes;     /* journal_reader_bytes */
	uint8_t instance[STATE_INSTANCE_SIZE];
	bool has_begun;     /* `base` is that of a segment */
	bool has_next;      /* there is a later segment: this one gets nothing more */
	bool must_close;    /* it has nothing more */
	/* the window */
	uint8_t *window;
	uint64_t window_at; /* offset of its first byte */
	size_t window_len;
	/* the part in hand; its items lie in the window */
	struct part part;
	const uint8_t *caller;
	struct cursor items;
	size_t index;
};

static int open_segment(struct journal_reader *reader, uint64_t base, struct reason *reason);
static void close_segment(struct journal_reader *reader);
static int next_segment(struct journal_reader *reader, bool *out_found, struct reason *reason);
static int find_segment(struct journal_reader *reader, bool *out_found, uint64_t *out_base,
	struct reason *reason);
static bool read_head(struct journal_reader *reader);
static bool read_revision(struct journal_reader *reader);
static bool read_part(struct journal_reader *reader, uint64_t offset);
static const uint8_t *look(struct journal_reader *reader, uint64_t offset, size_t len);
static bool read_item(struct journal_reader *reader, struct journal_entry *out);
static bool read_value(
	struct cursor *cursor, const struct journal_entry *entry, struct state_record *out);
static int compare_segments(const void *a, const void *b);

int
journal_reader_open(const char *state_dir, uint64_t since, struct journal_reader **out,
	struct reason *reason)
{
	struct journal_reader *reader = calloc(1, sizeof(*reader));

	if (reader) {
		reader->fd = -1;
		reader->since = since;
		reader->state_dir = strdup(state_dir);
		reader->window = malloc(WINDOW);
	}
	if (!reader || !reader->state_dir || !reader->window) {
		journal_reader_close(reader);
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	}
	*out = reader;
	return STATUS_OK;
}

void
journal_reader_close(struct journal_reader *reader)
{
	if (!reader)
		return;
	close_segment(reader);
	free(reader->state_dir);
	free(reader->window);
	free(reader);
}

uint64_t
journal_reader_bytes(const struct journal_reader *reader)
{
	return reader->bytes;
}

int
journal_reader_next(
	struct journal_reader *reader, struct journal_entry *out, struct reason *reason)
{
	bool found = true;
	int status;

	for (;;) {
		if (reader->items.left > 0) {
			if (read_item(reader, out))
				return STATUS_OK;
			/* whole by its checksum, and yet not as it is drawn: nothing behind
			 * it is believed */
			reader->items.left = 0;
			reader->must_close = true;
			continue;
		}
		if (reader->fd >= 0 && !reader->must_close && read_revision(reader))
			continue;
		status = next_segment(reader, &found, reason);
		if (status != STATUS_OK)
			return status;
		if (!found) {
			*out = (struct journal_entry){ .event = JOURNAL_END,
				.revision = reader->since };
			return STATUS_OK;
		}
		if (reader->fd >= 0 && reader->base > reader->since) {
			*out = (struct journal_entry){ .event = JOURNAL_GAP,
				.previous = reader->since, .revision = reader->base };
			reader->since = reader->base;
			return STATUS_OK;
		}
	}
}

/* --- segments --- */

/* Goes on to the segment that follows; *out_found without a new one: what is in hand may have
 * got more, look again. */
static int
next_segment(struct journal_reader *reader, bool *out_found, struct reason *reason)
{
	uint64_t base;
	int status = find_segment(reader, out_found, &base, reason);

	if (status != STATUS_OK || !*out_found)
		return status;
	/* it got its last revision before the next segment was begun, perhaps just now */
	if (reader->fd >= 0 && !reader->has_next) {
		reader->has_next = true;
		return STATUS_OK;
	}
	close_segment(reader);
	status = open_segment(reader, base, reason);
	/* trimmed meanwhile: the one behind it is the oldest now */
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Before the first: the newest segment that begins at or below `since`, else the oldest. */
static int
find_segment(struct journal_reader *reader, bool *out_found, uint64_t *out_base,
	struct reason *reason)
{
	struct journal_segments segments;
	int status = journal_reader_list(reader->state_dir, &segments, reason);
	size_t i, at;

	*out_found = false;
	if (status != STATUS_OK)
		return status == STATUS_NOT_FOUND ? STATUS_OK : status;
	for (i = at = 0; i < segments.count; i++)
		if (reader->has_begun ? segments.segment[i].base <= reader->base
				      : segments.segment[i].base <= reader->since)
			at = i + reader->has_begun;
	if (at < segments.count) {
		*out_found = true;
		*out_base = segments.segment[at].base;
	}
	free(segments.segment);
	return STATUS_OK;
}

static int
open_segment(struct journal_reader *reader, uint64_t base, struct reason *reason)
{
	char path[PATH_MAX];

	journal_reader_path(reader->state_dir, base, path);
	reader->base = base;
	reader->has_begun = true;
	reader->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (reader->fd < 0 && errno == ENOENT)
		return STATUS_NOT_FOUND;
	if (reader->fd < 0)
		return reason_errno(reason, errno, path);
	memset(reader->instance, 0, sizeof(reader->instance));
	return STATUS_OK;
}

/* A segment that was begun this moment may not have its head yet. */
static bool
read_head(struct journal_reader *reader)
{
	const uint8_t *head = look(reader, 0, JOURNAL_SEGMENT_HEAD);
	struct cursor cursor = cursor_init(head, JOURNAL_SEGMENT_HEAD);

	if (!head)
		return false;
	reader->must_close = cursor_u32(&cursor) != checksum_crc32c(head + 4, JOURNAL_SEGMENT_HEAD - 4)
			     || memcmp(cursor_take(&cursor, 4), JOURNAL_MAGIC, 4) != 0;
	cursor_copy(&cursor, reader->instance, sizeof(reader->instance));
	reader->must_close = reader->must_close || cursor_u64(&cursor) != reader->base;
	if (reader->must_close) {
		memset(reader->instance, 0, sizeof(reader->instance));
		return false;
	}
	reader->offset = JOURNAL_SEGMENT_HEAD;
	return true;
}

static void
close_segment(struct journal_reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = -1;
	reader->has_next = reader->must_close = false;
	reader->window_len = 0;
	reader->offset = 0;
	reader->part.rest = 0;
}

/* --- revisions and parts --- */

/* The next part, or the first one of the next revision when all of that is there; one that was
 * seen already is passed over. False: nothing whole is there. */
static bool
read_revision(struct journal_reader *reader)
{
	const bool is_first = reader->part.rest == 0;
	struct part first;

	if ((reader->offset == 0 && !read_head(reader)) || !read_part(reader, reader->offset))
		return false;
	first = reader->part;
	if (is_first && first.rest > 0) {
		uint64_t at = reader->offset + first.len, rest = first.rest;

		for (; rest > 0; at += reader->part.len, rest -= reader->part.len)
			if (!read_part(reader, at) || reader->part.revision != first.revision
				|| reader->part.rest + reader->part.len != rest)
				break;
		if (rest > 0 || !read_part(reader, reader->offset)) {
			reader->part.rest = 0;
			reader->items.left = 0;
			return false;
		}
	}
	if (is_first)
		reader->index = 0;
	reader->offset += first.len;
	if (first.revision <= reader->since) {
		reader->offset += first.rest;
		reader->part.rest = 0;
		reader->items.left = 0;
	} else if (reader->items.left == 0 && first.rest == 0) {
		reader->since = first.revision;
	}
	return true;
}

/* Sets part, caller and items. Unchanged on failure. */
static bool
read_part(struct journal_reader *reader, uint64_t offset)
{
	const uint8_t *at = look(reader, offset, JOURNAL_PART_HEAD);
	struct cursor cursor;
	struct part part;
	uint32_t sum;

	if (!at)
		return false;
	cursor = cursor_init(at, JOURNAL_PART_HEAD);
	sum = cursor_u32(&cursor);
	part.len = cursor_u32(&cursor);
	part.revision = cursor_u64(&cursor);
	part.rest = cursor_u64(&cursor);
	part.wall_ms = cursor_u64(&cursor);
	part.verb = cursor_u8(&cursor);
	part.caller_len = cursor_u8(&cursor);
	if (part.len < JOURNAL_PART_HEAD || part.len > JOURNAL_PART_MAX
		|| part.rest > JOURNAL_CHANGE_MAX || part.verb == 0 || part.verb >= JOURNAL_VERBS
		|| part.caller_len > JOURNAL_CALLER_MAX
		|| part.len - JOURNAL_PART_HEAD < part.caller_len)
		return false;
	at = look(reader, offset, part.len);
	if (!at || checksum_crc32c(at + 4, part.len - 4) != sum)
		return false;
	reader->bytes += part.len;
	reader->part = part;
	reader->caller = at + JOURNAL_PART_HEAD;
	reader->items = cursor_init(reader->caller + part.caller_len,
		part.len - JOURNAL_PART_HEAD - part.caller_len);
	return true;
}

/* `len` bytes of the segment, or NULL when it does not have them. */
static const uint8_t *
look(struct journal_reader *reader, uint64_t offset, size_t len)
{
	if (offset < reader->window_at
		|| offset + len > reader->window_at + reader->window_len) {
		size_t have = 0;
		ssize_t done;

		while (have < WINDOW
			&& (done = pread(reader->fd, reader->window + have, WINDOW - have,
				    (off_t)(offset + have)))
				   > 0)
			have += (size_t)done;
		reader->window_at = offset;
		reader->window_len = have;
		if (have < len)
			return NULL;
	}
	return reader->window + (offset - reader->window_at);
}

static bool
read_item(struct journal_reader *reader, struct journal_entry *out)
{
	struct cursor *items = &reader->items;
	const uint8_t flags = cursor_u8(items);
	struct name name;

	memset(out, 0, offsetof(struct journal_entry, owner));
	memset(&out->before, 0, sizeof(out->before));
	memset(&out->after, 0, sizeof(out->after));
	out->owner.len = cursor_u8(items);
	out->type = cursor_u16(items);
	if (out->owner.len > NAME_KEY_MAX)
		return false;
	cursor_copy(items, out->owner.bytes, out->owner.len);
	if (items->failed || flags > (JOURNAL_HAS_BEFORE | JOURNAL_HAS_AFTER)
		|| name_from_key(out->owner.bytes, out->owner.len, &name) != STATUS_OK)
		return false;
	out->has_before = flags & JOURNAL_HAS_BEFORE;
	out->has_after = flags & JOURNAL_HAS_AFTER;
	if ((out->has_before && !read_value(items, out, &out->before))
		|| (out->has_after && !read_value(items, out, &out->after)))
		return false;
	out->event = JOURNAL_CHANGE;
	out->revision = out->after.revision = reader->part.revision;
	out->wall_ms = reader->part.wall_ms;
	out->verb = (enum journal_verb)reader->part.verb;
	memcpy(out->caller, reader->caller, reader->part.caller_len);
	out->index = reader->index++;
	out->is_last = items->left == 0 && reader->part.rest == 0;
	if (out->is_last)
		reader->since = out->revision;
	return true;
}

static bool
read_value(
	struct cursor *cursor, const struct journal_entry *entry, struct state_record *out)
{
	struct rrset *rrset = &out->rrset;

	rrset->owner = entry->owner;
	rrset->type = entry->type;
	rrset->ttl = cursor_u32(cursor);
	out->lease_ms = cursor_u32(cursor);
	out->expires_ms = cursor_u64(cursor);
	rrset->rdata_len = cursor_u32(cursor);
	rrset->count = cursor_u16(cursor);
	out->source_len = cursor_u8(cursor);
	cursor_u8(cursor);
	out->source = (const char *)cursor_take(cursor, out->source_len);
	rrset->rdata = cursor_take(cursor, rrset->rdata_len);
	return !cursor->failed && out->source_len <= STATE_SOURCE_MAX
	       && rrset->rdata_len <= RRSET_RDATA_MAX
	       && rrset_is_well_formed(rrset->rdata, rrset->rdata_len, rrset->count);
}

/* --- what is there --- */

int
journal_reader_survey(
	const char *state_dir, struct journal_survey *out, struct reason *reason)
{
	struct journal_segments segments;
	struct journal_reader *reader = NULL;
	bool is_whole;
	int status = journal_reader_list(state_dir, &segments, reason);

	if (status != STATUS_OK)
		return status;
	*out = (struct journal_survey){ .oldest = segments.segment[0].base };
	status = journal_reader_open(state_dir, 0, &reader, reason);
	for (size_t i = segments.count; status == STATUS_OK && i > 0; i--) {
		close_segment(reader);
		status = open_segment(reader, segments.segment[i - 1].base, reason);
		is_whole = status == STATUS_OK && read_head(reader);
		if (is_whole || i == segments.count)
			out->base = reader->since = segments.segment[i - 1].base;
		if (is_whole)
			break;
	}
	free(segments.segment);
	while (status == STATUS_OK && !reader->must_close && read_revision(reader)) {
		reader->items.left = 0;
		if (reader->part.rest == 0 && reader->part.revision > reader->since)
			reader->since = reader->part.revision;
		out->wall_ms = reader->part.wall_ms;
	}
	if (status == STATUS_OK) {
		out->newest = reader->since;
		memcpy(out->instance, reader->instance, sizeof(out->instance));
	}
	journal_reader_close(reader);
	return status;
}

int
journal_reader_list(
	const char *state_dir, struct journal_segments *out, struct reason *reason)
{
	char path[PATH_MAX];
	struct dirent *entry;
	size_t room = 0;
	DIR *dir;

	*out = (struct journal_segments){ 0 };
	if (snprintf(path, sizeof(path), "%s/journal", state_dir) >= (int)sizeof(path))
		return reason_set(reason, STATUS_IO, "%s: the path is too long", state_dir);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? STATUS_NOT_FOUND : reason_errno(reason, errno, path);
	while ((entry = readdir(dir))) {
		struct journal_segment segment = { 0 };
		struct stat stat;
		int end = 0;

		if (sscanf(entry->d_name, "journal-%20" SCNu64 ".log%n", &segment.base, &end) != 1
			|| end == 0 || entry->d_name[end] != '\0'
			|| fstatat(dirfd(dir), entry->d_name, &stat, 0) != 0)
			continue;
		if (out->count == room) {
			void *more = reallocarray(out->segment, room = room ? room * 2 : 16,
				sizeof(*out->segment));

			if (!more) {
				free(out->segment);
				closedir(dir);
				return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
			}
			out->segment = more;
		}
		segment.bytes = (uint64_t)stat.st_size;
		segment.changed_ms = (uint64_t)stat.st_mtim.tv_sec * 1000
				     + (uint64_t)stat.st_mtim.tv_nsec / 1000000;
		out->segment[out->count++] = segment;
	}
	closedir(dir);
	if (out->count == 0)
		return STATUS_NOT_FOUND;
	qsort(out->segment, out->count, sizeof(*out->segment), compare_segments);
	return STATUS_OK;
}

static int
compare_segments(const void *a, const void *b)
{
	const struct journal_segment *one = a, *two = b;

	return (one->base > two->base) - (one->base < two->base);
}

void
journal_reader_path(const char *state_dir, uint64_t base, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/journal/journal-%020" PRIu64 ".log", state_dir, base);
}
