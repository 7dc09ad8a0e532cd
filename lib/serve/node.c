/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The serve value: encoded by livezoned's writer thread, decoded by Unbound's workers on
 * the way of a query. The decoder trusts no byte.
 */
#include "lib/serve/node.h"

#include <string.h>

#include "lib/base/checksum.h"
#include "lib/base/cursor.h"
#include "lib/base/status.h"

#define MAGIC 'N'
#define VERSION 1
#define HEADS_AT 20
#define HEAD_SIZE 10
#define HAS_EXPIRY 0x8000u

/* A head as it stands in the value. */
struct head {
	uint16_t type;
	uint16_t records;
	uint32_t ttl;
	uint16_t rdata_len;
};

int
node_open(const uint8_t *value, size_t len, const struct name_key *key, struct node *out)
{
	struct cursor cursor = cursor_init(value, len);
	uint32_t checksum = cursor_u32(&cursor);
	uint8_t magic = cursor_u8(&cursor);
	uint8_t version = cursor_u8(&cursor);
	struct node node = { .value = value };

	node.flags = cursor_u8(&cursor);
	node.count = cursor_u8(&cursor);
	node.length = cursor_u32(&cursor);
	node.revision = cursor_u64(&cursor);
	if (cursor.failed || magic != MAGIC)
		return STATUS_CORRUPT;
	if (version != VERSION)
		return STATUS_FOREIGN;
	if (node.length != len || len > NODE_SIZE_MAX
		|| (size_t)node.count * HEAD_SIZE > cursor.left)
		return STATUS_CORRUPT;
	if (checksum_crc32c_two(key->bytes, key->len, value + 4, len - 4) != checksum)
		return STATUS_CORRUPT;
	*out = node;
	return STATUS_OK;
}

static struct head
read_head(const struct node *node, size_t index)
{
	struct cursor cursor =
		cursor_init(node->value + HEADS_AT + index * HEAD_SIZE, HEAD_SIZE);
	struct head head;

	head.type = cursor_u16(&cursor);
	head.records = cursor_u16(&cursor);
	head.ttl = cursor_u32(&cursor);
	head.rdata_len = cursor_u16(&cursor);
	return head;
}

static size_t
body_size(const struct head *head)
{
	return head->rdata_len + (head->records & HAS_EXPIRY ? sizeof(uint64_t) : 0);
}

/* The RRset of a head whose body is at `at`. */
static int
read_body(const struct node *node, const struct head *head, size_t at,
	struct node_rrset *out)
{
	struct cursor cursor;
	struct node_rrset found = {
		.type = head->type,
		.count = head->records & (uint16_t)~HAS_EXPIRY,
		.ttl = head->ttl,
		.rdata_len = head->rdata_len,
	};

	if (at > node->length || body_size(head) > node->length - at)
		return STATUS_CORRUPT;
	cursor = cursor_init(node->value + at, body_size(head));
	if (head->records & HAS_EXPIRY)
		found.expires_ms = cursor_u64(&cursor);
	found.rdata = cursor_take(&cursor, found.rdata_len);
	if (found.count == 0 || found.count > RRSET_RECORDS_MAX
		|| !rrset_is_well_formed(found.rdata, found.rdata_len, found.count))
		return STATUS_CORRUPT;
	*out = found;
	return STATUS_OK;
}

int
node_rrset(const struct node *node, size_t index, struct node_rrset *out)
{
	size_t at = HEADS_AT + (size_t)node->count * HEAD_SIZE, i;
	struct head head = read_head(node, 0);

	for (i = 0; i < index; i++) {
		at += body_size(&head);
		head = read_head(node, i + 1);
	}
	return read_body(node, &head, at, out);
}

int
node_find(const struct node *node, uint16_t type, uint64_t now_ms, struct node_rrset *out)
{
	size_t at = HEADS_AT + (size_t)node->count * HEAD_SIZE, i;

	for (i = 0; i < node->count; i++) {
		struct head head = read_head(node, i);
		int status;

		if (head.type != type) {
			at += body_size(&head);
			continue;
		}
		status = read_body(node, &head, at, out);
		if (status == STATUS_OK && !node_rrset_lives(out, now_ms))
			return STATUS_NOT_FOUND;
		return status;
	}
	return STATUS_NOT_FOUND;
}

size_t
node_size(const struct node_rrset *rrsets, size_t count)
{
	size_t size = HEADS_AT + count * HEAD_SIZE, i;

	for (i = 0; i < count; i++)
		size += rrsets[i].rdata_len
			+ (rrsets[i].expires_ms != 0 ? sizeof(uint64_t) : 0);
	return size;
}

void
node_encode(const struct name_key *key, uint64_t revision, uint32_t flags,
	const struct node_rrset *rrsets, size_t count, uint8_t *out)
{
	size_t size = node_size(rrsets, count), i;
	struct cursor_out cursor = cursor_out_init(out, size);

	cursor_put_u32(&cursor, 0);
	cursor_put_u8(&cursor, MAGIC);
	cursor_put_u8(&cursor, VERSION);
	for (i = 0; i < count; i++)
		if (rrsets[i].expires_ms != 0)
			flags |= NODE_HAS_LEASES;
	cursor_put_u8(&cursor, (uint8_t)flags);
	cursor_put_u8(&cursor, (uint8_t)count);
	cursor_put_u32(&cursor, (uint32_t)size);
	cursor_put_u64(&cursor, revision);
	for (i = 0; i < count; i++) {
		uint16_t leased = rrsets[i].expires_ms != 0 ? HAS_EXPIRY : 0;

		cursor_put_u16(&cursor, rrsets[i].type);
		cursor_put_u16(&cursor, rrsets[i].count | leased);
		cursor_put_u32(&cursor, rrsets[i].ttl);
		cursor_put_u16(&cursor, (uint16_t)rrsets[i].rdata_len);
	}
	for (i = 0; i < count; i++) {
		if (rrsets[i].expires_ms != 0)
			cursor_put_u64(&cursor, rrsets[i].expires_ms);
		cursor_put(&cursor, rrsets[i].rdata, rrsets[i].rdata_len);
	}
	cursor = cursor_out_init(out, size);
	cursor_put_u32(&cursor,
		checksum_crc32c_two(key->bytes, key->len, out + 4, size - 4));
}
